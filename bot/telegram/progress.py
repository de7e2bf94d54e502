"""A run's progress in Telegram: one silent message with [Stop], edited as things move, gone with the answer."""

import asyncio
import contextlib

from telegram.error import TelegramError

from bot.screen.view import Button
from bot.settings.people import TELEGRAM, place_of
from bot.telegram.delivery import Telegram
from bot.telegram.pace import Progress
from memory.models import Run
from memory.stores import Stores

PATIENCE = 1.6
"""Seconds before a progress message appears: a quick answer needs none."""


class TelegramScreen:
    """Shows what runs are doing."""

    def __init__(self, stores: Stores, telegram: Telegram) -> None:
        self._stores, self._telegram = stores, telegram
        self._shown: dict[str, tuple[int, Progress]] = {}
        self._waiting: dict[str, asyncio.Task[None]] = {}

    def begin(self, run: Run) -> None:
        """Show progress, should it take long enough."""
        if run.conversation.startswith(TELEGRAM) and run.id not in self._shown:
            chat, topic = place_of(run.conversation)
            stop = ((Button("Stop", f"s:{run.id}", "danger"),),)

            async def send(text: str) -> int:
                piece = await self._telegram.line(text)
                message = await self._telegram.send_now(chat, piece, stop, topic=topic, silent=True)
                await self._stores.runs.set_progress(run.id, message)
                return message

            async def edit(message: int, text: str) -> None:
                await self._telegram.edit_now(chat, message, await self._telegram.line(text), stop)

            self._shown[run.id] = chat, Progress(send, edit, self._telegram.throttle(chat))
            self._waiting[run.id] = asyncio.create_task(self._after_a_while(run.id, chat, topic))

    async def _after_a_while(self, run: str, chat: int, topic: int | None) -> None:
        with contextlib.suppress(TelegramError):  # a nicety
            await self._telegram.bot.send_chat_action(chat, "typing", message_thread_id=topic)
        await asyncio.sleep(PATIENCE)
        self._waiting.pop(run, None)
        self.doing(run, "Thinking …")

    def doing(self, run: str, line: str) -> None:
        """Latest wins; nothing is shown for a run that answers at once."""
        if run in self._shown and run not in self._waiting:
            self._shown[run][1].show(line)

    async def end(self, run: str) -> None:
        """Take the progress message away."""
        if waiting := self._waiting.pop(run, None):
            waiting.cancel()
        if run in self._shown:
            chat, progress = self._shown.pop(run)
            message = await progress.finish()
            if message is not None:
                await self._telegram.delete(chat, message)

    async def tidy(self, run: Run) -> None:
        """Take away what a crash left on the screen."""
        if run.progress is not None and run.conversation.startswith(TELEGRAM):
            await self._telegram.delete(place_of(run.conversation)[0], run.progress)


class NoScreen:
    """For doors without one: nothing is shown."""

    def begin(self, run: Run) -> None:
        """Nothing to show."""

    def doing(self, run: str, line: str) -> None:
        """Nothing to show."""

    async def end(self, run: str) -> None:
        """Nothing to show."""

    async def tidy(self, run: Run) -> None:
        """Nothing to take away."""
