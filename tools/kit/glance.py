"""What a service says of itself at a glance, for /status and the digest."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trouble:
    """One thing that needs a person."""

    name: str
    where: str
    detail: str
    red: bool = True
    """Down, rather than merely unwell."""
    target: str = ""
    """What a menu can open, e.g. `nas/3f2a9c1b7d20`."""
    outside: bool = False
    """Whether any of it is text that its owner has not written."""


@dataclass(frozen=True)
class Glance:
    """A service's state in a line, and its troubles."""

    summary: str
    troubles: tuple[Trouble, ...] = ()
    items: dict[str, str] | None = None
    """Name → state of everything that is watched: what the digest compares with yesterday."""
