"""A page keeps nobody waiting for a host that does not answer, and completes itself when it does."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.telegram.upkeep import INTERRUPTED
from lab.telegram.state import ADMIN, Message
from tests.live import Live

ASKED = "⏳ (nas|mini).* is asked still"


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with Live(tmp_path, PIHOLE_URL="") as live:
        await live.write("/status", " 2 hosts")
        yield live


@pytest.fixture
def hang(live: Live, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The next list of containers comes late; whoever is asked beside it answers at once."""

    def late() -> None:
        monkeypatch.setattr("bot.menus.soon.SOON", 0.8)
        for place in ("tools.gate.reads", "bot.menus.listing"):
            monkeypatch.setattr(f"{place}.GRACE", 30.0)
        live.lab.traffic.fault("docker", path="/containers/json", delay=3.0)

    return late


async def whole(live: Live, page: Message) -> str:
    """What stands there once nobody is asked any more."""
    await live.until(lambda: "asked still" not in page.text, "the rest")
    return page.text


@pytest.mark.parametrize("line", ["/status", "/containers"])
async def test_what_is_there_is_shown_and_the_rest_when_it_comes(
    live: Live, hang: Callable[[], None], line: str
) -> None:
    hang()
    page = await live.write(line, ASKED)
    shown = page.text
    assert "All well" not in shown and not re.search("🔴 (nas|mini)", shown)
    assert line != "/status" or "1 of 2 hosts" in shown
    text = await whole(live, page)
    assert text != shown and "1 of 2 hosts" not in text
    await live.quiet()
    assert len([message for message in live.lab.telegram.sent(ADMIN) if "looked" in message.text]) == 2


async def test_a_page_that_was_turned_meanwhile_stays_as_it_is(live: Live, hang: Callable[[], None]) -> None:
    hang()
    page = await live.write("/status", ASKED)
    await live.press_as(page, "m:menu")
    await live.hear("Everything there is to look at")
    await live.until(lambda: not live.core.tasks._tasks, "the rest to come in vain")
    await live.quiet()
    assert "Everything there is" in page.text


async def test_a_button_that_leads_to_a_page_waits_no_longer(live: Live, hang: Callable[[], None]) -> None:
    page = await live.write("/status", " 2 hosts")
    hang()
    await live.press_as(page, "m:containers:0")
    assert "⏳" in (await live.hear(ASKED)).text
    assert "⏳" not in await whole(live, page)


async def test_after_a_restart_it_says_that_its_rest_will_not_come(live: Live, hang: Callable[[], None]) -> None:
    hang()
    page = await live.write("/status", ASKED)
    async with live.stores.database.transaction() as tx:
        await live.stores.outbox.interrupt(tx, INTERRUPTED)
    await live.hear(INTERRUPTED.strip())
    await live.until(lambda: not live.core.tasks._tasks, "the rest to come in vain")
    await live.quiet()
    assert page.text.endswith(INTERRUPTED.strip()) and "asked still" in page.text
