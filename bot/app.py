"""The bot: wires Telegram to the core. Polling starts first; tools and models are loaded behind it."""

import asyncio
import contextlib
import gc
import signal
import time
from collections.abc import Awaitable, Callable
from functools import partial

from loguru import logger
from telegram import Bot, BotCommand, BotCommandScopeChat
from telegram.error import BadRequest, Forbidden, InvalidToken, TelegramError
from telegram.request import HTTPXRequest

from bot import pages as pages  # registers the menu pages
from bot.access import Roster
from bot.cards import Cards
from bot.commands import COMMANDS, Commands, Desk, nearest_command
from bot.control import Control, serve_socket
from bot.core import Core
from bot.delivery import Delivery, Telegram
from bot.dispatch import Dispatch, view_of
from bot.doctor import Doctor
from bot.footer import footer
from bot.poller import CONFLICT, Poller
from bot.render import Piece, escape
from bot.screen import TelegramScreen
from bot.settings import Settings
from bot.view import Format, View
from bot.watchdog import keep_watch
from memory.database import is_database_error
from memory.models import Actor, Outgoing, Role, Run
from memory.runs import final_text
from memory.stores import Stores
from memory.text import Redactor

SWEEP_SECONDS = 3.0
LOOK_AGAIN_SECONDS = 5.0
PATIENCE_SECONDS = 0.25


def telegram_bot(settings: Settings) -> Bot:
    """A client that obeys TELEGRAM_API_URL and nothing in the environment."""
    root = settings.telegram_api_url.rstrip("/")
    options = {"trust_env": False}
    return Bot(
        settings.telegram_bot_token.get_secret_value().strip(),
        base_url=f"{root}/bot",
        base_file_url=f"{root}/file/bot",
        request=HTTPXRequest(
            connection_pool_size=16, connect_timeout=10, read_timeout=15, write_timeout=15, httpx_kwargs=options
        ),
        get_updates_request=HTTPXRequest(httpx_kwargs=options),
    )


class App:
    """One process that owns the state."""

    def __init__(self, settings: Settings, stores: Stores, redact: Redactor) -> None:
        self.settings, self.stores = settings, stores
        self.bot = telegram_bot(settings)
        self.telegram = Telegram(self.bot, redact)
        self.screen = TelegramScreen(stores, self.telegram)
        self._stop = asyncio.Event()
        self._storage_trouble = ""
        self._owner = f"tg:{settings.alert_chat or settings.first_admin}"

    async def run(
        self,
        core: Core,
        digest: Callable[[Actor], Awaitable[str]],
        poller: Poller,
        others: list[asyncio.Task[None]],
        began: float,
    ) -> None:
        """Serve until told to stop; `others` are parts that run beside. Raises TokenRejected."""
        form = Format(self.settings.zone)
        doctor = Doctor(core, poller)
        desk = Desk(
            self.stores, core.proposals, core.chat, core.taps, core.access, core.halt, core.budget, form,
            doctor.text, digest,
        )  # fmt: skip
        dispatch = Dispatch(
            self.stores, self.bot, self.telegram, core.access, Commands(desk), core.taps, core.chat, self._owner
        )
        cards = Cards(self.stores, self.stores.keys, form)
        delivery = Delivery(self.stores, self.telegram, lambda row: self._draw(row, cards))
        self._listen_for_signals()
        # Before anybody can ask for anything: the last start's panic holds, and nothing of it begins late.
        await core.halt.restore(self.stores)
        begun = await self._settle(core)
        control = await serve_socket(Control(core, doctor), self.settings.data_dir / "control.sock")
        niceties = [
            asyncio.create_task(self._introduce(core.access), name="introduce"),
            asyncio.create_task(self._warm_up(), name="warm up"),
        ]
        work = [
            *others,
            asyncio.create_task(delivery.run(), name="delivery"),
            asyncio.create_task(self._dispatch(core, dispatch, poller), name="dispatch"),
            asyncio.create_task(self._look_after(core, begun), name="sweep"),
            asyncio.create_task(self._confess(core, poller), name="confess"),
            asyncio.create_task(keep_watch(poller, self.stores.database), name="watchdog"),
        ]
        first = (poller.first_poll or time.monotonic()) - began
        logger.info("ready; polled {:.2f} s after start, {} tools", first, len(core.tools))
        try:
            await self._until_stopped(work)
        finally:
            for task in (*work, *niceties):
                task.cancel()
            await asyncio.gather(*work, *niceties, return_exceptions=True)
            await control.stop()
            with contextlib.suppress(TelegramError):
                await self.bot.shutdown()

    def stop(self) -> None:
        """Come to an end."""
        self._stop.set()

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

    # -- parts --------------------------------------------------------------------------------------------------

    async def _settle(self, core: Core) -> set[str]:
        """Close or carry on what a crash left open before anything new may start; no target is asked for it.

        Returns the runs of which something was under way: they wait for a look at its target.
        """
        begun = await core.recovery.settle()
        left = await self.stores.runs.in_state("working", "waiting")
        core.tasks.spawn(self._tidy([run for run in left if run.state == "working"]), name="tidy")
        if carried := await core.chat.recover({run.id for run in left} - begun):
            logger.info("recovered: {} open runs", carried)
        return begun

    async def _look_after(self, core: Core, begun: set[str]) -> None:
        """Say what is unknown, go on with its runs, then keep an eye on what is open."""
        if unknown := await core.recovery.look(begun):
            logger.info("recovered: {} unknown outcomes", unknown)
            await core.chat.recover(begun)
        await self._sweep(core)

    async def _tidy(self, runs: list[Run]) -> None:
        for run in runs:
            await self.screen.tidy(run)

    async def _dispatch(self, core: Core, dispatch: Dispatch, poller: Poller) -> None:
        """Updates, one after another."""
        under_way: set[int] = set()
        while True:
            poller.arrived.clear()
            lapsed = await self.stores.inbox.lapsed()
            for update_id, raw in await self.stores.inbox.pending():
                if update_id not in under_way:
                    under_way.add(update_id)
                    work = dispatch.handle(update_id, raw, lapsed=update_id in lapsed)
                    task = core.tasks.spawn(work, name=f"update {update_id}")
                    task.add_done_callback(partial(_forget, under_way, update_id))
                    # Lines keep their order; a command that waits for a slow service holds nobody up.
                    await asyncio.wait([task], timeout=PATIENCE_SECONDS)
            # An update whose handling failed is tried again; its attempts are counted.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                    await poller.arrived.wait()

    async def _offer_commands(self, access: Roster) -> None:
        """To each chat that has written the commands of its role; strangers are offered nothing."""
        await self.bot.delete_my_commands()
        offered: set[int] = set()
        while True:
            for chat in access.heard - offered:  # of anybody else Telegram knows no chat yet
                commands = [
                    BotCommand(c.name, c.summary)
                    for c in COMMANDS.values()
                    if (c.is_for(access, f"tg:{chat}") if chat > 0 else c.role <= Role.VIEWER)
                ]
                offered.add(chat)
                with contextlib.suppress(BadRequest, Forbidden):
                    await self.bot.set_my_commands(commands, scope=BotCommandScopeChat(chat))
            await asyncio.sleep(SWEEP_SECONDS)

    async def _introduce(self, access: Roster) -> None:
        """Who am I, and which commands I know: niceties, tried until they work."""
        while True:
            try:
                await self.bot.initialize()
                await self._offer_commands(access)
            except InvalidToken:
                # The poller is the judge of the token; a server without setMyCommands answers the same way.
                return
            except TelegramError as error:
                logger.info("introduction failed ({}), trying again", type(error).__name__)
                await asyncio.sleep(10)

    async def _sweep(self, core: Core) -> None:
        """Expire cards, and settle what a database that refused writes has left behind."""
        adrift: set[str] = set()
        while True:
            try:
                await core.taps.sweep()
                await core.halt.forget_finished(self.stores.runs)
                # Seen twice in a row: between its commit and its task a run is adrift for a moment.
                if lost := adrift & (adrift := await core.chat.adrift()):
                    await core.recovery.run(lost)
                    await core.chat.recover(lost)
                self._storage_trouble = ""
            except Exception as error:
                if not is_database_error(error):
                    raise
                self._storage_trouble = f"I cannot write my database ({error}): free some disk. I change nothing."
            await asyncio.sleep(SWEEP_SECONDS)

    async def _confess(self, core: Core, poller: Poller) -> None:
        """Say what is wrong with the bot itself, once each time: it must never look healthy while it is deaf."""
        told = ""
        while True:
            storage = poller.storage_trouble or self._storage_trouble
            trouble = CONFLICT if core.halt.everything == CONFLICT else storage
            if trouble and trouble != told:
                with contextlib.suppress(TelegramError):  # not through the outbox: it may be the disk that is full
                    await self.telegram.send(int(self._owner.removeprefix("tg:")), Piece(trouble, ()))
            told = trouble
            await asyncio.sleep(SWEEP_SECONDS)

    async def _warm_up(self) -> None:
        """Once everything is loaded, take it out of the collector's way: a full collection then costs nothing."""
        await asyncio.sleep(2.0)
        gc.collect()
        gc.freeze()

    async def _draw(self, row: Outgoing, cards: Cards) -> View | None:
        """What an outbox row says now."""
        if row.kind == "card":
            return await cards.card(row.payload["card"])
        if row.kind == "receipt":
            return await cards.receipt(row.payload["call"])
        if row.kind in ("view", "digest"):
            return view_of(row.payload)
        if row.kind == "stuck":
            run = await self.stores.runs.get(row.payload["run"])
            near = nearest_command(run.objective if run else "")
            hint = f"Without me thinking, {near} comes nearest; /help has the rest."
            return View(f"{escape(row.payload['error'])}\n\n{escape(hint)}")
        messages = await self.stores.runs.messages(row.payload["run"])
        if row.kind == "answer":
            run_id = row.payload["run"]
            return View(f"{final_text(messages)}\n\n{await footer(self.stores, run_id)}".strip())
        if row.kind == "verdict":
            return View(escape(_verdict(messages)))
        return None


def _forget(under_way: set[int], update_id: int, task: asyncio.Task[None]) -> None:
    under_way.discard(update_id)


def _verdict(messages: list[dict[str, object]]) -> str:
    """What came of a one-call run that left no journal row: refused, failed, or nothing to do."""
    from bot.console import plain_results

    return plain_results(messages) or "Nothing to do."
