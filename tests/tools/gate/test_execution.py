"""Execution: `started` before the first byte, one outcome that code has seen, nothing done twice, Undo."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import use
from tests.house import ADMIN, GROUP, OPERATOR, VIEWER, House
from tests.rack import NET_SECRET


async def switched_off(house: House, name: str = "lamp") -> Any:
    """A verified change with an Undo: its journal row."""
    await house.ask(use("rack_switch_off", item=name))
    await house.tap()
    row = await house.call()
    assert row.verified and row.undo
    return row


# -- outcomes -----------------------------------------------------------------------------------------------------


async def test_started_is_committed_before_the_first_byte(house: House) -> None:
    def seen() -> Any:
        with sqlite3.connect(f"file:{house.folder}/rackhand.db?mode=ro", uri=True) as other:
            found = other.execute("SELECT state, started IS NOT NULL FROM calls").fetchall()
        other.close()
        return found

    house.rack.on_write = seen
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.tap()
    assert [write.seen for write in house.rack.writes] == [[("started", 1)]]


async def test_refused_before_a_byte_left_is_failed(house: House) -> None:
    run = await house.ask(use("rack_switch_off", item="lamp"))
    house.rack.fault = "not sent"
    await house.tap()
    row = await house.call()
    assert (row.state, row.verified, row.undo) == ("failed", None, None)
    assert "refused" in row.detail and house.rack.log == []
    [block] = await house.results(run)
    assert block["is_error"]


@pytest.mark.parametrize(("fault", "detail"), [("sent", "lost"), ("hang", "No answer"), ("break", "RuntimeError")])
async def test_sent_without_an_answer_is_unknown_and_never_tried_again(house: House, fault: Any, detail: str) -> None:
    run = await house.ask(use("rack_press", item="lamp"))
    house.rack.fault = fault
    await house.tap()
    row = await house.call()
    assert (row.state, row.verified, row.undo) == ("unknown", None, None) and detail in row.detail
    assert row.after is not None and row.after["shown"]["state"] == "on", "the evidence is there"
    house.rack.fault = None
    for _ in range(2):
        await house.core.runner.advance(run)
        await house.recover()
    assert house.rack.log == ["press lamp"] and await house.states() == ["unknown"]
    [block] = await house.results(run)
    assert block["is_error"] and "may or may not" in block["content"]


async def test_an_unknown_outcome_is_said_aloud_with_three_answers(house: House) -> None:
    await house.ask(use("rack_press", item="lamp"))
    house.rack.fault = "lost answer"
    await house.tap()
    assert ("receipt", {"call": (await house.call()).id}) in await house.deliver()
    text, buttons = await house.receipt()
    assert "outcome unknown" in text and "✓" not in text
    assert buttons == ["It happened", "It did not", "Ask again"]


async def test_a_service_that_lies_is_never_called_done_with_a_tick(house: House) -> None:
    run = await house.ask(use("rack_switch_off", item="lamp"))
    house.rack.fault = "lie"
    await house.tap()
    row = await house.call()
    assert (row.state, row.verified) == ("done", False)
    text, _ = await house.receipt()
    assert "not verified" in text and "✓" not in text
    [block] = await house.results(run)
    assert json.loads(block["content"])["verified"] is False and "not verified" in block["content"]


async def test_an_effect_that_takes_a_moment_is_waited_for(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    item = house.rack.items["rack/0001"]
    house.rack.fault = "lie"
    house.rack.on_write = lambda: asyncio.get_running_loop().call_later(0.02, setattr, item, "state", "off")
    await house.tap()
    assert (await house.call()).verified is True


async def test_while_it_is_waited_for_its_card_says_so_and_calls_nothing_done(house: House) -> None:
    house.rack.fault = "lie"
    card = await house.card(use("rack_switch_off", item="lamp"))
    told, seen = house.core.execution.outcomes.told, []

    async def telling(row: Any, words: str) -> None:
        await house.deliver()
        await told(row, words)
        assert ("card", {"card": card}) in await house.deliver()
        seen.append(await house.text(card))

    house.core.execution.outcomes.told = telling  # type: ignore[method-assign]
    await house.tap(card=card)
    [said] = seen
    assert said.startswith("… Switch lamp off: under way\nIt was accepted; I am watching") and "✓" not in said
    assert (await house.call()).detail == "", "what came of it takes its place"


async def test_where_the_service_knows_when_it_can_tell_nobody_looks_before(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.gate.outcomes.POLL", (0.005,))
    item = house.rack.items["rack/0001"]
    house.rack.fault, item.settles = "lie", 0.04
    looks: list[int] = []

    def written() -> None:
        looks.append(house.rack.reads)
        asyncio.get_running_loop().call_later(0.025, setattr, item, "state", "off")

    house.rack.on_write = written
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.tap()
    assert (await house.call()).verified is True and house.rack.reads - looks[0] == 2


async def test_a_target_that_cannot_be_read_afterwards_is_not_verified(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    house.rack.on_write = lambda: setattr(house.rack, "unreachable", True)
    await house.tap()
    row = await house.call()
    assert (row.state, row.verified, row.after) == ("done", False, None)


async def test_what_a_person_has_approved_is_tried_though_its_service_is_given_a_pause(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    house.rack.unreachable = True
    for _ in range(3):
        await house.ask(use("rack_get_item", item="fan"))
    house.rack.unreachable = False
    [paused] = await house.results(await house.ask(use("rack_get_item", item="fan")))
    assert paused["is_error"] and "tried again" in paused["content"]
    await house.tap(card=(await house.stores.approvals.open_cards())[0].id)
    assert house.rack.log == ["switch off lamp"] and (await house.call()).verified


async def test_a_bug_in_reading_afterwards_leaves_nothing_half_done(house: House) -> None:
    run = await house.ask(use("rack_switch_off", item="lamp"))
    house.rack.on_write = lambda: setattr(house.rack.items["rack/0001"], "state", "sideways")
    house.rack.fault = "lie"
    await house.tap()
    row = await house.call()
    assert (row.state, row.verified) == ("done", False)
    assert (await house.run(run)).state == "done"


async def test_the_receipt_says_before_and_after(house: House) -> None:
    text, buttons = await house.receipt(await switched_off(house))
    assert "state: on → off" in text and text.startswith("✓ Switched lamp off")
    assert buttons == ["↩ Undo"]


async def test_the_card_itself_comes_to_say_what_came_of_it(house: House) -> None:
    arrives = house.rack.hold = asyncio.Event()
    card = await house.card(use("rack_switch_off", item="lamp"))
    await house.press("y", card=card)
    await house.rack.started.wait()
    await house.deliver()
    arrives.set()
    await house.settle()
    assert ("card", {"card": card}) in await house.deliver()
    assert "✓ Switched lamp off" in await house.text(card)


async def test_what_became_more_dangerous_is_not_run(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.kit import Risk

    await house.ask(use("rack_press", item="lamp"))
    monkeypatch.setattr(house.tool("rack_press"), "_escalate", lambda args: Risk.DESTROY)
    await house.tap()
    assert house.rack.log == [] and "more dangerous" in (await house.call()).detail


async def test_arguments_may_raise_the_risk(house: House) -> None:
    await house.ask(use("rack_press", item="lamp", percent=100))
    assert (await house.call()).risk == 2
    assert await house.tap("y") == "Tap once more to confirm."
    assert house.rack.log == []
    await house.tap("y")
    assert house.rack.log == ["press lamp"]


# -- a person's word on an unknown outcome -------------------------------------------------------------------------


@pytest.mark.parametrize(("verb", "state"), [("y", "done"), ("n", "failed")])
async def test_only_a_person_settles_an_unknown_outcome(house: House, verb: str, state: str) -> None:
    await house.ask(use("rack_press", item="lamp"))
    house.rack.fault = "lost answer"
    await house.tap()
    row = await house.call()
    assert "not yours" in await house.known(row, verb, who=VIEWER, where=ADMIN.id)
    assert await house.states() == ["unknown"]
    toasts = await asyncio.gather(house.known(row, verb), house.known(row, "n"))
    assert toasts[0] == "Noted." and "Noted." not in toasts[1:]
    assert await house.states() == [state] and len(await house.audited("settled by a person")) == 1
    assert (await house.call()).detail == f"Admin says that it {'happened' if verb == 'y' else 'did not happen'}."
    assert house.rack.log == ["press lamp"]


async def test_an_undo_that_did_not_happen_can_be_tried_again(house: House) -> None:
    row = await switched_off(house)
    house.rack.fault = "sent"
    await house.undo(row)
    house.rack.fault = None
    assert await house.states() == ["done", "unknown"]
    assert "used" in await house.undo(row) or "Already" in await house.undo(row)
    await house.known(await house.call(), "n")
    await house.undo(row)
    assert await house.states() == ["done", "failed", "done"] and house.rack.items["rack/0001"].state == "on"


async def test_ask_again_after_an_unknown_outcome_is_a_new_card(house: House) -> None:
    await house.ask(use("rack_press", item="lamp"))
    house.rack.fault = "lost answer"
    await house.tap()
    house.rack.fault = None
    assert await house.known(await house.call(), "r") == "Asked again below."
    assert await house.states() == ["unknown", "waiting"] and house.rack.log == ["press lamp"]
    await house.tap()
    assert house.rack.log == ["press lamp", "press lamp"]


# -- undo ---------------------------------------------------------------------------------------------------------


async def test_a_tap_on_undo_is_its_own_approval(house: House) -> None:
    row = await switched_off(house)
    assert await house.undo(row) == "Taking it back."
    assert house.rack.log == ["switch off lamp", "switch on lamp"]
    assert await house.states() == ["done", "done"] and len(house.model.asked) == 2
    [_, approval] = await house.stores.database.all("SELECT * FROM approvals ORDER BY id")
    assert (approval["state"], approval["decided_by"]) == ("approved", ADMIN.id)


async def test_undo_works_once(house: House) -> None:
    row = await switched_off(house)
    toasts = await asyncio.gather(house.undo(row), house.undo(row), house.undo(row))
    assert toasts.count("Taking it back.") == 1
    assert await house.undo(row) == "Already undone."
    assert house.rack.log == ["switch off lamp", "switch on lamp"]


async def test_an_undo_that_asks_nothing_needs_no_room_on_a_card(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    row = await switched_off(house)
    monkeypatch.setattr("tools.gate.proposals.MOST_SHOWN", 10)
    await house.undo(row)
    assert house.rack.log == ["switch off lamp", "switch on lamp"]


async def test_undo_asks_with_a_card_when_the_state_has_moved(house: House) -> None:
    row = await switched_off(house)
    house.rack.items["rack/0001"].watts = 99
    await house.undo(row)
    assert house.rack.log == ["switch off lamp"] and await house.states() == ["done", "waiting"]
    await house.tap()
    assert house.rack.log == ["switch off lamp", "switch on lamp"]


@pytest.mark.parametrize("stopped", [True, False])
async def test_an_undo_that_was_denied_or_stopped_may_be_tried_again(house: House, stopped: bool) -> None:
    row = await switched_off(house)
    house.rack.items["rack/0001"].watts = 99
    await house.undo(row)
    await (house.core.runner.stop(ADMIN.id, ADMIN) if stopped else house.tap("n"))
    house.rack.items["rack/0001"].watts = 40
    assert await house.undo(row) == "Taking it back."
    assert house.rack.log == ["switch off lamp", "switch on lamp"]


async def test_an_undo_that_never_left_may_be_tried_again(house: House) -> None:
    row = await switched_off(house)
    house.rack.fault = "not sent"
    await house.undo(row)
    assert await house.states() == ["done", "failed"]
    house.rack.fault = None
    assert await house.undo(row) == "Taking it back."


async def test_undo_lapses_after_a_day(house: House) -> None:
    row = await switched_off(house)
    house.clock.move(24 * 3600 + 1)
    assert "lapsed" in await house.undo(row)
    assert house.rack.log == ["switch off lamp"]


async def test_undo_needs_the_role_and_the_chat(house: House) -> None:
    row = await switched_off(house)
    assert "no longer open" in await house.undo(row, who=OPERATOR, where=OPERATOR.id)
    assert "not yours" in await house.undo(row, who=VIEWER, where=ADMIN.id)
    assert house.rack.log == ["switch off lamp"] and len(await house.audited("tap rejected")) == 2


async def test_in_a_group_another_operator_may_undo(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"), where=GROUP)
    await house.tap()
    await house.undo(await house.call(), who=OPERATOR, where=GROUP)
    assert house.rack.log == ["switch off lamp", "switch on lamp"]


async def test_an_undo_that_destroys_asks_twice_all_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.kit import Risk

    row = await switched_off(house)
    monkeypatch.setattr(house.tool("rack_switch_on"), "risk", Risk.DESTROY)
    await house.undo(row)
    assert house.rack.log == ["switch off lamp"] and await house.states() == ["done", "waiting"]


async def test_a_net_is_sealed_and_undo_opens_it(house: House) -> None:
    await house.ask(use("rack_remove_item", item="lamp"))
    await house.tap("d")
    await house.tap("y")
    row = await house.call()
    assert (row.state, row.verified) == ("done", True) and row.net is not None
    assert NET_SECRET.encode() not in everything_on_disk(house.folder)
    await house.undo(row)
    assert house.rack.log == ["remove lamp", "put back rack/0001"]
    assert house.rack.items["rack/0001"].secret == NET_SECRET
    assert NET_SECRET.encode() not in everything_on_disk(house.folder)
    assert await house.stores.nets.open(row.net) is None, "used, and of no more use"


def everything_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def test_a_lapsed_net_is_no_longer_opened(house: House) -> None:
    await house.ask(use("rack_remove_item", item="lamp"))
    await house.tap("d")
    await house.tap("y")
    row = await house.call()
    house.clock.move(24 * 3600 + 1)
    assert await house.stores.nets.prune() == 1
    assert "lapsed" in await house.undo(row)


# -- stop ---------------------------------------------------------------------------------------------------------


async def test_stop_lets_what_has_begun_come_to_its_end(house: House) -> None:
    go_on = asyncio.Event()
    await house.ask(use("rack_switch_off", item="lamp"), use("rack_switch_off", item="fan"))
    house.rack.hold = go_on
    await house.deliver()
    await house.press("y", card=await house.newest_card())
    await house.rack.started.wait()
    await house.core.runner.stop(ADMIN.id, ADMIN)
    await house.settle()
    assert await house.states() == ["started", "not started"]
    go_on.set()
    await house.until("done")
    assert house.rack.log == ["switch off lamp"] and await house.states() == ["done", "not started"]
