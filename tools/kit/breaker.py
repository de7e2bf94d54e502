"""A circuit breaker: a service that is down is not hammered, and whoever asks is told at once."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from contextvars import ContextVar

from tools.kit.errors import (
    BadAnswer,
    CircuitOpen,
    Conflict,
    Gone,
    NoAnswer,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ToolFailed,
    Unauthorised,
    Unreachable,
)

TOLERATED = 3
"""Failures in a row that open it."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
_DOWN = (Unreachable, NoAnswer, OutcomeUnknown, TimeoutError)
_ANSWERED = (BadAnswer, Conflict, Gone, RateLimited, Refused, Unauthorised)

_insisting: ContextVar[bool | None] = ContextVar("insisting", default=None)
"""Whether whoever asks a service of several hosts insists; None while nobody watches."""
_inside: ContextVar[frozenset["Breaker"]] = ContextVar("inside", default=frozenset())
"""The hosts whose breaker has let this task through already."""


@asynccontextmanager
async def asking(*, insist: bool) -> AsyncIterator[None]:
    """Wrap what reads from a service whose hosts have breakers of their own; they learn from it who insists."""
    before = _insisting.set(insist)
    try:
        yield
    finally:
        _insisting.reset(before)


class Breaker:
    """Closed: calls go through. Open: they fail at once. After a pause one call may try, and decides."""

    def __init__(self, service: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._service, self._clock = service, clock
        self._failures = 0
        self._pause = 0.0
        """Length of the present or the latest pause; 0 while the circuit is closed."""
        self._until = 0.0
        self._trying = False
        self._reason = ""
        self._outside = False

    @property
    def trouble(self) -> str:
        """Why the service is left alone and until when; empty while all is well."""
        if not self._pause:
            return ""
        left = self._until - self._clock()
        if self._trying:
            when = "It is being tried again right now."
        else:
            when = f"It is tried again in {left:.0f} s." if left >= 1 else "The next question tries it again."
        return f"{self._reason} {when}"

    @asynccontextmanager
    async def asking(self, *, insist: bool = False) -> AsyncIterator[None]:
        """Wrap a read: its outcome is remembered. Raises CircuitOpen, before anything is sent, while open.

        `insist` goes through all the same: for what a person is waiting for, and for evidence of what came of a change.
        """
        trial = not insist and self._admit()
        try:
            yield
        except _DOWN as error:
            self._failed(error, at_once=trial)
            raise
        except _ANSWERED as error:
            if isinstance(error, Unauthorised) and error.rejected:
                self._failed(error, at_once=True, pause=LONGEST_PAUSE)
            else:
                self._close()
            raise
        else:
            self._close()
        finally:
            # Whatever else ended the trial (a wrong argument, a cancelled run) says nothing: the next call tries.
            if trial:
                self._trying = False

    def asking_host(self) -> AbstractAsyncContextManager[None]:
        """`asking` for one host of a service that is asked; what happens inside another one of it is part of that.

        Outside of `asking` (a change, and the look at what came of it) everything goes through and nothing is noted.
        """
        insist = _insisting.get()
        return nullcontext() if insist is None or self in _inside.get() else self._once(insist=insist)

    @asynccontextmanager
    async def _once(self, *, insist: bool) -> AsyncIterator[None]:
        before = _inside.set(_inside.get() | {self})
        try:
            async with self.asking(insist=insist):
                yield
        finally:
            _inside.reset(before)

    def _admit(self) -> bool:
        if not self._pause:
            return False
        if self._trying or self._clock() < self._until:
            refusal = CircuitOpen(f"{self._service} was not asked: {self.trouble}")
            refusal.why, refusal.outside = self._reason, self._outside
            raise refusal
        self._trying = True
        return True

    def _failed(self, error: Exception, *, at_once: bool, pause: float = 0.0) -> None:
        if self._pause and not at_once:
            return  # began before the circuit opened: no news
        self._failures += 1
        self._reason = str(error) or f"{self._service} did not answer in time."
        self._outside = isinstance(error, ToolFailed) and error.outside
        if at_once or self._failures >= TOLERATED:
            self._pause = min(max(FIRST_PAUSE, 2 * self._pause, pause), LONGEST_PAUSE)
            self._until = self._clock() + self._pause

    def _close(self) -> None:
        self._failures, self._pause, self._reason = 0, 0.0, ""
