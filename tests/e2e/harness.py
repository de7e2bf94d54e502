"""The real bot as a child process in a lab: what people write and tap, and what can be seen from outside."""

import asyncio
import os
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lab.lab import Lab
from lab.services.docker.engine.model import Container
from lab.supervisor import Supervisor
from lab.telegram.state import ADMIN, Message
from lab.telegram.world import Query
from tests.prove.nursery import nursery
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

    async def _launch(self) -> None:
        self._process = await nursery().start([], {**self.env}, self.log)  # type: ignore[assignment]
        self.starts += 1
        self.state = "running"


@dataclass
class Home:
    """A lab with a bot in it, and the people who use it."""

    lab: Lab
    bot: Supervisor
    watch: Watch
    mark: int = 0
    """Telegram's version when somebody last did something: what is heard is newer."""

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
        """Return once the bot knows that everything it has said arrived, and no run is at work."""
        open_work = (
            "SELECT id FROM outbox WHERE state IN ('new', 'sending') UNION ALL SELECT id FROM runs WHERE"
            " state = 'working' UNION ALL SELECT update_id FROM inbox WHERE state = 'new'"
        )
        await self.until(lambda: not self.query(open_work), "the bot to have nothing left to do")

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the bot's database, read beside it."""
        with closing(sqlite3.connect(f"file:{self.data / 'rackhand.db'}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    @property
    def data(self) -> Path:
        """DATA_DIR."""
        return Path(self.bot.env["DATA_DIR"])

    # People

    def say(self, text: str, user: int = ADMIN, chat: int | None = None) -> Message:
        """Write a message."""
        self.mark = self.lab.telegram.version
        return self.lab.telegram.send(user, text, chat)

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
        return self.lab.telegram.tap(user, message.message_id, data, message.chat.id)

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
        end = asyncio.get_running_loop().time() + PATIENCE
        while not (result := condition()):
            if asyncio.get_running_loop().time() > end:
                raise TimeoutError(f"waited for {what}; the bot's log ends:\n{self.log()[-3000:]}")
            await asyncio.sleep(0.02)
        return result

    def everything_said(self) -> str:
        """Every body that has gone to Telegram or to Claude, and the bot's own log."""
        bodies = [r.body.decode(errors="replace") for r in self.lab.traffic.requests if r.service in OUTWARD]
        return "\n".join([*bodies, self.log()])


OUTWARD = ("telegram", "claude")


def keys(message: Message, start: str) -> list[str]:
    """The labels of the buttons whose data begin like this."""
    return [b["text"] for b in message.buttons if str(b.get("callback_data", "")).startswith(start)]


@asynccontextmanager
async def open_home(
    directory: Path, *, seed: int = 1, started: bool = True, forked: bool = True, **settings: str
) -> AsyncIterator[Home]:
    """A lab at its quickest with a bot in it, as a program of its own unless `forked`; everything ends with the block.

    Raises Leaked if a canary got into what the bot leaves behind, says or sends.
    """
    watch = Watch()
    async with nursery() if forked else nullcontext(), Lab(seed, directory=directory) as lab:
        lab.world.latency = lab.world.health_after = 0.0
        env = environment(lab, **{**watch.lab(lab, settings), **settings})
        kind = Forked if forked else Supervisor
        bot = kind([*MAIN, "run"], env, directory / "bot.log", backoff=(0.0,))
        lab.supervisor = bot
        made = Home(lab, bot, watch)
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
