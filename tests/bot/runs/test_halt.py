"""Holding still: /stop, a panic that outlives the process, and what a halt leaves alone."""

import asyncio
from typing import Any

import pytest

from bot.runs.halt import PANIC
from memory.approvals import EXPIRY_SECONDS
from tests.fakes import Held, use
from tests.house import ADMIN, OPERATOR, House
from tools.gate.ports import CLOSING


async def test_stop_voids_open_cards(house: House) -> None:
    run = await house.ask(use("rack_switch_off", item="lamp"))
    await house.deliver()
    card = await house.newest_card()
    assert await house.core.runner.stop(ADMIN.id, ADMIN) == (1, 1)
    assert await house.states() == ["not started"] and (await house.run(run)).state == "stopped"
    assert await house.tap(card=card) == "Already decided."
    assert house.rack.log == []
    assert "stop" in await house.text(card) and (await house.view(card)).buttons == ()


async def test_stop_is_for_one_conversation_unless_it_is_for_all(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.ask(use("rack_switch_off", item="fan"), who=OPERATOR)
    assert await house.core.runner.stop(OPERATOR.id, OPERATOR) == (1, 1)
    assert await house.states() == ["waiting", "not started"]
    assert await house.core.runner.stop(None, ADMIN) == (1, 1)


async def test_stop_ends_a_run_that_thinks(house: House) -> None:
    for_ever = Held()
    house.model.script.append(for_ever)
    run = await house.core.opener.say(ADMIN.id, ADMIN, "Hello?", trigger="hello")
    await for_ever.asked.wait()
    assert await house.core.runner.stop_run(run, ADMIN, ADMIN.id) is True
    await house.settle()
    assert (await house.run(run)).state == "stopped" and await house.core.runner.stop_run(run, ADMIN, ADMIN.id) is False
    assert await house.say("Still there?") and house.model.asked[-1].messages[-1]["role"] == "user"


async def test_a_run_that_was_stopped_stays_stopped_whoever_advances_it(house: House) -> None:
    run = await house.ask(use("rack_switch_off", item="lamp"))
    await house.core.runner.stop(ADMIN.id, ADMIN)
    asked, messages = len(house.model.asked), await house.stores.runs.messages(run)
    await house.core.runner.advance(run)
    assert (await house.run(run)).state == "stopped" and await house.stores.runs.messages(run) == messages
    assert len(house.model.asked) == asked


async def test_nothing_begins_under_a_panic(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.core.halt.panic(house.stores, ADMIN)
    house.rack.items["rack/0001"].watts += 1  # which would otherwise be a new card
    await house.tap()
    assert house.rack.log == [] and await house.states() == ["not started"]
    assert PANIC in (await house.call()).detail and await house.stores.approvals.open_cards() == []


@pytest.mark.parametrize("autonomy", ["ask", "reversible"])
async def test_under_a_panic_nothing_is_asked_and_it_is_said_how_to_lift_it(build: Any, autonomy: str) -> None:
    house = await build(autonomy=autonomy)
    await house.core.halt.panic(house.stores, ADMIN)
    calls = [use("rack_get_item", item="fan"), use("rack_switch_off", item="lamp"), use("notes_write", text="x")]
    run = await house.ask(*calls)
    assert house.rack.log == [] and await house.calls() == []
    read, *changes = await house.results(run)
    assert "fan" in read["content"] and all(PANIC in block["content"] for block in changes)
    [(_, said), _] = await house.deliver()
    assert said["text"] == f"Not asked: {PANIC}" and "/start" in PANIC
    await house.core.halt.lift(house.stores, ADMIN)
    assert (await house.states(await house.ask(*calls)))[0] == ("waiting" if autonomy == "ask" else "done")


async def test_under_a_panic_no_button_opens_a_card(house: House) -> None:
    """A menu's, an Undo, an [Ask again]: each says why, and is not used up."""
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.tap()
    done = await house.call()
    lapsed = await house.card(use("rack_press", item="fan"))
    house.clock.move(EXPIRY_SECONDS)
    await house.sweep()
    await house.core.halt.panic(house.stores, ADMIN)
    await house.deliver()
    await house.core.opener.direct(
        ADMIN.id, ADMIN, "A button", "rack_press", {"item": "pump"}, trigger="menu", opened_by="button"
    )  # fmt: skip
    await house.settle()
    await house.undo(done)
    await house.tap("s", card=lapsed)
    said = await house.stores.database.all("SELECT key FROM outbox WHERE kind = 'verdict'")
    verdicts = [row["key"].removeprefix("verdict:") for row in said]
    assert len(verdicts) == 3 and house.rack.log == ["switch off lamp"]
    assert all([PANIC in str(await house.results(run)) for run in verdicts])
    assert await house.stores.approvals.open_cards() == []
    await house.core.halt.lift(house.stores, ADMIN)
    await house.tap("s", card=lapsed)
    await house.undo(done)
    assert house.rack.log == ["switch off lamp", "switch on lamp"] and await house.states() == [
        "done", "expired", "waiting", "done",
    ]  # fmt: skip


async def test_what_is_asked_while_the_process_ends_waits_for_the_next_start(house: House) -> None:
    house.core.halt.everything = CLOSING
    assert await house.states(await house.ask(use("rack_switch_off", item="lamp"))) == ["waiting"]
    await house.crash()
    await house.recover()
    await house.tap()
    assert house.rack.log == ["switch off lamp"]


async def test_a_panic_outlives_a_restart_until_it_is_lifted(house: House) -> None:
    await house.core.halt.panic(house.stores, ADMIN)
    await house.crash()
    await house.core.halt.restore(house.stores)
    assert house.core.halt.held("any") == PANIC
    assert await house.core.halt.lift(house.stores, ADMIN) is True
    assert house.core.halt.held("any") is None and await house.core.halt.lift(house.stores, ADMIN) is False
    await house.crash()
    await house.core.halt.restore(house.stores)
    assert house.core.halt.held("any") is None


async def test_lifting_a_panic_leaves_other_reasons(house: House) -> None:
    house.core.halt.everything = "Another instance polls."
    await house.core.halt.lift(house.stores, ADMIN)
    assert house.core.halt.held("any") == "Another instance polls."


async def test_marks_of_finished_runs_are_forgotten(house: House) -> None:
    waiting = await house.ask(use("rack_switch_off", item="lamp"))
    done = await house.say("Hello.")
    for run in (waiting, done):
        house.core.halt.stop(run)
    await house.core.halt.forget_finished(house.stores.runs)
    assert house.core.halt.held(waiting) and house.core.halt.held(done) is None


async def test_a_panic_and_its_end_are_in_the_audit_log(house: House) -> None:
    await house.core.halt.panic(house.stores, ADMIN)
    await house.core.halt.lift(house.stores, OPERATOR)
    await house.core.halt.lift(house.stores, OPERATOR)
    entries = [(entry.kind, entry.actor) for entry in await house.stores.audit.export()]
    assert entries == [("stop all", ADMIN.id), ("start again", OPERATOR.id)]


async def test_a_stop_all_is_not_lost_to_a_start_that_came_before_it(house: House) -> None:
    halt, stores = house.core.halt, house.stores
    async with stores.database._lock:  # a backup is being written, say
        earlier = asyncio.create_task(halt.lift(stores, ADMIN))
        await asyncio.sleep(0)
        later = asyncio.create_task(halt.panic(stores, ADMIN))
        await asyncio.sleep(0)
    await asyncio.gather(earlier, later)
    assert halt.everything == PANIC and await stores.database.one("SELECT 1 FROM meta WHERE key = 'panic'")
