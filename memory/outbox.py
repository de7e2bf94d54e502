"""What is to be said, kept until it is delivered."""

import asyncio
import json
from typing import Any

from memory.database import Database, Row, Transaction
from memory.models import Outgoing

RUN = (
    "coalesce(json_extract(payload, '$.run'), (SELECT run FROM cards WHERE id = json_extract(payload, '$.card')),"
    " (SELECT run FROM calls WHERE id = json_extract(payload, '$.call')))"
)
"""The run that a row tells of."""


class Outbox:
    """Rows are written in the transaction of what they tell of; `changed` wakes the sender."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.changed = asyncio.Event()

    async def add(
        self,
        tx: Transaction,
        conversation: str,
        kind: str,
        key: str,
        message: int | None = None,
        **payload: Any,
    ) -> None:
        """Say something once: a key that was used before is ignored."""
        if conversation.startswith("console:"):
            return  # a terminal asks for the run's state; nothing is pushed to it
        await tx.run(
            "INSERT OR IGNORE INTO outbox (key, conversation, kind, payload, message, created)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            key, conversation, kind, json.dumps(payload), message, self._db.now(),
        )  # fmt: skip
        tx.committed.append(self.changed.set)

    async def say(self, conversation: str, kind: str, key: str, **payload: Any) -> None:
        """`add` in a transaction of its own."""
        async with self._db.transaction() as tx:
            await self.add(tx, conversation, kind, key, **payload)

    async def open(self, prefix: str) -> list[Outgoing]:
        """Undelivered rows of the conversations that start with `prefix`, oldest first."""
        rows = await self._db.all(
            f"SELECT *, {RUN} AS run FROM outbox"
            " WHERE state IN ('new', 'sending') AND conversation LIKE ? || '%' ORDER BY id",
            prefix,
        )
        return [_outgoing(row) for row in rows]

    async def sending(self, row: int) -> None:
        """Commit that an attempt begins: should we die now, the next one is marked as a repeat."""
        async with self._db.transaction() as tx:
            await tx.run(
                "UPDATE outbox SET ambiguous = (state = 'sending') OR ambiguous, state = 'sending',"
                " attempts = attempts + 1 WHERE id = ?",
                row,
            )

    async def retry(self, row: int, *, ambiguous: bool) -> None:
        """The attempt did not go through (or may have: `ambiguous`)."""
        async with self._db.transaction() as tx:
            await tx.run(
                "UPDATE outbox SET state = 'new', ambiguous = ambiguous OR ? WHERE id = ?",
                int(ambiguous),
                row,
            )

    async def sent(self, tx: Transaction, row: int, message: int | None) -> None:
        """Delivered as this message."""
        await tx.run("UPDATE outbox SET state = 'sent', message = coalesce(?, message) WHERE id = ?", message, row)

    async def drop(self, row: int, error: str) -> None:
        """Give up: the chat is gone or the content can never be sent."""
        async with self._db.transaction() as tx:
            await tx.run("UPDATE outbox SET state = 'dropped', error = ? WHERE id = ?", error[:500], row)

    async def has(self, key: str) -> bool:
        """Whether this has been said, or is about to be."""
        return await self._db.one("SELECT 1 FROM outbox WHERE key = ?", key) is not None

    async def message_of(self, key: str) -> int | None:
        """The message that a key was delivered as, if it was."""
        row = await self._db.one("SELECT message FROM outbox WHERE key = ?", key)
        return row["message"] if row else None

    async def topic_of(self, chat: str, message: int) -> str | None:
        """The topic of this chat that a message was meant for; None for one that was said to the chat itself."""
        row = await self._db.one(
            "SELECT conversation FROM outbox WHERE message = ? AND conversation LIKE ? || '/%'", message, chat
        )
        return row["conversation"] if row else None

    async def said_since(self, conversation: str, message: int, run: str) -> bool:
        """Whether anything but this run has spoken, or been asked, here after that message."""
        row = await self._db.one(
            f"SELECT 1 FROM outbox WHERE conversation = ? AND message > ? AND coalesce({RUN}, '') <> ?"
            " UNION ALL SELECT 1 FROM runs WHERE conversation = ? AND message > ?",
            conversation, message, run, conversation, message,
        )  # fmt: skip
        return row is not None

    async def shows_outside(self, conversation: str, message: int) -> None:
        """Note that a message of ours shows text from outside, for good."""
        async with self._db.transaction() as tx:
            await tx.run(
                "UPDATE outbox SET payload = json_set(payload, '$.outside', json('true'))"
                " WHERE conversation = ? AND message = ?",
                conversation, message,
            )  # fmt: skip

    async def may_show_outside(self, chat: str, message: int) -> bool:
        """Whether a message of ours may show text from outside: as noted, by what its run had read, or nobody knows."""
        rows = await self._db.all(
            f"SELECT json_extract(payload, '$.outside') OR EXISTS (SELECT 1 FROM runs WHERE id = {RUN} AND tainted)"
            f" OR EXISTS (SELECT 1 FROM calls WHERE run = {RUN} AND json_extract(before, '$.outside')) AS outside"
            " FROM outbox WHERE message = ? AND (conversation = ? OR conversation LIKE ? || '/%')",
            message, chat, chat,
        )  # fmt: skip
        return not rows or any(row["outside"] for row in rows)


def _outgoing(row: Row) -> Outgoing:
    ambiguous = bool(row["ambiguous"]) or row["state"] == "sending"
    return Outgoing(
        row["id"], row["key"], row["conversation"], row["kind"], json.loads(row["payload"]),
        ambiguous, row["attempts"], row["message"], row["run"],
    )  # fmt: skip
