"""The journal: from intent to outcome, each step once."""

import pytest

from memory.database import DATABASE_ERRORS
from memory.models import CallState
from memory.stores import Stores
from tests.fakes import Clock
from tests.memory.rows import a_call, a_card, a_done_call, a_run, decide


async def state(stores: Stores, call: str = "c1") -> str:
    row = await stores.journal.get(call)
    return str(row.state)


async def start(stores: Stores, call: str = "c1", epoch: int = 1) -> bool:
    async with stores.database.transaction() as tx:
        return await stores.journal.start(tx, call, epoch, None)


async def finish(stores: Stores, outcome: CallState, call: str = "c1") -> bool:
    async with stores.database.transaction() as tx:
        return await stores.journal.finish(tx, call, outcome)


async def test_a_call_is_stored_as_it_was_proposed(stores: Stores) -> None:
    await a_call(stores, await a_run(stores), args={"b": 1, "a": "é"}, before={"shown": {"z": 1, "a": 2}})
    row = await stores.journal.get("c1")
    assert row is not None and row.args == {"a": "é", "b": 1} and row.title == "Press lamp"
    assert list(row.before["shown"]) == ["z", "a"], "facts keep their author's order"
    assert (row.state, row.settled, row.verified, row.undo) == ("waiting", False, None, None)
    raw = await stores.database.one("SELECT args FROM calls")
    assert raw is not None and raw["args"] == '{"a":"\\u00e9","b":1}', "arguments have one spelling"


async def test_what_needs_a_tap_starts_after_it_and_once(stores: Stores) -> None:
    run = await a_run(stores)
    await a_call(stores, run)
    card = await a_card(stores, run, "c1")
    with pytest.raises(Exception, match="without its approval") as error:
        await start(stores)
    assert isinstance(error.value, DATABASE_ERRORS)
    await decide(stores, card)
    assert await start(stores) is True and await start(stores) is False
    assert await state(stores) == "started"


async def test_nothing_starts_under_another_epoch(stores: Stores) -> None:
    await a_call(stores, await a_run(stores), needs_tap=False)
    async with stores.database.transaction() as tx:
        await stores.approvals.next_epoch(tx)
    assert await start(stores) is False and await start(stores, epoch=2) is False
    assert await state(stores) == "proposed"


async def test_an_outcome_is_written_once(stores: Stores, clock: Clock) -> None:
    await a_call(stores, await a_run(stores), needs_tap=False)
    await start(stores)
    clock.move(2)
    assert await finish(stores, CallState.DONE) is True and await finish(stores, CallState.FAILED) is False
    row = await stores.journal.get("c1")
    assert row is not None and row.settled and row.started and row.ended == row.started + 2


async def test_an_unknown_outcome_can_be_settled_later(stores: Stores) -> None:
    await a_call(stores, await a_run(stores), needs_tap=False)
    await start(stores)
    assert await finish(stores, CallState.UNKNOWN) and await finish(stores, CallState.FAILED)
    assert await state(stores) == "failed"


async def test_rows_come_in_the_models_order(stores: Stores) -> None:
    run = await a_run(stores)
    for position, call in ((1, "b"), (0, "a"), (2, "c")):
        await a_call(stores, run, call, position=position)
    assert [row.id for row in await stores.journal.of_run(run)] == ["a", "b", "c"]
    assert [row.id for row in await stores.journal.in_state(CallState.WAITING, CallState.DONE)] == ["a", "b", "c"]
    assert await stores.journal.in_state(CallState.DONE) == [] and await stores.journal.get("none") is None


async def test_changes_since_a_moment(stores: Stores, clock: Clock) -> None:
    run = await a_run(stores)
    await a_call(stores, run, "old", needs_tap=False)
    await a_call(stores, run, "ended later", needs_tap=False)
    await start(stores, "ended later")
    clock.move(10)
    await finish(stores, CallState.DONE, "ended later")
    await a_call(stores, run, "new")
    assert [row.id for row in await stores.journal.since(clock.now - 5)] == ["ended later", "new"]


# -- undo ---------------------------------------------------------------------------------------------------------


async def claim(stores: Stores, by: str, call: str = "c1") -> bool:
    async with stores.database.transaction() as tx:
        return await stores.journal.claim_undo(tx, call, by)


async def test_an_undo_is_claimed_once(stores: Stores) -> None:
    await a_done_call(stores, await a_run(stores))
    assert [await claim(stores, "r2"), await claim(stores, "r3")] == [True, False]
    assert await stores.journal.undoable("tg:1") == []


async def test_an_undo_lapses(stores: Stores, clock: Clock) -> None:
    await a_done_call(stores, await a_run(stores))
    assert [row.id for row in await stores.journal.undoable("tg:1")] == ["c1"]
    assert await stores.journal.undoable("tg:2") == []
    clock.move(60)
    assert await claim(stores, "r2") is False and await stores.journal.undoable("tg:1") == []


async def test_what_was_not_done_cannot_be_undone(stores: Stores) -> None:
    run = await a_run(stores)
    await a_call(stores, run, "open", needs_tap=False)
    await a_done_call(stores, run, "no way back", undo=None, undo_key=None)
    await a_call(stores, run, "begun", needs_tap=False)
    async with stores.database.transaction() as tx:
        later = stores.database.now() + 60
        assert await stores.journal.start(
            tx, "begun", 1, None, undo={"tool": "t", "args": {}}, undo_key="k", undo_until=later
        )
    assert await stores.journal.undoable("tg:1") == []
    assert [await claim(stores, "r2", call) for call in ("open", "no way back", "begun")] == [False] * 3


async def test_the_newest_is_undone_first(stores: Stores, clock: Clock) -> None:
    run = await a_run(stores)
    for call in ("a", "b"):
        await a_done_call(stores, run, call)
        clock.move(1)
    assert [row.id for row in await stores.journal.undoable("tg:1")] == ["b", "a"]
    found = await stores.journal.by_undo_key("b")
    assert found is not None and found.id == "b" and await stores.journal.by_undo_key("x") is None


@pytest.mark.parametrize(
    ("outcome", "free"),
    [(CallState.FAILED, True), (CallState.UNKNOWN, False), (CallState.DONE, False), (CallState.STARTED, False)],
)
async def test_an_undo_that_changed_nothing_is_given_back(stores: Stores, outcome: CallState, free: bool) -> None:
    await a_done_call(stores, await a_run(stores))
    other = await a_run(stores, "t2")
    await claim(stores, other)
    await a_call(stores, other, "c2", needs_tap=False)
    await start(stores, "c2")
    if outcome is not CallState.STARTED:  # still under way
        await finish(stores, outcome, "c2")
    async with stores.database.transaction() as tx:
        await stores.journal.release_undo(tx, "c1", "another run")
        assert await stores.journal.claim_undo(tx, "c1", "r9") is False, "only its own run gives it back"
        await stores.journal.release_undo(tx, "c1", other)
    assert await claim(stores, "r3") is free


# -- results that wait --------------------------------------------------------------------------------------------


async def test_held_results_are_kept_once(stores: Stores) -> None:
    run = await a_run(stores)
    for text in ("first", "second"):
        async with stores.database.transaction() as tx:
            await stores.held.keep(tx, run, {"u1": {"text": text}})
    assert await stores.held.of_run(run) == {"u1": {"text": "first"}}
    assert await stores.held.of_run("other") == {}
