"""A run's progress on the screen: shown when it takes long, drawn again in place, gone after the answer."""

from typing import Any

import pytest
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TelegramError, TimedOut

from bot.telegram.pace import BURST, INTERVAL
from bot.telegram.progress import STOPPED
from memory.models import PROGRESS
from tests.bot.telegram.phone import THINKING, Phone
from tests.memory.rows import a_run


async def test_it_is_one_message_that_is_drawn_again(phone: Phone) -> None:
    run = await phone.begun()
    await phone.does(run, "Looking …", "Looking …", "")
    assert phone.said == [f"send {THINKING}", "edit 7 Looking …"] and phone.stops == 1


async def test_the_answer_goes_first_and_nothing_is_waited_for(phone: Phone) -> None:
    run = await phone.begun()
    await phone.does(run, *(f"step {number}" for number in range(10)))
    assert phone.time.waiting == 1, "an edit keeps the pace"
    await phone.answers(run)
    await phone.rest()
    await phone.time.advance(0)
    assert phone.calls[-2:] == [(0.0, "send It is up."), (0.0, "delete 7")]
    assert await phone.house.stores.outbox.open("tg:1") == []
    await phone.time.advance(60)
    assert phone.said[-1] == "delete 7", "what waited has been given up"


async def test_the_latest_wins_and_the_pace_is_kept(phone: Phone) -> None:
    run = await phone.begun()
    for step in range(30):
        await phone.does(run, f"step {step}")
        await phone.time.advance(0.1)
    await phone.time.advance(5)
    await phone.rest()
    times = [at for at, _ in phone.calls]
    assert len(times) <= BURST + 3 / INTERVAL and phone.said[-1] == "edit 7 step 29"


async def test_a_quick_answer_needs_none(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.telegram.progress.PATIENCE", 60.0)
    run = await phone.house.stores.runs.get(await a_run(phone.house.stores))
    assert run is not None
    phone.screen.begin(run)
    phone.screen.doing(run.id, "Looking …")
    await phone.answers(run)
    await phone.rest()
    assert phone.said == ["send It is up."]


async def test_a_run_that_ends_while_it_is_being_shown_leaves_nothing(phone: Phone) -> None:
    phone.gate.clear()
    run = await phone.begun()
    await phone.answers(run)
    await phone.rest()
    assert phone.said == [f"send {THINKING}", "send It is up."], "the one that hangs holds up no answer"
    phone.gate.set()
    await phone.rest()
    assert phone.said[2:] == ["delete 7"]


@pytest.mark.parametrize("state", ["working", "done", "stopped"])
async def test_what_a_crash_left_is_taken_away(phone: Phone, state: Any) -> None:
    run = await phone.begun()
    async with phone.house.stores.database.transaction() as tx:
        await phone.house.stores.runs.set_state(tx, run.id, state)
    phone.screen._doing.clear()  # the next process knows nothing of what it did
    async with phone.house.stores.database.transaction() as tx:
        await phone.house.stores.outbox.interrupt(tx, "")
    await phone.rest()
    assert phone.said[1:] == [f"edit 7 {STOPPED}" if state == "stopped" else "delete 7"]


async def test_one_that_was_never_known_to_arrive_is_forgotten_after_a_crash(phone: Phone) -> None:
    run = await a_run(phone.house.stores)
    async with phone.house.stores.database.transaction() as tx:
        await phone.house.stores.outbox.draw(tx, "tg:1", PROGRESS, run)
    await phone.rest()
    assert phone.said == [] and await phone.house.stores.database.all("SELECT 1 FROM outbox") == []


@pytest.mark.parametrize("failure", [TimedOut(), NetworkError("Bad Gateway"), Forbidden("blocked"), BadRequest("no")])
async def test_a_first_message_that_fails_is_never_doubled(phone: Phone, failure: TelegramError) -> None:
    phone.failures = [failure]
    run = await phone.begun()
    await phone.does(run, "Looking …")
    await phone.answers(run)
    await phone.rest()
    assert phone.said == [f"send {THINKING}", "send It is up."]


@pytest.mark.parametrize("failure", [NetworkError("gone"), TimedOut(), Forbidden("blocked")])
async def test_a_failed_edit_is_survived_and_the_old_line_written_again(phone: Phone, failure: TelegramError) -> None:
    run = await phone.begun()
    phone.failures = [failure]
    await phone.does(run, "Looking …", THINKING)
    await phone.answers(run)
    await phone.rest()
    assert phone.said[1:] == ["edit 7 Looking …", f"edit 7 {THINKING}", "send It is up.", "delete 7"]


async def test_one_that_a_person_took_away_stays_away(phone: Phone) -> None:
    run = await phone.begun()
    phone.failures = [BadRequest("Message to edit not found")]
    await phone.does(run, "Looking …", "Reading …")
    await phone.answers(run)
    await phone.rest()
    assert phone.said[1:] == ["edit 7 Looking …", "send It is up."]


async def test_a_flood_holds_it_back_and_ends(phone: Phone) -> None:
    run = await phone.begun()
    phone.failures = [RetryAfter(30)]
    await phone.does(run, "Looking …", "Reading …")
    await phone.answers(run)
    await phone.rest()
    assert phone.said[1:] == ["edit 7 Looking …"]
    await phone.time.advance(30)
    await phone.rest()
    assert phone.calls[2:] == [(30.0, "send It is up."), (30.0, "delete 7")]


async def test_without_a_database_nothing_is_shown_and_nothing_breaks(phone: Phone) -> None:
    run = await phone.begun()
    await phone.house.stores.database._writer.execute("PRAGMA query_only=ON")
    await phone.does(run, "Looking …")
    await phone.screen.end(run.id)
    await phone.house.stores.database._writer.execute("PRAGMA query_only=OFF")
    assert phone.said == [f"send {THINKING}"]
