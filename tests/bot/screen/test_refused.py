"""What a person sees of a change that is not asked: why, and what to do about it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.doctor import Doctor
from bot.settings.people import console_actor
from bot.terminal.console import lines
from bot.terminal.control import Control
from lab.telegram.state import ADMIN, VIEWER
from tests.fakes import use
from tests.house import plain
from tests.live import Live
from tools.gate.standing import MOST_OPEN

NAMES = ("jellyfin", "sonarr", "radarr", "grafana", "gitea")
STOPS = [use("docker_stop_container", container=name) for name in NAMES]


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
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
    await live.press_as(page, "m:containers:0:restart:mini/pihole")
    answer = await live.hear("Restart pihole: 5 cards already wait")
    await live.press_as(answer, answer.button("Show them"))
    await live.hear("Stop gitea")
    assert len(await live.stores.approvals.open_cards()) == MOST_OPEN


# -- what the rules refuse ----------------------------------------------------------------------------------------


@pytest.fixture
async def looking(tmp_path: Path) -> AsyncIterator[Live]:
    """A bot that only looks."""
    async with Live(tmp_path, AUTONOMY="observe") as live:
        yield live


async def nothing_can_be_tapped(live: Live) -> None:
    """No button runs anything, and there is nothing that one could run."""
    await live.quiet()
    assert not [b for m in live.lab.telegram.sent(ADMIN) for b in m.buttons if b["callback_data"].startswith("a1:")]
    for table in ("cards", "approvals", "calls"):
        assert await live.stores.database.all(f"SELECT * FROM {table}") == []
    assert not live.writes()


async def test_observing_it_shows_the_whole_card_with_nothing_to_tap(looking: Live) -> None:
    looking.model.script += [[use("docker_remove_container", container="jellyfin")], "I only look."]
    shown = await looking.write("remove jellyfin", "^Would do: Remove jellyfin · DESTROY")
    for words in ("nas · jellyfin/jellyfin", "running", "undo: make it again", "To allow changes: AUTONOMY=ask"):
        assert words in shown.text
    assert "container: jellyfin → nas/" in shown.text and shown.buttons == []
    await looking.hear("^I only look")
    assert "Nothing was changed" in shown.text and "1 refused" in (await looking.hear("I only look")).text
    await nothing_can_be_tapped(looking)


async def test_several_that_it_would_do_stand_on_one_message(looking: Live) -> None:
    looking.model.script.append(STOPS[:3])
    shown = await looking.write("stop the three", "^Would do: 3 changes, in this order")
    assert [f"{n}. Stop {name}" in shown.text for n, name in enumerate(NAMES[:3], 1)] == [True] * 3
    assert shown.text.count("AUTONOMY=ask") == 1
    await nothing_can_be_tapped(looking)


async def test_a_button_says_what_it_would_do_and_says_it_once(looking: Live) -> None:
    page = await looking.write("/status", "containers")
    await looking.press_as(page, "m:containers:0:restart:mini/pihole")
    await looking.hear("^Would do: Restart pihole")
    await looking.quiet()
    assert [m.text for m in looking.lab.telegram.sent(ADMIN) if "Restart pihole" in m.text and m is not page][1:] == []
    await nothing_can_be_tapped(looking)


async def test_a_model_that_insists_is_shown_once(looking: Live) -> None:
    looking.model.script += [[STOPS[0]], [use("docker_stop_container", container="jellyfin")], "No."]
    await looking.write("stop jellyfin", "^No")
    await looking.quiet()
    assert [m.text.startswith("Would do") for m in looking.lab.telegram.sent(ADMIN)].count(True) == 1


async def test_who_may_only_look_is_told_who_may_more(live: Live) -> None:
    live.model.script.append([STOPS[0]])
    shown = await live.write("stop jellyfin", "^Not done: Stop jellyfin", VIEWER)
    assert "This needs an operator, and nobody here is one: ask one of them." in shown.text and shown.buttons == []
    await nothing_can_be_tapped(live)


async def test_what_only_the_mode_stands_in_the_way_of_is_what_it_would_do(build: Any) -> None:
    """Not what would be refused in any mode: unwatched, marked, or too large for a card."""
    house = await build(autonomy="observe", forbidden_targets="fan")
    await house.ask(use("rack_remove_item", item="lamp"), use("rack_switch_off", item="fan"), unattended=True)
    house.rack.items["rack/0001"].label = "word " * 900
    run = await house.ask(use("rack_relabel", item="lamp", text="x"))
    said = [payload["reason"] for kind, payload in await house.deliver() if kind == "refused"]
    assert len(said) == 2 and "Nobody is watching" in said[0] and "never to be touched" in said[1]
    assert "do it in parts" in (await house.results(run))[0]["content"]


async def test_a_name_cannot_make_the_message_say_something_else(build: Any) -> None:
    house = await build(autonomy="observe")
    house.rack.add("**lamp** [x](http://evil)")
    await house.ask(use("rack_press", item="rack/0004"))
    [payload] = [payload for kind, payload in await house.deliver() if kind == "refused"]
    assert plain(house.cards.refused(payload["plans"], payload["reason"])).startswith(
        "Would do: Press **lamp** [x](http://evil)"
    )


async def test_a_terminal_shows_the_plan_too(build: Any) -> None:
    house = await build(autonomy="observe")
    control = Control(house.core, Doctor(house.core))
    run = await house.say("off", [use("rack_press", item="lamp")], "No.", who=console_actor())
    said = lines(await control.show(run))
    for words in ("Press lamp: would do", "state on, watts 40", "No undo: it springs back.", "AUTONOMY=observe"):
        assert words in said
