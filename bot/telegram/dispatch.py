"""From a stored update to whoever answers it: access first, then commands, taps and lines."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any

from loguru import logger
from telegram import CallbackQuery, MaybeInaccessibleMessage, Message, Update, User
from telegram import Chat as TelegramChat
from telegram.error import TelegramError

from bot.core import Core
from bot.menus.commands import Commands
from bot.menus.desk import Request
from bot.menus.menu import typed
from bot.menus.undo import LISTED
from bot.runs.decisions import STRANGER, Tap
from bot.runs.opener import Around
from bot.screen.press import CARD, KNOWN, PAGE, STOP, UNDO, Press
from bot.screen.view import STATUS, View
from bot.settings.people import TELEGRAM, conversation_of
from bot.telegram.chats import Chats
from bot.telegram.parts import Parcel, Parts
from bot.telegram.replies import quote_of
from bot.telegram.unreachable import LostChats, moved_key
from bot.telegram.words import Command, check, words_of
from memory.database import Transaction
from memory.models import PROGRESS, Actor
from memory.points import point
from memory.text import clean

TEXT_ONLY = "I read text only. Write it, or send the log line as text."
FORWARDED = "I don't act on forwarded messages. Say it in your own words."
ENDED = "It has ended already."
LAPSED = "You wrote this more than a day ago, and I was off. I did not act on it."
TOO_MANY = "I am still busy with your earlier questions. Wait for them, or /stop; then try again."
MOST_QUEUED = 5
PATIENCE_SECONDS = 0.25
"""How long an update holds up the next one: lines keep their order, and a slow service delays nobody."""
LOOK_AGAIN_SECONDS = 5.0
"""After this an update whose handling failed is tried again."""
COMMON_FAULTS = (TypeError, KeyError, ValueError, AttributeError, OverflowError, OSError, RecursionError)
"""What parsing somebody else's JSON can raise."""


class Dispatch:
    """Handles one update after another; nothing here waits for a run."""

    def __init__(
        self, core: Core, chats: Chats, commands: Commands, unreachable: LostChats, owner: str,
        names: Collection[str], hearing_since: Callable[[], float | None],
    ) -> None:  # fmt: skip
        """`names` are those of all commands; `hearing_since` tells since when whatever people send arrives at once."""
        self._stores, self._access, self._decisions = core.stores, core.access, core.decisions
        self._opener, self._runner = core.opener, core.runner
        self._tasks, self._bot, self._chats = core.tasks, chats.bot, chats
        self._commands, self._unreachable, self._owner = commands, unreachable, owner
        # Known before Telegram has been asked: whoever wrote while we were off is heard at once.
        self._me = int(chats.bot.token.partition(":")[0])
        self._parts = Parts(names, hearing_since)

    async def run(self, arrived: asyncio.Event) -> None:
        """Handle what the inbox holds, for ever; `arrived` says that there may be more."""
        under_way: set[int] = set()
        while True:
            arrived.clear()
            lapsed = await self._stores.inbox.lapsed()
            rows = [row for row in await self._stores.inbox.pending() if row[0] not in under_way]
            ready, patience = self._parts.sort(rows)
            for parcel in ready:
                under_way.update(parcel.updates)
                work = self.handle(parcel, lapsed=not lapsed.isdisjoint(parcel.updates))
                task = self._tasks.spawn(work, name=f"update {parcel.updates[0]}")
                task.add_done_callback(partial(_forget, under_way, parcel.updates))
                await asyncio.wait([task], timeout=PATIENCE_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_AGAIN_SECONDS, patience)):
                    await arrived.wait()

    async def handle(self, parcel: Parcel, *, lapsed: bool = False) -> None:
        """Bring one message to its durable consequence; a malformed one is set aside, a lapsed one is not acted on."""
        update_id, inbox = parcel.updates[0], self._stores.inbox
        for part in parcel.updates:
            if not await inbox.attempt(part, partial(self._say_poison, part)):
                logger.error("update {} has crashed us too often and is set aside", part)
                return
        point("handling")
        try:
            update = Update.de_json(json.loads(parcel.raw), self._bot)
            message, query = update.message, update.callback_query
            check(message.from_user if message else query.from_user if query else None, message)
        except COMMON_FAULTS as error:
            logger.warning("update {} is malformed ({}) and set aside", update_id, type(error).__name__)
            for part in parcel.updates:
                await inbox.quarantine(part)
            return
        if message is not None:
            await self._message(parcel.updates, message, lapsed)
        elif query is not None and not lapsed:
            await self._query(update_id, query)
        else:
            await inbox.handled(update_id)

    async def _say_poison(self, update_id: int, tx: Transaction) -> None:
        text = f"A message (update {update_id}) has crashed me several times; I have set it aside."
        await self._stores.outbox.add(tx, self._owner, "view", f"poison:{update_id}", text=text, buttons=[])

    # -- messages -----------------------------------------------------------------------------------------------

    async def _message(self, updates: tuple[int, ...], message: Message, lapsed: bool) -> None:
        user, chat, inbox = message.from_user, message.chat, self._stores.inbox
        private = chat.type == "private"
        if (moved := _moved(message)) and self._access.speaks_in(moved[0]):
            await self._say_moved(updates, *moved)
            return
        if user is None or not self._access.welcome(user.id, chat.id, private) or message.via_bot or user.is_bot:
            await inbox.handled(*updates)
            await self._leave(chat)
            return
        said = words_of(message, self._me, self._username())
        around = Around(message.message_id, updates[1:], said.attached)
        request = Request(updates[0], _actor(user), conversation_of(chat.id, _topic(message)), around)
        addressed = private or said.command or said.mentioned or self._answers_us(message)
        album = message.media_group_id
        if _about_topics(message) or not addressed:
            await inbox.handled(*updates)  # people talk to each other here
        elif album and not said.line and await inbox.album_handled(chat.id, album):
            await inbox.handled(*updates)  # it came late, and the album has been answered
        elif lapsed and said.command and said.command.name != "stop":
            await self._say(request, View(LAPSED, ((typed(said.command.name, said.command.rest), STATUS),)))
        elif message.forward_origin is not None:
            await self._say(request, View(FORWARDED))
        elif not clean(said.line)[0].strip():
            await self._say(request, View(TEXT_ONLY))
        else:
            quote = await quote_of(message, self._me, self._stores.outbox)
            request = replace(request, around=replace(around, quote=quote))
            if said.command:
                await self._command(request, said.command)
            else:
                await self._line(request, said.line, lapsed)

    async def _line(self, request: Request, line: str, lapsed: bool) -> None:
        too_many = await self._opener.queued(request.conversation) >= MOST_QUEUED
        opened = await self._opener.say(
            request.conversation, request.actor, line, trigger=f"update:{request.update}", update=request.update,
            around=request.around, aside=LAPSED if lapsed else TOO_MANY if too_many else "",
        )  # fmt: skip
        logger.info("update {} opened run {}", request.update, opened)

    async def _say_moved(self, updates: tuple[int, ...], old: int, new: int) -> None:
        """Tell the owner, and end the update, in one commit."""
        async with self._stores.database.transaction() as tx:
            await self._unreachable.moved(tx, old, new)
            await self._stores.inbox.done(tx, *updates)

    async def _leave(self, chat: TelegramChat) -> None:
        """Go from a group that nobody has configured: whoever added the bot there could otherwise listen to it."""
        if chat.type not in (TelegramChat.GROUP, TelegramChat.SUPERGROUP) or self._access.speaks_in(chat.id):
            return
        if not await self._stores.outbox.has(moved_key(chat.id)):  # one of ours, under a number that is not confirmed
            with contextlib.suppress(TelegramError):  # it may have thrown us out already
                await self._bot.leave_chat(chat.id)

    def _answers_us(self, message: Message) -> bool:
        """Whether it replies to a message of ours."""
        replied = message.reply_to_message and message.reply_to_message.from_user
        return bool(replied and replied.id == self._me)

    def _username(self) -> str:
        """Our own name; a placeholder nobody can write until Telegram has told us."""
        try:
            return self._bot.username or ""
        except RuntimeError:
            return " "

    async def _command(self, request: Request, command: Command) -> None:
        if command.addressee and command.addressee != self._username().lower():
            await self._stores.inbox.handled(request.update, *request.around.parts)
            return
        view = await self._commands.run(request, command.name, command.rest)
        if view is None:
            await self._stores.inbox.handled(request.update, *request.around.parts)
        else:
            await self._say(request, view)

    async def _say(self, request: Request, view: View) -> None:
        """The answer to a command, and the end of its updates, in one commit."""
        key, said = f"view:{request.update}", {**_stored(view, request.update), "question": request.around.message}
        async with self._stores.database.transaction() as tx:
            await self._stores.outbox.add(tx, request.conversation, "view", key, **said)
            await self._stores.inbox.done(tx, request.update, *request.around.parts)
        self._complete(key, request.update, view)

    def _complete(self, key: str, update: int, view: View) -> None:
        """Let a page that is not whole yet become so when it can, unless it has been turned meanwhile."""

        async def later(rest: Callable[[], Awaitable[View]]) -> None:
            whole = (await rest()).stored()
            async with self._stores.database.transaction() as tx:
                await self._stores.outbox.complete(tx, key, update, **whole)

        if view.rest is not None:
            self._tasks.spawn(later(view.rest), name=f"rest of {key}")

    # -- taps ---------------------------------------------------------------------------------------------------

    async def _query(self, update_id: int, query: CallbackQuery) -> None:
        message, user = query.message, query.from_user
        if message is None or not self._access.welcome(user.id, message.chat.id, message.chat.type == "private"):
            await self._stranger(update_id, query)
            return
        tap = Tap(update_id, _actor(user), await self._place(message), message.message_id)
        press = Press.read(query.data or "")
        if press.kind == PAGE:
            await self._chats.toast(query, "")  # a page may take a while to read; the button must not spin meanwhile
            await self._tap(tap, press)
        else:
            toast = await self._tap(tap, press)
            await self._chats.toast(query, toast)
            if toast == ENDED:
                await self._leftover(tap, press.key)
            if (press.kind, press.verb) == (UNDO, LISTED) and toast != STRANGER:
                await self._menu(tap, Press(PAGE, "undo"))

    async def _place(self, message: MaybeInaccessibleMessage) -> str:
        """Where a button was pressed: in General, too, a message counts as one of the topic that it was meant for."""
        topic = _topic(message) if isinstance(message, Message) else None
        here = conversation_of(message.chat.id, topic)
        meant = await self._stores.outbox.topic_of(here, message.message_id) if topic is None else None
        return meant or here

    async def _tap(self, tap: Tap, press: Press) -> str:
        if press.kind == CARD:
            return await self._decisions.card(tap, press.key, press.verb)
        if press.kind == UNDO:
            return await self._decisions.undo(tap, press.key)
        if press.kind == KNOWN:
            return await self._decisions.known(tap, press.key, press.verb)
        await self._stores.inbox.handled(tap.update)
        if press.kind == STOP:
            return "Stopping." if await self._runner.stop_run(press.key, tap.actor, tap.conversation) else ENDED
        if press.kind == PAGE and tap.message is not None:
            return await self._menu(tap, press)
        return "This button is too old."

    async def _leftover(self, tap: Tap, run_id: str) -> None:
        """Take away a progress message that outlived its run: its sending had timed out, so nobody knew its id."""
        run = await self._stores.runs.get(run_id)
        if run is not None and run.conversation == tap.conversation:
            async with self._stores.database.transaction() as tx:
                await self._stores.outbox.draw(tx, run.conversation, PROGRESS, run_id, tap.message)

    async def _menu(self, tap: Tap, press: Press) -> str:
        """A menu turns its page in place."""
        view, toast = await self._commands.page(Request(tap.update, tap.actor, tap.conversation), press)
        if view is not None:
            assert tap.message is not None, "menus are messages"
            async with self._stores.database.transaction() as tx:
                key = await self._stores.outbox.turn(tx, tap.conversation, tap.message, **_stored(view, tap.update))
            self._complete(key, tap.update, view)
        return toast

    async def _stranger(self, update_id: int, query: CallbackQuery) -> None:
        chat = query.message.chat.id if query.message is not None else ""
        tap = Tap(update_id, _actor(query.from_user), f"{TELEGRAM}{chat}", None)
        await self._chats.toast(query, await self._decisions.stranger(tap))


def _stored(view: View, update: int) -> dict[str, Any]:
    """The view as JSON values, and by what its rest will know it."""
    return {**view.stored(), **({"rest": update} if view.rest is not None else {})}


def _moved(message: Message) -> tuple[int, int] | None:
    """A group's old and new id, where a message says that it has become a supergroup."""
    if message.migrate_to_chat_id is not None:
        return message.chat.id, message.migrate_to_chat_id
    return (message.migrate_from_chat_id, message.chat.id) if message.migrate_from_chat_id is not None else None


def _topic(message: Message) -> int | None:
    """The topic that a message stands in; in other groups a thread is only a chain of answers."""
    thread = message.message_thread_id
    return thread if message.is_topic_message and isinstance(thread, int) else None


def _about_topics(message: Message) -> bool:
    """Whether it only says that a topic has been opened, renamed, closed or opened again."""
    return any(
        (
            message.forum_topic_created, message.forum_topic_edited, message.forum_topic_closed,
            message.forum_topic_reopened,
        )
    )  # fmt: skip


def _forget(under_way: set[int], updates: tuple[int, ...], task: asyncio.Task[None]) -> None:
    under_way.difference_update(updates)


def _actor(user: User) -> Actor:
    """Who it is: the number counts, the name (a deleted account has none) is only shown."""
    name = clean(user.full_name or "")[0].strip()
    return Actor(f"{TELEGRAM}{user.id}", (name or str(user.id))[:64])
