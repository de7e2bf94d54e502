"""What there is to ask for: our own commands and pages, and whatever the configured services declare."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.screen.press import PAGE, Press
from bot.screen.view import STATUS, Button, View, cut
from bot.settings.people import Roster
from memory.models import Role
from tools.kit.page import Declared
from tools.kit.service import Tool

if TYPE_CHECKING:
    from bot.menus.desk import Desk, Request

MOST_BESIDE = 4
"""Buttons in a row whose words can still be read on a phone."""
MENU = Press(PAGE, "menu").data
TYPED = "do"
"""The page that runs a command, as if it had been typed."""
ALL = " of all services"
SMALL_WORDS = frozenset(
    ("what", "which", "when", "who", "why", "how", "the", "and", "for", "you", "your", "are", "can", "one", "now")
    + ("all", "last", "look", "connected", "needs", "may", "done", "them", "they")
)
FALLBACK = "status"

Handler = Callable[["Desk", "Request", str], Awaitable[View | None]]


@dataclass(frozen=True)
class Command:
    """One slash command."""

    name: str
    summary: str
    role: Role
    run: Handler
    everywhere: bool = False
    """Whether it concerns every service at once: a role that is limited to some is not enough."""
    services: tuple[str, ...] = ()
    """Those that it is about; a role for one of them will do."""
    yields: bool = False
    """Whether it leaves its word to the services when the name of a target follows."""
    suggested: bool = True
    """Whether it may be what somebody wanted to say: it shows something, or asks before it does anything."""

    def is_for(self, access: Roster, actor: str) -> bool:
        """Whether this person may use it."""
        if self.everywhere:
            return access.overall(actor) >= self.role
        return any(access.role(actor, service) >= self.role for service in self.services or ("",))

    @property
    def needs(self) -> str:
        """Whom it is for, as in `an admin of all services`."""
        return needed(self.role, *self.services) + (ALL if self.everywhere else "")


def needed(role: Role, *services: str) -> str:
    """`an operator of a service`."""
    name = role.name.lower()
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}" + (f" of {' or '.join(services)}" if services else "")


COMMANDS: dict[str, Command] = {}
"""Our own commands; no service can take their names."""
PAGES: dict[str, Handler] = {}
"""Our own pages by their names."""


def command(
    name: str,
    summary: str,
    role: Role = Role.VIEWER,
    *,
    everywhere: bool = False,
    yields: bool = False,
    suggested: bool = True,
) -> Callable[[Handler], Handler]:
    """Register a slash command; its summary is what Telegram's menu shows."""

    def register(run: Handler) -> Handler:
        COMMANDS[name] = Command(name, summary, role, run, everywhere, yields=yields, suggested=suggested)
        return run

    return register


def page(name: str) -> Callable[[Handler], Handler]:
    """Register a page of our own."""

    def register(run: Handler) -> Handler:
        PAGES[name] = run
        return run

    return register


@dataclass(frozen=True)
class Use:
    """What may be done to the targets of a page."""

    page: Declared[Any]
    tool: Tool


@dataclass(frozen=True)
class Menu:
    """Everything there is, whoever may use it."""

    commands: dict[str, Command]
    pages: dict[str, Declared[Any]] = field(default_factory=dict)
    uses: dict[str, list[Use]] = field(default_factory=dict)
    """Word → what it does, on which pages: `restart`, `logs`."""
    tools: dict[str, Tool] = field(default_factory=dict)
    """Every tool of the services by its full name."""

    def openers(self, sees: Callable[[str], bool]) -> list[Button]:
        """A button for every page of the services that somebody sees."""
        return [
            Button(page.label, Press(PAGE, page.name, "0").data)
            for page in self.pages.values()
            if sees(page.service.name)
        ]

    def ways_on(self, sees: Callable[[str], bool]) -> tuple[Button, ...]:
        """What stands below an answer: the way to the status and to those pages."""
        return few([STATUS, *self.openers(sees)], MENU)

    def first_of(self, service: str) -> Declared[Any] | None:
        """The page on which a trouble of this service can be opened."""
        return next((page for page in self.pages.values() if page.service.name == service), None)

    def nearest(self, line: str) -> str:
        """The command that shows, or asks before it does, what comes nearest to a line; /status when none does."""
        said = _words(line) - SMALL_WORDS
        scores = {
            name: 2 * len(said & _words(name)) + len(said & _words(found.summary) - _words(name))
            for name, found in self.commands.items()
            if found.suggested
        }
        for word, uses in self.uses.items():
            if said & _words(word):  # also where the word alone would mean something else, as in /stop
                scores |= {use.page.name: scores[use.page.name] + 1 for use in uses}
        best = max(scores, key=lambda name: scores[name])
        return f"/{best if scores[best] else FALLBACK}"


def typed(name: str, rest: str = "") -> Button:
    """A button that does what somebody would type; what could not be read on it is left out."""
    said, press = f"/{name} {rest}", Press(PAGE, TYPED, f"{name}:{rest}")
    if rest and cut(said) == said and press.fits:
        return Button(said, press.data)
    return Button(f"/{name}", Press(PAGE, TYPED, name).data)


def few(buttons: Iterable[Button], more: str) -> tuple[Button, ...]:
    """The buttons in one row; where they are too many, its last place leads to the page with all of them."""
    row = tuple(buttons)
    return row if len(row) <= MOST_BESIDE else (*row[: MOST_BESIDE - 1], Button("More ▸", more))


def beside(buttons: Iterable[Button], width: int = 2) -> tuple[tuple[Button, ...], ...]:
    """The buttons in rows of so many."""
    row = tuple(buttons)
    return tuple(row[at : at + width] for at in range(0, len(row), width))


def _words(text: str) -> set[str]:
    """The words of a text, one or several of a thing alike."""
    return {word.removesuffix("s") for word in re.findall(r"[a-z][a-z0-9]{2,}", text.lower())}
