"""A place: a real core with the real services over a lab's HTTP, a scripted model, and what the twins saw of it."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.agent.claude import Claude
from bot.core import assemble
from bot.runs.halt import Halt
from bot.runs.runner import NoScreen
from bot.screen.cards import Cards
from bot.screen.view import Format
from bot.settings.settings import configured
from lab.lab import Lab
from lab.traffic import Request
from memory.database import Database
from memory.keys import Keys
from memory.models import Block, Run, Use
from memory.secrets import Redactor
from memory.stores import Stores
from tests.fakes import ScriptedModel
from tests.house import ADMIN, House
from tests.watch import Watch
from tools.gate.outcomes import Outcomes
from tools.gate.proposals import Answer, Proposal
from tools.kit.service import Risk

WRITING = ("add", "update", "delete", "restore")
"""What changes our own knowledge; its other methods only read."""
LONGEST_LOOK = 0.15
"""Seconds that a verification may wait for what will never come."""
PEOPLE = {"TELEGRAM_ADMINS": "1", "TELEGRAM_OPERATORS": "2", "TELEGRAM_VIEWERS": "3", "TELEGRAM_CHATS": "-100"}


class Place(House):
    """A house whose service is the whole simulated homelab."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int = 1,
        clock: Callable[[], float] = time.time,
        model: Any = "scripted",
        **settings: str,
    ) -> None:
        """`settings` are environment variables on top of the lab's own; without a model, the lab's Claude is asked."""
        self.folder, self.clock, self._given = folder, clock, {**PEOPLE, **settings}  # type: ignore[assignment]
        self.lab = Lab(seed, directory=folder)
        self.lab.world.latency = self.lab.world.health_after = 0.0
        for twin in self.lab.twins.values():
            twin.pace = 0.0
        self.watch = Watch()
        self._canaries = self.watch.lab(self.lab, self._given)
        self.model = ScriptedModel() if model == "scripted" else model
        self.admin = ADMIN
        """Who asks and taps unless said otherwise."""
        self.own_writes: list[str] = []
        """Calls that changed our own knowledge, in their order."""
        self.lying = False
        """Whether our own knowledge answers success and changes nothing."""
        self._old = []
        self._updates = iter(range(1, 1_000_000))
        self._messages = iter(range(1000, 1_000_000))
        self._seen = 0

    async def __aenter__(self) -> "Place":
        await self.lab.__aenter__()
        await self.open()
        return self

    async def __aexit__(self, *error: Any) -> None:
        """End it. Raises Leaked if a canary got into what it leaves behind, what it sent, or told the model."""
        # The write-ahead log is gone with the last connection.
        self.watch.files(self.folder, "*-wal", but=self.watch.said_by(self.model))
        for core in self._old:
            await core.close(0.0)
        await self.core.close(1.0)
        if isinstance(self.core.model, Claude) and self.core.model._client is not None:
            await self.core.model._client.close()
        await self.lab.__aexit__(None, None, None)
        self.watch.requests()
        self.watch.remains(self.folder, self.model)
        self.watch.end()

    async def open(self) -> None:
        """A core over the lab, its settings read the way the bot reads them."""
        with environment({**self.lab.environment(), **self._canaries, **self._given}):
            configuration = configured(None)
        self.settings = configuration.settings
        data = self.settings.data_dir
        data.mkdir(parents=True, exist_ok=True)
        database = await Database.open(data / "rackhand.db", clock=self.clock)
        stores = Stores.over(database, Keys.open(data / "rackhand.key"))
        self._watch(stores)
        redact = Redactor(configuration.secrets())
        self.core = assemble(configuration, stores, self.screen(stores, redact), redact, model=self.model)
        await self.core.halt.restore(stores)
        self.cards = Cards(stores, Format(self.settings.zone))

    @property
    def halt(self) -> Halt:
        return self.core.halt

    async def again(self, **settings: str) -> None:
        """The bot stopped and started again over the same data, with other settings."""
        await self.core.close(1.0)
        self._given |= settings
        await self.open()

    async def settle(self) -> None:
        """Wait until nothing runs in the background, what goes on in a service by itself included."""
        await super().settle()
        async with asyncio.timeout(60.0):
            while followed := [task for _, task in self.core.execution.following._followed.values()]:
                await asyncio.wait(followed)
                await super().settle()

    def screen(self, stores: Stores, redact: Redactor) -> Any:
        """Where progress is shown."""
        return NoScreen()

    async def say(self, text: str, *replies: Any, **more: Any) -> str:
        """A line of the admin's, unless said otherwise; the run's id once it has ended or waits."""
        if self.model is not None:
            return await super().say(text, *replies, **{"who": self.admin, **more})
        trigger = f"update:{next(self._updates)}"
        run = await self.core.opener.say(self.admin.id, self.admin, text, trigger=trigger, **more)
        await self.settle()
        return str(run)

    async def ask(self, *uses: Block, **more: Any) -> str:
        """A line that the model answers with these calls."""
        return await super().ask(*uses, **{"who": self.admin, **more})

    # What the twins saw

    def begin(self) -> None:
        """What is staged is staged: only requests from now on count."""
        self._seen = len(self.lab.traffic.requests)
        self.own_writes.clear()

    def requests(self) -> list[Request]:
        """Requests to services since `begin`, Telegram's and Claude's left out."""
        seen = self.lab.traffic.requests[self._seen :]
        return [request for request in seen if request.service not in ("telegram", "claude")]

    def writes(self) -> list[str]:
        """Everything since `begin` that could change something."""
        sent = [f"{r.service} {r.method} {r.path}" for r in self.requests() if r.changes]
        return sent + self.own_writes

    async def dump(self) -> dict[str, Any]:
        """The state of the whole homelab and of our own knowledge, without clocks and made-up ids."""
        knowledge = self.stores.knowledge
        twins = {name: twin.dump() for name, twin in self.lab.twins.items()}
        return {**self.lab.world.dump(), **twins, "memory": await knowledge.snapshot(await knowledge.ids())}

    def lie(self) -> None:
        """From now on every operation answers success and changes nothing."""
        self.lab.world.lie = _Everything()
        for twin in self.lab.twins.values():
            twin.lying = True
        self.lying = True

    # What the gate would do

    async def prepare(self, tool: str, args: dict[str, Any]) -> Answer | Proposal:
        """The call's answer or plan; nothing is stored and nothing runs."""
        who = self.admin
        run = Run(
            "probe", who.id, who, "", "text", True, False, False, "working", None, None, 0, None,
            self.stores.database.now(),
        )  # fmt: skip
        return await self.core.proposals.prepare(run, Use("probe", tool, args))

    async def read(self, tool: str, **args: Any) -> str:
        """What the model would be told by a read."""
        answer = await self.prepare(tool, args)
        assert isinstance(answer, Answer), f"{tool} is not a read"
        return str(answer.block["content"])

    async def approve(self) -> str:
        """Every tap that the newest card asks for; the last toast."""
        await self.deliver()
        card = await self.stores.approvals.card(await self.newest_card())
        rows = [await self.stores.journal.get(a.call) for a in await self.stores.approvals.of_card(card.id)]
        if any(row is not None and row.risk == Risk.DESTROY for row in rows) and not card.armed:
            await self.tap("d", who=self.admin)
        return await self.tap("y", who=self.admin)

    async def has_card(self) -> bool:
        """Whether something waits for a tap."""
        return bool(await self.stores.approvals.open_cards())

    async def texts(self) -> list[str]:
        """Everything a person could be shown by now: cards, receipts, answers with their footers."""
        from bot.screen.footer import footer
        from memory.runs import final_text

        database, views = self.stores.database, []
        for row in await database.all("SELECT id FROM cards"):
            views.append(await self.cards.card(row["id"]))
        for row in await database.all("SELECT id FROM calls"):
            views.append(await self.cards.receipt(row["id"]))
        found = [view.text for view in views if view is not None]
        for row in await database.all("SELECT id FROM runs"):
            said = final_text(await self.stores.runs.messages(row["id"]))
            found.append(f"{said}\n{await footer(self.stores, row['id'])}")
        return found

    def _watch(self, stores: Stores) -> None:
        """Note every write of our own knowledge, and swallow it while it lies."""
        for name in WRITING:
            setattr(stores.knowledge, name, self._noting(name, getattr(stores.knowledge, name)))

    def _noting(self, name: str, write: Any) -> Any:
        async def noting(*args: Any, **kwargs: Any) -> Any:
            self.own_writes.append(f"memory {name} {args} {kwargs}")
            return True if self.lying else await write(*args, **kwargs)

        return noting


def without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process counts as steady at once, tasks take no time, and nobody waits long for an expectation."""
    look = Outcomes.look

    async def hasty(self, row, change, within):  # type: ignore[no-untyped-def]
        return await look(self, row, change, min(within, LONGEST_LOOK))

    monkeypatch.setattr(Outcomes, "look", hasty)
    monkeypatch.setattr("tools.docker.facts.STEADY_SECONDS", 0.0)
    monkeypatch.setattr("tools.kit.proxmox.LOOK_SECONDS", 0.02)
    monkeypatch.setattr("lab.services.proxmox.cluster.PACE", 0.0)


class _Everything(set[str]):
    """Contains whatever is asked for."""

    def __contains__(self, item: object) -> bool:
        return True


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """These variables, for as long as the block lasts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
