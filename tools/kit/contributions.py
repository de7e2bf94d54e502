"""What services tell of the homelab for tools that look across all of them: one type for each kind of thing.

A service declares what it can tell (`@service.identities`), the registry knows who does, and a tool reads what all of
them tell with `ctx.contributed(Identity)`. It learns of no other service's tools, settings or clients.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from tools.kit.errors import ToolFailed
from tools.kit.instances import Down
from tools.kit.types import Ident, Outside, Result
from tools.kit.values import Ip, Mac

T = TypeVar("T", bound=Result)

TELLING_DEADLINE = 30.0
"""Seconds for one service: well within what the read that asks for it may take, so that the others still count."""
Told = tuple[list[T], list[Down]]
"""What a service tells, and who of its several could not be asked."""


class Identity(Result):
    """One thing under every name that a service knows it by."""

    kind: Literal["host", "container", "device", "local DNS name"]
    name: Ident | None = None
    also: list[Ident] = []
    """What else it is called."""
    host: Ident | None = None
    """The name of the host that it runs on."""
    addresses: list[Ip] = []
    """Where it is in the home network; an address that means something on its own host alone is none."""
    macs: list[Mac] = []
    ids: list[Ident] = []
    ports: list[Ident] = []
    """Those that it answers on, as its service writes them: `8080:80/tcp`."""

    @cached_property
    def labels(self) -> set[str]:
        """Its names without their domains: `nas` and `nas.home.arpa` are one, and an address is no name."""
        names = filter(None, (self.name, *self.also))
        return {name.casefold().partition(".")[0] for name in names if not those_of(Ip, [name])}

    @cached_property
    def spellings(self) -> set[str]:
        """Everything that a person may write for it, in small letters."""
        names = [name for name in (self.name, *self.also) if name]
        placed = [f"{self.host}/{name}" for name in names if self.host]
        return self.labels | {text.casefold() for text in (*names, *placed, *self.addresses, *self.macs, *self.ids)}

    @staticmethod
    def of_host(name: str, at: str | None) -> "Identity":
        """A host of the settings, which give it a name, and `at` as a host name or an address."""
        also = [at] if at and not those_of(Ip, [at]) else []
        return Identity(kind="host", name=name, also=also, addresses=at_home([at]))

    def leads_to(self, other: "Identity") -> bool:
        """Whether its address is that of another; where nobody knows the other's, whether its name is."""
        if other.addresses:
            return bool({*self.addresses} & {*other.addresses})
        return bool(self.labels & other.labels)


class NamedOutside(Identity):
    """The same when somebody else may have written its names."""

    name: Outside | None = None
    also: list[Outside] = []


@dataclass(frozen=True)
class Contributed(Generic[T]):
    """What all services tell, by the service, and who could not be asked."""

    found: dict[str, list[T]]
    down: list[Down]

    @property
    def things(self) -> list[tuple[str, T]]:
        """Each thing with the service that tells of it."""
        return [(service, thing) for service, each in self.found.items() for thing in each]


def together(answers: Mapping[str, Told[T] | ToolFailed]) -> Contributed[T]:
    """The services' answers as one; each of several is called `service/name`."""
    found: dict[str, list[T]] = {}
    down: list[Down] = []
    for service, answer in answers.items():
        if isinstance(answer, ToolFailed):
            down.append(Down.of(service, answer))
        else:
            found[service] = answer[0]
            down += [one.model_copy(update={"name": f"{service}/{one.name}"}) for one in answer[1]]
    return Contributed(found, down)


def those_of(kind: Any, texts: Iterable[str | None]) -> list[str]:
    """Those of the texts that are of this kind, such as `Mac`, each once and in one spelling."""
    adapter, found = TypeAdapter(kind), dict[str, None]()
    for text in filter(None, texts):
        with suppress(ValidationError):
            found[adapter.validate_python(text)] = None
    return list(found)


def at_home(texts: Iterable[str | None]) -> list[str]:
    """Those of the texts that are addresses which others in the network can mean."""
    found = [ipaddress.ip_address(text) for text in those_of(Ip, texts)]
    return [str(ip) for ip in found if not (ip.is_loopback or ip.is_unspecified or ip.is_multicast)]
