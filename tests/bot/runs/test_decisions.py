"""Decisions: bound to the card, the person, the chat, the message and the moment. Anything else changes nothing."""

import asyncio
from typing import Any

import pytest

from bot.runs.decisions import CLOCK_SECONDS
from tests.fakes import use
from tests.house import ADMIN, GROUP, OPERATOR, STRANGER, VIEWER, House
from tools.gate import policy


async def card_for(house: House, *uses: dict[str, Any], **where: Any) -> str:
    """A delivered card for these calls."""
    await house.ask(*(uses or (use("rack_switch_off", item="lamp"),)), **where)
    await house.deliver()
    return await house.newest_card()


async def nothing_happened(house: House, rejected: int = 1) -> None:
    assert house.rack.log == [] and set(await house.states()) == {"waiting"}
    assert len(await house.audited("tap rejected")) == rejected


async def test_the_tap_is_recorded_with_who_and_when(house: House) -> None:
    card = await card_for(house)
    house.clock.move(60)
    await house.tap()
    [approval] = await house.stores.approvals.of_card(card)
    assert (approval.state, approval.decided_by, approval.decided) == ("approved", ADMIN.id, house.clock.now)
    assert [entry["card"] for entry in await house.audited("approved")] == [card]


@pytest.mark.parametrize("who", [STRANGER, VIEWER, OPERATOR])
async def test_somebody_else_in_the_chat_decides_nothing(house: House, who: Any) -> None:
    await card_for(house)
    assert "not yours" in await house.tap(who=who)
    await nothing_happened(house)


async def test_another_chat_decides_nothing(house: House) -> None:
    await card_for(house)
    assert "no longer open" in await house.tap(conversation=GROUP)
    await nothing_happened(house)


@pytest.mark.parametrize("message", [1, None])
async def test_another_message_decides_nothing(house: House, message: int | None) -> None:
    await card_for(house)
    assert "newer message" in await house.tap(message=message)
    await nothing_happened(house)


@pytest.mark.parametrize("key", ["", "x" * 22, "../../etc", "é" * 22])
async def test_a_forged_key_decides_nothing(house: House, key: str) -> None:
    card = await card_for(house)
    for forged in (key, house.stores.approvals.key(card)[:-1]):
        toast = await house.settled(house.core.decisions.card(house.a_tap(), forged, "y"))
        assert "no longer open" in toast
    await nothing_happened(house, 2)


@pytest.mark.parametrize("verb", ["", "yes", "Y", "s", "x"])
async def test_an_unknown_verb_decides_nothing(house: House, verb: str) -> None:
    await card_for(house)
    await house.tap(verb)
    assert house.rack.log == [] and await house.states() == ["waiting"]


async def test_approve_and_deny_at_once_have_one_outcome(house: House) -> None:
    for _ in range(3):
        card = await card_for(house, use("rack_press", item="lamp"))
        before = len(house.rack.log)
        toasts = await asyncio.gather(*(house.press(verb, card=card) for verb in "ynynyn"))
        await house.settle()
        approved = "Approved." in toasts
        assert approved != any(toast.startswith("Dropped") for toast in toasts)
        assert len(house.rack.log) - before == int(approved)
        assert await house.states() == [*(await house.states())[:-1], "done" if approved else "denied"]


async def test_the_same_key_in_another_hand_of_the_group(house: House) -> None:
    await card_for(house, where=GROUP)
    assert await house.tap(who=OPERATOR) == "Approved."
    assert house.rack.log == ["switch off lamp"]


async def test_destroying_needs_two_taps_and_the_second_button_stands_elsewhere(house: House) -> None:
    await card_for(house, use("rack_remove_item", item="lamp"))
    [first] = (await house.view()).buttons
    assert [button.text for button in first] == ["Deny", "Remove lamp …"]
    assert await house.tap("d") == "Tap once more to confirm."
    assert house.rack.log == []
    [second] = (await house.view()).buttons
    assert [button.text for button in second] == ["Yes, remove lamp", "Deny"]
    await house.tap("y")
    assert house.rack.log == ["remove lamp"]


async def test_a_forged_second_tap_is_only_a_first(house: House) -> None:
    await card_for(house, use("rack_remove_item", item="lamp"))
    assert await house.tap("y") == "Tap once more to confirm."
    assert house.rack.log == []


async def test_an_armed_card_can_be_denied(house: House) -> None:
    await card_for(house, use("rack_remove_item", item="lamp"))
    await house.tap("d")
    await house.tap("n")
    assert house.rack.log == [] and await house.states() == ["denied"]


async def test_several_with_one_that_destroys_need_two_taps(house: House) -> None:
    await card_for(house, use("rack_switch_off", item="fan"), use("rack_remove_item", item="lamp"))
    assert [b.text for b in (await house.view()).buttons[0]] == ["Deny", "Run all 2 …"]
    await house.tap("d")
    assert house.rack.log == []
    assert [b.text for b in (await house.view()).buttons[0]] == ["Yes, run all of them", "Deny"]
    await house.tap("y")
    assert house.rack.log == ["switch off fan", "remove lamp"]


async def test_an_operator_in_a_group_is_not_asked_to_destroy(house: House) -> None:
    card = await card_for(house, use("rack_remove_item", item="lamp"), where=GROUP)
    found = await house.stores.approvals.card(card)
    assert found is not None and found.allowed == [ADMIN.id]
    assert "not yours" in await house.tap("d", who=OPERATOR)
    await nothing_happened(house)


async def test_a_card_shown_under_older_rules_is_not_decided(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    card = await card_for(house)
    monkeypatch.setattr("tools.gate.standing.POLICY_VERSION", policy.POLICY_VERSION + 1)
    assert "rules for approvals changed" in await house.tap(card=card)
    assert house.rack.log == [] and await house.states() == ["not started"]
    assert "look again" in await house.text(card) and len(await house.audited("tap rejected")) == 1


async def test_a_role_taken_away_meanwhile_counts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await card_for(house)
    monkeypatch.setattr(house.core.access, "_roles", {})
    assert "not yours" in await house.tap()
    assert house.rack.log == [] and await house.states() == ["denied"], "nobody is left who could decide it"
    assert len(await house.audited("tap rejected")) == 1


async def test_a_card_that_was_asked_one_by_one_is_closed(house: House) -> None:
    card = await card_for(house, use("rack_switch_off", item="fan"), use("rack_switch_off", item="lamp"))
    await house.tap("o")
    assert await house.tap("y", card=card) == "Already decided."
    assert house.rack.log == [] and await house.states() == ["waiting", "waiting"]


@pytest.mark.parametrize(
    ("verb", "items"), [("y", "lamp"), ("n", "lamp"), ("o", "lamp fan"), ("d", "lamp"), ("", "lamp")]
)
async def test_an_update_is_finished_with_its_decision(house: House, verb: str, items: str) -> None:
    tool = "rack_remove_item" if verb == "d" else "rack_switch_off"
    card = await card_for(house, *(use(tool, item=item) for item in items.split()))
    found = await house.stores.approvals.card(card)
    await house.stores.inbox.store([{"update_id": 77}])
    from bot.runs.decisions import Tap

    key = house.stores.approvals.key(card)
    await house.settled(house.core.decisions.card(Tap(77, ADMIN, ADMIN.id, found.message), key, verb))
    assert await house.stores.inbox.pending() == []


@pytest.mark.parametrize("verb", ["y", "n", "r", "undo"])
async def test_so_is_one_that_settles_or_takes_back(house: House, verb: str) -> None:
    house.rack.fault = None if verb == "undo" else "lost answer"
    await card_for(house)
    await house.tap()
    tap, call = house.a_tap(), await house.call()
    await house.stores.inbox.store([{"update_id": tap.update}])
    taps, key = house.core.decisions, house.stores.keys.button("undo" if verb == "undo" else "known", call.id)
    await house.settled(taps.undo(tap, key) if verb == "undo" else taps.known(tap, key, verb))
    assert await house.stores.inbox.pending() == []


async def test_a_card_shows_that_its_time_is_up_before_its_run_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await card_for(house)
    house.clock.move(601)
    monkeypatch.setattr(house.core.runner, "advance", lambda run: None)
    await house.core.decisions.sweep()
    assert [kind for kind, _ in await house.deliver()] == ["card"]


async def test_at_rest_the_sweep_writes_nothing(house: House) -> None:
    """Twenty of them a minute, each an fsync, wear out the card that many of these machines run from."""
    await card_for(house)
    assert await house.stores.database.writable()
    noted = "SELECT value FROM meta WHERE key = 'clock'"
    before = await house.stores.database.all(noted)
    house.clock.move(CLOCK_SECONDS - 1)
    await house.core.decisions.sweep()
    assert [*map(tuple, await house.stores.database.all(noted))] == [*map(tuple, before)]
    house.clock.move(1)
    await house.core.decisions.sweep()
    [(now,)] = await house.stores.database.all(noted)
    assert float(now) == house.clock()


async def test_ask_again_only_after_expiry(house: House) -> None:
    await card_for(house)
    await house.tap("s")
    assert await house.states() == ["waiting"], "an open card is not asked again"
    await house.tap("n")
    await house.tap("s")
    assert await house.states() == ["denied"], "neither is one that was denied"


async def test_a_forged_undo_or_verdict_changes_nothing(house: House) -> None:
    taps = house.core.decisions
    assert "no longer open" in await taps.undo(house.a_tap(), "x" * 22)
    assert "Already decided" in await taps.known(house.a_tap(), "x" * 22, "y")
    assert len(await house.audited("tap rejected")) == 2


async def test_run_all_and_one_by_one_at_once_have_one_outcome(house: House) -> None:
    card = await card_for(house, use("rack_press", item="lamp"), use("rack_press", item="fan"), where=GROUP)
    toasts = await asyncio.gather(house.press("y", card=card), house.press("o", card=card, who=OPERATOR))
    await house.settle()
    together = house.rack.log == ["press lamp", "press fan"]
    lost = ["This card is no longer open.", "One by one."]
    assert toasts == (["Approved.", "Already decided."] if together else lost)
    assert len(await house.audited("one by one")) == int(not together)


async def test_a_denied_card_is_not_armed(house: House) -> None:
    card = await card_for(house, use("rack_remove_item", item="lamp"))
    toasts = await asyncio.gather(house.press("n", card=card), house.press("d", card=card))
    await house.settle()
    assert toasts[1] == "Already decided." and await house.audited("armed") == []
    found = await house.stores.approvals.card(card)
    assert found is not None and not found.armed


@pytest.mark.parametrize("verb", "dyon")
async def test_no_button_of_an_expired_card_does_anything(house: House, verb: str) -> None:
    """Not even before anybody has noticed that it has expired: nothing is armed, or asked afresh."""
    card = await card_for(house, use("rack_remove_item", item="lamp"), use("rack_press", item="fan"))
    house.clock.move(601)
    assert "Too late" in await house.tap(verb, card=card)
    assert await house.newest_card() == card and await house.states() == ["expired", "not started"]
    assert [await house.audited(kind) for kind in ("armed", "one by one", "approved", "denied")] == [[]] * 4


@pytest.mark.parametrize("verb", ["", "x", "yes"])
async def test_an_unknown_outcome_is_settled_by_its_three_buttons_only(house: House, verb: str) -> None:
    house.rack.fault = "sent"
    await card_for(house)
    await house.tap()
    await house.known(await house.call(), verb)
    assert await house.states() == ["unknown"] and await house.audited("settled by a person") == []


@pytest.mark.parametrize("alone", [True, False])
async def test_an_undo_that_did_not_happen_is_offered_again_where_the_change_stands(house: House, alone: bool) -> None:
    calls = [use("rack_switch_off", item="lamp")] + ([] if alone else [use("rack_switch_off", item="fan")])
    await house.ask(*calls)
    await house.tap()
    first = (await house.calls())[0]
    house.rack.fault = "sent"
    await house.undo(first)
    house.rack.fault = None
    await house.deliver()
    assert "Undo: see below" in (await house.receipt(first))[0]
    await house.known(await house.call(), "n")
    approval = await house.stores.approvals.latest(first.id)
    assert approval is not None and approval.card in [row.get("card") for kind, row in await house.deliver()]
    assert "Undo" in str((await house.view(approval.card)).buttons[0]), "and this time it is on it"
