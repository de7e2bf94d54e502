"""The one place that speaks to chats: at their pace, previews off, secrets out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

from loguru import logger
from telegram import (
    Bot,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
)
from telegram.error import BadRequest, RetryAfter, TelegramError

from bot.screen.charts import painted
from bot.screen.render import Piece, render
from bot.screen.render.split import utf16
from bot.screen.view import View
from bot.telegram.pace import GROUP_INTERVAL, OVERALL, Throttle, retry_after
from memory.secrets import Redactor
from memory.text import clean, every_text

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
SHORT_TEXT = 1000
"""Characters that are rendered at once; 100 KB of hostile Markdown take seconds, and others would wait for them."""
LONGEST_TOAST = 200
CAPTION_LIMIT = 1024
"""UTF-16 units below a picture."""

T = TypeVar("T")


class Chats:
    """Sends and edits. The one place that speaks to chats: previews off, secrets out, entities or plain text.

    Whoever sends or edits has waited for its turn; taking a message away needs none.
    """

    def __init__(self, bot: Bot, redact: Redactor) -> None:
        self.bot, self.redact = bot, redact
        self._overall = Throttle(*OVERALL)
        self._throttles: dict[int, Throttle] = {}

    def throttle(self, chat: int) -> Throttle:
        """The pace of one chat; the ids of groups are negative."""
        if chat not in self._throttles:
            pace = (GROUP_INTERVAL,) if chat < 0 else ()
            self._throttles[chat] = Throttle(*pace, above=self._overall)
        return self._throttles[chat]

    def shown(self, text: str) -> str:
        """A text as people may read it, without invisible characters and without secrets.

        Whatever can be read in a chat goes through here: texts, buttons, toasts.
        """
        return self.redact(clean(text)[0])

    async def send(
        self, chat: int, piece: Piece, buttons: Any = (), *,
        topic: int | None = None, silent: bool = False, answers: int | None = None,
    ) -> int:  # fmt: skip
        """A new message's id; as a reply to what it `answers`, if that is still there."""

        async def attempt(safe: Piece) -> int:
            entities: list[MessageEntity] = list(safe.entities)
            more: dict[str, Any] = {
                "reply_markup": self._keyboard(buttons), "disable_notification": silent, "message_thread_id": topic,
                "reply_parameters": ReplyParameters(answers, allow_sending_without_reply=True) if answers else None,
            }  # fmt: skip
            if safe.picture:
                call = self.bot.send_photo(chat, safe.picture, safe.text, caption_entities=entities, **more)
            else:
                more["link_preview_options"] = NO_PREVIEW
                call = self.bot.send_message(chat, safe.text, entities=entities, **more)
            return (await self._heeding(chat, call)).message_id

        try:
            sent: int = await self._or_plain(attempt, piece)
        except BadRequest as error:
            if answers is None or "repl" not in str(error).lower():
                raise
            answers = None  # it is a nicety, too
            sent = await self._or_plain(attempt, piece)
        return sent

    async def edit(self, chat: int, message: int, piece: Piece, buttons: Any = ()) -> None:
        """Change a message in place; one that says this already is left alone."""

        async def attempt(safe: Piece) -> None:
            entities, keyboard = list(safe.entities), self._keyboard(buttons)
            call: Awaitable[Any]
            if safe.picture:
                media = InputMediaPhoto(safe.picture, safe.text, caption_entities=entities)
                call = self.bot.edit_message_media(media, chat, message, reply_markup=keyboard)
            else:
                call = self.bot.edit_message_text(
                    safe.text, chat, message, entities=entities, reply_markup=keyboard, link_preview_options=NO_PREVIEW
                )
            await self._heeding(chat, call)

        try:
            await self._or_plain(attempt, piece)
        except BadRequest as error:
            if "not modified" not in str(error).lower():
                raise

    async def delete(self, chat: int, message: int) -> None:
        """Take a message away; a nicety, so it may fail, and Telegram does not count it. Raises RetryAfter."""
        await self.throttle(chat).calm()
        try:
            await self._heeding(chat, self.bot.delete_message(chat, message))
        except RetryAfter:
            raise
        except TelegramError as error:
            logger.debug("delete failed: {}", type(error).__name__)

    async def _heeding(self, chat: int, call: Awaitable[T]) -> T:
        """What the call comes to; where Telegram says to wait, nothing more goes to this chat until then."""
        try:
            return await call
        except RetryAfter as error:
            self.throttle(chat).hold(retry_after(error))
            raise

    async def toast(self, query: CallbackQuery, text: str) -> None:
        """The answer to a tap; a nicety: what was decided does not depend on it."""
        try:
            await query.answer(self.shown(text)[:LONGEST_TOAST])
        except TelegramError as error:
            logger.debug("toast not shown: {}", type(error).__name__)

    async def pieces(self, view: View) -> list[Piece]:
        """The view's text as messages, without secrets and without invisible characters."""
        if len(view.text) > SHORT_TEXT:
            return await asyncio.to_thread(self._pieces, view.text)
        pieces = self._pieces(view.text)
        if view.picture is not None and len(pieces) == 1 and utf16(pieces[0].text) <= CAPTION_LIMIT:
            return [replace(pieces[0], picture=await painted(every_text(view.picture, self.shown)))]
        return pieces

    def _pieces(self, text: str) -> list[Piece]:
        # Once as it is written, which keeps the formatting; and as it is read, where no Markdown can part a secret.
        return render(self.shown(text), self.redact) or [Piece("…", ())]

    def _safe(self, piece: Piece) -> Piece:
        """The piece, or its text alone where something had to be taken out of it: entities would no longer fit."""
        text, languages = self.shown(piece.text), [entity.language or "" for entity in piece.entities]
        if text == piece.text and languages == list(map(self.shown, languages)):
            return piece
        return replace(piece, text=text.strip() or "…", entities=())

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
            return await attempt(replace(piece, entities=()))
