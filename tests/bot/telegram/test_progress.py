"""The pace of a chat and its one progress message, on a clock the tests move by hand."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from loguru import logger
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TelegramError, TimedOut

from bot.telegram.pace import INTERVAL, Throttle, retry_after
from bot.telegram.progress import Progress

pytestmark = pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")


class HandClock:
    """Time that stands still until advanced; sleepers wake in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def read(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, future))
        await future

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        await settle()
        while due := [s for s in self._sleepers if s[0] <= end and not s[1].done()]:
            first = min(due, key=lambda s: s[0])
            self.now = max(self.now, first[0])
            first[1].set_result(None)
            self._sleepers.remove(first)
            await settle()
        self.now = end


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Chat:
    """Records what reaches Telegram and when, and fails on demand."""

    def __init__(self) -> None:
        self.time = HandClock()
        self.throttle = Throttle(clock=self.time.read, sleep=self.time.sleep)
        self.calls: list[tuple[float, str]] = []
        self.failures: list[TelegramError | OSError | None] = []
        self.gate: asyncio.Event | None = None
        self.progress = Progress(self.send, self.edit, self.throttle, grace=0.02)

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.calls]

    async def _call(self, text: str) -> None:
        self.calls.append((self.time.now, text))
        if self.gate is not None:
            await self.gate.wait()
        if self.failures and (failure := self.failures.pop(0)):
            raise failure

    async def send(self, text: str) -> int:
        await self._call(f"send {text}")
        return 7

    async def edit(self, message_id: int, text: str) -> None:
        await self._call(f"edit {message_id} {text}")


@pytest.fixture
async def chat() -> Chat:
    return Chat()


@pytest.fixture
def warnings_logged() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lines.append, level="WARNING", format="{message}")
    yield lines
    logger.remove(sink)


async def test_first_text_is_sent_at_once_and_later_ones_edit_it(chat: Chat) -> None:
    chat.progress.show("one")
    await settle()
    chat.progress.show("two")
    await chat.time.advance(5)
    assert chat.calls == [(0.0, "send one"), (INTERVAL, "edit 7 two")]
    assert await chat.progress.finish() == 7


async def test_latest_wins_and_the_pace_is_kept(chat: Chat) -> None:
    for step in range(100):
        chat.progress.show(f"step {step}")
        await chat.time.advance(0.1)
    await chat.time.advance(5)
    times = [at for at, _ in chat.calls]
    assert all(later - earlier >= INTERVAL - 1e-9 for earlier, later in zip(times, times[1:], strict=False))
    assert len(times) >= 8
    assert chat.texts[-1] == "edit 7 step 99"


async def test_unchanged_text_costs_no_call(chat: Chat) -> None:
    for text in ("a", "a", "", "a"):
        chat.progress.show(text)
        await chat.time.advance(3)
    chat.progress.show("b")
    await settle()
    chat.progress.show("c")
    await settle()
    chat.progress.show("b")
    await chat.time.advance(5)
    assert chat.texts == ["send a", "edit 7 b"]


async def test_edit_is_spaced_from_the_end_of_a_slow_call(chat: Chat) -> None:
    chat.gate = asyncio.Event()
    chat.progress.show("slow")
    await chat.time.advance(10)
    chat.progress.show("next")
    chat.gate.set()
    await chat.time.advance(5)
    assert chat.calls == [(0.0, "send slow"), (10 + INTERVAL, "edit 7 next")]


@pytest.mark.parametrize("wait", [30, timedelta(seconds=30)])
@pytest.mark.parametrize("as_timedelta", ["true", "false"])
async def test_retry_after_holds_everything_for_the_chat(
    chat: Chat, wait: int | timedelta, as_timedelta: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", as_timedelta)
    chat.failures = [None, RetryAfter(wait)]
    chat.progress.show("one")
    await chat.time.advance(2)
    chat.progress.show("two")
    await settle()
    answer = asyncio.create_task(chat.throttle.call(lambda: chat.send("answer")))
    chat.progress.show("three")
    await chat.time.advance(29)
    assert chat.texts == ["send one", "edit 7 two"]
    await chat.time.advance(5)
    assert await answer == 7
    assert chat.calls[2:] == [(32.0, "edit 7 three"), (32.0 + INTERVAL, "send answer")]


async def test_ahead_of_its_turn_goes_what_is_held_by_our_own_pace_alone(chat: Chat) -> None:
    await chat.throttle.call(lambda: chat.send("one"))
    waiting = asyncio.create_task(chat.throttle.call(lambda: chat.send("two")))
    await settle()
    await chat.throttle.call(lambda: chat.send("stopped"), ahead=True)
    assert chat.calls == [(0.0, "send one"), (0.0, "send stopped")]
    await chat.time.advance(5)
    assert await waiting == 7
    chat.throttle.hold(30)  # a flood that Telegram complains of
    held = asyncio.create_task(chat.throttle.call(lambda: chat.send("again"), ahead=True))
    await chat.time.advance(29)
    assert chat.texts[-1] == "send two"
    await chat.time.advance(2)
    assert await held == 7


async def test_retry_after_is_passed_on_to_who_sent(chat: Chat) -> None:
    chat.failures = [RetryAfter(9)]
    with pytest.raises(RetryAfter):
        await chat.throttle.call(lambda: chat.send("answer"))
    chat.progress.show("one")
    await chat.time.advance(20)
    assert chat.calls[1:] == [(9.0, "send one")]


def test_retry_after_reads_fractions(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in ("true", "false"):
        monkeypatch.setenv("PTB_TIMEDELTA", setting)
        assert retry_after(RetryAfter(timedelta(milliseconds=1500))) == 1.5


async def test_a_manual_hold_is_never_shortened(chat: Chat) -> None:
    chat.throttle.hold(10)
    chat.throttle.hold(2)
    chat.progress.show("one")
    await chat.time.advance(20)
    assert chat.calls == [(10.0, "send one")]


@pytest.mark.parametrize(
    "failure",
    [BadRequest("Message to edit not found"), NetworkError("gone"), TimedOut(), Forbidden("blocked"), OSError()],
)
async def test_failed_edits_are_survived_logged_once_and_not_hammered(
    chat: Chat, failure: TelegramError | OSError, warnings_logged: list[str]
) -> None:
    chat.failures = [None, failure, failure]
    chat.progress.show("one")
    await chat.time.advance(2)
    chat.progress.show("two")
    await chat.time.advance(60)
    assert chat.texts == ["send one", "edit 7 two"]
    chat.progress.show("two")
    await chat.time.advance(60)
    chat.progress.show("three")
    await chat.time.advance(60)
    assert chat.texts[2:] == ["edit 7 two", "edit 7 three"]
    assert len(warnings_logged) == 1
    assert await chat.progress.finish() == 7


async def test_after_an_uncertain_edit_the_old_text_is_written_again(chat: Chat) -> None:
    chat.failures = [None, TimedOut()]
    for text in ("one", "two", "one"):
        chat.progress.show(text)
        await chat.time.advance(5)
    assert chat.texts == ["send one", "edit 7 two", "edit 7 one"]


async def test_text_shown_during_a_failing_edit_is_not_lost(chat: Chat) -> None:
    chat.failures = [None, NetworkError("gone")]
    chat.progress.show("one")
    await chat.time.advance(2)
    chat.gate = asyncio.Event()
    chat.progress.show("two")
    await settle()
    chat.progress.show("three")
    chat.gate.set()
    await chat.time.advance(5)
    assert chat.texts == ["send one", "edit 7 two", "edit 7 three"]


async def test_not_modified_counts_as_shown(chat: Chat, warnings_logged: list[str]) -> None:
    chat.failures = [None, BadRequest("Message is not modified: specified new message content is the same")]
    for text in ("one", "two", "two"):
        chat.progress.show(text)
        await chat.time.advance(5)
    assert chat.texts == ["send one", "edit 7 two"]
    assert warnings_logged == []


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (NetworkError("refused"), httpx.ConnectError("refused")),
        (TimedOut("no route"), httpx.ConnectTimeout("no route")),
        (TimedOut("busy"), httpx.PoolTimeout("busy")),
        (BadRequest("chat not found"), None),
    ],
)
async def test_a_first_message_that_never_left_is_tried_with_the_next_text(
    chat: Chat, failure: TelegramError, cause: Exception | None
) -> None:
    failure.__cause__ = cause
    chat.failures = [failure]
    for text in ("one", "two"):
        chat.progress.show(text)
        await chat.time.advance(5)
    assert chat.texts == ["send one", "send two"]


@pytest.mark.parametrize("failure", [TimedOut(), NetworkError("Bad Gateway")])
async def test_a_first_message_that_may_have_arrived_is_never_doubled(chat: Chat, failure: TelegramError) -> None:
    chat.failures = [failure]
    for text in ("one", "two"):
        chat.progress.show(text)
        await chat.time.advance(5)
    assert chat.texts == ["send one"]
    assert await chat.progress.finish() is None


async def test_finish_drops_what_still_waits(chat: Chat) -> None:
    chat.progress.show("one")
    await settle()
    chat.throttle.hold(250)
    chat.progress.show("two")
    await settle()
    assert await chat.progress.finish() == 7
    chat.progress.show("three")
    await chat.time.advance(500)
    assert chat.texts == ["send one"]
    assert await chat.progress.finish() == 7


async def test_finish_frees_the_turn_of_a_waiting_edit(chat: Chat) -> None:
    chat.progress.show("one")
    await settle()
    chat.progress.show("two")
    await settle()
    await chat.progress.finish()
    answer = asyncio.create_task(chat.throttle.call(lambda: chat.send("answer")))
    await chat.time.advance(INTERVAL)
    assert await answer == 7


async def test_finish_without_a_message(chat: Chat) -> None:
    assert await chat.progress.finish() is None
    chat.progress.show("late")
    await settle()
    assert chat.calls == []


async def test_finish_lets_a_call_on_its_way_arrive(chat: Chat) -> None:
    chat.gate = asyncio.Event()
    chat.progress.show("one")
    await settle()
    finishing = asyncio.create_task(chat.progress.finish())
    await settle()
    assert not finishing.done()
    chat.gate.set()
    assert await finishing == 7


async def test_finish_gives_up_a_call_that_hangs(chat: Chat) -> None:
    chat.gate = asyncio.Event()
    chat.progress.show("one")
    await settle()
    assert await asyncio.wait_for(chat.progress.finish(), 30) is None
    assert chat.texts == ["send one"]


async def cancelled(make: Callable[[], Awaitable[object]]) -> bool:
    task = asyncio.ensure_future(make())
    await settle()
    task.cancel()
    await asyncio.wait({task})
    return task.cancelled()


async def test_cancellation_is_never_swallowed(chat: Chat) -> None:
    chat.throttle.hold(60)
    assert await cancelled(lambda: chat.throttle.call(lambda: chat.send("waiting")))
    chat.throttle = Throttle()
    chat.gate = asyncio.Event()
    assert await cancelled(lambda: chat.throttle.call(lambda: chat.send("on its way")))
    chat.progress = Progress(chat.send, chat.edit, Throttle(), grace=60)
    chat.progress.show("one")
    await settle()
    assert await cancelled(chat.progress.finish)
    await settle()
    assert len(asyncio.all_tasks()) == 1


async def test_chats_do_not_wait_for_each_other(chat: Chat) -> None:
    other = Throttle(clock=chat.time.read, sleep=chat.time.sleep)
    chat.throttle.hold(60)
    assert await other.call(lambda: chat.send("hello")) == 7
