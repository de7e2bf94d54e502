"""Unpleasant orders of events: what moves between a card and its tap, and between a tap and the first byte."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from memory import backup
from memory.approvals import EXPIRY_SECONDS
from memory.models import CallState
from memory.stores import Stores
from tests.fakes import use
from tests.house import ADMIN, OPERATOR, House
from tools.gate.execution import Execution
from tools.gate.proposals import Proposals


async def asked(house: House, *names: str, tool: str = "rack_switch_off", **more: Any) -> str:
    """A delivered card that asks for these items."""
    await house.ask(*(use(tool, item=name) for name in names), **more)
    await house.deliver()
    return await house.newest_card()


async def begun(house: House, card: str) -> asyncio.Event:
    """The card approved, and its first write on its way; setting the event lets it arrive."""
    house.rack.started.clear()
    house.rack.hold = asyncio.Event()
    await house.press("y", card=card)
    await house.rack.started.wait()
    return house.rack.hold


async def second_has_moved_on(house: House) -> None:
    """Once the second call no longer waits; after five seconds in any case."""
    for _ in range(500):
        if (await house.states())[1] != "waiting":
            break
        await asyncio.sleep(0.01)


async def test_a_namesake_of_the_id_is_not_what_was_approved(house: House) -> None:
    await asked(house, "lamp")
    lamp = house.rack.items["rack/0001"]
    house.rack.take(lamp)
    house.rack.add(lamp.id)  # something else, which is called like the id on the card
    await house.tap()
    assert house.rack.log == [] and await house.states() == ["not started"]
    assert (await house.call()).detail == "lamp is gone: nothing was changed."


async def test_a_namesake_of_the_id_is_no_evidence(house: House) -> None:
    await begun(house, await asked(house, "lamp"))
    lamp = house.rack.items["rack/0001"]
    house.rack.take(lamp)
    house.rack.add(lamp.id)
    await house.crash()
    assert await house.recover() == 1
    assert (await house.call()).detail == "I was cut off while this ran. Seen now: lamp is gone."


async def test_stop_counts_while_a_change_waits_for_its_turn_to_write(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, database, busy = await asked(house, "lamp"), house.stores.database, asyncio.Event()
    allowed, others = Execution._refusal, []

    async def copying() -> None:
        async with database._lock:
            busy.set()
            await asyncio.sleep(0.2)

    def refusal(self: Execution, *known: Any) -> str:
        others.append(asyncio.create_task(copying()))
        return allowed(self, *known)

    monkeypatch.setattr(Execution, "_refusal", refusal)
    await house.press("y", card=card)
    await busy.wait()
    await asyncio.sleep(0.05)
    await house.core.runner.stop(ADMIN.id, ADMIN)
    await house.settle()
    await house.core.execution.drain(5.0)
    assert house.rack.log == [] and await house.states() == ["not started"]
    assert (await house.call()).detail == "You said stop." and await house.audited("started") == []


async def test_two_cards_for_one_target_are_not_done_at_once(house: House) -> None:
    first, second = await asked(house, "lamp"), await asked(house, "lamp", who=OPERATOR)
    other = await asked(house, "fan")
    hold = await begun(house, first)
    await house.press("y", card=second, who=OPERATOR)
    await house.press("y", card=other)
    await second_has_moved_on(house)
    hold.set()
    await house.settle()
    assert sorted(house.rack.log) == ["switch off fan", "switch off lamp"], "another target need not wait"
    assert await house.states() == ["done", "not started", "done"]
    assert "Switch lamp off was still under way" in (await house.calls())[1].detail


async def test_a_target_is_the_same_under_another_name(house: House) -> None:
    first, lamp = await asked(house, "lamp"), house.rack.items["rack/0001"]
    lamp.name = "light"
    second = await asked(house, "light", who=OPERATOR)
    hold = await begun(house, first)
    await house.press("y", card=second, who=OPERATOR)
    await second_has_moved_on(house)
    hold.set()
    await house.settle()
    assert house.rack.log == ["switch off light"] and await house.states() == ["done", "not started"]


async def test_changes_of_one_target_in_one_reply_run_one_after_the_other(house: House) -> None:
    await house.ask(use("rack_press", item="lamp"), use("rack_switch_off", item="lamp"))
    await house.tap()
    assert house.rack.log == ["press lamp", "switch off lamp"] and await house.states() == ["done", "done"]


@pytest.mark.parametrize("fault", ["break", "hang", "not sent"])
async def test_a_change_that_went_wrong_is_in_nobodys_way(house: House, fault: Any) -> None:
    house.rack.fault = fault
    await asked(house, "lamp", tool="rack_press")
    await house.tap()
    house.rack.fault = None
    await asked(house, "lamp")
    await house.tap()
    assert await house.states() == ["failed" if fault == "not sent" else "unknown", "done"]


async def test_a_clock_that_is_set_back_makes_no_approval_young_again(house: House) -> None:
    hold = await begun(house, await asked(house, "lamp", "fan"))
    house.clock.move(2 * EXPIRY_SECONDS + 1)
    house.stores.database.steady()
    house.clock.move(-2 * EXPIRY_SECONDS)
    hold.set()
    await house.settle()
    assert house.rack.log == ["switch off lamp"] and await house.states() == ["done", "waiting"]


async def test_a_card_that_is_shown_again_says_what_the_plan_says_now(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asked(house, "lamp", tool="rack_press")
    assert "No undo: it springs back." in await house.text()
    lamp = house.rack.items["rack/0001"]
    lamp.watts, lamp.protected = 99, "the whole house hangs on it"
    readable = Proposals._readable

    def other_words(self: Proposals, change: Any) -> Any:
        change = readable(self, change)
        object.__setattr__(change, "notes", ("This will hurt.",))
        return change

    monkeypatch.setattr(Proposals, "_readable", other_words)
    await house.tap()
    assert house.rack.log == []
    text = await house.text()
    assert "watts: 40 → 99" in text and "This will hurt." in text and "the whole house hangs on it" in text
    assert "springs back" not in text


async def test_an_undo_from_before_a_restore_asks(house: House, tmp_path: Path) -> None:
    await asked(house, "lamp")
    await house.tap()
    await backup.backup(house.stores.database, tmp_path / "copy.db")
    await house.undo(await house.call())
    assert house.rack.log == ["switch off lamp", "switch on lamp"]
    house.rack.items["rack/0001"].state = "off"  # by hand: just what the receipt had left
    await house.core.close(0.0)
    await backup.restore(tmp_path / "copy.db", house.folder)
    await house.open()
    await house.undo(await house.call())
    assert len(house.rack.log) == 2 and await house.states() == ["done", "waiting"]
    del house.rack.writes[1]  # the row of the Undo is not in the backup, so nothing may be held against it


@pytest.mark.parametrize("stopped", [True, False])
async def test_a_stop_all_outlives_a_restore(house: House, tmp_path: Path, stopped: bool) -> None:
    await backup.backup(house.stores.database, tmp_path / "copy.db")
    if stopped:
        await house.core.halt.panic(house.stores, ADMIN)
    await house.core.close(0.0)
    await backup.restore(tmp_path / "copy.db", house.folder)
    await house.open()
    await house.core.halt.restore(house.stores)
    run = await house.ask(use("rack_switch_off", item="lamp"))
    assert await house.states() == ([] if stopped else ["waiting"])
    assert ("Everything is stopped" in str(await house.results(run))) is stopped


async def test_what_a_stopped_request_had_begun_is_said_after_a_restore(house: House, tmp_path: Path) -> None:
    hold = await begun(house, await asked(house, "lamp"))
    await house.core.runner.stop(ADMIN.id, ADMIN)
    await backup.backup(house.stores.database, tmp_path / "copy.db")
    hold.set()
    await house.settle()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(house.folder / "rackhand.key", elsewhere)
    await backup.restore(tmp_path / "copy.db", elsewhere)
    stores = await Stores.open(elsewhere)
    try:
        [row] = await stores.journal.in_state(CallState.UNKNOWN)
        receipts = [said for said in await stores.outbox.open("tg:") if said.kind == "receipt"]
        assert [(said.conversation, said.payload["call"]) for said in receipts] == [(ADMIN.id, row.id)]
    finally:
        await stores.close()


async def test_a_net_is_kept_only_for_what_has_begun(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    card, refusal = await asked(house, "lamp", tool="rack_remove_item"), Execution._refusal

    def refused_a_moment_later(self: Execution, *known: Any) -> str:
        said = refusal(self, *known)
        house.core.halt.everything = "Hold."
        return said

    monkeypatch.setattr(Execution, "_refusal", refused_a_moment_later)
    await house.tap("d", card=card)
    await house.tap("y", card=card)
    assert await house.states() == ["not started"] and house.rack.log == []
    assert await house.stores.database.all("SELECT * FROM nets") == []


@pytest.mark.parametrize("crash", [False, True])
async def test_what_a_person_says_has_happened_can_be_taken_back(house: House, crash: bool) -> None:
    """The net was taken before the first byte left: a lost answer does not lose it."""
    card = await asked(house, "lamp", tool="rack_remove_item")
    await house.tap("d", card=card)
    if crash:
        await begun(house, card)
        house.rack.take(house.rack.items["rack/0001"])
        await house.crash()
        assert await house.recover() == 1
    else:
        house.rack.fault = "lost answer"
        await house.tap("y", card=card)
    house.rack.fault = house.rack.hold = None
    row = await house.call()
    assert row.state == "unknown" and "↩ Undo" not in (await house.receipt(row))[1]
    assert "used or has lapsed" in await house.undo(row), "nobody knows yet whether there is anything to take back"
    await house.known(row, "y")
    assert (await house.receipt(await house.call()))[1] == ["↩ Undo"]
    await house.undo(await house.call())
    if crash:  # nobody saw what it had left, so it asks
        await house.tap()
    assert house.rack.log == ["remove lamp", "put back rack/0001"] and "rack/0001" in house.rack.items


async def test_what_a_person_says_has_not_happened_has_no_undo(house: House) -> None:
    await asked(house, "lamp")
    house.rack.fault = "sent"
    await house.tap()
    await house.known(await house.call(), "n")
    row = await house.call()
    assert row.state == "failed" and (await house.receipt(row))[1] == []
    assert row.undo is None and await house.undo(row) != "Taking it back." and house.rack.log == ["switch off lamp"]


async def test_what_moved_beside_the_card_is_not_called_no_trace(house: House) -> None:
    await begun(house, await asked(house, "lamp", tool="rack_press"))
    house.rack.items["rack/0001"].presses += 1  # it did happen, but the card had not shown this
    await house.crash()
    assert await house.recover() == 1
    detail = (await house.call()).detail
    assert "no trace" not in detail and "something else has moved" in detail


async def test_where_nothing_can_be_seen_nothing_is_called_as_before(house: House) -> None:
    """A read that a person has let out rests on no facts: looking again tells nothing."""
    house.model.script.append([use("rack_read_label", item="lamp")])
    card = await house.card(use("rack_fetch", url="http://else.where"))
    tool, held = house.tool("rack_fetch"), asyncio.Event()
    run = tool.run

    async def hangs(*given: Any, **args: Any) -> Any:
        await held.wait()
        return await run(*given, **args)

    tool.run = hangs
    await house.press("y", card=card)
    await house.until("started")
    tool.run = run
    await house.crash()
    assert await house.recover() == 1
    assert (await house.call()).detail == "I was cut off while this ran. Seen now: nothing that would show it."
