"""Defences that stand behind others: each is shown to hold when the one before it is out of the way."""

import pytest

from memory.approvals import EXPIRY_SECONDS, Ask
from memory.clock import Steady
from tests.fakes import Clock, use
from tests.house import GROUP, OPERATOR, VIEWER, House
from tools.gate.execution import UNDO_SECONDS
from tools.gate.policy import POLICY_VERSION


async def test_a_role_lost_between_tap_and_run_counts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tap was good; by the time the gate begins, another admin is still there but this approver is nobody."""
    run = await house.ask(use("rack_switch_off", item="lamp"), who=VIEWER, where=GROUP)
    await house.deliver()
    card = await house.stores.approvals.card(await house.newest_card())
    async with house.stores.database.transaction() as tx:
        calls = [approval.call for approval in await house.stores.approvals.of_card(card.id)]
        assert await house.stores.approvals.decide(tx, card, calls, True, OPERATOR.id)
    monkeypatch.setitem(house.core.access._roles, 2, [])
    house.core.runner.advance(run)
    await house.settle()
    assert house.rack.log == [] and await house.states() == ["not started"]


async def test_a_row_of_an_older_epoch_does_not_start(house: House) -> None:
    """Approved under the old epoch; a restore has made a new one since."""
    await house.ask(use("rack_switch_off", item="lamp"))
    row = await house.call()
    async with house.stores.database.transaction() as tx:
        ask = Ask(row.id, row.args_hash, "shown")
        await house.stores.approvals.grant(tx, row.run, "tg:1", ask, actor="tg:1", policy=POLICY_VERSION)
        await house.stores.approvals.next_epoch(tx)
        assert not await house.stores.journal.start(tx, row.id, row.epoch, None)


async def test_expiry_is_measured_by_the_latest_moment_ever_seen(house: House) -> None:
    """Nothing has swept the card away yet, and the clock goes back: it stays overdue all the same."""
    overdue = await house.card(use("rack_switch_off", item="lamp"))
    house.clock.move(EXPIRY_SECONDS + 1)
    await house.ask(use("rack_switch_off", item="fan"))  # seen: the later moment
    house.clock.move(-EXPIRY_SECONDS)
    await house.tap(card=overdue)
    assert house.rack.log == []


async def test_a_clock_that_leapt_ahead_and_back_keeps_no_card_open(house: House) -> None:
    passed = Clock(0.0)
    house.stores.database.steady = Steady(house.clock, passed)
    house.clock.move(86400)
    await house.ask(use("rack_switch_off", item="lamp"))
    house.clock.move(-86400)
    passed.move(EXPIRY_SECONDS + 1)
    await house.tap()
    assert house.rack.log == []


def test_time_that_is_measured_passes_once_however_often_it_is_asked_for() -> None:
    passed = Clock(0.0)
    steady = Steady(lambda: 1000.0, passed)
    for seconds in (1, 2, 3):
        passed.move(1)
        assert steady() == steady() == 1000.0 + seconds


async def test_a_clock_set_back_revives_no_undo(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.tap()
    call = await house.call()
    house.clock.move(UNDO_SECONDS + 1)
    await house.ask(use("rack_switch_off", item="fan"))  # the later moment is seen
    house.clock.move(-UNDO_SECONDS)
    await house.undo(call)
    assert house.rack.log == ["switch off lamp"]


async def test_a_restart_does_not_turn_the_clock_back(house: House) -> None:
    overdue = await house.card(use("rack_switch_off", item="lamp"))
    house.clock.move(EXPIRY_SECONDS + 1)
    await house.ask(use("rack_switch_off", item="fan"))
    house.clock.move(-EXPIRY_SECONDS)
    await house.crash()
    await house.tap(card=overdue)
    assert house.rack.log == []


async def test_several_calls_are_decided_together_or_not_at_all(house: House) -> None:
    await house.ask(*(use("rack_switch_off", item=item) for item in ("lamp", "fan")))
    card = await house.stores.approvals.card(await house.newest_card())
    first, second = [approval.call for approval in await house.stores.approvals.of_card(card.id)]
    async with house.stores.database.transaction() as tx:
        assert await house.stores.approvals.decide(tx, card, [first], False, "tg:1")
        assert not await house.stores.approvals.decide(tx, card, [first, second], True, "tg:1")
        assert not await house.stores.approvals.decide(tx, card, [first], False, "tg:1")
    states = {approval.call: approval.state for approval in await house.stores.approvals.of_card(card.id)}
    assert states == {first: "denied", second: "pending"}
