"""The parts that every door shares: stores, services, gate, loop, chat."""

import fcntl
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.agent.budget import Budget
from bot.agent.claude import Claude
from bot.agent.loop import Loop
from bot.agent.model import Model
from bot.agent.toolbox import Toolboxes
from bot.runs.decisions import Decisions
from bot.runs.halt import Halt
from bot.runs.opener import Opener
from bot.runs.runner import Runner, Screen
from bot.runs.tasks import Tasks
from bot.settings.people import Roster
from bot.settings.settings import BadConfiguration, Configuration, Settings
from memory.embeddings import embedder_called
from memory.secrets import Redactor
from memory.stores import Stores
from tools.gate.execution import Execution
from tools.gate.gate import Gate
from tools.gate.ports import CLOSING
from tools.gate.proposals import Proposals, Rules
from tools.gate.recovery import Recovery
from tools.gate.standing import Standing
from tools.kit.clients import Clients
from tools.kit.registry import catalogue
from tools.kit.service import Tool
from tools.kit.types import Target

PROMPT = Path(__file__).parent / "agent" / "prompts" / "orchestrator.md"
ID = re.compile(r"([\w.-]+/)?[0-9a-f]{6,64}")
"""What engines print of an id, whole or its start, perhaps behind its host."""
SHUTDOWN_SECONDS = 20.0
"""For what is under way when the process is told to end."""


class AlreadyRunning(Exception):
    """Another process holds the data directory."""


def take_lock(folder: Path) -> None:
    """Make this process the owner of the state in `folder`, until it ends. Raises AlreadyRunning, BadConfiguration."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A bare descriptor: a file object would be closed, and the lock lost, with the last reference to it.
        held = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadConfiguration(f"DATA_DIR: I cannot write to the folder {folder} ({error.strerror}).") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise AlreadyRunning(
            f"DATA_DIR: another Rackhand is running on {folder}; stop it, or set another DATA_DIR."
        ) from None
    os.ftruncate(held, 0)
    os.write(held, str(os.getpid()).encode())


@dataclass(frozen=True)
class Core:
    """Everything between the doors and the database."""

    settings: Settings
    stores: Stores
    redact: Redactor
    access: Roster
    halt: Halt
    budget: Budget
    tools: dict[str, Tool]
    clients: Clients
    proposals: Proposals
    execution: Execution
    recovery: Recovery
    model: Model
    tasks: Tasks
    screen: Screen
    opener: Opener
    runner: Runner
    decisions: Decisions

    async def warm_up(self) -> None:
        """Load what the first question would wait for."""
        if isinstance(self.model, Claude):
            await self.model.warm_up()

    async def close(self, seconds: float) -> None:
        """Let what runs come to its end, then close everything."""
        self.halt.everything = self.halt.everything or CLOSING
        await self.execution.drain(seconds)
        await self.tasks.drain(1.0)
        await self.clients.close()
        if isinstance(self.model, Claude):
            await self.model.close()
        await self.stores.close()


@asynccontextmanager
async def opened(
    configuration: Configuration, redact: Redactor, screen: Callable[[Stores], Screen]
) -> AsyncIterator[Core]:
    """The core over DATA_DIR, which only one process at a time may hold; closed at the end.

    A panic from before holds: no change begins. Raises AlreadyRunning, BadConfiguration and DatabaseBroken.
    """
    settings = configuration.settings
    take_lock(settings.data_dir)
    stores = await Stores.open(settings.data_dir, embedder_called(settings.embedder))
    try:
        core = assemble(configuration, stores, screen(stores), redact)
    except BaseException:
        await stores.close()  # its threads would keep the process alive
        raise
    try:
        await core.halt.restore(stores)
        yield core
    finally:
        await core.close(SHUTDOWN_SECONDS)


def assemble(
    configuration: Configuration, stores: Stores, screen: Screen, redact: Redactor, model: Model | None = None
) -> Core:
    """Put the parts together; nothing is connected and nothing runs yet. `redact` knows every secret already."""
    settings = configuration.settings
    stores.audit.redact = redact
    access, halt, tasks = Roster(settings), Halt(), Tasks()
    tools = catalogue(configuration.services)
    clients = Clients(configuration.services, configuration.service_settings, stores, learn=redact.learn)
    budget = Budget(stores.usage, task=settings.budget_task_usd, daily=settings.budget_daily_usd, zone=settings.zone)
    proposals = Proposals(tools, clients, access, rules(settings), stores, redact)
    execution = Execution(stores, proposals, clients, access, halt, screen)
    standing = Standing(stores, proposals, access, settings.zone)
    gate = Gate(stores, proposals, execution, standing, screen)
    toolboxes = Toolboxes(tools, clients.configured, access)
    model = model or Claude(
        key=settings.anthropic_api_key.get_secret_value(),
        base_url=settings.anthropic_base_url,
        model=settings.model_balanced,
        system=PROMPT.read_text(encoding="utf-8"),
        tools=toolboxes.of,
        budget=budget,
        redact=redact,
    )
    runner = Runner(
        stores, Loop(stores.runs, gate, model, toolboxes), halt, screen, tasks, settings.zone, execution.following.has
    )
    execution.following.onward = runner.advance
    opener = Opener(stores, runner.advance, settings.zone, redact)
    decisions = Decisions(stores, opener, runner, access, standing)
    recovery = Recovery(stores, execution, proposals, standing)
    return Core(
        settings, stores, redact, access, halt, budget, tools, clients, proposals, execution, recovery, model, tasks,
        screen, opener, runner, decisions,
    )  # fmt: skip


def _means(listed: str, known: str) -> bool:
    """Whether two spellings mean one thing: the same name, or the same id, of which one may be only the start."""
    ids = ID.fullmatch(listed) and ID.fullmatch(known)
    return listed == known or bool(ids and (known.startswith(listed) or listed.startswith(known)))


def rules(settings: Settings) -> Rules:
    """The owner's lists, matched against a target's id, name and other names."""

    def listed(names: frozenset[str], target: Target) -> bool:
        known = {name.casefold() for name in (target.id, target.name, *target.aliases)}
        return any(_means(name.casefold().removeprefix("/"), each) for name in names for each in known)

    return Rules(
        autonomy=settings.autonomy,
        forbidden=lambda target: listed(settings.forbidden_targets, target),
        protected=lambda target: (
            target.protected or ("protected: always asks" if listed(settings.protected_targets, target) else "")
        ),
    )
