"""A page: what a service shows people of its things, and what they may do to each.

The service says what is there. The bot draws it, turns its pages, filters, and knows who may do what: from a page
follow a command of its name, one for each of its verbs and looks, buttons, help and Telegram's menu.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from tools.kit.change import Call
from tools.kit.context import Context
from tools.kit.series import Series

if TYPE_CHECKING:
    from tools.kit.service import Service, Tool

C = TypeVar("C")

Dot = Literal["🟢", "⚪", "🟡", "🔴"]
"""Well, not in use, unwell, down."""


@dataclass(frozen=True)
class Row:
    """One thing, in a line."""

    dot: Dot
    name: str
    where: str = ""
    """Its host or node."""
    detail: str = ""
    """How it is, the decisive thing first: `up 3 d · healthy`."""
    target: str = ""
    """Its id, or the short form of it, as its verbs take it; without one it cannot be opened."""
    group: str = ""
    """What it belongs to, e.g. a project or a pool."""
    verbs: Sequence["Tool"] = ()
    """What may be done to it as it is now, out of the page's verbs."""
    lines: Sequence[str] = ()
    """What else is said where it is shown by itself."""
    outside: bool = False
    """Whether any of it is text that its owner has not written."""


@dataclass(frozen=True)
class Page:
    """What a page shows: the whole of it, in the service's order. The bot puts first what is down or unwell."""

    title: str
    """All of it in a line: `29 running, 2 stopped`."""
    rows: Sequence[Row] = ()
    lines: Sequence[str] = ()
    """What is said above the rows, or instead of them."""
    down: Mapping[str, str] = field(default_factory=dict)
    """Whoever could not be asked, and why: its rows are missing."""
    outside: bool = False
    """Whether any of what is said beside the rows is text that its owner has not written."""
    actions: Mapping[str, Call] = field(default_factory=dict)
    """What may be done to the whole: `{"Pause 5 min": disable_blocking.call(minutes=5)}`."""
    charts: Mapping[str, Series] = field(default_factory=dict)
    """What was measured over time, by what it is called: a line each below the rows."""


class Declared(Generic[C]):
    """A page as its service declares it."""

    def __init__(
        self,
        service: "Service[C]",
        read: Callable[[Context[C]], Awaitable[Page]],
        name: str,
        label: str,
        verbs: Sequence["Tool"],
        looks: Sequence["Tool"],
    ) -> None:
        self.service, self.read, self.name = service, read, name
        self.label = label or name.capitalize()
        """What its button says."""
        self.summary = (read.__doc__ or "").strip().partition("\n")[0].rstrip(".")
        self.verbs, self.looks = tuple(verbs), tuple(looks)
        self.one: Callable[[Context[C], str], Awaitable[Row]] | None = None

    def details(self, one: Callable[[Context[C], str], Awaitable[Row]]) -> Callable[[Context[C], str], Awaitable[Row]]:
        """Declare how one target, given by its id, is shown by itself; otherwise its row is shown."""
        self.one = one
        return one

    @property
    def uses(self) -> dict[str, "Tool"]:
        """What can be done to one of its targets, by the word for it."""
        return {tool.word: tool for tool in (*self.verbs, *self.looks)}
