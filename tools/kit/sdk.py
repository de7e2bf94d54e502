"""A service that is spoken to through a synchronous SDK: in threads of its own, patient in reads, once in changes."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, Protocol, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type
from tenacity.stop import stop_after_attempt, stop_before_delay

from tools.kit.breaker import Breaker
from tools.kit.context import Access
from tools.kit.errors import NoAnswer, OutcomeUnknown, RateLimited, Unreachable
from tools.kit.http import ATTEMPTS, USUAL_PAUSE
from tools.kit.threads import Threads

T = TypeVar("T")
S = TypeVar("S", bound="Answering")

SPARE_SECONDS = 10.0
"""By which a thread's time is longer than its request's."""


class Answering(Protocol):
    """A session of an SDK, such as the kit's; what it asks ends by the time of its thread (`threads.term`)."""

    def answer(self, call: Callable[[Any], T]) -> T:
        """What `call(self)` returns. Raises ToolFailed alone: the SDK's own errors are translated here."""

    def close(self) -> None:
        """Hang up."""


class Sdk(ABC, Generic[S]):
    """One address; whoever inherits from it says how a session is opened."""

    def __init__(self, service: str, access: Access, breaker: Breaker, *, patience: float, longest: float) -> None:
        """`service` is what messages call it; a request may take `patience` seconds, or up to `longest` when asked."""
        self.service, self.access = service, access
        self._breaker, self._patience = breaker, patience
        self._threads = Threads(service, deadline=longest + SPARE_SECONDS)
        self._sessions: dict[float, S] = {}
        self._opening = threading.Lock()

    @abstractmethod
    def open(self, patience: float) -> S:
        """A session whose every request may take so many seconds; the place to import the SDK. Raises ToolFailed."""

    async def ask(self, call: Callable[[S], T], *, patience: float | None = None) -> T:
        """What `call(session)` returns, run in one of the threads. Raises ToolFailed.

        A read is tried again while the service is away; a change never is.
        """
        limit = patience or self._patience
        async with self.asking():
            if self.access is Access.WRITE:
                return await self._threads.run(self._work, call, limit)
            retrying = AsyncRetrying(
                retry=retry_if_exception_type((Unreachable, NoAnswer, RateLimited)),
                stop=stop_after_attempt(ATTEMPTS) | stop_before_delay(limit),
                wait=USUAL_PAUSE,
                reraise=True,
            )
            return await retrying(self._read, call, limit)

    def asking(self) -> AbstractAsyncContextManager[None]:
        """Wrap what is asked of it: raises CircuitOpen at once while it is given a pause."""
        return self._breaker.asking_host()

    def close(self) -> None:
        """Hang up; running calls end at once, with an error."""
        self._threads.close()
        sessions, self._sessions = self._sessions, {}  # without the lock: whoever logs in may hold it
        for session in sessions.values():
            session.close()

    async def _read(self, call: Callable[[S], T], limit: float) -> T:
        try:
            return await self._threads.run(self._work, call, limit)
        except OutcomeUnknown as late:
            raise NoAnswer(f"{str(late).rstrip('.')}: try again, then check that it runs.") from None

    def _work(self, call: Callable[[S], T], patience: float) -> T:
        session = self._session(patience)
        try:
            return session.answer(call)
        except (Unreachable, NoAnswer, OutcomeUnknown):
            self._forget(session)
            raise

    def _session(self, patience: float) -> S:
        with self._opening:
            if patience not in self._sessions:
                self._sessions[patience] = self.open(patience)
            return self._sessions[patience]

    def _forget(self, session: S) -> None:
        """Not every connection comes back by itself: the next call opens a new one."""
        with self._opening:
            self._sessions = {key: kept for key, kept in self._sessions.items() if kept is not session}
        session.close()
