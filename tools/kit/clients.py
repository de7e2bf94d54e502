"""The open clients: one that reads and one that writes for every configured service."""

import asyncio
import inspect
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any

from tools.kit.breaker import Breaker, asking
from tools.kit.context import Access
from tools.kit.errors import ToolFailed
from tools.kit.link import Link
from tools.kit.login import Seat
from tools.kit.service import Follow, Service
from tools.kit.settings import ServiceSettings


class Clients:
    """Opened on first use, closed together."""

    def __init__(
        self,
        services: list[Service[Any]],
        settings: dict[str, ServiceSettings],
        stores: Any = None,
        clock: Callable[[], float] = time.monotonic,
        learn: Callable[[Iterable[str]], None] = lambda secrets: None,
    ) -> None:
        """`learn` is told of secrets that only come up in use."""
        self._services = {service.name: service for service in services}
        self._settings = settings
        self._stores = stores
        self._open: dict[tuple[str, Access], Any] = {}
        self._locks: defaultdict[tuple[str, Access], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._seats: defaultdict[str, dict[str, Seat]] = defaultdict(dict)
        self._clock, self._learn = clock, learn
        self._breakers = {s.name: Breaker(s.name, clock) for s in services if not (s.own or s.hosts)}
        self._of_hosts: dict[tuple[str, str], Breaker] = {}

    def configured(self, name: str) -> bool:
        """Whether the owner has switched this service on."""
        settings = self._settings.get(name)
        return settings is not None and (settings.configured or self._services[name].own)

    def follower(self, name: str) -> Follow[Any] | None:
        """How what this service has begun is followed; None when it does not say."""
        return self._services[name].followed if name in self._services else None

    @property
    def settings(self) -> list[ServiceSettings]:
        """The settings of every service."""
        return list(self._settings.values())

    def absence(self, name: str) -> str:
        """What to do to have this service."""
        settings = self._settings.get(name)
        return settings.absence if settings is not None else "see its lines in .env.example"

    async def get(self, name: str, access: Access) -> Any:
        """The service's client with this access. Raises ToolFailed when the service is off."""
        if not self.configured(name):
            raise ToolFailed(f"{name} is not set up: {self.absence(name)}.")
        async with self._locks[name, access]:  # one that is slow to open holds up nobody else
            if (name, access) not in self._open:
                link = Link(
                    self._settings[name], access, self._stores, partial(self._breaker, name), self._seats[name],
                    self._learn,
                )  # fmt: skip
                self._open[name, access] = await self._services[name].connect(link)
            return self._open[name, access]

    def asking(self, name: str, *, insist: bool = False) -> AbstractAsyncContextManager[None]:
        """Wrap what reads from a service: raises CircuitOpen at once while it is given a pause.

        Reads around an approved change `insist`: they go through, whatever happened before, and are still remembered.
        Never wrap the change itself. A service of several hosts is never paused as a whole, each of its hosts is.
        """
        if name in self._services and self._services[name].hosts:
            return asking(insist=insist)
        breaker = self._breakers.get(name)
        return breaker.asking(insist=insist) if breaker else nullcontext()

    def health(self) -> dict[str, str]:
        """Configured service, or `service/host` → why it is left alone and until when; empty when it is well."""
        whole = {name: breaker.trouble for name, breaker in self._breakers.items() if self.configured(name)}
        return whole | {f"{name}/{host}": breaker.trouble for (name, host), breaker in self._of_hosts.items()}

    def _breaker(self, name: str, host: str) -> Breaker:
        """The one breaker of a host, whichever client asks."""
        return self._of_hosts.setdefault((name, host), Breaker(host, self._clock))

    async def close(self) -> None:
        """Close whatever was opened."""
        for client in self._open.values():
            closed = getattr(client, "close", lambda: None)()
            if inspect.isawaitable(closed):
                await closed
        self._open.clear()
