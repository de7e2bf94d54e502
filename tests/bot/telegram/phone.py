"""A phone on which everything that is said to one chat arrives, and a clock that is moved by hand."""

import asyncio
from types import SimpleNamespace
from typing import Any

from telegram.error import Forbidden, TelegramError

from bot.screen.drawing import Drawing
from bot.screen.view import Format
from bot.telegram.chats import Chats
from bot.telegram.delivery import Delivery
from bot.telegram.pace import Throttle
from bot.telegram.progress import TelegramScreen
from memory.models import Run
from memory.secrets import Redactor
from tests.house import House
from tests.memory.rows import a_run

THINKING = "Thinking …"


class HandClock:
    """Time that stands still until advanced; sleepers wake in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def read(self) -> float:
        return self.now

    @property
    def waiting(self) -> int:
        """How many wait for it."""
        return sum(not future.done() for _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, future))
        await future

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        await settle()
        while due := [s for s in self._sleepers if s[0] <= end and not s[1].done()]:
            first = min(due, key=lambda s: s[0])
            self.now = max(self.now, first[0])
            first[1].set_result(None)
            self._sleepers.remove(first)
            await settle()
        self.now = end


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Phone:
    """What reaches Telegram and when by a clock that stands still; it fails on demand."""

    def __init__(self, house: House) -> None:
        self.house, self.time = house, HandClock()
        self.calls, self.failures, self.gate = list[tuple[float, str]](), list[TelegramError | None](), asyncio.Event()
        self.gate.set()
        self.stops = 0
        chats = Chats(self, Redactor())  # type: ignore[arg-type]
        chats._throttles[1] = Throttle(clock=self.time.read, sleep=self.time.sleep)
        self.throttle = chats.throttle(1)
        self.screen = TelegramScreen(house.stores, chats)
        form = Format(house.settings.zone)
        drawing = Drawing(house.stores, house.cards, lambda line: "", lambda where: (), self.screen.view, form)
        self._worker = asyncio.create_task(Delivery(house.stores, chats, drawing.draw).run())

    async def close(self) -> None:
        self._worker.cancel()
        await asyncio.wait({self._worker})

    async def _call(self, said: str) -> None:
        self.calls.append((self.time.now, said.partition("\n")[0]))
        failure = self.failures.pop(0) if self.failures else None
        await self.gate.wait()
        if failure:
            raise failure

    async def send_message(self, chat: int, text: str, reply_markup: Any = None, **how: Any) -> Any:
        self.stops += reply_markup is not None
        number = 7 + sum(said.startswith("send") for said in self.said)
        await self._call(f"send {text}")
        return SimpleNamespace(message_id=number)

    async def edit_message_text(self, text: str, chat: int, message: int, **how: Any) -> None:
        await self._call(f"edit {message} {text}")

    async def delete_message(self, chat: int, message: int) -> None:
        await self._call(f"delete {message}")

    async def send_chat_action(self, *_: Any, **__: Any) -> None:
        raise Forbidden("a nicety")

    @property
    def said(self) -> list[str]:
        return [said for _, said in self.calls]

    async def begun(self, trigger: str = "t1") -> Run:
        """A run that is at work, and whose progress is on the screen, or was to be."""
        run = await self.house.stores.runs.get(await a_run(self.house.stores, trigger))
        assert run is not None
        self.screen.begin(run)
        await self.screen._waiting[run.id]
        await self.rest()
        return run

    async def answers(self, run: Run) -> None:
        """The run ends with an answer."""
        await self.house.stores.outbox.say("tg:1", "view", f"answer:{run.id}", text="It is up.", buttons=[], run=run.id)
        await self.screen.end(run.id)

    async def does(self, run: Run, *lines: str) -> None:
        for line in lines:
            self.screen.doing(run.id, line)
            await self.rest()

    async def rest(self) -> None:
        """Return once there is nothing to do but to wait: for the clock, or for Telegram."""
        while tasks := list(self.screen._redrawing.values()):
            await asyncio.wait(tasks)
        for _ in range(1000):
            open_ = len(await self.house.stores.outbox.open("tg:1"))
            if not open_ or self.time.waiting or not self.gate.is_set():
                break
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
