"""What a service says of itself at a glance, for /status and the digest."""

from dataclasses import dataclass
from datetime import datetime

from tools.kit.types import trusted_name


@dataclass(frozen=True)
class Note:
    """One thing that is not in use and needs nobody: meant so, or so for weeks."""

    name: str
    where: str
    detail: str
    """Our own words alone: whoever answers to them says nothing from outside."""
    at: datetime | None = None
    """Since when, or when it happened."""
    target: str = ""
    """What a menu can open, e.g. `nas/3f2a9c1b7d20`."""
    outside: bool = False
    """Whether any of it is text that its owner has not written; a name that is no plain one is."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "outside", self.outside or not trusted_name(self.name))

    @property
    def dot(self) -> str:
        """The mark before it."""
        return "⚪"

    def __str__(self) -> str:
        return f"{self.dot} {self.name} · {self.where} · {self.detail}"


@dataclass(frozen=True)
class Trouble(Note):
    """One thing that needs a person."""

    red: bool = True
    """Down, rather than merely unwell."""
    awaited: bool = False
    """It has not answered yet, and nothing is known of it."""

    @property
    def dot(self) -> str:
        """The mark before it."""
        return "⏳" if self.awaited else "🔴" if self.red else "🟡"


@dataclass(frozen=True)
class Glance:
    """A service's state in a line, its troubles, and what is off and needs nobody."""

    summary: str
    troubles: tuple[Trouble, ...] = ()
    items: dict[str, str] | None = None
    """Name → state of everything that is watched: what the digest compares with yesterday."""
    quiet: tuple[Note, ...] = ()
    unseen: tuple[str, ...] = ()
    """How the names in `items` begin that could not be looked at: nothing is known of them, not even that they are."""

    @property
    def dot(self) -> str:
        """The mark before the summary: green only where nothing needs a person."""
        return "⚪" if self.troubles else "🟢"
