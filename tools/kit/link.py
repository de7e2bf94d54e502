"""What a service's `connect` receives: its settings, what its clients may do, and how to build them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.kit.breaker import Breaker
from tools.kit.context import Access
from tools.kit.http import DEADLINE, Api, Judge
from tools.kit.login import Login, Seat
from tools.kit.settings import HttpSettings


def _forgotten(secrets: Iterable[str]) -> None:
    """For clients that nothing is quoted from."""


@dataclass(frozen=True)
class Link:
    """What a client is made of. Nothing is sent before its first request."""

    settings: Any
    access: Access
    stores: Any = None
    """Our own stores, for services of ours (memory, schedules)."""
    breaker: Callable[[str], Breaker] = Breaker
    """The circuit breaker of one host, by its name; the same for every client of the service."""
    seats: dict[str, Seat] = field(default_factory=dict)
    """Sessions by the name of the address, shared by the clients of the service."""
    learn: Callable[[Iterable[str]], None] = _forgotten
    """Tells the redactor of secrets that only come up in use, such as a session's."""

    def apis(
        self,
        title: str,
        *,
        credential: str = "",
        login: Login | None = None,
        headers: Callable[[str], Mapping[str, str]] | None = None,
        base: str = "",
        judge: Judge | None = None,
        post_reads: frozenset[str] = frozenset(),
        deadline: float = DEADLINE,
    ) -> dict[str, Api]:
        """A client for each address of the settings, by its name; each with its TLS, breaker and session.

        `title` is what messages call the service, `credential` the setting that `login` or `headers` are made of,
        `base` what follows every address. Raises ToolFailed when the settings cannot work.
        """
        settings: HttpSettings = self.settings
        found = {}
        for place in settings.places():
            name = f"{title} {place.name}" if len(settings.url) > 1 else title
            address, secret = place.url.rstrip("/") + base, settings.secret(credential, place.name)
            if login is not None and place.name not in self.seats:
                self.seats[place.name] = Seat(login, address, secret, self.learn)
            found[place.name] = Api(
                name, address, access=self.access, headers=headers(secret) if headers else None,
                auth=self.seats.get(place.name), judge=judge, breaker=self.breaker(place.name),
                ca_file=place.ca_file, fingerprint=place.fingerprint, post_reads=post_reads, deadline=deadline,
            )  # fmt: skip
        return found
