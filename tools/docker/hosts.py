"""The Docker hosts: one engine each, asked in threads of its own, and the service they form."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type
from tenacity.stop import stop_after_attempt, stop_before_delay

from tools.docker.settings import Options, Settings
from tools.kit import (
    Access,
    Area,
    Instances,
    Link,
    NoAnswer,
    OutcomeUnknown,
    RateLimited,
    Service,
    Threads,
    Unreachable,
)
from tools.kit.breaker import Breaker
from tools.kit.http import ATTEMPTS, USUAL_PAUSE

if TYPE_CHECKING:
    from tools.docker.transport import Session

T = TypeVar("T")

READ_PATIENCE, WRITE_PATIENCE, LONG_PATIENCE = 20.0, 50.0, 280.0
"""Seconds that one request may take, its whole answer included: a read, a change, a pull or a clean-up."""

USUAL = Options()


class Engine:
    """One Docker host."""

    def __init__(
        self,
        name: str,
        address: str,
        access: Access,
        breaker: Breaker | None = None,
        options: Options = USUAL,
    ) -> None:
        self.name = name
        self.access = access
        self.service = f"Docker on {name}"
        self._options = options
        self._breaker = breaker or Breaker(name)
        self._address = address
        reads = access is Access.READ
        self._patience = READ_PATIENCE if reads else WRITE_PATIENCE
        self._threads = Threads(self.service, deadline=self._patience + 10 if reads else LONG_PATIENCE + 15)
        self._sessions: dict[float, Session] = {}
        self._opening = threading.Lock()

    async def ask(self, call: Callable[["Session"], T], *, patience: float | None = None) -> T:
        """What `call(session)` returns, run in one of this host's threads. Raises ToolFailed.

        A read is tried again while the host is away; a change never is.
        """
        limit = patience or self._patience
        async with self.watched():
            if self.access is Access.WRITE:
                return await self._threads.run(self._work, call, limit)
            retrying = AsyncRetrying(
                retry=retry_if_exception_type((Unreachable, NoAnswer, RateLimited)),
                stop=stop_after_attempt(ATTEMPTS) | stop_before_delay(limit),
                wait=USUAL_PAUSE,
                reraise=True,
            )
            return await retrying(self._read, call, limit)

    async def _read(self, call: Callable[["Session"], T], limit: float) -> T:
        try:
            return await self._threads.run(self._work, call, limit)
        except OutcomeUnknown as late:
            raise NoAnswer(f"{str(late).rstrip('.')}: try again, then check the host.") from None

    def watched(self) -> AbstractAsyncContextManager[None]:
        """Wrap what is asked of this host: raises CircuitOpen at once while it is given a pause."""
        return self._breaker.watch_host()

    def close(self) -> None:
        """Hang up; running calls end at once, with an error."""
        self._threads.close()
        sessions, self._sessions = self._sessions, {}  # without the lock: whoever logs in over SSH may hold it
        for session in sessions.values():
            session.close()

    def _work(self, call: Callable[["Session"], T], patience: float) -> T:
        session = self._session(patience)
        try:
            return session.answer(call)
        except (Unreachable, NoAnswer, OutcomeUnknown):
            self._forget(session)
            raise

    def _session(self, patience: float) -> "Session":
        from tools.docker.transport import Session

        with self._opening:
            if patience not in self._sessions:
                made = Session(self.service, self._address, self.access, patience, self._options)
                self._sessions[patience] = made
            return self._sessions[patience]

    def _forget(self, session: "Session") -> None:
        """An SSH connection does not come back by itself: the next call opens a new one."""
        with self._opening:
            self._sessions = {key: kept for key, kept in self._sessions.items() if kept is not session}
        session.close()


class DockerHosts(Instances[Engine]):
    """Every configured Docker host."""

    def __init__(
        self,
        addresses: dict[str, str],
        access: Access,
        breaker: Callable[[str], Breaker] = Breaker,
        options: Options = USUAL,
    ) -> None:
        self.options = options
        engines = {
            name: Engine(name, address, access, breaker(name), options.of(name)) for name, address in addresses.items()
        }
        super().__init__("Docker host", engines)


async def connect(link: Link) -> DockerHosts:
    """The hosts of the settings. Nothing is sent before the first call."""
    return DockerHosts(link.settings.hosts, link.access, link.breaker, link.settings.options)


service = Service("docker", area=Area.INFRASTRUCTURE, settings=Settings, connect=connect, hosts=True)


@service.advice
async def advice(hosts: DockerHosts) -> list[str]:
    """What is wrong with the docker command's own files."""
    from tools.docker.credentials import Keyring

    trouble = await asyncio.to_thread(Keyring(hosts.options.folder).trouble)
    return [trouble] if trouble else []
