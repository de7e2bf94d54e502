"""The outbox's sender: everything that is said to Telegram leaves here, at least once, in order per chat."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from loguru import logger
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, MessageEntity
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bot.access import TELEGRAM
from bot.render import Piece, render
from bot.stream import Throttle
from bot.view import View
from memory.models import Outgoing
from memory.points import point
from memory.stores import Stores
from memory.text import Redactor, clean

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
LONGEST_BACKOFF = 60.0
LOOK_AGAIN = 10.0
GROUP_INTERVAL = 3.0
Drawer = Callable[[Outgoing], Awaitable[View | None]]
"""What a row says, drawn at the moment it is sent."""


class Telegram:
    """Sends and edits views. The one place that speaks to chats: previews off, secrets out, entities or plain text."""

    def __init__(self, bot: Bot, redact: Redactor) -> None:
        self.bot, self.redact = bot, redact
        self._throttles: dict[int, Throttle] = {}

    def throttle(self, chat: int) -> Throttle:
        """The pace of one chat: groups allow 20 messages a minute, and their ids are negative."""
        if chat not in self._throttles:
            self._throttles[chat] = Throttle(GROUP_INTERVAL) if chat < 0 else Throttle()
        return self._throttles[chat]

    async def send(self, chat: int, piece: Piece, buttons: Any = (), *, silent: bool = False) -> int:
        """A new message's id, when it is this chat's turn."""
        return await self.throttle(chat).call(lambda: self.send_now(chat, piece, buttons, silent=silent))

    async def edit(self, chat: int, message: int, piece: Piece, buttons: Any = ()) -> None:
        """Change a message in place, when it is this chat's turn."""
        await self.throttle(chat).call(lambda: self.edit_now(chat, message, piece, buttons))

    async def send_now(self, chat: int, piece: Piece, buttons: Any = (), *, silent: bool = False) -> int:
        """`send`, for a caller that holds the chat's turn."""

        async def attempt(entities: tuple[MessageEntity, ...]) -> int:
            message = await self.bot.send_message(
                chat, piece.text, entities=list(entities), reply_markup=keyboard(buttons),
                disable_notification=silent, link_preview_options=NO_PREVIEW,
            )  # fmt: skip
            return message.message_id

        sent: int = await self._or_plain(attempt, piece)
        return sent

    async def edit_now(self, chat: int, message: int, piece: Piece, buttons: Any = ()) -> None:
        """`edit`, for a caller that holds the chat's turn; a message that says this already is left alone."""

        async def attempt(entities: tuple[MessageEntity, ...]) -> None:
            await self.bot.edit_message_text(
                piece.text, chat, message, entities=list(entities), reply_markup=keyboard(buttons),
                link_preview_options=NO_PREVIEW,
            )  # fmt: skip

        try:
            await self._or_plain(attempt, piece)
        except BadRequest as error:
            if "not modified" not in str(error).lower():
                raise

    async def delete(self, chat: int, message: int) -> None:
        """Take a message away; a nicety, so it may fail."""
        try:
            await self.throttle(chat).call(lambda: self.bot.delete_message(chat, message))
        except TelegramError as error:
            logger.debug("delete failed: {}", type(error).__name__)

    def pieces(self, view: View) -> list[Piece]:
        """The view's text as messages, without secrets and without invisible characters."""
        return render(self.redact(clean(view.text)[0])) or [Piece("…", ())]

    async def _or_plain(self, attempt: Callable[[tuple[MessageEntity, ...]], Awaitable[Any]], piece: Piece) -> Any:
        """Entities are a nicety: when Telegram refuses them, the same text goes out without."""
        try:
            return await attempt(piece.entities)
        except BadRequest as error:
            if "entit" not in str(error).lower() or not piece.entities:
                raise
            return await attempt(())


def keyboard(rows: Any) -> InlineKeyboardMarkup | None:
    """Buttons as Telegram has them."""
    if not rows:
        return None
    return InlineKeyboardMarkup(
        [
            [InlineKeyboardButton(b.text, callback_data=b.data, **({"style": b.style} if b.style else {})) for b in row]
            for row in rows
        ]
    )


class Delivery:
    """One worker a chat; a row is marked before the attempt, so that a repeat after a crash says so."""

    def __init__(self, stores: Stores, telegram: Telegram, draw: Drawer) -> None:
        self._stores, self._telegram, self._draw = stores, telegram, draw
        self._workers: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Deliver for ever."""
        outbox = self._stores.outbox
        while True:
            outbox.changed.clear()
            for row in await outbox.open(TELEGRAM):
                if row.conversation not in self._workers:
                    worker = asyncio.create_task(self._work(row.conversation), name=f"delivery {row.conversation}")
                    self._workers[row.conversation] = worker
            # Whatever was missed is found at the next look.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN):  # `wait_for` can lose a cancellation, and the shutdown with it
                    await outbox.changed.wait()

    async def _work(self, conversation: str) -> None:
        failures = 0
        try:
            while rows := await self._stores.outbox.open(conversation):
                row = next((row for row in rows if row.conversation == conversation), None)
                if row is None:
                    break
                if await self._deliver(row):
                    failures = 0
                    continue
                failures += 1
                await asyncio.sleep(min(LONGEST_BACKOFF, 2.0**failures) * random.uniform(0.7, 1.0))
        finally:
            self._workers.pop(conversation, None)
        # Not when it broke (the database refuses, say): the next look is soon enough, and not at once again.
        self._stores.outbox.changed.set()

    async def _deliver(self, row: Outgoing) -> bool:
        """Whether this row is done with; False to try again after a while."""
        outbox = self._stores.outbox
        await outbox.sending(row.id)
        try:
            await self._send(row)
        except RetryAfter:
            await outbox.retry(row.id, ambiguous=False)  # the chat's throttle holds until it is over
        except (Forbidden, BadRequest) as error:
            logger.warning("outbox {} ({}) cannot be delivered: {}", row.id, row.kind, type(error).__name__)
            await outbox.drop(row.id, self._telegram.redact(str(error)))
        except InvalidToken as error:
            await outbox.retry(row.id, ambiguous=False)
            logger.error("Telegram rejects the token: {}", type(error).__name__)
            return False
        except (TimedOut, NetworkError) as error:
            await outbox.retry(row.id, ambiguous=not never_left(error))
            return False
        except ChatMigrated as error:
            logger.error("the group {} is {} now: change TELEGRAM_CHATS", row.conversation, error.new_chat_id)
            await outbox.drop(row.id, self._telegram.redact(str(error)))
        return True

    async def _send(self, row: Outgoing) -> None:
        if row.kind == "piece":
            entities = tuple(MessageEntity(**entity) for entity in row.payload["entities"])
            await self._first(row, Piece(row.payload["text"], entities), ())
            return
        view = await self._draw(row)
        if view is None:
            await self._stores.outbox.drop(row.id, "nothing to say")
            return
        pieces = self._telegram.pieces(view)
        chat, message = int(row.conversation.removeprefix(TELEGRAM)), await self._message(row)
        if message is not None:
            await self._edit(row, chat, message, pieces[0], view)
        elif len(pieces) == 1:
            await self._first(row, pieces[0], view.buttons)
        else:
            await self._in_pieces(row, pieces, view)

    async def _message(self, row: Outgoing) -> int | None:
        if row.kind != "card":
            return row.message
        card = await self._stores.approvals.card(row.payload["card"])
        return card.message if card else None

    async def _edit(self, row: Outgoing, chat: int, message: int, piece: Piece, view: View) -> None:
        try:
            await self._telegram.edit(chat, message, piece, view.buttons)
        except BadRequest as error:
            # The message is gone (deleted, too old): what it was to say is said anew.
            logger.info("message {} cannot be edited: {}", message, error)
            await self._first(row, piece, view.buttons)
            return
        async with self._stores.database.transaction() as tx:
            await self._stores.outbox.sent(tx, row.id, message)

    async def _first(self, row: Outgoing, piece: Piece, buttons: Any) -> None:
        if row.ambiguous:
            piece = Piece(f"{piece.text}\n(resent)", piece.entities)
        silent = bool(row.payload.get("silent"))
        chat = int(row.conversation.removeprefix(TELEGRAM))
        point("sending")
        message = await self._telegram.send(chat, piece, buttons, silent=silent)
        point("sent")
        async with self._stores.database.transaction() as tx:
            if row.kind == "card":
                await self._stores.approvals.bind(tx, row.payload["card"], message)
            await self._stores.outbox.sent(tx, row.id, message)

    async def _in_pieces(self, row: Outgoing, pieces: list[Piece], view: View) -> None:
        """A long text becomes a row for each message: the rest is not lost when one is in doubt."""
        async with self._stores.database.transaction() as tx:
            for number, piece in enumerate(pieces):
                entities = [_entity(entity) for entity in piece.entities]
                await self._stores.outbox.add(
                    tx, row.conversation, "piece", f"{row.key}:{number}", text=piece.text, entities=entities
                )
            await self._stores.outbox.sent(tx, row.id, None)


def _entity(entity: MessageEntity) -> dict[str, Any]:
    return {"type": str(entity.type), "offset": entity.offset, "length": entity.length, "language": entity.language}


def never_left(error: BaseException) -> bool:
    """Whether a request surely never reached Telegram, so that trying again repeats nothing."""
    return isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
