"""A run's progress in Telegram: one silent message with [Stop], edited as things move, gone with the answer."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from loguru import logger
from telegram.error import BadRequest, RetryAfter, TelegramError

from bot.screen.press import STOP, Press
from bot.screen.view import Button
from bot.settings.people import TELEGRAM, place_of
from bot.telegram.chats import Chats
from bot.telegram.pace import Throttle, may_have_arrived
from memory.models import Run
from memory.stores import Stores

GRACE: Final = 5.0
"""Seconds an edit that is already on its way may take before `finish` gives it up."""
STOPPED = "Stopped."
PATIENCE = 1.6
"""Seconds before a progress message appears: a quick answer needs none."""


class Progress:
    """Keeps one message at the latest text shown; what could not be shown in time is skipped, never queued."""

    def __init__(
        self,
        send: Callable[[str], Awaitable[int]],
        edit: Callable[[int, str], Awaitable[None]],
        throttle: Throttle,
        *,
        grace: float = GRACE,
    ) -> None:
        self._send = send
        self._edit = edit
        self._throttle = throttle
        self._grace = grace
        self._message_id: int | None = None
        self._wanted = ""
        self._tried = ""
        self._shown = ""
        self._worker: asyncio.Task[None] | None = None
        self._calling = False
        self._closed = False
        self._logged = False

    def show(self, text: str) -> None:
        """Put this text on screen as soon as the pace allows, unless a later one comes first."""
        if self._closed or not text:
            return
        self._wanted = text
        if text != self._shown and (self._worker is None or self._worker.done()):
            self._worker = asyncio.create_task(self._work())

    async def finish(self) -> int | None:
        """Stop, and give the id of the message if one was sent; nothing is edited after this returns."""
        self._closed = True
        if self._worker is not None and not self._worker.done():
            try:
                if self._calling:
                    # Cut off, it could still arrive, and overwrite what the caller writes next.
                    await asyncio.wait({self._worker}, timeout=self._grace)
            finally:
                self._worker.cancel()
            await asyncio.wait({self._worker})
        return self._message_id

    async def _work(self) -> None:
        """Bring the message up to date; after a failure the next `show` tries again."""
        while not self._closed and self._wanted != self._shown:
            try:
                await self._throttle.call(self._push)
            except RetryAfter as error:
                self._log(error)
            except (TelegramError, OSError) as error:
                self._log(error)
                if self._message_id is None and may_have_arrived(error):
                    self._closed = True  # it may have arrived: a second one would stay behind
                self._shown = ""
                if self._wanted == self._tried:
                    return

    async def _push(self) -> None:
        text = self._tried = self._wanted
        if text == self._shown:
            return
        self._calling = True
        try:
            if self._message_id is None:
                self._message_id = await self._send(text)
            else:
                await self._edit(self._message_id, text)
        except BadRequest as error:
            if "not modified" not in error.message.lower():
                raise
        finally:
            self._calling = False
        self._shown = text

    def _log(self, error: Exception) -> None:
        if not self._logged:
            self._logged = True
            logger.warning("Progress not shown: {}", error)


async def take_away(chats: Chats, chat: int, message: int, run: Run | None) -> None:
    """The end of a progress message: it goes, or says that its run was stopped, so that whoever tapped sees it."""
    if run is None or run.state != "stopped":
        await chats.delete(chat, message)
        return
    with contextlib.suppress(TelegramError):  # a nicety, as all of this
        await chats.edit(chat, message, await chats.line(STOPPED))


class TelegramScreen:
    """Shows what runs are doing."""

    def __init__(self, stores: Stores, chats: Chats) -> None:
        self._stores, self._chats = stores, chats
        self._shown: dict[str, tuple[int, Progress]] = {}
        self._waiting: dict[str, asyncio.Task[None]] = {}

    def begin(self, run: Run) -> None:
        """Show progress, should it take long enough."""
        if run.conversation.startswith(TELEGRAM) and run.id not in self._shown:
            chat, topic = place_of(run.conversation)
            stop = ((Button("Stop", Press(STOP, run.id).data, "danger"),),)

            async def send(text: str) -> int:
                piece = await self._chats.line(text)
                message = await self._chats.send_now(chat, piece, stop, topic=topic, silent=True)
                await self._stores.runs.set_progress(run.id, message)
                return message

            async def edit(message: int, text: str) -> None:
                await self._chats.edit_now(chat, message, await self._chats.line(text), stop)

            self._shown[run.id] = chat, Progress(send, edit, self._chats.throttle(chat))
            self._waiting[run.id] = asyncio.create_task(self._after_a_while(run.id, chat, topic))

    async def _after_a_while(self, run: str, chat: int, topic: int | None) -> None:
        with contextlib.suppress(TelegramError):  # a nicety
            await self._chats.bot.send_chat_action(chat, "typing", message_thread_id=topic)
        await asyncio.sleep(PATIENCE)
        self._waiting.pop(run, None)
        self.doing(run, "Thinking …")

    def doing(self, run: str, line: str) -> None:
        """Latest wins; nothing is shown for a run that answers at once."""
        if run in self._shown and run not in self._waiting:
            self._shown[run][1].show(line)

    async def end(self, run: str) -> None:
        """Take the progress message away; of a run that was stopped it says so."""
        if waiting := self._waiting.pop(run, None):
            waiting.cancel()
        if run in self._shown:
            chat, progress = self._shown.pop(run)
            message = await progress.finish()
            if message is not None:
                await take_away(self._chats, chat, message, await self._stores.runs.get(run))

    async def tidy(self, run: Run) -> None:
        """Take away what a crash left on the screen."""
        if run.progress is not None and run.conversation.startswith(TELEGRAM):
            await self._chats.delete(place_of(run.conversation)[0], run.progress)
