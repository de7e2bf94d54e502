"""The one place that speaks to chats: at their pace, previews off, secrets out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from loguru import logger
from telegram import (
    Bot,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    ReplyParameters,
)
from telegram.error import BadRequest, TelegramError

from bot.screen.render import Piece, escape, render
from bot.screen.view import View
from bot.telegram.pace import Throttle
from memory.secrets import Redactor
from memory.text import clean

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
GROUP_INTERVAL = 3.0
SHORT_TEXT = 1000
"""Characters that are rendered at once; 100 KB of hostile Markdown take seconds, and others would wait for them."""
LONGEST_TOAST = 200


class Chats:
    """Sends and edits views. The one place that speaks to chats: previews off, secrets out, entities or plain text."""

    def __init__(self, bot: Bot, redact: Redactor) -> None:
        self.bot, self.redact = bot, redact
        self._throttles: dict[int, Throttle] = {}

    def throttle(self, chat: int) -> Throttle:
        """The pace of one chat: groups allow 20 messages a minute, and their ids are negative."""
        if chat not in self._throttles:
            self._throttles[chat] = Throttle(GROUP_INTERVAL) if chat < 0 else Throttle()
        return self._throttles[chat]

    def shown(self, text: str) -> str:
        """A text as people may read it, without invisible characters and without secrets.

        Whatever can be read in a chat goes through here: texts, buttons, toasts.
        """
        return self.redact(clean(text)[0])

    async def send(self, chat: int, piece: Piece, buttons: Any = (), *, ahead: bool = False, **how: Any) -> int:
        """A new message's id, when it is this chat's turn, or `ahead` of it; `how` as in `send_now`."""
        return await self.throttle(chat).call(lambda: self.send_now(chat, piece, buttons, **how), ahead=ahead)

    async def edit(self, chat: int, message: int, piece: Piece, buttons: Any = ()) -> None:
        """Change a message in place, when it is this chat's turn."""
        await self.throttle(chat).call(lambda: self.edit_now(chat, message, piece, buttons))

    async def send_now(
        self, chat: int, piece: Piece, buttons: Any = (), *,
        topic: int | None = None, silent: bool = False, answers: int | None = None,
    ) -> int:  # fmt: skip
        """`send`, for a caller that holds the chat's turn; as a reply to what it `answers`, if that is still there."""

        async def attempt(safe: Piece) -> int:
            message = await self.bot.send_message(
                chat, safe.text, entities=list(safe.entities), reply_markup=self._keyboard(buttons),
                disable_notification=silent, link_preview_options=NO_PREVIEW, message_thread_id=topic,
                reply_parameters=ReplyParameters(answers, allow_sending_without_reply=True) if answers else None,
            )  # fmt: skip
            return message.message_id

        try:
            sent: int = await self._or_plain(attempt, piece)
        except BadRequest as error:
            if answers is None or "repl" not in str(error).lower():
                raise
            answers = None  # it is a nicety, too
            sent = await self._or_plain(attempt, piece)
        return sent

    async def edit_now(self, chat: int, message: int, piece: Piece, buttons: Any = ()) -> None:
        """`edit`, for a caller that holds the chat's turn; a message that says this already is left alone."""

        async def attempt(safe: Piece) -> None:
            await self.bot.edit_message_text(
                safe.text, chat, message, entities=list(safe.entities), reply_markup=self._keyboard(buttons),
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

    async def toast(self, query: CallbackQuery, text: str) -> None:
        """The answer to a tap; a nicety: what was decided does not depend on it."""
        try:
            await query.answer(self.shown(text)[:LONGEST_TOAST])
        except TelegramError as error:
            logger.debug("toast not shown: {}", type(error).__name__)

    async def line(self, text: str) -> Piece:
        """One message that shows this text as it stands, its addresses as code."""
        return (await self.pieces(View(escape(text))))[0]

    async def pieces(self, view: View) -> list[Piece]:
        """The view's text as messages, without secrets and without invisible characters."""
        if len(view.text) <= SHORT_TEXT:
            return self._pieces(view.text)
        return await asyncio.to_thread(self._pieces, view.text)

    def _pieces(self, text: str) -> list[Piece]:
        # Once as it is written, which keeps the formatting; and as it is read, where no Markdown can part a secret.
        return render(self.shown(text), self.redact) or [Piece("…", ())]

    def _safe(self, piece: Piece) -> Piece:
        """The piece, or its text alone where something had to be taken out of it: entities would no longer fit."""
        text, languages = self.shown(piece.text), [entity.language or "" for entity in piece.entities]
        if text == piece.text and languages == list(map(self.shown, languages)):
            return piece
        return Piece(text.strip() or "…", ())

    def _keyboard(self, rows: Any) -> InlineKeyboardMarkup | None:
        """Buttons as Telegram has them."""
        if not rows:
            return None
        return InlineKeyboardMarkup(
            [
                [
                    InlineKeyboardButton(
                        self.shown(b.text).strip() or "…",
                        callback_data=b.data,
                        **({"style": b.style} if b.style else {}),
                    )
                    for b in row
                ]
                for row in rows
            ]
        )

    async def _or_plain(self, attempt: Callable[[Piece], Awaitable[Any]], piece: Piece) -> Any:
        """Entities are a nicety: when Telegram refuses them, the same text goes out without."""
        piece = self._safe(piece)
        try:
            return await attempt(piece)
        except BadRequest as error:
            if "entit" not in str(error).lower() or not piece.entities:
                raise
            return await attempt(Piece(piece.text, ()))
