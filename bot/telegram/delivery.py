"""The outbox's sender: everything that is said to Telegram leaves here, at least once, in order per chat."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from loguru import logger
from telegram import MessageEntity
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    RetryAfter,
    TelegramError,
)

from bot.screen.render import Piece
from bot.screen.render.split import TEXT_LIMIT, utf16
from bot.screen.view import View, buttons_of, stored_buttons
from bot.settings.people import TELEGRAM, place_of
from bot.telegram.chats import Chats
from bot.telegram.pace import Throttle, never_left
from memory.keys import digest
from memory.models import Outgoing, canonical
from memory.outbox import LIVING
from memory.points import point
from memory.stores import Stores

LONGEST_BACKOFF = 60.0
LAST_WORDS = 0.5
"""Seconds for messages on their way when the process is told to end."""
LOOK_AGAIN = 10.0
LATE_SECONDS = 30.0
"""After this, an answer says what it answers even when nothing stands between."""
RESENT = "(resent)"
MOST_DRAWS = 3
"""Times that a row may fail to be drawn before a plain line takes its place: what stands behind it must not wait."""
UNDRAWN = "I could not show a message here; the log says why. Nothing was changed or approved by it."
FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What drawing data of a shape that nobody has thought of can raise; a database's own errors are none of these."""
Drawer = Callable[[Outgoing], Awaitable[View | None]]
"""What a row says, drawn at the moment it is sent."""
Refused = Callable[[Outgoing, TelegramError], Awaitable[None]]
"""What is to be done about a row that Telegram refuses for good."""
URGENT, ORDINARY, LAST = -2, 0, 2
"""What goes ahead of the chat's pace, what keeps it, and what nobody waits for; as calls that must be left."""
Lane = tuple[str, int]
"""A conversation's rows of one kind."""
SHUT = ("message thread not found", "topic_closed", "topic_deleted")
FALLEN = "From a topic that is closed or gone:"


class Undrawable(Exception):
    """What a row says could not be put into a message."""


class Delivery:
    """A worker for each chat, one for what is urgent there, and one for what is only drawn again.

    It alone sends, edits and takes away, and a row is in one worker's hands: no message is edited by two at once, and
    what was drawn last stays. A row is marked before it is sent, so that a repeat after a crash says so.
    """

    def __init__(self, stores: Stores, chats: Chats, draw: Drawer, refused: Refused | None = None) -> None:
        self._stores, self._chats, self._draw, self._refused = stores, chats, draw, refused
        self._workers: dict[Lane, asyncio.Task[None]] = {}
        self._faults: Counter[int] = Counter()
        self._in_hand: set[object] = set()
        """Rows and messages that a worker is busy with."""

    async def run(self) -> None:
        """Deliver for ever."""
        try:
            while True:
                await self._look()
        finally:
            await self._hang_up(list(self._workers.values()))

    async def _look(self) -> None:
        outbox = self._stores.outbox
        outbox.changed.clear()
        for row in self._due(await outbox.open(TELEGRAM)):
            if (lane := _lane(row)) not in self._workers:
                self._workers[lane] = asyncio.create_task(self._work(lane), name=f"delivery {row.conversation}")
        # Whatever was missed is found at the next look.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN):  # `wait_for` can lose a cancellation, and the shutdown with it
                await outbox.changed.wait()

    async def _hang_up(self, workers: list[asyncio.Task[None]]) -> None:
        """Let what is on its way arrive, or it would be said again; the rest waits for the next start."""
        if workers:
            await asyncio.wait(workers, timeout=LAST_WORDS)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, lane: Lane) -> None:
        failures = 0
        try:
            while row := await self._next(lane):
                self._in_hand |= (grips := _grips(row))
                try:
                    done = await self._deliver(row)
                finally:
                    self._in_hand -= grips
                if done:
                    failures = 0
                    continue
                failures += 1
                await asyncio.sleep(min(LONGEST_BACKOFF, 2.0**failures) * random.uniform(0.7, 1.0))
        finally:
            self._workers.pop(lane, None)
        # Not when it broke (the database refuses, say): the next look is soon enough, and not at once again.
        self._stores.outbox.changed.set()

    async def _next(self, lane: Lane) -> Outgoing | None:
        """The oldest row that may go now."""
        due = self._due(await self._stores.outbox.open(lane[0]))
        return next((row for row in due if _lane(row) == lane), None)

    def _due(self, rows: list[Outgoing]) -> list[Outgoing]:
        """Those that may go now: what is only drawn again comes after everything else that is said there."""
        first = [row for row in rows if _lane(row)[1] != LAST]
        busy = {row.conversation for row in first}
        last = [row for row in rows if _lane(row)[1] == LAST and row.conversation not in busy]
        return [row for row in (*first, *last) if self._in_hand.isdisjoint(_grips(row))]

    async def _deliver(self, row: Outgoing) -> bool:
        """Whether this row is done with; False to try again after a while."""
        outbox = self._stores.outbox
        try:
            await self._show(row)
        except Undrawable:
            return False
        except RetryAfter:
            await outbox.retry(row.id, ambiguous=False)  # the chat's throttle holds until it is over
        except TelegramError as error:
            return await self._failed(row, error)
        return True

    async def _failed(self, row: Outgoing, error: TelegramError) -> bool:
        """What becomes of a row that could not be delivered; whether it is done with."""
        outbox = self._stores.outbox
        if row.passing:  # a nicety; and were it repeated, the first one would stay behind
            logger.info("outbox {} ({}) not shown: {}", row.id, row.kind, type(error).__name__)
            await self._let_go(row)
        elif isinstance(error, Forbidden | BadRequest | ChatMigrated):
            logger.warning("outbox {} ({}) cannot be delivered: {}", row.id, row.kind, type(error).__name__)
            if self._refused is not None:
                await self._refused(row, error)
            await outbox.drop(row.id, self._chats.redact(str(error)))
        elif isinstance(error, InvalidToken):
            await outbox.retry(row.id, ambiguous=False)
            logger.error("Telegram rejects the token: {}", type(error).__name__)
            return False
        else:
            await outbox.retry(row.id, ambiguous=not never_left(error))
            return False
        return True

    async def _let_go(self, row: Outgoing) -> None:
        """Of a message that passes: forget it, unless it is on the screen and will have to go from there."""
        if row.message is None:
            await self._stores.outbox.forget(row.id)
        else:
            await self._sent(row)

    async def _sent(self, row: Outgoing, message: int | None = None, look: str = "") -> None:
        async with self._stores.database.transaction() as tx:
            await self._stores.outbox.sent(tx, row, message, look)

    async def _show(self, row: Outgoing) -> None:
        """Send the row, edit its message, or take that away."""
        drawn, (chat, _) = await self._drawn(row), place_of(row.conversation)
        if drawn is None:
            await self._take_away(row, chat)
            return
        pieces, buttons = drawn
        look = fingerprint(pieces[0], buttons)
        if len(pieces) > 1:
            await self._in_pieces(row, pieces, buttons)
        elif row.message is not None and look == row.drawn:
            await self._sent(row, look=look)
        elif await self._turn(row, self._chats.throttle(chat)):
            if row.message is not None:
                await self._edit(row, chat, row.message, pieces[0], buttons)
            else:
                await self._first(row, pieces[0], buttons)

    async def _turn(self, row: Outgoing, throttle: Throttle) -> bool:
        """Wait for the row's turn; False as soon as it is wanted otherwise, and has to be drawn once more."""
        outbox, spare = self._stores.outbox, _lane(row)[1]
        turn = asyncio.create_task(throttle.turn(max(ORDINARY, spare) if row.attempts else spare))
        try:
            while not (old := await outbox.is_old(row)) and not turn.done():
                changed = asyncio.create_task(outbox.changed.wait())
                await asyncio.wait({turn, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            taken = not turn.cancel()
        if old and taken:
            throttle.give_back()
        return not old

    async def _take_away(self, row: Outgoing, chat: int) -> None:
        """There is nothing to say any more."""
        if row.message is not None:
            await self._chats.delete(chat, row.message)
        if row.passing:
            await self._stores.outbox.forget(row.id)
        else:
            await self._stores.outbox.drop(row.id, "nothing to say")

    async def _drawn(self, row: Outgoing) -> tuple[list[Piece], Any] | None:
        """The row's messages and buttons as they are now, if it still has something to say."""
        try:
            if row.kind == "piece":
                entities = tuple(MessageEntity(**entity) for entity in row.payload["entities"])
                return [Piece(row.payload["text"], entities)], buttons_of(row.payload.get("buttons", []))
            view = await self._draw(row)
            return (await self._chats.pieces(view), view.buttons) if view is not None else None
        except FAULTS as error:
            logger.opt(exception=error).error("outbox {} ({}) cannot be drawn", row.id, row.kind)
            self._faults[row.id] += 1
            if self._faults[row.id] < MOST_DRAWS:
                raise Undrawable from error
        return [Piece(UNDRAWN, ())], ()

    async def _edit(self, row: Outgoing, chat: int, message: int, piece: Piece, buttons: Any) -> None:
        try:
            await self._chats.edit(chat, message, piece, buttons)
        except BadRequest as error:
            logger.info("message {} cannot be edited: {}", message, error)
            if row.passing:
                await self._stores.outbox.forget(row.id)
            else:  # it is gone (deleted, too old): what it was to say is said anew
                await self._first(row, piece, buttons)
            return
        await self._sent(row, look=fingerprint(piece, buttons))

    async def _first(self, row: Outgoing, piece: Piece, buttons: Any) -> None:
        await self._stores.outbox.sending(row.id)
        chat, topic = place_of(row.conversation)
        try:
            message = await self._new(row, chat, topic, piece, buttons, await self._question(row))
        except BadRequest as error:
            if topic is None or not any(words in str(error).lower() for words in SHUT):
                raise
            # Into the chat's General rather than lost; its buttons still count as pressed in the topic.
            note = f"{FALLEN}\n\n"
            if utf16(note + piece.text) <= TEXT_LIMIT:
                shifted = tuple(MessageEntity.shift_entities(utf16(note), piece.entities))
                piece = replace(piece, text=note + piece.text, entities=shifted)
            else:
                await self._beside(chat, FALLEN)
            message = await self._new(row, chat, None, piece, buttons)
        point("told" if row.passing else "sent")
        await self._sent(row, message, fingerprint(piece, buttons))

    async def _question(self, row: Outgoing) -> int | None:
        """The message that a row answers, where its place in the chat alone would not tell.

        What people say to each other in a group we do not hear: there it always does.
        """
        if row.kind == "piece":
            answered: int | None = row.payload.get("answers")
            return answered
        run = await self._stores.runs.get(row.run) if row.run else None
        question: int | None = run.message if run is not None else row.payload.get("question")
        if question is None:
            return None
        late = run is not None and self._stores.database.now() - run.created > LATE_SECONDS
        group = run is not None and place_of(row.conversation)[0] < 0
        if late or group or await self._stores.outbox.said_since(row.conversation, question, row.run or ""):
            return question
        return None

    async def _new(
        self, row: Outgoing, chat: int, topic: int | None, piece: Piece, buttons: Any, answers: int | None = None
    ) -> int:
        """A new message in this place, marked if it may be a second one."""
        if row.ambiguous:
            marked = f"{piece.text}\n{RESENT}"
            if utf16(marked) <= TEXT_LIMIT:
                piece = replace(piece, text=marked)
            else:  # no room for it: it goes ahead by itself
                await self._beside(chat, RESENT, topic)
        point("telling" if row.passing else "sending")
        silent = bool(row.payload.get("silent"))
        return await self._chats.send(chat, piece, buttons, topic=topic, silent=silent, answers=answers)

    async def _beside(self, chat: int, note: str, topic: int | None = None) -> None:
        """A note for which the message it is about has no room."""
        await self._chats.throttle(chat).turn()
        await self._chats.send(chat, Piece(note, ()), topic=topic, silent=True)

    async def _in_pieces(self, row: Outgoing, pieces: list[Piece], buttons: Any) -> None:
        """A long text becomes a row for each message: the rest is not lost when one is in doubt.

        The first takes the place of the message there is; the last has the buttons, and the row stands there.
        """
        answers = await self._question(row)
        async with self._stores.database.transaction() as tx:
            for number, piece in enumerate(pieces):
                payload: dict[str, Any] = {"text": piece.text, "entities": [_entity(e) for e in piece.entities]}
                # Whatever it is a part of, it tells of the same run and shows the same outside.
                payload |= {"run": row.run, "outside": bool(row.payload.get("outside"))}
                payload |= {"answers": answers} if number == 0 else {}
                if number == len(pieces) - 1:
                    payload |= {"buttons": stored_buttons(buttons), "of": row.key}
                key, at = f"{row.key}:{row.wanted}:{number}", row.message if number == 0 else None
                await self._stores.outbox.add(tx, row.conversation, "piece", key, at, **payload)
            await self._stores.outbox.sent(tx, row)


def fingerprint(piece: Piece, buttons: Any) -> str:
    """What tells whether a message shows this already."""
    shown = [piece.text, [_entity(entity) for entity in piece.entities], stored_buttons(buttons)]
    return digest(canonical([*shown, digest(piece.picture)] if piece.picture else shown))


def _grips(row: Outgoing) -> set[object]:
    """What nobody else may touch while this row is delivered."""
    return {row.id, *([(row.conversation, row.message)] if row.message is not None else [])}


def _lane(row: Outgoing) -> Lane:
    if row.payload.get("urgent"):
        return row.conversation, URGENT
    return row.conversation, LAST if row.passing or (row.message is not None and row.kind in LIVING) else ORDINARY


def _entity(entity: MessageEntity) -> dict[str, Any]:
    return {"type": str(entity.type), "offset": entity.offset, "length": entity.length, "language": entity.language}
