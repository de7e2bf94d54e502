"""Runs: a list of messages that only grows."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from memory.database import DATABASE_ERRORS
from memory.models import Message
from memory.runs import HISTORY_SECONDS, final_text
from memory.stores import Stores
from tests.fakes import Clock
from tests.memory.rows import a_run


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


async def talk(stores: Stores, question: str, answer: str, *, tainted: bool = False, state: Any = "done") -> str:
    run = await a_run(stores, question, objective=question, messages=[said("user", question)])
    await stores.runs.append(run, [said("user", question)], said("assistant", answer), tainted=tainted)
    async with stores.database.transaction() as tx:
        await stores.runs.set_state(tx, run, state)
    return run


async def test_a_trigger_opens_one_run(stores: Stores) -> None:
    await a_run(stores, "update:1")
    with pytest.raises(AssertionError):
        await a_run(stores, "update:1")


async def test_messages_are_kept_as_they_are(stores: Stores) -> None:
    first, second = said("user", "Grüße 🙂"), said("assistant", "x")
    run = await a_run(stores, messages=[first])
    assert await stores.runs.append(run, [first], second) == [first, second]
    assert await stores.runs.messages(run) == [first, second]


async def test_nothing_that_was_said_can_be_changed(stores: Stores, tmp_path: Path) -> None:
    await a_run(stores, messages=[said("user", "x")])
    with sqlite3.connect(tmp_path / "rackhand.db") as raw, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute("UPDATE messages SET body = '{}'")
    raw.close()


async def test_two_who_append_at_the_same_place_do_not_both_win(stores: Stores) -> None:
    run = await a_run(stores, messages=[said("user", "x")])
    await stores.runs.append(run, [said("user", "x")], said("assistant", "a"))
    with pytest.raises(Exception, match="UNIQUE") as error:
        await stores.runs.append(run, [said("user", "x")], said("assistant", "b"))
    assert isinstance(error.value, DATABASE_ERRORS)


async def test_taint_stays(stores: Stores) -> None:
    run = await a_run(stores)
    await stores.runs.append(run, [], said("user", "x"), tainted=True)
    await stores.runs.append(run, [{}], said("user", "y"), tainted=False)
    found = await stores.runs.get(run)
    assert found is not None and found.tainted


async def test_what_has_ended_stays_ended(stores: Stores) -> None:
    run = await a_run(stores)
    async with stores.database.transaction() as tx:
        assert await stores.runs.set_state(tx, run, "waiting") is True
        assert await stores.runs.set_state(tx, run, "failed", "Because.") is True
        assert await stores.runs.set_state(tx, run, "done") is False
    found = await stores.runs.get(run)
    assert found is not None and (found.state, found.error) == ("failed", "Because.")


async def test_runs_are_found_by_state_and_conversation(stores: Stores, clock: Clock) -> None:
    first = await a_run(stores, "1")
    clock.move(1)
    second = await a_run(stores, "2", conversation="tg:2")
    assert [run.id for run in await stores.runs.in_state("working", "waiting")] == [first, second]
    assert [run.id for run in await stores.runs.in_state("working", conversation="tg:2")] == [second]
    assert await stores.runs.get("none") is None


async def test_recoveries_are_counted(stores: Stores) -> None:
    run = await a_run(stores)
    assert [await stores.runs.attempt(run) for _ in range(3)] == [1, 2, 3]


async def test_only_one_is_ever_inside(stores: Stores) -> None:
    inside, most = 0, 0

    async def enter(turns: int) -> None:
        nonlocal inside, most
        for _ in range(turns):
            await asyncio.sleep(0)
        async with stores.runs.exclusive("r1"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(enter(turns % 7) for turns in range(60)))
    assert most == 1


async def test_two_runs_do_not_wait_for_each_other(stores: Stores) -> None:
    async with stores.runs.exclusive("r1"), asyncio.timeout(5), stores.runs.exclusive("r2"):
        pass


async def history(stores: Stores, conversation: str = "tg:1", **more: Any) -> tuple[list[Message], bool]:
    """What a new run would find of what was said before."""
    messages, tainted = await stores.runs.history(conversation, **more)
    if not messages:
        return messages, tainted
    return await stores.runs.messages(await a_run(stores, repr(messages), messages=messages)), tainted


# -- history ------------------------------------------------------------------------------------------------------


async def test_history_is_the_last_exchanges_as_text(stores: Stores, clock: Clock) -> None:
    for number in range(8):
        clock.move(1)
        await talk(stores, f"q{number}", f"a{number}")
    messages, tainted = await history(stores, "tg:1", limit=2)
    assert [m["content"][0]["text"] for m in messages] == ["q6", "a6", "q7", "a7"] and not tainted
    assert await history(stores, "tg:2") == ([], False)


@pytest.mark.parametrize(("state", "kept"), [("done", 2), ("waiting", 2), ("stopped", 2), ("failed", 0)])
async def test_which_runs_are_history(stores: Stores, clock: Clock, state: str, kept: int) -> None:
    await talk(stores, "q", "a", state=state)
    assert len((await history(stores, "tg:1"))[0]) == kept


async def test_a_run_without_an_answer_says_so(stores: Stores) -> None:
    run = await a_run(stores, messages=[said("user", "x")])
    async with stores.database.transaction() as tx:
        await stores.runs.set_state(tx, run, "waiting")
    assert (await history(stores, "tg:1"))[0][1] == said("assistant", "(no answer)")


@pytest.mark.parametrize("blank", ["", " \n"])
async def test_a_line_of_which_nothing_was_left_says_so(stores: Stores, blank: str) -> None:
    await talk(stores, blank, "a")
    assert (await history(stores, "tg:1"))[0][0] == said("user", "(no text)")


LONG = "It is down, because its disk is full. " * 9


async def test_a_long_answer_is_stored_once_and_stays_what_it_was(stores: Stores) -> None:
    before = await a_run(stores, objective="q", messages=[said("user", "q"), said("assistant", LONG.strip())])
    async with stores.database.transaction() as tx:
        await stores.runs.set_state(tx, before, "waiting")
    messages, _ = await stores.runs.history("tg:1")
    run = await a_run(stores, "t2", messages=messages)
    assert LONG.strip() not in str(await stores.database.all("SELECT body FROM messages WHERE run = ?", run))
    await stores.runs.append(before, [{}, {}], said("assistant", "It is up again."))
    assert await stores.runs.messages(run) == [said("user", "q"), said("assistant", LONG.strip())]
    async with stores.database.transaction() as tx:
        await tx.run("DELETE FROM messages WHERE run = ?", before)
    assert await stores.runs.messages(run) == [said("user", "q"), said("assistant", "(no answer)")], "it is forgotten"


async def test_taint_comes_with_the_history_and_goes_with_it(stores: Stores, clock: Clock) -> None:
    await talk(stores, "q", "a", tainted=True)
    clock.move(1)
    await talk(stores, "q2", "a2")
    assert (await history(stores, "tg:1"))[1] is True
    clock.move(HISTORY_SECONDS)
    assert await history(stores, "tg:1") == ([], False)


async def test_new_forgets_one_conversation(stores: Stores, clock: Clock) -> None:
    await talk(stores, "q", "a", tainted=True)
    clock.move(1)
    async with stores.database.transaction() as tx:
        await stores.runs.forget(tx, "tg:2")
    assert len((await history(stores, "tg:1"))[0]) == 2
    async with stores.database.transaction() as tx:
        await stores.runs.forget(tx, "tg:1")
    assert await history(stores, "tg:1") == ([], False)


def test_the_final_text_is_the_models_last_word() -> None:
    two = {
        "role": "assistant",
        "content": [{"type": "text", "text": "a"}, {"type": "tool_use"}, {"type": "text", "text": "b "}],
    }
    assert final_text([said("user", "x"), two]) == "a\n\nb"
    assert final_text([said("user", "x")]) == final_text([]) == ""


async def test_what_is_noted_of_a_run_is_its_own(stores: Stores) -> None:
    first, second = await a_run(stores), await a_run(stores, "t2")
    assert [await stores.runs.attempt(run) for run in (first, first, second)] == [1, 2, 1]
