"""The pace of a chat, on a clock that the tests move by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from telegram.error import RetryAfter

from bot.telegram.chats import Chats
from bot.telegram.pace import BURST, GROUP_INTERVAL, INTERVAL, OVERALL, Throttle, retry_after
from lab.telegram.flood import Flood
from memory.secrets import Redactor
from tests.bot.telegram.phone import HandClock, settle

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


@pytest.fixture
async def time() -> HandClock:
    return HandClock()


def paced(time: HandClock, *pace: Any, above: Throttle | None = None) -> Throttle:
    return Throttle(*pace, above=above, clock=time.read, sleep=time.sleep)


class Crowd:
    """Callers that all want their turn at once, and when they get it."""

    def __init__(self, time: HandClock) -> None:
        self.time, self.went = time, list[float]()
        self._tasks: list[asyncio.Task[None]] = []

    def wants(self, throttle: Throttle, then: Callable[[], object] = lambda: None, spare: int = 0) -> None:
        async def go() -> None:
            await throttle.turn(spare)
            self.went.append(self.time.now)
            then()

        self._tasks.append(asyncio.create_task(go()))

    async def all(self, seconds: float = 1000.0) -> list[float]:
        await self.time.advance(seconds)
        for task in self._tasks:
            task.result()
        return self.went


class Deleting:
    """A bot that takes messages away, after it has said so often that this is too much."""

    def __init__(self, *refusals: RetryAfter) -> None:
        self.calls, self.refusals = list[int](), list(refusals)

    async def delete_message(self, chat: int, message: int) -> None:
        self.calls.append(message)
        if self.refusals:
            raise self.refusals.pop()


def chats_of(bot: Deleting, throttle: Throttle) -> Chats:
    chats = Chats(bot, Redactor())  # type: ignore[arg-type]
    chats._throttles[1] = throttle
    return chats


@pytest.mark.parametrize("chats", [(1001,), (-100,), tuple(range(1, 26)), (-1, -2, 1, 2)])
async def test_telegram_bears_a_burst_of_fifty(time: HandClock, chats: tuple[int, ...]) -> None:
    flood, above, crowd = Flood(clock=time.read), paced(time, *OVERALL), Crowd(time)
    throttles = {chat: paced(time, *((GROUP_INTERVAL,) if chat < 0 else ()), above=above) for chat in chats}
    for number in range(50):
        chat = chats[number % len(chats)]
        crowd.wants(throttles[chat], lambda chat=chat: flood.count(chat))  # type: ignore[misc]
    assert len(await crowd.all()) == 50, "and nothing was refused"


async def test_some_go_at_once_and_then_the_pace_is_kept(time: HandClock) -> None:
    throttle, crowd = paced(time), Crowd(time)
    for _ in range(BURST + 2):
        crowd.wants(throttle)
    assert await crowd.all() == pytest.approx([0.0] * BURST + [INTERVAL, 2 * INTERVAL])
    for _ in range(BURST + 1):
        crowd.wants(throttle)
    late = (await crowd.all())[BURST + 2 :]
    assert late == pytest.approx([1000.0] * BURST + [1000 + INTERVAL]), "it is full again, and no fuller"


async def test_what_nobody_waits_for_leaves_room_for_what_they_do(time: HandClock) -> None:
    throttle, crowd = paced(time), Crowd(time)
    for _ in range(BURST):
        crowd.wants(throttle, spare=2)
    await settle()
    assert len(crowd.went) == BURST - 2
    crowd.wants(throttle)
    await settle()
    assert crowd.went == [0.0] * (BURST - 1), "an answer waits for none of them"


async def test_what_is_given_back_is_there_for_the_next(time: HandClock) -> None:
    throttle, crowd = paced(time, 60, 1), Crowd(time)
    await throttle.turn()
    throttle.give_back()
    crowd.wants(throttle)
    assert await crowd.all() == [0.0]


async def test_ahead_of_its_turn_goes_what_is_held_by_our_own_pace_alone(time: HandClock) -> None:
    throttle, crowd = paced(time, 60, 1), Crowd(time)
    await throttle.turn()
    for _ in range(3):
        crowd.wants(throttle, spare=-2)
    await settle()
    assert crowd.went == [0.0, 0.0], "now and then: not whenever one likes"
    throttle.hold(500)
    crowd.wants(throttle, spare=-9)
    assert (await crowd.all())[2:] == [500.0, 500.0]


async def test_a_hold_is_never_shortened(time: HandClock) -> None:
    throttle, crowd = paced(time), Crowd(time)
    throttle.hold(10)
    throttle.hold(2)
    crowd.wants(throttle)
    assert await crowd.all() == [10.0]


async def test_chats_do_not_wait_for_each_other(time: HandClock) -> None:
    chats = chats_of(Deleting(), paced(time))
    chats.throttle(1).hold(60)
    await asyncio.wait_for(chats.throttle(2).turn(), 10)


@pytest.mark.parametrize("wait", [30, timedelta(seconds=30)])
@pytest.mark.parametrize("as_timedelta", ["true", "false"])
async def test_telegrams_word_holds_everything_for_the_chat_and_is_passed_on(
    time: HandClock, wait: int | timedelta, as_timedelta: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", as_timedelta)
    bot, crowd = Deleting(RetryAfter(wait)), Crowd(time)
    chats = chats_of(bot, paced(time))
    with pytest.raises(RetryAfter):
        await chats.delete(1, 7)
    crowd.wants(chats.throttle(1))
    again = asyncio.create_task(chats.delete(1, 8))
    await time.advance(29)
    assert bot.calls == [7] and crowd.went == []
    assert await crowd.all() == [30.0]
    await again
    assert bot.calls == [7, 8]


def test_retry_after_reads_fractions(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in ("true", "false"):
        monkeypatch.setenv("PTB_TIMEDELTA", setting)
        assert retry_after(RetryAfter(timedelta(milliseconds=1500))) == 1.5


async def test_taking_a_message_away_needs_no_turn(time: HandClock) -> None:
    bot, throttle = Deleting(), paced(time, 60, 1)
    await throttle.turn()
    await asyncio.wait_for(chats_of(bot, throttle).delete(1, 7), 10)
    assert bot.calls == [7]


async def cancelled(work: Awaitable[object]) -> bool:
    task = asyncio.ensure_future(work)
    await settle()
    task.cancel()
    await asyncio.wait({task})
    return task.cancelled()


async def test_cancellation_is_never_swallowed(time: HandClock) -> None:
    throttle = paced(time)
    throttle.hold(60)
    assert await cancelled(throttle.turn()) and await cancelled(throttle.calm())
