"""The bot: wires Telegram to the core and runs until it is told to stop."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from loguru import logger
from telegram import Bot
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from bot.core import Core
from bot.doctor import Doctor
from bot.menus.commands import Commands
from bot.menus.declared import menu_of
from bot.menus.desk import Desk
from bot.screen.cards import Cards
from bot.screen.drawing import Drawing
from bot.screen.view import Button, Format, View
from bot.settings.people import TELEGRAM
from bot.settings.settings import Settings
from bot.telegram.chats import Chats
from bot.telegram.delivery import Delivery
from bot.telegram.dispatch import Dispatch
from bot.telegram.introduction import introduce
from bot.telegram.poller import Poller
from bot.telegram.unreachable import LostChats
from bot.telegram.upkeep import Upkeep
from bot.telegram.watchdog import keep_watch
from memory.models import Actor, Role

SETTLED_SECONDS = 2.0
"""After the first poll, when what was left open has been taken up: loading the SDK keeps a core busy for a while."""


def telegram_bot(settings: Settings) -> Bot:
    """A client that obeys TELEGRAM_API_URL and nothing in the environment."""
    root = settings.telegram_api_url.rstrip("/")
    options = {"trust_env": False}
    return Bot(
        settings.telegram_bot_token.get_secret_value(),
        base_url=f"{root}/bot",
        base_file_url=f"{root}/file/bot",
        request=HTTPXRequest(
            connection_pool_size=16, connect_timeout=10, read_timeout=15, write_timeout=15, httpx_kwargs=options
        ),
        get_updates_request=HTTPXRequest(httpx_kwargs=options),
    )


class App:
    """One process that owns the state and speaks to Telegram."""

    def __init__(
        self, core: Core, chats: Chats, poller: Poller, doctor: Doctor, digest: Callable[[Actor], Awaitable[View]]
    ) -> None:
        """`digest` writes the daily digest as this person may read it. Raises BrokenService."""
        settings, stores, form = core.settings, core.stores, Format(core.settings.zone)
        owner = f"{TELEGRAM}{settings.alert_chat or settings.first_admin}"
        owners = [chat for chat in (settings.alert_chat, settings.first_admin) if chat]
        unreachable = LostChats(stores, core.runner, owners)
        self._core, self._chats, self._poller = core, chats, poller
        menu = self._menu = menu_of(core.tools, core.clients.configured)
        desk = Desk(
            stores, core.proposals, core.opener, core.runner, core.decisions, core.access, core.halt, core.budget, form,
            menu, doctor.view, digest,
        )  # fmt: skip
        self._dispatch = Dispatch(
            core, chats, Commands(desk), unreachable, owner, menu.commands, lambda: poller.hearing_since
        )
        drawing = Drawing(stores, Cards(stores, form), menu.nearest, self._ways_on, core.screen.view, form)
        self._delivery = Delivery(stores, chats, drawing.draw, unreachable.refused)
        self._upkeep = Upkeep(core, chats, poller, owner)
        self._stop = asyncio.Event()

    async def run(
        self, *beside: Coroutine[Any, Any, None], door: AbstractAsyncContextManager[None] | None = None
    ) -> None:
        """Serve until told to stop, with what runs `beside`; another `door` opens once what was left is taken up.

        Raises TokenRejected.
        """
        core, poller = self._core, self._poller
        self._listen_for_signals()
        work = [
            asyncio.create_task(poller.run(), name="poll"),  # first: whoever writes meanwhile is heard already
            *map(asyncio.create_task, beside),
        ]
        niceties: list[asyncio.Task[None]] = []
        opened = contextlib.AsyncExitStack()
        try:
            begun = await self._upkeep.take_up()
            if door is not None:
                await opened.enter_async_context(door)
            work += [
                asyncio.create_task(self._delivery.run(), name="delivery"),
                asyncio.create_task(self._dispatch.run(poller.arrived), name="dispatch"),
                asyncio.create_task(self._upkeep.look_after(begun), name="upkeep"),
                asyncio.create_task(self._upkeep.report_trouble(), name="trouble"),
                asyncio.create_task(keep_watch(poller, core.stores.database), name="watchdog"),
            ]
            commands = self._menu.commands.values()
            niceties += [
                asyncio.create_task(introduce(self._chats.bot, core.access, commands), name="introduce"),
                asyncio.create_task(self._warm_up(), name="warm up"),
            ]
            logger.info("ready with {} tools", len(core.tools))
            await self._until_stopped(work)
        finally:
            for task in (*work, *niceties):
                task.cancel()
            await asyncio.gather(*work, *niceties, return_exceptions=True)
            await opened.aclose()
            with contextlib.suppress(TelegramError):
                await self._chats.bot.shutdown()

    def stop(self) -> None:
        """Come to an end."""
        self._stop.set()

    def _ways_on(self, conversation: str) -> tuple[Button, ...]:
        """Where a digest leads whoever reads it there."""
        access = self._core.access
        return self._menu.ways_on(lambda service: access.highest(conversation, service) >= Role.VIEWER)

    async def _warm_up(self) -> None:
        """Load what the first question needs, and take everything out of the collector's way: it then costs nothing."""
        await asyncio.sleep(SETTLED_SECONDS)
        await self._core.warm_up()
        gc.collect()
        gc.freeze()

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)

    async def _until_stopped(self, work: list[asyncio.Task[None]]) -> None:
        """Wait for the signal; a part that ends by itself takes everything with it, loudly."""
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait([stop, *work], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        for task in work:
            if task in done:
                task.result()
