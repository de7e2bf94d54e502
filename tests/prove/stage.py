"""A lab, a bot that dies and comes back, and the people who use it."""

import asyncio
import os
import re
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

from lab.lab import Lab
from lab.services.docker.engine.model import Container
from lab.telegram.state import ADMIN, Message
from lab.telegram.world import Query
from lab.traffic import Request
from tests.e2e.harness import KEPT
from tests.prove.evidence import Evidence, gather
from tests.prove.nursery import Nursery, Victim
from tests.watch import Watch, opened

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds until something that must happen is given up, on a slow and busy machine."""
ENDS_IT = (75, 78)
"""Exit statuses after which starting again is useless."""


YES = r"^a1:.*:y$"
NO = r"^a1:.*:n$"
ARM = r"^a1:.*:d$"
UNDO = r"^u1:"
KNOWN = r"^k1:"

OPEN = """
SELECT 'run' FROM runs WHERE state = 'working'
UNION ALL SELECT 'outbox' FROM outbox WHERE state IN ('new', 'sending')
UNION ALL SELECT 'call' FROM calls WHERE state IN ('proposed', 'started')
UNION ALL SELECT 'stale' FROM calls WHERE state = 'waiting' AND run NOT IN (
    SELECT cards.run FROM approvals JOIN cards ON cards.id = approvals.card WHERE approvals.state = 'pending')
UNION ALL SELECT 'done' FROM runs WHERE state = 'waiting' AND NOT EXISTS (
    SELECT 1 FROM calls WHERE run = runs.id AND state = 'waiting')
"""
"""Whatever has still to move by itself."""


PLENTY = {"BUDGET_TASK_USD": "5", "BUDGET_DAILY_USD": "50"}
"""A request that a kill interrupts is booked at the most it can have cost: twice is all that the default pays for."""


class Stuck(Exception):
    """Something that must happen did not."""


class Stage:
    """One homelab with one bot. The bot is started again whenever it dies, as systemd would."""

    def __init__(self, lab: Lab, nursery: Nursery, folder: Path, arguments: list[list[str]], **settings: str) -> None:
        self.lab, self.nursery, self.folder = lab, nursery, folder
        own = {name: os.environ[name] for name in KEPT if name in os.environ}
        self.watch = Watch()
        self.environment = {**own, **PLENTY, **lab.environment(), **self.watch.lab(lab, settings), **settings}
        self.data = Path(self.environment["DATA_DIR"])
        self.log = folder / "bot.log"
        self.arguments = arguments
        """Of the first start, the second…; the last is for all that follow."""
        self.victim: Victim | None = None
        self.starts: list[float] = []
        self.exits: list[int] = []
        self.updates: list[int] = []
        self.console = False
        self._watcher: asyncio.Task[None] | None = None

    # The bot's life

    async def start(self) -> None:
        """Start the bot, and again whenever it ends; returns at once."""
        await self._launch()
        self._watcher = asyncio.create_task(self._watch())

    async def _launch(self) -> None:
        arguments = self.arguments.pop(0) if len(self.arguments) > 1 else self.arguments[0]
        self.starts.append(time.time())
        self.victim = await self.nursery.start(arguments, self.environment, self.log)

    async def _watch(self) -> None:
        while self.victim is not None:
            status = await asyncio.shield(self.victim.ended)
            self.exits.append(status)
            if status in ENDS_IT:
                return
            if status > 0 and self.exits[-5:].count(status) == 5:
                return  # systemd gives up after five starts in a row, too
            await self._launch()

    def kill(self) -> None:
        """Kill -9."""
        assert self.victim is not None
        self.victim.signal(signal.SIGKILL)

    async def restart(self, *arguments: str, gently: bool = False, **settings: str) -> None:
        """End the bot and start it with other arguments and settings; returns when it polls."""
        await self.end(gently=gently)
        self.environment |= settings
        self.arguments = [list(arguments)]
        await self.start()
        await self.polls()

    async def end(self, *, gently: bool = False) -> int:
        """End the bot for now; its exit status."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        assert self.victim is not None
        self.victim.signal(signal.SIGTERM if gently else signal.SIGKILL)
        return await asyncio.wait_for(asyncio.shield(self.victim.ended), PATIENCE)

    async def over(self) -> int:
        """The exit status with which the bot gave up."""
        assert self._watcher is not None
        await asyncio.wait_for(asyncio.shield(self._watcher), PATIENCE)
        return self.exits[-1]

    def go_on(self) -> None:
        """End a SIGSTOP."""
        assert self.victim is not None
        self.victim.signal(signal.SIGCONT)

    async def engines_down(self) -> None:
        """Close the ports of all Docker engines."""
        ports = {int(address.rpartition(":")[2]) for address in self.lab.docker_hosts.values()}
        for server in self.lab._servers:
            if server.port in ports:
                await server.stop()

    async def polls(self) -> None:
        """Return once the newest process has asked for updates."""
        await self.until(self._polls, "the bot to poll")

    def _polls(self) -> bool:
        began = self.starts[-1]
        return any(r.at > began and r.path.endswith("/getUpdates") for r in self.lab.traffic.requests[::-1])

    # People

    def say(self, text: str, user: int = ADMIN, chat: int | None = None, **extra: Any) -> Message:
        """Write a message."""
        message = self.lab.telegram.send(user, text, chat, **extra)
        self._note()
        return message

    def press(self, message: Message, data: str, user: int = ADMIN) -> Query:
        """Press a button, whether or not it is still shown."""
        query = self.lab.telegram.tap(user, message.message_id, data, message.chat.id)
        self._note()
        return query

    def _note(self) -> None:
        """Remember the newest update, which nothing has confirmed yet."""
        self.updates.append(self.lab.telegram.updates.pending[-1]["update_id"])

    def showing(self, pattern: str, verb: str, chat: int = ADMIN) -> list[tuple[Message, str]]:
        """Messages that match and have a button whose data match `verb`, newest last, with those data."""
        found = []
        for message in self.lab.telegram.sent(chat):
            data = next((d for b in message.buttons if re.search(verb, d := str(b.get("callback_data", "")))), "")
            if data and re.search(pattern, message.text, re.S):
                found.append((message, data))
        return found

    async def card(self, pattern: str = ".", verb: str = YES, chat: int = ADMIN) -> tuple[Message, str]:
        """The newest open card that matches, and the data of its button."""
        return (await self.until(lambda: self.showing(pattern, verb, chat), f"a card {pattern!r}"))[-1]

    async def decide(self, pattern: str = ".", verb: str = YES, user: int = ADMIN, chat: int = ADMIN) -> None:
        """Tap a card until it is no longer open, as a person does who sees that nothing happens."""
        await self.card(pattern, verb, chat)
        for _ in range(4):
            if not (found := self.showing(pattern, verb, chat)):
                return
            message, data = found[-1]
            self.press(message, data, user)
            await self.settled()

    async def decide_if_shown(self, pattern: str, verb: str = YES) -> None:
        """`decide`, when there is such a card: after a crash there may be none."""
        if self.showing(pattern, verb):
            await self.decide(pattern, verb)

    async def hear(self, pattern: str, chat: int = ADMIN) -> Message:
        """A message of the bot's that matches."""
        return await self.until(lambda: self.lab.telegram.newest(chat, pattern), f"words like {pattern!r}")

    async def toast(self, query: Query) -> str:
        """What the bot answered to a tap."""
        answer = await self.until(lambda: query.answer, "a toast")
        return str(answer.get("text", ""))

    # What can be seen

    def container(self, name: str, host: str = "nas") -> Container:
        """A simulated container, as it is now."""
        found = self.lab.world.hosts[host].get(name)
        found.advance(self.lab.world.now())
        return found

    def received(self, service: str, *, begun: bool = False) -> list[Request]:
        """Requests that a service has received, or (`begun`) has begun to answer."""
        found = self.lab.traffic.requests
        return [r for r in found if r.service == service and (r.status is not None or not begun)]

    def effects(self) -> list[str]:
        """Requests that changed an engine: method and what was done."""
        evidence = self.evidence()
        return [f"{effect.method} {effect.path.rpartition('/')[2][:12]}" for effect in evidence.effects]

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the bot's database, read beside it."""
        with closing(sqlite3.connect(f"file:{self.data / 'rackhand.db'}?mode=ro", uri=True, timeout=5)) as connection:
            return connection.execute(sql, values).fetchall()

    def states(self) -> list[str]:
        """The states of all changes, oldest first."""
        return [row[0] for row in self.query("SELECT state FROM calls ORDER BY proposed, position")]

    def evidence(self) -> Evidence:
        """Everything the checker is given."""
        found = gather(self.lab, self.data, self.starts, self.updates)
        found.console = self.console
        return found

    # Waiting

    async def settled(self) -> None:
        """Return when nothing is under way any more: all that is left waits for a person."""
        calm = 0

        def quiet() -> bool:
            nonlocal calm
            calm = calm + 1 if self._quiet() else 0
            return calm > 2

        await self.until(quiet, "everything to settle")

    def _quiet(self) -> bool:
        if self.victim is None or not self.victim.alive or self.victim.stopped or not self._polls():
            return False
        try:
            open_rows = self.query(OPEN)
            known = {row[0] for row in self.query("SELECT update_id FROM inbox WHERE state <> 'new'")}
        except sqlite3.Error:
            return False
        waiting = {update["update_id"] for update in self.lab.telegram.updates.pending} | set(self.updates)
        return not open_rows and waiting <= known

    async def until(self, condition: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
        """Wait for something. Raises Stuck."""
        end = time.monotonic() + seconds
        while not (result := condition()):
            if time.monotonic() > end:
                log = self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""
                said = [message.text for chat in self.lab.telegram.chats for message in self.lab.telegram.sent(chat)]
                seen = f"exits {self.exits}; said last: {said[-3:]}; the log ends:\n{log}"
                raise Stuck(f"waited {seconds:.0f} s for {what}; {seen}")
            await asyncio.sleep(0.03)
        return result


@asynccontextmanager
async def stage(nursery: Nursery, folder: Path, *arguments: list[str], **settings: str) -> AsyncIterator[Stage]:
    """A lab at its quickest with a bot in it; everything ends with the block. `arguments` of each start in turn.

    Raises Leaked if a canary got into what the bot leaves behind, says or sends.
    """
    async with Lab(1, directory=folder) as lab:
        lab.world.latency = lab.world.health_after = 0.0
        made = Stage(lab, nursery, folder, [*arguments], **settings)
        try:
            yield made
        finally:
            opened.remove(made.watch)
            if made.victim is not None:
                made.victim.signal(signal.SIGCONT)
                made.watch.process(made.victim.pid if made.victim.alive else None)
                await made.end()  # kill -9: the WAL stays behind
    made.watch.requests()
    made.watch.files(folder)
    made.watch.end()
