"""What a Pi-hole tells, as typed results: where each field stands in its answers."""

from datetime import datetime
from typing import Annotated, Literal

from tools.kit import Down, Ident, Ip, Outside, Result, Series, at


class Summary(Result):
    """The last 24 hours of one Pi-hole."""

    queries: Annotated[int, at("queries", "total")]
    blocked: Annotated[int, at("queries", "blocked")]
    percent_blocked: Annotated[float, at("queries", "percent_blocked")]
    clients: Annotated[int, at("clients", "active")]
    gravity_domains: Annotated[int, at("gravity", "domains_being_blocked")]
    gravity_updated: Annotated[datetime | None, at("gravity", "last_update")] = None


class TopDomain(Result):
    """A domain and how often it was asked for."""

    domain: Outside
    count: int


class Top(Result):
    """The domains asked for most."""

    domains: list[TopDomain]


class TopClient(Result):
    """A client and how often it asked."""

    ip: Ip
    name: Outside | None = None
    count: int


class Clients(Result):
    """The clients that asked most."""

    clients: list[TopClient]


class Types(Result):
    """Queries by their type."""

    types: dict[Ident, int]


class Upstream(Result):
    """Where queries were answered; `cache` and `blocklist` are the Pi-hole itself."""

    ip: Ident | None = None
    port: int
    count: int
    seconds: Annotated[float | None, at("statistics", "response")] = None


class Upstreams(Result):
    """Where queries were answered."""

    upstreams: list[Upstream]


class Blocked(Result):
    """Domains that were blocked just now, the newest first."""

    blocked: list[Outside]


class Slot(Result):
    """Ten minutes."""

    start: Annotated[datetime, at("timestamp")]
    total: int
    blocked: int


class Traffic(Result):
    """The last day of one Pi-hole."""

    queries: Series
    blocked: Series


class Rule(Result):
    """A domain or pattern that is always allowed or always blocked."""

    domain: Ident
    type: Literal["allow", "deny"]
    kind: Literal["exact", "regex"]
    enabled: bool


class Subscribed(Result):
    """A list of domains that somebody else keeps."""

    address: Ident
    type: Literal["allow", "block"]
    enabled: bool
    domains: Annotated[int | None, at("number")] = None
    updated: Annotated[datetime | None, at("date_updated")] = None


class Lists(Result):
    """The subscribed lists."""

    lists: list[Subscribed]


class Reasons(Result):
    """The rules and lists that a domain stands on; none: it is not blocked here."""

    rules: Annotated[list[Rule], at("search", "domains")]
    lists: Annotated[list[Subscribed], at("search", "gravity")]


class LocalNames(Result):
    """Names that the Pi-hole answers for itself, each as `address name`."""

    hosts: Annotated[list[Outside], at("config", "dns", "hosts")]


class State(Result):
    """Whether one Pi-hole blocks, and the seconds until that turns."""

    blocking: Literal["enabled", "disabled", "failed", "unknown"]
    timer: float | None = None


class Dhcp(Result):
    """Whether a Pi-hole hands out addresses."""

    active: Annotated[bool, at("config", "dhcp", "active")]


class DnsmasqLines(Result):
    """What its owner has added to the configuration of dnsmasq."""

    lines: Annotated[list[Outside], at("config", "misc", "dnsmasq_lines")]


SAFE: Literal["DNS survives the loss of any one of them."] = "DNS survives the loss of any one of them."
SAFE_IF: Literal[
    "They answer and are alike; whether clients know both is up to the DHCP server, which is no Pi-hole."
] = "They answer and are alike; whether clients know both is up to the DHCP server, which is no Pi-hole."
Conclusion = Literal[
    "There is only one Pi-hole: without it there is no DNS.",
    "Fewer than two answer: what is left carries everything until the others are back.",
    "They answer, but DHCP hands out fewer than two DNS servers: clients know only one.",
    "They answer, but are not alike: what one blocks another may not.",
    "They answer and are alike; whether clients know both is up to the DHCP server, which is no Pi-hole.",
    "DNS survives the loss of any one of them.",
]


class Differences(Result):
    """What one Pi-hole has on its lists and another has not; nothing: they are alike."""

    only_on: dict[Ident, list[Outside]]
    alike: bool
    down: list[Down] = []


class Redundancy(Result):
    """Whether the network has DNS when one Pi-hole is gone."""

    redundant: bool
    answering: list[Ident]
    alike: bool | None = None
    """Whether they block the same; absent when fewer than two answer."""
    handed_out: list[Ip] = []
    """DNS servers that a Pi-hole's DHCP names to its clients; empty: it names itself, or none of them serves DHCP."""
    down: list[Down] = []
    conclusion: Conclusion
