"""The pace that Telegram allows, and what its errors say of a request that may have got through."""

import asyncio
import time
import warnings
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

import httpx
from telegram.error import BadRequest, NetworkError, RetryAfter
from telegram.warnings import PTBDeprecationWarning

INTERVAL: Final = 1.2
"""Seconds between two calls to one chat; Telegram counts edits like messages: one a second, 20 a minute in groups."""

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

    async def call(self, action: Callable[[], Awaitable[T]], *, ahead: bool = False) -> T:
        """The result of the action, run when it is its turn; a RetryAfter holds the chat and is passed on.

        `ahead` of its turn when all there is to wait for is our own pace: a message now and then is allowed to be.
        """
        if ahead and self._free_at - self._clock() <= self._interval:
            return await self._act(action)
        async with self._turn:
            while (wait := self._free_at - self._clock()) > 0:
                await self._sleep(wait)
            return await self._act(action)

    async def _act(self, action: Callable[[], Awaitable[T]]) -> T:
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
