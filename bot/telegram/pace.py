"""One progress message per run, edited as things move, never faster than Telegram lets a chat be written to."""

import asyncio
import time
import warnings
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

import httpx
from loguru import logger
from telegram.error import BadRequest, NetworkError, RetryAfter, TelegramError
from telegram.warnings import PTBDeprecationWarning

INTERVAL: Final = 1.2
"""Seconds between two calls to one chat; Telegram counts edits like messages: one a second, 20 a minute in groups."""
GRACE: Final = 5.0
"""Seconds an edit that is already on its way may take before `finish` gives it up."""

T = TypeVar("T")


def retry_after(error: RetryAfter) -> float:
    """The seconds Telegram asks to wait."""
    with warnings.catch_warnings():
        # The attribute warns that it will become a timedelta; both are understood here.
        warnings.simplefilter("ignore", PTBDeprecationWarning)
        wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def never_left(error: BaseException) -> bool:
    """Whether a request surely never reached Telegram, so that trying again repeats nothing."""
    return isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def may_have_arrived(error: BaseException) -> bool:
    """Whether Telegram may have done what it was asked and only its answer got lost."""
    # A BadRequest is a NetworkError, too, but Telegram's own word.
    return isinstance(error, NetworkError) and not isinstance(error, BadRequest) and not never_left(error)


class Throttle:
    """The pace of one chat, shared by everything sent to it: calls run one by one, spaced, and held while it floods."""

    def __init__(
        self,
        interval: float = INTERVAL,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._interval = interval
        self._clock = clock
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._free_at = float("-inf")

    async def call(self, action: Callable[[], Awaitable[T]]) -> T:
        """The result of the action, run when it is its turn; a RetryAfter holds the chat and is passed on."""
        async with self._turn:
            while (wait := self._free_at - self._clock()) > 0:
                await self._sleep(wait)
            try:
                return await action()
            except RetryAfter as error:
                self.hold(retry_after(error))
                raise
            finally:
                self.hold(self._interval)

    def hold(self, seconds: float) -> None:
        """Let nothing out for this long, counted from now."""
        self._free_at = max(self._free_at, self._clock() + seconds)


class Progress:
    """Keeps one message at the latest text shown; what could not be shown in time is skipped, never queued."""

    def __init__(
        self,
        send: Callable[[str], Awaitable[int]],
        edit: Callable[[int, str], Awaitable[None]],
        throttle: Throttle,
        *,
        grace: float = GRACE,
    ) -> None:
        self._send = send
        self._edit = edit
        self._throttle = throttle
        self._grace = grace
        self._message_id: int | None = None
        self._wanted = ""
        self._tried = ""
        self._shown = ""
        self._worker: asyncio.Task[None] | None = None
        self._calling = False
        self._closed = False
        self._logged = False

    def show(self, text: str) -> None:
        """Put this text on screen as soon as the pace allows, unless a later one comes first."""
        if self._closed or not text:
            return
        self._wanted = text
        if text != self._shown and (self._worker is None or self._worker.done()):
            self._worker = asyncio.create_task(self._work())

    async def finish(self) -> int | None:
        """Stop, and give the id of the message if one was sent; nothing is edited after this returns."""
        self._closed = True
        if self._worker is not None and not self._worker.done():
            try:
                if self._calling:
                    # Cut off, it could still arrive, and overwrite what the caller writes next.
                    await asyncio.wait({self._worker}, timeout=self._grace)
            finally:
                self._worker.cancel()
            await asyncio.wait({self._worker})
        return self._message_id

    async def _work(self) -> None:
        """Bring the message up to date; after a failure the next `show` tries again."""
        while not self._closed and self._wanted != self._shown:
            try:
                await self._throttle.call(self._push)
            except RetryAfter as error:
                self._log(error)
            except (TelegramError, OSError) as error:
                self._log(error)
                if self._message_id is None and may_have_arrived(error):
                    self._closed = True  # it may have arrived: a second one would stay behind
                self._shown = ""
                if self._wanted == self._tried:
                    return

    async def _push(self) -> None:
        text = self._tried = self._wanted
        if text == self._shown:
            return
        self._calling = True
        try:
            if self._message_id is None:
                self._message_id = await self._send(text)
            else:
                await self._edit(self._message_id, text)
        except BadRequest as error:
            if "not modified" not in error.message.lower():
                raise
        finally:
            self._calling = False
        self._shown = text

    def _log(self, error: Exception) -> None:
        if not self._logged:
            self._logged = True
            logger.warning("Progress not shown: {}", error)
