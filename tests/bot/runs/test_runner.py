"""From a line or a button to a run, and from the run's end to what is said about it."""

import re
from typing import Any

import pytest

from bot.agent.model import ModelUnavailable
from bot.doctor import Doctor
from bot.runs.opener import LONGEST_LINE
from bot.runs.runner import LATE_SECONDS
from bot.screen.view import View
from bot.terminal.control import Control
from memory.models import Outgoing
from memory.runs import NO_ANSWER
from tests.fakes import Held, use
from tests.house import ADMIN, House, plain

OFF: dict[str, Any] = {"item": "lamp"}


async def direct(house: House, tool: str = "rack_switch_off", trigger: str = "menu:1", **args: Any) -> str | None:
    """A button's one-call run."""
    run = await house.core.opener.direct(
        ADMIN.id, ADMIN, "A button", tool, args or OFF, trigger=trigger, opened_by="button"
    )  # fmt: skip
    await house.settle()
    return run


async def said(house: House) -> list[str]:
    return [kind for kind, _ in await house.deliver()]


async def drawn(house: House, kind: str, payload: dict[str, Any]) -> str:
    """What a person reads of a row of the outbox."""
    view = await house.drawing.draw(Outgoing(1, kind, ADMIN.id, kind, payload, False, 0))
    assert view is not None
    return plain(view)


async def test_a_button_asks_with_a_card_and_no_model(house: House) -> None:
    assert await direct(house)
    assert await said(house) == ["card"] and await house.states() == ["waiting"]
    await house.tap()
    assert house.rack.log == ["switch off lamp"] and house.model.asked == []
    assert "verdict" not in await said(house)


async def test_a_button_that_cannot_do_anything_says_so(house: House) -> None:
    assert await direct(house, item="nothing")
    assert await said(house) == ["verdict"]


async def test_a_replayed_button_opens_nothing_new(house: House) -> None:
    assert await direct(house) and await direct(house) is None
    assert len(await house.calls()) == 1


async def test_a_run_and_the_end_of_its_update_are_one_commit(house: House) -> None:
    await house.stores.inbox.store([{"update_id": 5}])
    await house.core.opener.say(ADMIN.id, ADMIN, "Hello?", trigger="update:5", update=5)
    assert await house.stores.inbox.pending() == []
    await house.settle()
    [entry] = await house.audited("run")
    assert entry["objective"] == "Hello?" and entry["opened_by"] == "text"


async def test_a_line_is_cleaned_cut_and_free_of_known_secrets(house: House) -> None:
    run = await house.say("a\u202eb rack-token-0123456789 " + "x" * 2 * LONGEST_LINE)
    stored = await house.run(run)
    assert stored.objective.startswith("ab •••") and len(stored.objective) <= LONGEST_LINE
    assert "rack-token" not in str(house.model.asked[0].messages)


async def test_an_answer_is_said_once_however_often_it_is_concluded(house: House) -> None:
    run = await house.say("Hello?", "Hello.")
    assert await said(house) == ["answer"]
    for _ in range(2):
        await house.core.runner.advance(run)
    await house.settle()
    assert await said(house) == []


@pytest.mark.parametrize("ending", [[], [{"type": "thinking", "thinking": "Hm.", "signature": "x"}], "\n", "\u200b"])
async def test_a_model_without_a_word_leaves_nobody_without_one(house: House, ending: Any) -> None:
    async def told(run: str) -> str:
        [(kind, payload)] = [row for row in await house.deliver() if row[0] != "card"]
        assert kind == "answer" and (await house.run(run)).state == "done"
        shown = await Control(house.core, Doctor(house.core)).show(run)
        text = await drawn(house, kind, payload)
        assert shown and shown["answer"] in text
        return text

    assert "ask again" in await told(await house.say("Hello?", ending))
    text = await told(await house.say("How is it?", [use("rack_get_item", item="lamp")], ending))
    assert "rack get item\n" in text and "state on" in text and "1 read" in text
    run = await house.say("Switch it off.", [use("rack_switch_off", item="lamp")], ending)
    await house.tap()
    assert "Switch lamp off: Verified by reading the target again." in await told(run)
    await house.say("And now?")
    history = [message["content"][0]["text"] for message in house.model.asked[-1].messages]
    assert history[1::2] == [NO_ANSWER] * 3


async def test_what_was_read_before_the_model_was_gone_is_told(house: House) -> None:
    await house.say("How is it?", [use("rack_get_item", item="lamp")], ModelUnavailable("Gone."))
    [row] = await house.deliver()
    text = await drawn(house, *row)
    assert text.startswith("Gone.") and "state on" in text


async def test_a_run_that_changed_something_and_answers_says_both(house: House) -> None:
    await house.say("Switch it off.", [use("rack_switch_off", item="lamp")], "It is off now.")
    await house.tap()
    assert sorted(set(await said(house))) == ["answer", "card"]


async def test_while_a_tapped_run_works_it_is_working(house: House) -> None:
    states: list[str] = []

    async def look(asked: Any) -> str:
        states.append((await house.run(asked.run.id)).state)
        return "Done."

    await house.say("Switch it off.", [use("rack_switch_off", item="lamp")], look)
    await house.tap()
    assert states == ["working"]


async def test_a_finished_undo_draws_the_receipt_again(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.tap()
    await house.deliver()
    first = await house.call()
    await house.undo(first)
    approval = await house.stores.approvals.latest(first.id)
    assert approval.card in [payload.get("card") for _, payload in await house.deliver()]


async def interrupted(house: House, *replies: Any, text: str = "switch the lamp off") -> str:
    """A line whose run is asking the model when the process dies."""
    never = Held()
    house.model.script.extend([*replies, never])
    run = await house.core.opener.say(ADMIN.id, ADMIN, text, trigger="update:1")
    await never.asked.wait()
    await house.crash()
    return run


async def test_what_was_interrupted_just_now_goes_on(build: Any) -> None:
    house: House = await build(autonomy="reversible")
    run = await interrupted(house)
    house.clock.move(LATE_SECONDS - 1)
    house.model.script.append([use("rack_switch_off", item="lamp")])
    await house.recover()
    assert (await house.run(run)).state == "done" and house.rack.log == ["switch off lamp"]


async def test_what_was_interrupted_long_ago_is_said_and_not_done(build: Any) -> None:
    house: House = await build(autonomy="reversible")
    run = await interrupted(house, text="switch the *lamp* off")
    house.clock.move(3 * 86_400)
    asked = len(house.model.asked)
    await house.recover()
    assert (await house.run(run)).state == "failed" and house.rack.log == []
    assert len(house.model.asked) == asked, "no model is asked"
    [(kind, payload)] = await house.deliver()
    assert kind == "view" and "“switch the *lamp* off”" in plain(View(payload["text"]))
    assert re.search(r"You asked this at \w+ \d\d:\d\d.*say it again", plain(View(payload["text"])))
    await house.recover()
    assert await house.deliver() == []


async def test_an_undo_that_was_interrupted_long_ago_can_be_tapped_again(house: House, monkeypatch: Any) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.tap()
    with monkeypatch.context() as patch:
        patch.setattr(house.core.opener, "_advance", lambda run, queued=False: None)
        assert await house.undo(await house.call()) == "Taking it back."
    await house.crash()
    house.clock.move(LATE_SECONDS + 1)
    await house.recover()
    assert house.rack.log == ["switch off lamp"]
    await house.undo(await house.call())
    assert house.rack.log == ["switch off lamp", "switch on lamp"]


async def test_a_card_that_lapsed_while_it_was_off_starts_no_new_thoughts(build: Any) -> None:
    house: House = await build(autonomy="ask")
    run = await house.ask(use("rack_switch_off", item="lamp"), use("rack_switch_off", item="fan"))
    await house.tap("o")
    await house.tap("y")
    assert await house.states(run) == ["done", "waiting"]
    await house.crash()
    house.clock.move(3 * 86_400)
    asked = len(house.model.asked)
    await house.recover()
    await house.sweep()
    assert await house.states(run) == ["done", "expired"] and (await house.run(run)).state == "done"
    assert len(house.model.asked) == asked


async def test_a_run_that_is_at_work_is_not_recovered_beside_itself(house: House) -> None:
    go = Held()
    house.model.script.append(go)
    run = await house.core.opener.say(ADMIN.id, ADMIN, "Hello?", trigger="update:1")
    assert run is not None and await house.core.runner.recover() == 0
    go.set()
    await house.settle()
    assert (await house.run(run)).attempts == 0


async def test_a_clock_that_was_set_back_makes_nothing_young_again(build: Any) -> None:
    house: House = await build(autonomy="reversible")
    run = await interrupted(house)
    house.clock.move(-2 * LATE_SECONDS)
    house.model.script.append([use("rack_switch_off", item="lamp")])
    await house.recover()
    assert (await house.run(run)).state == "failed" and house.rack.log == []
