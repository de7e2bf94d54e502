"""An unknown outcome in a person's words: when it began, what hints at it, and the evidence below; never a verdict."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import use
from tests.house import House
from tests.place import Place

LONG = "3f2a9c1b7d20" + "ab" * 26


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with Place(tmp_path) as place:
        yield place


async def cut_off(place: Place, tool: str, *, done: bool) -> Any:
    """A change that was under way when the process died; `done`: its service did it all the same."""
    await place.ask(use(tool, container="nas/radarr"))
    await place.deliver()

    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    old = place.core
    old.execution._write = hang  # type: ignore[method-assign]
    await place.press("y", card=await place.newest_card())
    await place.until("started")
    await place.crash()
    for task in [*old.tasks._tasks, *old.execution._under_way]:
        task.cancel()
    if done:
        getattr(place.lab.world.hosts["nas"], tool.split("_")[1])("radarr")
    assert await place.recover() == 1
    await place.settle()
    return await place.call()


@pytest.mark.parametrize(
    ("tool", "hint", "moved"),
    [
        ("docker_restart_container", "It was started again at ", "started: "),
        ("docker_stop_container", "It has been exited since ", "state: running → exited"),
    ],
)
async def test_a_moment_of_the_target_says_that_it_probably_happened(
    place: Place, tool: str, hint: str, moved: str
) -> None:
    row = await cut_off(place, tool, done=True)
    text, buttons = await place.receipt(row)
    assert row.state == "unknown" and row.verified is None, "probably is not done"
    words, _, evidence = text.partition("approved")
    assert "Begun at " in words and "I was cut off" in words and "I do not know whether it happened. " in words
    assert hint in words and ", so it probably did." in words
    assert moved in evidence and "container: nas/radarr" in evidence
    assert buttons == ["It happened", "It did not", "Ask again"]


async def test_without_a_trace_nothing_is_probable(place: Place) -> None:
    text, _ = await place.receipt(await cut_off(place, "docker_restart_container", done=False))
    assert "no trace of it" in text and "probably" not in text


def seen_at(row: Any, at: float, **more: Any) -> dict[str, Any]:
    facts = {"state": "on", "started": datetime.fromtimestamp(at, UTC).isoformat()}
    return {"shown": {"state": "on"}, "all": facts, "moments": ["started"], "outside": False, "fits": True, **more}


@pytest.mark.parametrize(
    ("after", "more", "probably"),
    [
        (0.0, {}, True),
        (-5.0, {}, False),  # it was so before this began
        (3600.0, {}, False),  # so much later it may have had any other cause
        (1.0, {"fits": False}, False),  # it has moved, and not as was wanted
    ],
)
async def test_only_what_fits_in_its_time_is_probable(
    house: House, after: float, more: dict[str, Any], probably: bool
) -> None:
    await house.ask(use("rack_press", item="lamp"))
    house.rack.fault = "sent"
    await house.tap()
    row = await house.call()
    assert row.started is not None
    async with house.stores.database.transaction() as tx:
        await house.stores.journal.finish(tx, row.id, row.state, after=seen_at(row, row.started + after, **more))
    text, _ = await house.receipt()
    assert ("so it probably did" in text) is probably


async def test_a_lost_answer_is_told_with_its_time_and_what_is_there(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    house.rack.fault = "lost answer"
    await house.tap()
    text, _ = await house.receipt()
    assert "Begun at " in text and "its answer was lost. I do not know whether it happened." in text
    assert "state: on → off" in text and "probably" not in text, "the rack tells no moment"


async def test_no_title_receipt_or_error_shows_64_digits(house: House) -> None:
    house.rack.add(LONG)
    await house.ask(use("rack_switch_off", item=LONG))
    house.rack.fault = "lost answer"
    await house.tap()
    text, buttons = await house.receipt()
    assert "3f2a9c1b7d20" in text and LONG not in text and LONG not in (await house.call()).title
    [block] = await house.results(await house.ask(use("rack_get_item", item="0" * 64)))
    assert '"000000000000"' in block["content"] and "0" * 13 not in block["content"]
