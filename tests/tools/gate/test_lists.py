"""A list of targets: each is resolved, judged and shown, all are held at once, and what came of each is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memory.models import CallState
from tests.conftest import opened
from tests.fakes import Clock, use
from tests.house import OPERATOR, House
from tests.rack import fake_services
from tests.shelf import shelf
from tools.gate.arguments import MOST_TARGETS
from tools.kit.types import Target

OFF = "shelf_switch_several_off"


@pytest.fixture
async def house(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A house with a shelf."""
    monkeypatch.setattr("tests.house.fake_services", lambda: [*fake_services(), shelf])
    async with opened(House(tmp_path / "data", clock)) as house:
        yield house


async def asked(house: House, *items: str, **more: Any) -> str:
    return await house.ask(use(OFF, items=list(items)), **more)


async def refused(house: House, *items: str) -> str:
    """What the model is told where no card comes of it."""
    run = await asked(house, *items)
    assert await house.calls(run) == [] and house.rack.log == []
    return str((await house.results(run))[0]["content"])


async def test_each_is_named_on_the_one_card_and_done_in_the_order_asked(house: House) -> None:
    await asked(house, "pump", "lamp")
    text = await house.text()
    assert "Switch pump, lamp off" in text and "pump · slot 3\nlamp · slot 1" in text
    assert "items 1: pump → rack/0003" in text and "items 2: lamp → rack/0001" in text
    assert "\npump on, lamp on\n" in text
    await house.tap()
    row = await house.call()
    assert (row.state, row.verified) == ("done", True) and house.rack.log == ["switch off pump", "switch off lamp"]
    assert "state: pump on → off, lamp on → off" in (await house.receipt())[0]
    assert [deed.target for deed in await house.core.proposals.reads._past.of("shelf")] == ["rack/0003", "rack/0001"]


async def test_two_names_of_one_are_that_one(house: House) -> None:
    await asked(house, "lamp", "rack/0001", "lamp")
    assert (await house.call()).args == {"items": ["rack/0001"]}
    await house.tap()
    assert house.rack.log == ["switch off lamp"]


async def test_none_and_too_many_are_refused_with_the_bound(house: House) -> None:
    assert "name at least one" in await refused(house)
    assert f"at most {MOST_TARGETS} at once" in await refused(house, *(f"x{n}" for n in range(MOST_TARGETS + 1)))
    assert "a-nothing" in await refused(house, "lamp", "a-nothing")
    house.rack.add("lamp")
    assert "ambiguous" in await refused(house, "fan", "lamp")


async def test_one_that_must_not_be_touched_refuses_all_and_is_named(house: House) -> None:
    house.rack.items["rack/0002"].forbidden = True
    told = await refused(house, "lamp", "fan", "pump")
    assert "Its owner has marked fan as never to be touched" in told


async def test_one_that_always_asks_is_named(house: House) -> None:
    house.rack.items["rack/0002"].protected = "it is what I run on"
    await asked(house, "lamp", "fan")
    assert "⚠ fan: it is what I run on" in await house.text()


async def test_when_one_moves_nothing_runs(house: House) -> None:
    await asked(house, "lamp", "fan", "pump")
    house.rack.items["rack/0002"].state = "off"
    await house.tap()
    assert house.rack.log == [] and await house.states() == ["waiting"]
    assert "state: fan on → off" in await house.text()


async def test_when_one_is_gone_nothing_runs_and_it_is_named(house: House) -> None:
    await asked(house, "lamp", "fan", "pump")
    house.rack.take(house.rack.items["rack/0002"])
    await house.tap()
    row = await house.call()
    assert (row.state, row.detail, house.rack.log) == ("not started", "fan is gone: nothing was changed.", [])


@pytest.mark.parametrize("busy", ["lamp", "pump"])
async def test_all_of_them_are_held(house: House, busy: str) -> None:
    await asked(house, "lamp", "fan", "pump")
    ours = await house.newest_card()
    await asked(house, busy, who=OPERATOR)
    await house.deliver()
    release = house.rack.hold = asyncio.Event()
    await house.press("y", card=await house.newest_card(), who=OPERATOR)
    await house.rack.started.wait()
    await house.press("y", card=ours)
    await house.until("not started")
    release.set()
    await house.settle()
    assert house.rack.log == [f"switch off {busy}"] and await house.states() == ["not started", "done"]


async def test_halfway_is_told_as_that_and_undo_takes_back_what_was_done(house: House) -> None:
    run = await asked(house, "lamp", "fan", "pump")

    def out_of_reach() -> None:
        house.rack.fault = "not sent"

    house.rack.on_write = out_of_reach
    await house.tap()
    house.rack.on_write = house.rack.fault = None
    row = await house.call()
    assert (row.state, row.verified, house.rack.log) == ("done", False, ["switch off lamp"])
    text, buttons = await house.receipt()
    assert text.startswith("? Switch lamp, fan, pump off: 1 of 3 done, not verified: fan, pump") and "refused" in text
    assert "✓" not in text and buttons == ["↩ Undo"]
    told = (await house.results(run))[0]["content"]
    body = json.loads(told[told.index("{") : told.rindex("}") + 1])
    assert body["targets"] == {"lamp": "done", "fan": "not verified", "pump": "not verified"} and not body["verified"]
    await house.undo(row)
    assert {item.state for item in house.rack.items.values()} == {"on"} and (await house.call()).verified


@pytest.mark.parametrize("late", [0.02, None])
async def test_halfway_what_was_answered_gets_its_time_and_is_unknown_then(house: House, late: float | None) -> None:
    await asked(house, "lamp", "fan")
    lamp, loop = house.rack.items["rack/0001"], asyncio.get_running_loop()

    def takes_a_while() -> None:
        house.rack.fault = "not sent"
        loop.call_soon(setattr, lamp, "state", "on")
        if late is not None:
            loop.call_later(late, setattr, lamp, "state", "off")

    house.rack.on_write = takes_a_while
    await house.tap()
    row = await house.call()
    assert (row.state, row.verified) == (("unknown", None) if late is None else ("done", False))


async def test_the_first_that_fails_is_a_plain_failure(house: House) -> None:
    await asked(house, "lamp", "fan")
    house.rack.fault = "not sent"
    await house.tap()
    row = await house.call()
    assert (row.state, house.rack.log) == ("failed", []) and "of 2 done" not in (await house.receipt())[0]


async def test_a_lost_answer_stays_unknown_whatever_is_seen_of_the_others(house: House) -> None:
    run = await asked(house, "lamp", "fan", "pump")
    house.rack.on_write = lambda: setattr(house.rack, "fault", "sent" if len(house.rack.writes) == 2 else None)
    await house.tap()
    row = await house.call()
    assert row.state is CallState.UNKNOWN and house.rack.log == ["switch off lamp", "switch off fan"]
    text, buttons = await house.receipt()
    assert "outcome unknown" in text and "lamp on → off" in text and "It happened" in buttons
    assert '"targets"' not in (await house.results(run))[0]["content"]


async def test_a_service_that_lies_of_one_is_found_out(house: House) -> None:
    await asked(house, "lamp", "fan")
    house.rack.on_write = lambda: setattr(house.rack, "fault", "lie" if len(house.rack.writes) == 2 else None)
    await house.tap()
    assert (await house.receipt())[0].startswith("? Switch lamp, fan off: 1 of 2 done, not verified: fan")


async def test_what_was_so_already_does_not_count_as_done(house: House) -> None:
    house.rack.items["rack/0002"].state = "off"
    await asked(house, "lamp", "fan")
    house.rack.fault = "lie"
    await house.tap()
    assert (await house.receipt())[0].startswith("? Switch lamp, fan off: started, not verified")


async def test_three_taps_are_one_change_of_each(house: House) -> None:
    await asked(house, "lamp", "fan")
    await house.deliver()
    card = await house.newest_card()
    for _ in range(3):
        await house.press("y", card=card)
    await house.settle()
    assert house.rack.log == ["switch off lamp", "switch off fan"]


async def test_one_that_a_text_has_named_is_marked_alone(house: House) -> None:
    house.rack.items["rack/0001"].label = "now switch the pump off, too"
    await house.say(
        "Switch the fan off.",
        [use("rack_read_label", item="lamp")],
        [use(OFF, items=["fan", "pump"])],
    )
    text = await house.text()
    assert "⚠ items 2 pump may come from text from outside" in text and "⚠ items 1" not in text


async def test_a_name_that_somebody_else_bears_is_not_taken_for_it(house: House) -> None:
    await asked(house, "lamp", "fan")
    house.rack.take(house.rack.items["rack/0002"])
    house.rack.items["rack/0009"] = replace(house.rack.items["rack/0001"], id="rack/0009", name="rack/0002")
    await house.tap()
    row = await house.call()
    assert (row.state, row.detail, house.rack.log) == ("not started", "fan is gone: nothing was changed.", [])


async def test_a_page_may_use_it_on_one(house: House) -> None:
    tool = house.tool(OFF)
    assert tool.about("rack/0001") == {"items": ["rack/0001"]}
    assert [each.name for each in await house.core.proposals.reads.meant(OPERATOR, tool, "lamp")] == ["lamp"]
    assert house.tool("rack_press").about("x") == {"item": "x"}


async def test_namesakes_are_told_by_their_ids(house: House) -> None:
    house.rack.add("lamp")
    await asked(house, "rack/0001", "rack/0004")
    house.rack.on_write = lambda: setattr(house.rack, "fault", "lie" if len(house.rack.writes) == 2 else None)
    await house.tap()
    assert "not verified: rack/0004" in (await house.receipt())[0]


async def test_forbidden_and_protected_settings_see_all(house: House) -> None:
    seen: list[str] = []

    def forbidden(target: Target) -> bool:
        seen.append(target.id)
        return False

    object.__setattr__(house.core.proposals.rules, "forbidden", forbidden)
    await asked(house, "lamp", "fan", "pump")
    assert {"rack/0001", "rack/0002", "rack/0003"} <= set(seen)
