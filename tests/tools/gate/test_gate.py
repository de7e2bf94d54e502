"""The gate, through a whole core: what may happen is judged by the service's write log and the database."""

import asyncio
import json
import sqlite3
from typing import Any

import pytest

from memory.approvals import EXPIRY_SECONDS
from tests.fakes import use
from tests.house import ADMIN, GROUP, OPERATOR, VIEWER, House


def off(*names: str) -> list[dict[str, Any]]:
    return [use("rack_switch_off", item=name) for name in names]


def body(block: dict[str, Any]) -> dict[str, Any]:
    """An outcome as the model reads it."""
    found: dict[str, Any] = json.loads(block["content"])
    return found


# -- reads --------------------------------------------------------------------------------------------------------


async def test_reads_run_at_once_and_together(house: House) -> None:
    names = ["lamp", "fan", "pump"]
    run = await house.ask(*(use("rack_get_item", item=name) for name in names))
    assert [body(block)["name"] for block in await house.results(run)] == names
    assert house.rack.most_at_once == 3
    assert (await house.run(run)).state == "done" and await house.calls() == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (use("rack_explode"), "no tool called"),
        (use("rack_get_item", item="lamp", force=True), "force"),
        (use("rack_get_item"), "item"),
        (use("rack_get_item", item=7), "item"),
        (use("rack_press", item="lamp", percent=101), "percent"),
        (use("rack_press", item="lamp", percent="50"), "percent"),
        (use("rack_press", item="lamp", percent=float("nan")), "plain JSON"),
        (use("rack_get_item", item="lampe"), "Nearest: lamp"),
        (use("rack_break_down"), "KeyError"),
    ],
)
async def test_a_call_that_cannot_be_says_why(house: House, call: dict[str, Any], words: str) -> None:
    [block] = await house.results(await house.ask(call))
    assert block["is_error"] and words in block["content"]
    assert house.rack.log == [] and await house.calls() == []


async def test_an_ambiguous_name_asks_which_one(house: House) -> None:
    house.rack.add("lamp")
    [block] = await house.results(await house.ask(use("rack_switch_off", item="lamp")))
    assert "ambiguous" in block["content"] and "slot 1" in block["content"] and "slot 4" in block["content"]
    assert await house.calls() == []


async def test_an_unreachable_service_is_an_error_that_says_so(house: House) -> None:
    house.rack.unreachable = True
    blocks = await house.results(await house.ask(use("rack_get_item", item="lamp"), use("rack_press", item="lamp")))
    assert all(block["is_error"] and "cable" in block["content"] for block in blocks)


# -- one change ---------------------------------------------------------------------------------------------------


async def test_a_change_waits_for_its_tap(house: House) -> None:
    run = await house.ask(use("rack_switch_off", item="lamp"))
    assert await house.states() == ["waiting"] and house.rack.log == []
    assert (await house.run(run)).state == "waiting"
    assert await house.tap() == "Approved."
    assert house.rack.log == ["switch off lamp"]
    row = await house.call()
    assert (row.state, row.verified) == ("done", True)
    assert (await house.run(run)).state == "done"
    [block] = await house.results(run)
    assert body(block)["outcome"] == "done" and body(block)["after"]["state"] == "off"


async def test_a_fresh_core_resumes_after_the_tap(house: House) -> None:
    run = await house.ask(use("rack_switch_off", item="lamp"))
    await house.deliver()
    await house.crash()
    await house.recover()
    assert house.rack.log == [] and (await house.run(run)).state == "waiting"
    await house.tap()
    assert house.rack.log == ["switch off lamp"] and (await house.run(run)).state == "done"
    assert len(house.model.asked) == 2, "the model is not asked again for what it has said"


async def test_a_card_stays_valid_while_the_talk_goes_on(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    card = await house.newest_card()
    await house.say("Something else.")
    await house.tap(card=card)
    assert house.rack.log == ["switch off lamp"]


async def test_what_is_already_so_needs_no_card(house: House) -> None:
    [block] = await house.results(await house.ask(use("rack_switch_on", item="lamp")))
    assert body(block)["outcome"] == "already" and await house.calls() == []


async def test_names_are_resolved_before_they_are_shown_and_stored(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    row = await house.call()
    assert row.args == {"item": "rack/0001"} and row.targets["item"]["name"] == "lamp"
    text = await house.text()
    assert "lamp" in text and "0001" in text


async def test_the_stored_call_runs_whatever_the_model_says_later(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    card = await house.newest_card()
    await house.ask(use("rack_switch_off", item="fan"))
    await house.tap(card=card)
    assert house.rack.log == ["switch off lamp"]


async def test_the_card_shows_every_argument_with_hidden_characters_spelled_out(house: House) -> None:
    house.rack.add("bad\u202ename")
    await house.ask(use("rack_press", item="bad\u202ename", percent=42))
    text = await house.text()
    assert "percent: 42" in text and "\u202e" not in text and "\\u202e" in text


async def test_denied_means_nothing_ran_and_nobody_thinks_about_it(house: House) -> None:
    run = await house.ask(use("rack_switch_off", item="lamp"))
    await house.tap("n")
    assert house.rack.log == [] and await house.states() == ["denied"]
    [block] = await house.results(run)
    assert block["is_error"] and body(block)["outcome"] == "denied" and "The person said no" in block["content"]
    assert (await house.run(run)).state == "done" and len(house.model.asked) == 1


async def test_the_next_line_after_a_denial_is_a_whole_new_run(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.tap("n")
    await house.say("The fan, I meant.", [use("rack_switch_off", item="fan")])
    await house.tap()
    assert house.rack.log == ["switch off fan"]


# -- drift and expiry ---------------------------------------------------------------------------------------------


async def test_when_a_shown_fact_moves_nothing_runs_until_the_new_card_is_approved(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    old = await house.newest_card()
    house.rack.items["rack/0001"].watts = 55
    await house.tap(card=old)
    assert house.rack.log == [] and await house.states() == ["waiting"]
    view, text = await house.view(), await house.text()
    assert "40 → 55" in text and "nothing ran" in text
    assert [entry["facts"] for entry in await house.audited("moved")] == [{"watts": [40, 55]}]
    assert [button.text for row in view.buttons for button in row] == ["Approve new", "Drop"]
    assert await house.newest_card() != old
    await house.tap()
    assert house.rack.log == ["switch off lamp"]
    assert (await house.call()).before["shown"]["watts"] == 55


async def test_drift_after_drift_asks_every_time(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    for watts in (50, 60):
        house.rack.items["rack/0001"].watts = watts
        await house.tap()
        assert house.rack.log == []
    assert "50 → 60" in await house.text()
    await house.tap("n")
    assert house.rack.log == [] and await house.states() == ["denied"]


async def test_done_by_somebody_else_meanwhile_means_nothing_to_do(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    house.rack.items["rack/0001"].state = "off"
    await house.tap()
    assert house.rack.log == [] and await house.states() == ["not started"]
    assert "Already so" in (await house.call()).detail


async def test_a_target_that_is_gone_at_the_tap_is_not_touched(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    del house.rack.items["rack/0001"]
    await house.tap()
    assert house.rack.log == [] and await house.states() == ["not started"]


async def test_an_expired_card_asks_again_without_the_model(house: House) -> None:
    await house.ask(use("rack_press", item="lamp", percent=7))
    old, asked = await house.newest_card(), len(house.model.asked)
    house.clock.move(EXPIRY_SECONDS)
    await house.tap(card=old)
    assert house.rack.log == [] and await house.states() == ["expired"]
    house.rack.items["rack/0001"].watts = 41
    assert await house.tap("s", card=old) == "Asked again below."
    first, second = await house.calls()
    assert (second.state, second.tool, second.args) == ("waiting", first.tool, first.args)
    assert second.before["shown"]["watts"] == 41, "the facts are fresh"
    await house.tap()
    assert house.rack.log == ["press lamp"] and len(house.model.asked) == asked


async def test_the_sweep_expires_without_any_tap(house: House) -> None:
    run = await house.ask(use("rack_switch_off", item="lamp"))
    await house.core.decisions.sweep()
    assert await house.states() == ["waiting"], "not a moment too early"
    house.clock.move(EXPIRY_SECONDS)
    await house.sweep()
    assert await house.states() == ["expired"] and (await house.run(run)).state == "done"
    assert [b.text for row in (await house.view()).buttons for b in row] == ["Ask again"]


# -- the same id, races -------------------------------------------------------------------------------------------


async def test_a_repeated_tool_use_id_is_a_call_of_its_own(house: House) -> None:
    first, second = use("rack_press", item="lamp"), use("rack_press", item="fan")
    second["id"] = first["id"]
    run = await house.say("Both, please.", [first], [second])
    await house.tap()
    await house.tap()
    assert house.rack.log == ["press lamp", "press fan"]
    assert [body(block)["title"] for block in await house.results(run)] == ["Press lamp", "Press fan"]


async def test_two_advances_of_one_run_do_not_overlap(house: House) -> None:
    run = await house.ask(*off("lamp"))
    card = await house.newest_card()
    await house.deliver()
    await house.press("y", card=card)
    await asyncio.gather(*(house.core.runner.advance(run) for _ in range(5)))
    assert house.rack.log == ["switch off lamp"] and (await house.run(run)).state == "done"


async def test_nothing_starts_without_approval_even_by_hand(house: House) -> None:
    await house.ask(*off("lamp"))
    row = await house.call()
    with sqlite3.connect(house.folder / "rackhand.db") as raw:
        for statement in (
            "UPDATE calls SET state = 'started' WHERE id = ?",
            "UPDATE calls SET state = 'done' WHERE id = ?",
            'UPDATE calls SET args = \'{"item":"rack/0002"}\' WHERE id = ?',
            "UPDATE calls SET needs_tap = 0 WHERE id = ?",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                raw.execute(statement, (row.id,))
    raw.close()


# -- several people -----------------------------------------------------------------------------------------------


async def test_a_viewer_alone_changes_nothing(house: House) -> None:
    run = await house.ask(*off("lamp"), who=VIEWER)
    [block] = await house.results(run)
    assert body(block)["outcome"] == "refused" and "operator" in body(block)["detail"]
    assert await house.calls() == [] and len(await house.audited("refused")) == 1


async def test_in_a_group_whoever_may_approves_what_a_viewer_asked_for(house: House) -> None:
    await house.ask(*off("lamp"), who=VIEWER, where=GROUP)
    assert await house.tap(who=VIEWER) == "This card is not yours to decide."
    assert house.rack.log == []
    await house.tap(who=OPERATOR)
    assert house.rack.log == ["switch off lamp"]


@pytest.mark.parametrize("call", [use("rack_get_item", item="lamp"), *off("lamp"), use("rack_switch_on", item="lamp")])
async def test_a_role_limited_to_another_service_sees_nothing_here(build: Any, call: dict[str, Any]) -> None:
    house = await build(telegram_operators="2:docker+notes")
    [block] = await house.results(await house.ask(call, who=OPERATOR))
    assert "lamp" not in block["content"] and "watts" not in block["content"]
    assert await house.calls() == [] and house.rack.log == []


async def test_a_role_limited_to_this_service_works_here(build: Any) -> None:
    house = await build(telegram_operators="2:rack")
    await house.ask(*off("lamp"), who=OPERATOR)
    await house.tap(who=OPERATOR)
    assert house.rack.log == ["switch off lamp"]


async def test_an_approver_who_lost_the_role_meanwhile_approved_nothing(house: House) -> None:
    card = await house.card(*off("lamp"))
    house.settings.telegram_admins.clear()
    await house.crash()
    assert "not yours" in await house.tap(card=card)
    assert house.rack.log == [] and ADMIN.id == "tg:1"
