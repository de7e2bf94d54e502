"""A run's progress in Telegram: one silent message with [Stop], drawn again as things move, gone after the answer."""

import asyncio
import contextlib

from telegram.error import TelegramError

from bot.screen.press import STOP, Press
from bot.screen.render import escape
from bot.screen.view import Button, View
from bot.settings.people import TELEGRAM, place_of
from bot.telegram.chats import Chats
from memory.database import DATABASE_ERRORS
from memory.models import PROGRESS, Run
from memory.stores import Stores

STOPPED = "Stopped."
PATIENCE = 1.6
"""Seconds before a progress message appears: a quick answer needs none."""


class TelegramScreen:
    """Knows what runs are doing, and has it shown. All of it is a nicety."""

    def __init__(self, stores: Stores, chats: Chats) -> None:
        self._stores, self._chats = stores, chats
        self._doing: dict[str, str] = {}
        """What each run that is shown does now."""
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._redrawing: dict[str, asyncio.Task[None]] = {}

    def begin(self, run: Run) -> None:
        """Show progress, should it take long enough."""
        if run.conversation.startswith(TELEGRAM) and run.id not in self._waiting:
            self._waiting[run.id] = asyncio.create_task(self._after_a_while(run))

    async def _after_a_while(self, run: Run) -> None:
        chat, topic = place_of(run.conversation)
        with contextlib.suppress(TelegramError):
            await self._chats.bot.send_chat_action(chat, "typing", message_thread_id=topic)
        await asyncio.sleep(PATIENCE)
        self._doing[run.id] = "Thinking …"
        with contextlib.suppress(*DATABASE_ERRORS):
            async with self._stores.database.transaction() as tx:
                await self._stores.outbox.draw(tx, run.conversation, PROGRESS, run.id, silent=True)

    def doing(self, run: str, line: str) -> None:
        """Latest wins; nothing is shown for a run that answers at once."""
        if run in self._doing and line:
            self._doing[run] = line
            if run not in self._redrawing:
                task = self._redrawing[run] = asyncio.create_task(self._redraw(run))
                task.add_done_callback(lambda _: self._redrawing.pop(run))

    async def end(self, run: str) -> None:
        """Let the progress message go; it does so after whatever else is to be said."""
        if waiting := self._waiting.pop(run, None):
            waiting.cancel()
            await asyncio.wait({waiting})
        if self._doing.pop(run, None):
            await self._redraw(run)

    async def _redraw(self, run: str) -> None:
        with contextlib.suppress(*DATABASE_ERRORS):
            async with self._stores.database.transaction() as tx:
                await self._stores.outbox.redraw(tx, PROGRESS, run)

    async def view(self, run_id: str) -> View | None:
        """What it does; of a run that was stopped that it was, so that whoever tapped sees it; else nothing more."""
        if line := self._doing.get(run_id):
            return View(escape(line), ((Button("Stop", Press(STOP, run_id).data, "danger"),),))
        run = await self._stores.runs.get(run_id)
        return View(STOPPED) if run is not None and run.state == "stopped" else None
