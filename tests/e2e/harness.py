"""The real bot as a child process in a lab: what people write and tap, and what can be seen from outside."""

import asyncio
import os
import re
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lab.lab import Lab
from lab.services.docker.engine.model import Container
from lab.supervisor import Supervisor
from lab.telegram.state import ADMIN, Message
from lab.telegram.world import Query
from tests.prove.nursery import Victim, nursery
from tests.watch import Watch, watching

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
MAIN = [sys.executable, str(ROOT / "main.py"), "--env-file", os.devnull]
PATIENCE = 30.0
"""Seconds to wait for something that must happen; two slow cores may share them with another test."""
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
CARD, UNDO = "a1:", "u1:"
"""How the data of a card's and of an Undo's buttons begin."""


def environment(lab: Lab, **settings: str) -> dict[str, str]:
    """The variables of a process in the lab: nothing of the machine's own settings gets in."""
    own = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**own, **lab.environment(), **settings}


@dataclass
class Finished:
    """A process that has ended."""

    code: int
    out: str
    err: str


def bound_by_permissions() -> list[str]:
    """What to put before a command so that file permissions bind it even when the tests run as root."""
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


async def run_door(
    *arguments: str,
    env: dict[str, str],
    timeout: float = 60.0,  # noqa: ASYNC109
    before: Sequence[str] = (),
) -> Finished:
    """`python main.py …`, carried to its end; what it says is searched for the secrets that it was handed."""
    process = await asyncio.create_subprocess_exec(
        *before, *MAIN, *arguments, env=env, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    with watching(env) as watches:
        for watch in watches:
            watch.look(out + b"\n" + err, f"what `main.py {arguments[0]}` says")
    return Finished(process.returncode, out.decode(), err.decode())


@dataclass
class Forked(Supervisor):
    """A bot that is forked from a process which has imported it already, with as little pause as Telegram allows."""

    arguments: list[list[str]] = field(default_factory=lambda: [[]])
    """What is done to it (`prove/victim.py`) at its first start, its second…; the last is for all that follow."""
    began: list[float] = field(default_factory=list)
    """When it was started, each time."""
    exits: list[int] = field(default_factory=list)
    """How it ended, each time; negative is the signal that ended it."""

    @property
    def victim(self) -> Victim:
        """The newest process."""
        assert self._process is not None
        return self._process  # type: ignore[return-value]

    async def _launch(self) -> None:
        arguments = self.arguments.pop(0) if len(self.arguments) > 1 else self.arguments[0]
        self.began.append(time.time())
        self._process = born = await nursery().start(arguments, {**self.env}, self.log)  # type: ignore[assignment]
        born.ended.add_done_callback(lambda ended: self.exits.append(ended.result()))
        self.starts += 1
        self.state = "running"


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


@dataclass
class Home:
    """A lab with a bot in it, and the people who use it."""

    lab: Lab
    bot: Supervisor
    watch: Watch
    mark: int = 0
    """Telegram's version when somebody last did something: what is heard is newer."""
    updates: list[int] = field(default_factory=list)
    """What people did, by the ids that Telegram gave it."""

    # The bot's life

    async def start(self) -> None:
        """Start the bot and wait until it serves."""
        await self.bot.start()
        await self.ready()

    async def ready(self) -> None:
        """Return once the bot's latest start is complete."""
        await self.until(lambda: self.log().count(" ready with ") == self.bot.starts, "the bot to be ready")

    async def kill(self) -> None:
        """Kill -9; returns when the next process is there."""
        before = self.bot.starts
        assert self.bot.kill()
        await self.until(lambda: self.bot.starts > before, "the bot to be started again")

    def log(self) -> str:
        """Everything the bot has written to its log."""
        return self.bot.log.read_text(errors="replace") if self.bot.log.exists() else ""

    async def quiet(self) -> None:
        """Return when nothing is under way any more: all that is left waits for a person."""
        calm = 0

        def settled() -> bool:
            nonlocal calm
            calm = calm + 1 if self._settled() else 0
            return calm > 2

        await self.until(settled, "everything to settle")

    def _settled(self) -> bool:
        try:
            open_rows = self.query(OPEN)
            known = {row[0] for row in self.query("SELECT update_id FROM inbox WHERE state <> 'new'")}
        except sqlite3.Error:
            return False
        waiting = {update["update_id"] for update in self.lab.telegram.updates.pending} | set(self.updates)
        return not open_rows and waiting <= known

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the bot's database, read beside it."""
        with closing(sqlite3.connect(f"file:{self.data / 'rackhand.db'}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    @property
    def data(self) -> Path:
        """DATA_DIR."""
        return Path(self.bot.env["DATA_DIR"])

    # People

    def say(self, text: str, user: int = ADMIN, chat: int | None = None, **extra: Any) -> Message:
        """Write a message."""
        self.mark = self.lab.telegram.version
        message = self.lab.telegram.send(user, text, chat, **extra)
        self._note()
        return message

    async def hear(self, pattern: str, user: int = ADMIN, *, mark: int | None = None) -> Message:
        """The bot's newest message that was sent or edited since the last action and matches."""
        since, telegram = self.mark if mark is None else mark, self.lab.telegram
        return await telegram.wait_for(lambda: telegram.newest(user, pattern, since=since), PATIENCE)

    async def ask(self, text: str, pattern: str = ".", user: int = ADMIN) -> Message:
        """Write something and wait for the answer that matches."""
        self.say(text, user)
        return await self.hear(pattern, user)

    async def card(self, pattern: str = ".", user: int = ADMIN) -> Message:
        """The open card that appeared, or was drawn again, since the last action."""
        since, telegram = self.mark, self.lab.telegram
        return await telegram.wait_for(lambda: telegram.newest(user, pattern, since=since, data=CARD), PATIENCE)

    async def remove(self, name: str) -> Message:
        """Have a container removed, with both taps; the receipt."""
        self.say(f"remove {name}")
        self.tap(await self.card(f"Remove {name}"), f"Remove {name} …")
        self.tap(await self.card(f"Remove {name}"), f"Yes, remove {name}")
        return await self.hear(f"✓ Removed {name}")

    def tap(self, message: Message, label: str, user: int = ADMIN) -> Query:
        """Press a button; nothing is waited for."""
        self.mark = self.lab.telegram.version
        return self.press(message, message.button(label), user)

    def press(self, message: Message, data: str, user: int = ADMIN) -> Query:
        """Send a button's data, whether or not the message still shows it."""
        query = self.lab.telegram.tap(user, message.message_id, data, message.chat.id)
        self._note()
        return query

    def _note(self) -> None:
        """Remember the newest update, which nothing has confirmed yet."""
        self.updates.append(self.lab.telegram.updates.pending[-1]["update_id"])

    async def toast(self, query: Query) -> str:
        """What the bot answered to a tap."""
        answer = await self.lab.telegram.wait_for(lambda: query.answer, PATIENCE)
        return str(answer.get("text", ""))

    # The homelab

    def container(self, name: str, host: str = "nas") -> Container:
        """A simulated container, as it is now."""
        found = self.lab.world.hosts[host].get(name)
        found.advance(self.lab.world.now())
        return found

    def writes(self) -> list[str]:
        """Every request that changed an engine: method, path and the container's name."""
        names = {c.id: c.name for host in self.lab.world.hosts.values() for c in host.containers()}
        found = []
        for request in self.lab.traffic.requests:
            if request.service.startswith("docker") and request.changes:
                path = re.sub(r"^/v[\d.]+", "", request.path)
                found.append(f"{request.method} {re.sub('[0-9a-f]{64}', lambda m: names.get(m[0], m[0]), path)}")
        return found

    async def until(self, condition: Callable[[], T | None], what: str) -> T:
        """Wait for something that can be seen without Telegram."""
        end = time.monotonic() + PATIENCE
        while not (result := condition()):
            if time.monotonic() > end:
                said = [message.text for chat in self.lab.telegram.chats for message in self.lab.telegram.sent(chat)]
                raise TimeoutError(f"waited for {what}; said last: {said[-3:]}; the log ends:\n{self.log()[-3000:]}")
            await asyncio.sleep(0.02)
        return result


def keys(message: Message, start: str) -> list[str]:
    """The labels of the buttons whose data begin like this."""
    return [b["text"] for b in message.buttons if str(b.get("callback_data", "")).startswith(start)]


@asynccontextmanager
async def open_home(
    directory: Path,
    *,
    seed: int = 1,
    started: bool = True,
    forked: bool = True,
    kind: Callable[..., Any] = Home,
    **settings: str,
) -> AsyncIterator[Any]:
    """A lab at its quickest with a bot in it, as a program of its own unless `forked`; everything ends with the block.

    Raises Leaked if a canary got into what the bot leaves behind, says or sends.
    """
    watch = Watch()
    async with nursery() if forked else nullcontext(), Lab(seed, directory=directory) as lab:
        lab.world.latency = lab.world.health_after = 0.0
        env = environment(lab, **{**watch.lab(lab, settings), **settings})
        bot = (Forked if forked else Supervisor)([*MAIN, "run"], env, directory / "bot.log", backoff=(0.0,))
        lab.supervisor = bot
        made = kind(lab, bot, watch)
        if started:
            await made.start()
        try:
            yield made
        finally:
            watch.process(bot.pid)
            watch.files(directory, "*-wal")  # gone with the last connection
    watch.requests()
    watch.files(directory)
    watch.end()
