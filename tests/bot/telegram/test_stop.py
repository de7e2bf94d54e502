"""/stop and [Stop] as a person sees them: the answer comes at once, and says what became of what was on the screen."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.telegram.pace import Throttle
from bot.telegram.progress import STOPPED
from lab.telegram.state import ADMIN
from tests.fakes import Held, use
from tests.live import Live

NAMES = ("jellyfin", "sonarr", "radarr", "grafana", "gitea")


@pytest.fixture
async def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    monkeypatch.setattr("bot.telegram.progress.PATIENCE", 0.01)
    async with Live(tmp_path) as live:
        yield live


async def for_ever(_: Any) -> None:
    await asyncio.Event().wait()


async def five_cards(live: Live) -> None:
    for name in NAMES:
        live.model.script.append([use("docker_stop_container", container=name)])
        await live.write(f"stop {name}", f"Stop {name}")
    await live.quiet()


async def slow(live: Live) -> None:
    """From now on the chat's turn comes once a minute, and it has just been."""
    live.telegram._throttles[ADMIN] = Throttle(60.0, 1)
    await live.telegram._throttles[ADMIN].turn()


@pytest.mark.parametrize("line", ["/stop", "/stop all"])
async def test_stop_is_answered_before_its_five_cards_are_drawn_again(live: Live, line: str) -> None:
    await five_cards(live)
    await slow(live)
    await live.write(line, "Stopped.*5 cards voided")


async def test_stop_is_answered_although_something_waits_for_its_turn(live: Live) -> None:
    live.model.script.append(for_ever)
    await live.write("hello", "Thinking")
    await slow(live)
    await live.stores.outbox.say(f"tg:{ADMIN}", "view", "slow", text="Something else.", buttons=[])
    await asyncio.sleep(0.05)
    await live.write("/stop", "1 request halted")


async def test_an_answer_comes_before_cards_are_drawn_again(live: Live) -> None:
    """Five cards that lapse together keep nobody waiting."""
    await five_cards(live)
    throttle = live.telegram._throttles[ADMIN] = Throttle(0.0)
    throttle.hold(0.5)
    await live.core.decisions.sweep(everything=True)
    await live.write("/cost", "today")
    drawn = [message for message in live.lab.telegram.sent(ADMIN) if "expired" in message.text]
    assert len(drawn) <= 1, "one may have been on its way"
    await live.quiet()


async def test_the_stop_button_leaves_a_line(live: Live) -> None:
    live.model.script.append(for_ever)
    shown = await live.write("hello", "Thinking")
    button = shown.button("Stop")
    assert await live.press_as(shown, button) == "Stopping."
    left = await live.hear(f"^{STOPPED}$")
    assert left.message_id == shown.message_id and left.buttons == []
    assert await live.press_as(shown, button) == "It has ended already."
    await live.quiet()
    assert left in live.lab.telegram.sent(ADMIN) and left.text == STOPPED


async def test_what_ends_by_itself_leaves_none(live: Live) -> None:
    go = Held()
    live.model.script.append(go)
    shown = await live.write("hello", "Thinking")
    go.set()
    await live.hear("Done.")
    await live.until(lambda: shown not in live.lab.telegram.sent(ADMIN), "the progress message to go")
