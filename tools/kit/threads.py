"""One bounded executor per synchronous SDK, so that a hanging host cannot take the others' threads."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar

from tools.kit.errors import OutcomeUnknown, ToolFailed

P = ParamSpec("P")
T = TypeVar("T")


class Term:
    """The time that a blocking call has. A thread cannot be cancelled: whoever waits in one asks how long it may."""

    def __init__(self, until: float = math.inf, over: threading.Event | None = None) -> None:
        self._until, self._over = until, over or threading.Event()

    def left(self, at_most: float = math.inf) -> float:
        """Seconds that may still be waited. Raises TimeoutError when there are none, or nobody wants the answer."""
        seconds = self._until - time.monotonic()
        if seconds <= 0 or self._over.is_set():
            raise TimeoutError("timed out")
        return min(seconds, at_most)

    def within(self, seconds: float) -> "Term":
        """The same with a limit of its own, which is never the later one."""
        return Term(min(self._until, time.monotonic() + seconds), self._over)


_term: ContextVar[Term] = ContextVar("term")
_ENDLESS = Term()


def term() -> Term:
    """The time that this thread's call has."""
    return _term.get(_ENDLESS)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Whatever waits in here has so many seconds in all, or less when the whole call has."""
    before = _term.set(term().within(seconds))
    try:
        yield
    finally:
        _term.reset(before)


class Threads:
    """Runs blocking calls. Each can ask `term` for its time, and comes back by the deadline if all its waits do."""

    def __init__(self, name: str, workers: int = 4, deadline: float = 45.0) -> None:
        self._name = name
        self._deadline = deadline
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._over = threading.Event()

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The call's result; OutcomeUnknown when it has not come back by the deadline, ToolFailed if it never began."""
        given = Term(time.monotonic() + self._deadline, self._over)
        work: Future[T] = self._pool.submit(_bounded, given, partial(call, *args, **kwargs))
        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.wrap_future(work)
        except TimeoutError:
            if work.cancel():  # it was still waiting for a thread, and will not get one
                raise ToolFailed(f"Too many requests to {self._name} are under way: try again in a moment.") from None
            raise OutcomeUnknown(f"{self._name} did not answer within {self._deadline:.0f} s.") from None

    def close(self) -> None:
        """Forget queued work; the time of running calls is over, or the process could not end before they do."""
        self._over.set()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _bounded(given: Term, call: Callable[[], T]) -> T:
    before = _term.set(given)
    try:
        return call()
    finally:
        _term.reset(before)
