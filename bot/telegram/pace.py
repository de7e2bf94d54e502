"""The pace that Telegram allows, and what its errors say of a request that may have got through."""

import asyncio
import time
import warnings
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import httpx
from telegram.error import RetryAfter
from telegram.warnings import PTBDeprecationWarning

INTERVAL: Final = 1.2
"""Seconds in which a chat may take one call more; Telegram counts edits like messages, and takes one a second."""
BURST: Final = 5
"""Calls that may go out at once; Telegram bears a few more."""
GROUP_INTERVAL: Final = 60 / (20 - BURST)
"""The same in groups, which take 20 a minute."""
OVERALL: Final = (1 / 20, 10)
"""The same for all chats together, which take 30 a second."""


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


class Throttle:
    """The pace of one chat: some calls at once, then one after another, and none while Telegram says to wait."""

    def __init__(
        self,
        interval: float = INTERVAL,
        burst: int = BURST,
        *,
        above: "Throttle | None" = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`above`: a pace that has to be kept as well, by several chats together."""
        self._interval, self._burst, self._above = interval, burst, above
        self._clock, self._sleep = clock, sleep
        self._full_at = self._held_until = float("-inf")

    async def turn(self, spare: int = 0) -> None:
        """Wait for a call's turn and take it, once so many more could follow at once.

        A negative `spare` goes ahead of our own pace by so many calls: now and then one is allowed to.
        """
        while (wait := self._wait(spare)) > 0:
            await self._sleep(wait)
        self._take(1)

    def give_back(self) -> None:
        """There was nothing to say after all."""
        self._take(-1)

    async def calm(self) -> None:
        """Wait while Telegram says to."""
        while (wait := self._held_until - self._clock()) > 0:
            await self._sleep(wait)

    def hold(self, seconds: float) -> None:
        """Let nothing out for this long, counted from now."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    def _wait(self, spare: int) -> float:
        """Seconds until the turn; it is there when the bucket lacks no more than the calls that may have been made."""
        now, above = self._clock(), self._above._wait(0) if self._above else 0.0
        ours = self._full_at - (self._burst - 1 - spare) * self._interval
        return max(ours - now, self._held_until - now, above)

    def _take(self, calls: int) -> None:
        self._full_at = max(self._full_at, self._clock()) + calls * self._interval
        if self._above:
            self._above._take(calls)
