"""What the bot does unasked: takes up what a crash left open, expires cards, and says when it cannot work."""

import asyncio
import contextlib
import time

from loguru import logger
from telegram.error import TelegramError

from bot.core import Core
from bot.screen.render import Piece
from bot.settings.people import TELEGRAM
from bot.telegram.chats import Chats
from bot.telegram.poller import CONFLICT, Poller
from memory.database import DATABASE_ERRORS

SWEEP_SECONDS = 3.0
INTERRUPTED = "\nI was restarted meanwhile: ↻ asks again."
DEAF_SECONDS = 60.0
"""After this, that messages do not arrive is no passing trouble."""


class Upkeep:
    """Looks after the runs and cards that nobody else works on, and after the bot itself."""

    def __init__(self, core: Core, chats: Chats, poller: Poller, owner: str) -> None:
        self._core, self._chats, self._poller, self._owner = core, chats, poller, owner
        self._storage_trouble = ""

    async def take_up(self) -> set[str]:
        """Close or carry on what a crash left open, before anything new may start; no target is asked for it.

        Returns the runs that had a change under way: `look_after` looks at the targets of those.
        """
        core = self._core
        begun = await core.recovery.settle()
        left = await core.stores.runs.in_state("working", "waiting")
        async with core.stores.database.transaction() as tx:
            await core.stores.outbox.interrupt(tx, INTERRUPTED)
        if carried := await core.runner.recover({run.id for run in left} - begun):
            logger.info("recovered: {} open runs", carried)
        return begun

    async def look_after(self, begun: set[str]) -> None:
        """Say what came of the changes that were under way and go on with their runs; then sweep for ever."""
        if unknown := await self._core.recovery.look(begun):
            logger.info("recovered: {} unknown outcomes", unknown)
            await self._core.runner.recover(begun)
        await self._sweep()

    async def _sweep(self) -> None:
        """Expire cards, and settle what a database that refused writes has left behind."""
        core = self._core
        adrift: set[str] = set()
        while True:
            try:
                await core.decisions.sweep()
                await core.halt.forget_finished(core.stores.runs)
                # Seen twice in a row: between its commit and its task a run is adrift for a moment.
                if lost := adrift & (adrift := await core.runner.adrift()):
                    await core.recovery.run(lost)
                    await core.runner.recover(lost)
                self._storage_trouble = ""
            except DATABASE_ERRORS as error:
                self._storage_trouble = f"I cannot write my database ({error}): free some disk. I change nothing."
            await asyncio.sleep(SWEEP_SECONDS)

    async def report_trouble(self) -> None:
        """Say what is wrong with the bot itself, once each time: it must never look healthy while it is deaf."""
        told = ""
        while True:
            storage = self._poller.storage_trouble or self._storage_trouble
            trouble = CONFLICT if self._core.halt.everything == CONFLICT else storage or self._deafness()
            if trouble and trouble != told:
                with contextlib.suppress(TelegramError):  # not through the outbox: it may be the disk that is full
                    chat = int(self._owner.removeprefix(TELEGRAM))
                    await self._chats.throttle(chat).turn()
                    await self._chats.send(chat, Piece(trouble, ()))
            told = trouble
            await asyncio.sleep(SWEEP_SECONDS)

    def _deafness(self) -> str:
        """Why nothing that people write arrives, while what is said to them may well do."""
        since = self._poller.deaf_since
        if since is None or time.monotonic() - since < DEAF_SECONDS:
            return ""
        return f"I cannot hear you: {self._poller.trouble}."
