"""The loop: a list of messages, saved after every append, carried on from wherever it stands."""

import asyncio
from typing import Any

import pytest

from bot.agent.loop import MAX_STEPS
from bot.agent.model import ModelUnavailable, OutOfBudget, RunStopped
from tests.fakes import Asked, use
from tests.house import ADMIN, House

LOOK = "rack_get_item"


async def test_a_line_becomes_an_answer(house: House) -> None:
    run = await house.say("Hello?", "Hello.")
    stored = await house.run(run)
    assert (stored.state, stored.error) == ("done", None)
    [(kind, payload)] = await house.deliver()
    assert (kind, payload["run"]) == ("answer", run)


async def test_reads_go_back_to_the_model_which_then_answers(house: House) -> None:
    run = await house.say("How is it?", [use(LOOK, item="lamp")], [use(LOOK, item="fan")], "Both are on.")
    assert [len(asked.messages) for asked in house.model.asked] == [1, 3, 5]
    assert len(await house.stores.runs.messages(run)) == 6


async def test_what_was_said_is_never_changed(house: House) -> None:
    await house.say("How is it?", [use(LOOK, item="lamp")], [use("rack_switch_off", item="lamp")])
    await house.tap()
    first, second, third = (asked.messages for asked in house.model.asked)
    assert second[: len(first)] == first and third[: len(second)] == second


async def test_every_append_is_committed_before_the_next_step(house: House) -> None:
    seen: list[int] = []

    async def count(asked: Asked) -> Any:
        seen.append(len(await house.stores.runs.messages(asked.run.id)))
        return [use(LOOK, item="lamp")] if len(seen) < 3 else "Done."

    house.model.script.extend([count] * 3)
    await house.say("How is it?")
    assert seen == [1, 3, 5]


async def test_steps_are_counted_and_the_last_must_answer(house: House) -> None:
    run = await house.say("Look.", *([use(LOOK, item="lamp")] for _ in range(MAX_STEPS - 1)), "Enough.")
    assert [asked.last for asked in house.model.asked] == [False] * (MAX_STEPS - 1) + [True]
    assert (await house.run(run)).state == "done"


async def test_a_model_that_never_ends_is_ended(house: House) -> None:
    run = await house.say("Look.", *([use(LOOK, item="lamp")] for _ in range(3 * MAX_STEPS)))
    assert len(house.model.asked) == MAX_STEPS
    stored = await house.run(run)
    assert stored.state == "failed" and f"{MAX_STEPS} steps" in (stored.error or "")


async def test_history_is_text_only_and_counts_no_steps(house: House) -> None:
    await house.say("First.", [use(LOOK, item="lamp")], "It is on.")
    await house.say("Second.")
    texts = [[b["type"] for b in message["content"]] for message in house.model.asked[-1].messages]
    assert texts == [["text"], ["text"], ["text"]]
    assert house.model.asked[-1].messages[1]["content"][0]["text"] == "It is on."


async def test_the_line_tells_the_time_and_what_was_removed(house: House) -> None:
    await house.say("re\u200bstart")
    line = house.model.asked[-1].messages[-1]["content"][0]["text"]
    assert line.startswith("[now ") and "1 invisible characters removed" in line and line.endswith("\nrestart")


@pytest.mark.parametrize("error", [ModelUnavailable, OutOfBudget, RunStopped])
async def test_a_run_that_cannot_go_on_says_why(house: House, error: type[Exception]) -> None:
    run = await house.say("Hello?", error("Because of this."))
    assert (await house.run(run)).error == "Because of this."
    [(kind, payload)] = await house.deliver()
    assert (kind, payload["error"]) == ("stuck", "Because of this.")


async def test_a_bug_ends_the_run_and_not_the_bot(house: House, log: list[str]) -> None:
    run = await house.say("Hello?", ZeroDivisionError("a secret detail"))
    stored = await house.run(run)
    assert stored.state == "failed" and "ZeroDivisionError" in (stored.error or "")
    assert "secret detail" not in (stored.error or "")
    assert (await house.run(await house.say("And now?"))).state == "done"


async def test_one_working_run_a_conversation_in_the_order_of_the_lines(house: House) -> None:
    order: list[str] = []
    gate = asyncio.Event()

    def told(word: str, wait: bool) -> Any:
        async def answer(asked: Asked) -> str:
            if wait:
                await gate.wait()
            order.append(word)
            return word

        return answer

    house.model.script.extend([told("first", True), told("second", False)])
    for word in ("one", "two"):
        assert await house.core.opener.say(ADMIN.id, ADMIN, word, trigger=word)
    await asyncio.sleep(0.02)
    assert order == [] and len(house.model.asked) == 1
    gate.set()
    await house.settle()
    assert order == ["first", "second"]


async def test_conversations_do_not_wait_for_each_other(house: House) -> None:
    async def never(asked: Asked) -> None:
        await asyncio.Event().wait()

    house.model.script.append(never)
    assert await house.core.opener.say(ADMIN.id, ADMIN, "slow", trigger="slow")
    while not house.model.asked:  # noqa: ASYNC110 - the model has no event to wait for
        await asyncio.sleep(0.005)
    run = await house.core.opener.say("tg:2", ADMIN, "quick", trigger="quick")
    for _ in range(1000):
        if (await house.run(run)).state == "done":
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the second conversation waited for the first")


async def test_a_line_is_worked_on_once(house: House) -> None:
    assert await house.core.opener.say(ADMIN.id, ADMIN, "Hello?", trigger="update:7")
    assert await house.core.opener.say(ADMIN.id, ADMIN, "Hello?", trigger="update:7") is None
    await house.settle()
    assert len(house.model.asked) == 1


async def test_advancing_what_has_ended_changes_nothing(house: House) -> None:
    run = await house.say("Hello?", "Hello.")
    await house.deliver()
    before = await house.stores.runs.messages(run)
    await house.core.runner.advance(run)
    await house.core.runner.advance("no such run")
    assert await house.stores.runs.messages(run) == before and await house.deliver() == []
