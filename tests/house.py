"""A house: a real core over a temporary database, with people, a clock, the fake service and the scripted model."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from bot.core import Core, assemble
from bot.runs.decisions import Tap
from bot.runs.runner import NoScreen
from bot.screen.cards import Cards
from bot.screen.drawing import Drawing
from bot.screen.render import render
from bot.screen.view import Format, View
from bot.settings.settings import Configuration, Settings
from memory.database import Database
from memory.keys import Keys
from memory.models import Actor, Block, CallRow, Run
from memory.secrets import Redactor
from memory.stores import Stores
from tests.fakes import Clock, ScriptedModel
from tests.invariants import check
from tests.rack import NET_SECRET, Rack, RackSettings, fake_services
from tests.watch import Watch, secret_fields
from tools.kit import ServiceSettings, Tool

ADMIN, OPERATOR, VIEWER, STRANGER = (Actor(f"tg:{n}", name) for n, name in enumerate(("Admin", "Op", "View", "X"), 1))
GROUP = "tg:-100"
"""The one group the bot may speak in; people's private chats are their own ids."""


def plain(view: View) -> str:
    """What a person reads."""
    return "\n".join(piece.text for piece in render(view.text))


class House:
    """A real core over a temporary database, with people, a clock, the fake service and the scripted model."""

    def __init__(self, folder: Path, clock: Clock, **settings: Any) -> None:
        self.folder, self.clock, self.rack, self.model = folder, clock, Rack(), ScriptedModel()
        people = {"telegram_admins": "1", "telegram_operators": "2", "telegram_viewers": "3", "telegram_chats": "-100"}
        self.watch = Watch()
        canaries = {name: self.watch.canaries.plant(name) for name in secret_fields(Settings) if name not in settings}
        self.watch.canaries.plant("rack_token", RackSettings(_env_file=None).token.get_secret_value())
        self.watch.canaries.plant("the secret of an item", NET_SECRET)
        self.settings = Settings(_env_file=None, **{**people, "data_dir": folder, **canaries, **settings})
        for name in ("lamp", "fan", "pump"):
            self.rack.add(name)
        self.core: Core
        self._old: list[Core] = []
        self._updates = iter(range(1, 1_000_000))
        self._messages = iter(range(1000, 1_000_000))

    @property
    def stores(self) -> Stores:
        return self.core.stores

    async def open(self) -> None:
        """A fresh core over the same database, rack, model and clock."""
        self.folder.mkdir(exist_ok=True)
        database = await Database.open(self.folder / "rackhand.db", clock=self.clock, monotonic=lambda: 0.0)
        stores = Stores.over(database, Keys.open(self.folder / "rackhand.key"))
        services = fake_services()
        of_services: dict[str, ServiceSettings] = {
            service.name: RackSettings(_env_file=None, rack=self.rack) for service in services
        }
        configuration = Configuration(services, self.settings, of_services)
        self.core = assemble(configuration, stores, NoScreen(), Redactor(configuration.secrets()), model=self.model)
        form = Format(self.settings.zone)
        self.cards = Cards(stores, form)
        self.drawing = Drawing(
            stores, self.cards, lambda line: "/status", lambda where: (), self.core.screen.view, form
        )

    async def crash(self) -> None:
        """The process dies: what it had committed is all that its successor finds. Nothing old ever runs again."""
        self._old.append(self.core)
        for _, follower in self.core.execution.following._followed.values():
            follower.cancel()
        await self.open()

    async def recover(self, *, settled: bool = True) -> int:
        """What the bot does at its start, and what follows from it; how many outcomes are unknown."""
        unknown = await self.core.recovery.run()
        await self.core.runner.recover()
        if settled:
            await self.settle()
        return unknown

    async def sweep(self) -> None:
        """What the bot does now and then: cards that nobody has decided end."""
        await self.core.decisions.sweep()
        await self.settle()

    async def close(self) -> None:
        """End it. Raises Leaked if a canary got into what it leaves behind or told the model."""
        # The write-ahead log is gone with the last connection.
        self.watch.files(self.folder, "*-wal", but=self.watch.said_by(self.model))
        for core in [*self._old, self.core]:
            left = [*core.tasks._tasks, *core.execution._under_way]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await core.close(0.0)
        self.watch.remains(self.folder, self.model)
        self.watch.end()

    def tool(self, name: str) -> Tool:
        return self.core.tools[name]

    # What people do

    async def say(self, text: str, *replies: Any, who: Actor = ADMIN, where: str | None = None, **more: Any) -> str:
        """A line; the run's id once it has ended or waits."""
        self.model.script.extend(replies)
        run = await self.core.opener.say(where or who.id, who, text, trigger=f"update:{next(self._updates)}", **more)
        assert run is not None
        await self.settle()
        return run

    async def ask(self, *uses: Block, who: Actor = ADMIN, where: str | None = None, **more: Any) -> str:
        """A line that the model answers with these calls."""
        return await self.say("Please do it.", list(uses), who=who, where=where, **more)

    async def card(self, *uses: Block, **more: Any) -> str:
        """A delivered card for these calls of the model's; its id."""
        await self.ask(*uses, **more)
        await self.deliver()
        return await self.newest_card()

    async def tap(
        self, verb: str = "y", *, card: str | None = None, who: Actor = ADMIN, key: str | None = None, **binding: Any
    ) -> str:
        """A press of a button on a card (the newest open one unless named); returns the toast."""
        await self.deliver()
        return await self.settled(self.press(verb, card=card or await self.newest_card(), who=who, key=key, **binding))

    async def press(self, verb: str, *, card: str, who: Actor = ADMIN, key: str | None = None, **binding: Any) -> str:
        """The tap alone, nothing waited for."""
        found = await self.stores.approvals.card(card)
        key = key or self.stores.approvals.key(card)
        values = {"conversation": found.conversation, "message": found.message, **binding}
        return await self.core.decisions.card(Tap(next(self._updates), who, **values), key, verb)

    async def undo(self, call: CallRow, *, who: Actor = ADMIN, where: str | None = None) -> str:
        """A press of a receipt's Undo."""
        key = self.stores.keys.button("undo", call.id)
        return await self.settled(self.core.decisions.undo(self.a_tap(who, where), key))

    async def known(self, call: CallRow, verb: str, *, who: Actor = ADMIN, where: str | None = None) -> str:
        """A person's word on an unknown outcome."""
        key = self.stores.keys.button("known", call.id)
        return await self.settled(self.core.decisions.known(self.a_tap(who, where), key, verb))

    def a_tap(self, who: Actor = ADMIN, where: str | None = None) -> Tap:
        return Tap(next(self._updates), who, where or who.id, 1)

    async def settled(self, work: Awaitable[str]) -> str:
        toast = await work
        await self.settle()
        return toast

    async def until(self, state: str) -> None:
        """Wait until the oldest call is in this state, for as long as a busy machine may need."""
        for _ in range(1000):
            if (await self.states())[:1] == [state]:
                return
            await asyncio.sleep(0.01)
        raise TimeoutError(f"never {state}: {await self.states()}")

    async def settle(self) -> None:
        """Wait until nothing runs in the background, for as long as a busy machine may need."""
        async with asyncio.timeout(60.0):
            while running := set(self.core.tasks._tasks):
                await asyncio.wait(running)

    # What can be seen

    async def deliver(self) -> list[tuple[str, dict[str, Any]]]:
        """Deliver what is to be said: kind and payload; new cards get their messages."""
        said = []
        for row in await self.stores.outbox.open(""):
            new = row.kind in ("card", "receipt") and row.message is None
            async with self.stores.database.transaction() as tx:
                await self.stores.outbox.sent(tx, row, next(self._messages) if new else None)
            said.append((row.kind, row.payload))
        return said

    async def newest_card(self) -> str:
        """The id of the newest card of all."""
        row = await self.stores.database.one("SELECT id FROM cards ORDER BY rowid DESC LIMIT 1")
        assert row is not None, "no card was ever shown"
        return str(row["id"])

    async def view(self, card: str | None = None) -> View:
        """A card as it is drawn now."""
        view = await self.cards.card(card or await self.newest_card())
        assert view is not None
        return view

    async def text(self, card: str | None = None) -> str:
        """A card's text as a person reads it."""
        return plain(await self.view(card))

    async def receipt(self, call: CallRow | None = None) -> tuple[str, list[str]]:
        """A receipt's text and the words on its buttons."""
        view = await self.cards.receipt((call or await self.call()).id)
        return plain(view), [button.text for row in view.buttons for button in row]

    async def calls(self, run: str | None = None) -> list[CallRow]:
        """Journal rows, oldest first."""
        where, values = ("run = ?", [run]) if run else ("1", [])
        rows = await self.stores.database.all(f"SELECT id FROM calls WHERE {where} ORDER BY rowid", *values)
        return [row for found in rows if (row := await self.stores.journal.get(found["id"]))]

    async def call(self) -> CallRow:
        """The newest journal row."""
        return (await self.calls())[-1]

    async def states(self, run: str | None = None) -> list[str]:
        return [str(row.state) for row in await self.calls(run)]

    async def run(self, run: str) -> Run:
        found = await self.stores.runs.get(run)
        assert found is not None
        return found

    async def results(self, run: str) -> list[Block]:
        """The tool_result blocks of a run in order."""
        messages = await self.stores.runs.messages(run)
        return [b for m in messages if m["role"] == "user" for b in m["content"] if b["type"] == "tool_result"]

    async def audited(self, kind: str) -> list[dict[str, Any]]:
        """Audit records of a kind, oldest first."""
        return [entry.data for entry in await self.stores.audit.export() if entry.kind == kind]

    async def check(self) -> None:
        """What must hold after anything at all."""
        await check(self)
