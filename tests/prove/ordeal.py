"""A home whose bot dies and comes back, is judged by what it left behind, and has people who carry on."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.telegram.state import ADMIN, Message
from lab.traffic import Request
from tests.e2e.harness import PATIENCE, Forked, Home, open_home
from tests.prove.evidence import Evidence, gather
from tests.watch import opened

YES, NO, ARM, UNDO, KNOWN = r"^a1:.*:y$", r"^a1:.*:n$", r"^a1:.*:d$", "^u1:", "^k1:"
"""What stands behind the buttons."""
PLENTY = {"BUDGET_TASK_USD": "5", "BUDGET_DAILY_USD": "50"}
"""A request that a kill interrupts is booked at the most it can have cost: twice is all that the default pays for."""


@dataclass
class Ordeal(Home):
    """A home whose bot may be dead at any moment; what people do carries on whatever happens."""

    bot: Forked
    console: bool = False
    """Whether somebody decides in a terminal."""

    # The bot's life

    @property
    def exits(self) -> list[int]:
        """How the bot has ended by itself or was killed, each time."""
        return self.bot.exits

    async def restart(self, *arguments: str, **settings: str) -> None:
        """End the bot and start it with other arguments and settings; returns when it polls."""
        await self.end()
        self.bot.env = {**self.bot.env, **settings}
        await self.begin(list(arguments))
        await self.polls()

    async def begin(self, *arguments: list[str]) -> None:
        """Start the bot, with these arguments at its first start, its second…; returns at once."""
        self.bot.arguments = [*arguments] or self.bot.arguments
        await self.bot.start()

    async def end(self, *, gently: bool = False) -> int:
        """End the bot for now, by kill -9 unless `gently`; its exit status."""
        if self.bot._task is not None:
            self.bot._task.cancel()
            await asyncio.gather(self.bot._task, return_exceptions=True)
        alive = self.bot.victim.alive
        self.bot.victim.signal(signal.SIGTERM if gently else signal.SIGKILL)
        status = await asyncio.wait_for(self.bot.victim.wait(), PATIENCE)
        if alive:  # this end is none of its own
            self.exits.pop()
        return status

    async def over(self) -> int:
        """The exit status with which the bot gave up."""
        await asyncio.wait_for(self.bot.gave_up.wait(), PATIENCE)
        return self.exits[-1]

    async def stopped(self) -> None:
        """Return once the bot has stopped itself (SIGSTOP)."""
        await self.until(lambda: self.bot.victim.stopped, "the bot to stop")

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
        began = self.bot.began[-1]
        return any(r.at > began and r.path.endswith("/getUpdates") for r in self.lab.traffic.requests[::-1])

    def _settled(self) -> bool:
        alive = self.bot.victim.alive and not self.bot.victim.stopped
        return alive and self._polls() and super()._settled()

    # People

    async def written(self, text: str, user: int = ADMIN) -> None:
        """Write a message; returns when everything has settled."""
        self.say(text, user)
        await self.quiet()

    async def pressed(self, message: Message, data: str) -> None:
        """Press a button; returns when everything has settled."""
        self.press(message, data)
        await self.quiet()

    def showing(self, pattern: str, verb: str, chat: int = ADMIN) -> list[tuple[Message, str]]:
        """Messages that match and have a button whose data match `verb`, newest last, with those data."""
        found = []
        for message in self.lab.telegram.sent(chat):
            data = next((d for b in message.buttons if re.search(verb, d := str(b.get("callback_data", "")))), "")
            if data and re.search(pattern, message.text, re.S):
                found.append((message, data))
        return found

    async def shown(self, pattern: str, verb: str = YES, chat: int = ADMIN) -> tuple[Message, str]:
        """The newest open card that matches, and the data of its button."""
        return (await self.until(lambda: self.showing(pattern, verb, chat), f"a card {pattern!r}"))[-1]

    async def offered(self, text: str) -> tuple[Message, str]:
        """Ask for a change in the words that its card has; the card, and the data that approve it."""
        self.say(text)
        return await self.shown(text.capitalize())

    async def decide(self, pattern: str, verb: str = YES, chat: int = ADMIN) -> None:
        """Tap a card until it is no longer open, as a person does who sees that nothing happens."""
        await self.shown(pattern, verb, chat)
        for _ in range(4):
            if found := self.showing(pattern, verb, chat):
                await self.pressed(*found[-1])

    async def decide_if_shown(self, pattern: str, verb: str = YES) -> None:
        """`decide`, when there is such a card: after a crash there may be none."""
        if self.showing(pattern, verb):
            await self.decide(pattern, verb)

    async def hear(self, pattern: str, user: int = ADMIN, *, mark: int | None = None) -> Message:
        """A message of the bot's that matches, whenever it was sent."""
        return await super().hear(pattern, user, mark=mark or 0)

    # What can be seen

    def received(self, service: str, *, begun: bool = False) -> list[Request]:
        """Requests that a service has received, or (`begun`) has begun to answer."""
        found = self.lab.traffic.requests
        return [r for r in found if r.service == service and (r.status is not None or not begun)]

    def effects(self) -> list[str]:
        """Requests that changed an engine: method and what was done."""
        return [f"{made.method} {made.path.rpartition('/')[2][:12]}" for made in self.evidence().effects]

    def states(self) -> list[str]:
        """The states of all changes, oldest first."""
        return [row[0] for row in self.query("SELECT state FROM calls ORDER BY proposed, position")]

    def evidence(self) -> Evidence:
        """Everything the checker is given."""
        found = gather(self.lab, self.data, self.bot.began, self.updates)
        found.console = self.console
        return found


@asynccontextmanager
async def stage(folder: Path, *arguments: list[str], **settings: str) -> AsyncIterator[Ordeal]:
    """A stage whose bot is not started yet; `arguments` of each start in turn."""
    async with open_home(folder, kind=Ordeal, started=False, **{**PLENTY, **settings}) as made:
        made.bot.arguments = [*arguments]
        try:
            yield made
        finally:
            opened.remove(made.watch)
            if made.bot.starts:
                made.bot.victim.signal(signal.SIGCONT)
                made.watch.process(made.bot.pid if made.bot.victim.alive else None)
                await made.end()  # kill -9: the WAL stays behind
