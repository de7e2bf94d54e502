"""What commands and pages work with: who asks, and the parts that answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from bot.agent.budget import Budget
from bot.menus.menu import Menu
from bot.runs.decisions import Decisions
from bot.runs.halt import Halt
from bot.runs.opener import ALONE, Around, Opener
from bot.runs.runner import Runner
from bot.screen.view import Button, Format, View
from bot.settings.people import Roster
from memory.models import Actor, Role
from memory.stores import Stores
from tools.gate.policy import NEEDED
from tools.gate.proposals import Proposals
from tools.kit.service import Tool


@dataclass(frozen=True)
class Request:
    """Who asks for what, where."""

    update: int
    actor: Actor
    conversation: str
    around: Around = ALONE


@dataclass(frozen=True)
class Desk:
    """What commands work with."""

    stores: Stores
    proposals: Proposals
    opener: Opener
    runner: Runner
    decisions: Decisions
    access: Roster
    halt: Halt
    budget: Budget
    form: Format
    menu: Menu
    doctor: Callable[[], Awaitable[View]]
    digest: Callable[[Actor], Awaitable[View]]

    def sees(self, request: Request, service: str) -> bool:
        """Whether this person may look at a service."""
        return self.access.role(request.actor.id, service) >= Role.VIEWER

    def may(self, request: Request, tool: Tool) -> bool:
        """Whether this person may use a tool, or approve what it would do."""
        return self.access.role(request.actor.id, tool.service.name) >= NEEDED[tool.risk]

    def openers(self, request: Request) -> list[Button]:
        """A button for every page that this person sees."""
        return self.menu.openers(lambda service: self.sees(request, service))

    def ways_on(self, request: Request) -> tuple[Button, ...]:
        """What stands below an answer: the way to the status and to those pages."""
        return self.menu.ways_on(lambda service: self.sees(request, service))

    def looked(self) -> str:
        """The time to the second: whoever presses [↻] sees that it looked, also when nothing has changed."""
        return f"looked {datetime.now(self.form.zone):%H:%M:%S}"
