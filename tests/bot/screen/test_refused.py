"""What a person sees of a change that is not asked: why, and what to do about it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import use
from tests.live import Live, without_pauses
from tools.gate.standing import MOST_OPEN

NAMES = ("jellyfin", "sonarr", "radarr", "grafana", "gitea")
STOPS = [use("docker_stop_container", container=name) for name in NAMES]


@pytest.fixture
async def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    without_pauses(monkeypatch)
    async with Live(tmp_path) as live:
        yield live


async def five_cards(live: Live) -> None:
    for stop in STOPS:
        live.model.script.append([stop])
        await live.write(f"stop {stop['input']['container']}", f"Stop {stop['input']['container']}")
    assert len(await live.stores.approvals.open_cards()) == MOST_OPEN


async def test_where_five_cards_wait_a_button_shows_them(live: Live) -> None:
    await five_cards(live)
    page = await live.write("/status", "containers")
    live.mark = live.lab.telegram.version
    await live.press_as(page, "m:do:restart:mini/pihole")
    answer = await live.hear("Restart pihole: 5 cards already wait")
    await live.press_as(answer, answer.button("Show them"))
    await live.hear("Stop gitea")
    assert len(await live.stores.approvals.open_cards()) == MOST_OPEN


async def test_a_model_that_asks_too_much_is_told_of_with_the_same_button(live: Live) -> None:
    await five_cards(live)
    live.model.script.append([use("docker_restart_container", container="mini/pihole")])
    answer = await live.write("restart pihole", "Not asked: 5 cards already wait")
    assert [button["text"] for button in answer.buttons] == ["Show them"]
