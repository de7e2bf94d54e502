"""What is to be said, kept until it is delivered; and of what is drawn again, where it stands and what it shows."""

import asyncio
import json
from typing import Any

from memory.database import Database, Row, Transaction
from memory.models import PROGRESS, Outgoing

RUN = (
    "coalesce(json_extract(payload, '$.run'), (SELECT run FROM cards WHERE id = json_extract(payload, '$.card')),"
    " (SELECT run FROM calls WHERE id = json_extract(payload, '$.call')))"
)
"""The run that a row tells of."""
LIVING = {"card": "card", "receipt": "call", PROGRESS: "run"}
"""The kinds of messages that are drawn again in place, each a single row, and what it calls the thing it stands for."""
PASSED = 86_400.0
"""Seconds after which nobody waits for the rest of a page."""
AGAIN = "ambiguous = ambiguous OR state = 'sending', state = 'new', wanted = wanted + 1"
REDRAWN = (
    f"UPDATE SET {AGAIN}, message = coalesce(excluded.message, message),"
    " payload = json_patch(payload, excluded.payload)"
)
"""Whoever is sending it at this moment finds, when that is done, that it is wanted once more."""


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
        """Say something once, as a new message or in place of one: a key that was used before is ignored."""
        await self._put(tx, "NOTHING", key, conversation, kind, message, payload)

    async def draw(
        self, tx: Transaction, conversation: str, kind: str, what: str, message: int | None = None, **payload: Any
    ) -> None:
        """Show the message that stands for this, or draw it again where it is: it says what is so when it is sent.

        `message`: where it turned out to be.
        """
        payload[LIVING[kind]] = what
        at = await self._free(tx, conversation, message)
        await self._put(tx, REDRAWN, f"{kind}:{what}", conversation, kind, at, payload)

    async def redraw(self, tx: Transaction, kind: str, what: str) -> None:
        """Draw it again where it is on the screen or about to be."""
        await tx.run(f"UPDATE outbox SET {AGAIN} WHERE key = ? AND state <> 'dropped'", f"{kind}:{what}")
        tx.committed.append(self.changed.set)

    async def move_down(self, tx: Transaction, conversation: str, kind: str, what: str, **left: Any) -> None:
        """Show it at the bottom of the chat; `left` is the view that stays where it was."""
        key = f"{kind}:{what}"
        row = await tx.one("SELECT message FROM outbox WHERE key = ? AND message IS NOT NULL", key)
        if row is not None:
            await self.add(tx, conversation, "view", f"left:{key}:{row['message']}", row["message"], **left)
            await tx.run("UPDATE outbox SET message = NULL, drawn = '' WHERE key = ?", key)
        await self.draw(tx, conversation, kind, what)

    async def turn(self, tx: Transaction, conversation: str, message: int, **payload: Any) -> str:
        """Let a message of ours show another page, and the key of that; what it has shown from outside stays noted.

        Where a card or a receipt stands, the page comes as a message of its own; so does a picture in place of a text,
        and a text in place of a picture: Telegram turns neither into the other.
        """
        row = await tx.one(
            "SELECT key, json_extract(payload, '$.picture') IS NOT NULL AS pictured FROM outbox"
            " WHERE conversation = ? AND message = ? AND kind = 'view' ORDER BY id DESC",
            conversation, message,
        )  # fmt: skip
        key = row["key"] if row else f"page:{conversation}:{message}"
        at = await self._free(tx, conversation, message)
        if ("picture" in payload) != bool(row and row["pictured"]):
            key, at = f"{key}:{self._db.now()}", None
        await self._put(tx, REDRAWN, key, conversation, "view", at, {"urgent": None, "rest": None, **payload})
        return key

    async def _free(self, tx: Transaction, conversation: str, message: int | None) -> int | None:
        """The message, unless it shows a card or a receipt: a forged press must not cover what a person decides by."""
        decided_by = "key GLOB 'card:*' OR key GLOB 'receipt:*'"
        sql = f"SELECT 1 FROM outbox WHERE conversation = ? AND message = ? AND ({decided_by})"
        return None if message is None or await tx.one(sql, conversation, message) else message

    async def complete(self, tx: Transaction, key: str, rest: int, **payload: Any) -> None:
        """Let a page show the `rest` that it was waiting for, unless it has been turned meanwhile."""
        await tx.run(
            f"UPDATE outbox SET {AGAIN}, payload = json_patch(payload, ?)"
            " WHERE key = ? AND json_extract(payload, '$.rest') = ?",
            json.dumps({**payload, "rest": None}), key, rest,
        )  # fmt: skip
        tx.committed.append(self.changed.set)

    async def interrupt(self, tx: Transaction, note: str) -> None:
        """Whoever drew them has died: progress is drawn again, and pages that waited for their rest say so."""
        await tx.run(f"UPDATE outbox SET {AGAIN} WHERE kind = '{PROGRESS}' AND state <> 'dropped'")
        await tx.run(
            f"UPDATE outbox SET {AGAIN}, payload = json_patch(payload, json_object('rest', NULL, 'text',"
            " json_extract(payload, '$.text') || ?)) WHERE kind = 'view' AND created > ?"
            " AND json_extract(payload, '$.rest') IS NOT NULL",
            note, self._db.now() - PASSED,
        )  # fmt: skip
        tx.committed.append(self.changed.set)

    async def _put(
        self, tx: Transaction, else_: str, key: str, conversation: str, kind: str, message: int | None, payload: Any
    ) -> None:
        if conversation.startswith("console:"):
            return  # a terminal asks for the run's state; nothing is pushed to it
        await tx.run(
            "INSERT INTO outbox (key, conversation, kind, payload, message, created) VALUES (?, ?, ?, ?, ?, ?)"
            f" ON CONFLICT (key) DO {else_}",
            key, conversation, kind, json.dumps(payload), message, self._db.now(),
        )  # fmt: skip
        tx.committed.append(self.changed.set)

    async def say(self, conversation: str, kind: str, key: str, **payload: Any) -> None:
        """`add` in a transaction of its own."""
        async with self._db.transaction() as tx:
            await self.add(tx, conversation, kind, key, **payload)

    async def open(self, prefix: str) -> list[Outgoing]:
        """Undelivered rows of the conversations that start with `prefix`, oldest first; what has begun ends first."""
        rows = await self._db.all(
            f"SELECT *, {RUN} AS run FROM outbox"
            " WHERE state IN ('new', 'sending') AND conversation LIKE ? || '%'"
            " ORDER BY kind <> 'piece', id",
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
        """The attempt did not go through (or may have: `ambiguous`); what a message shows now is not known."""
        async with self._db.transaction() as tx:
            await tx.run(
                "UPDATE outbox SET state = 'new', drawn = '', ambiguous = ambiguous OR ? WHERE id = ?",
                int(ambiguous),
                row,
            )

    async def sent(self, tx: Transaction, row: Outgoing, message: int | None = None, drawn: str = "") -> None:
        """Delivered, as this message or in its place; it stays open where it is wanted otherwise meanwhile."""
        await tx.run(
            "UPDATE outbox SET state = iif(wanted = ?, 'sent', 'new'), ambiguous = 0, drawn = ?,"
            " message = coalesce(?, message) WHERE id = ?",
            row.wanted, drawn, message, row.id,
        )  # fmt: skip
        # Of what came in pieces the last one, with the buttons, is where it stands.
        await tx.run("UPDATE outbox SET message = coalesce(?, message) WHERE key = ?", message, row.payload.get("of"))

    async def is_old(self, row: Outgoing) -> bool:
        """Whether it is wanted otherwise since this was read."""
        now = await self._db.one("SELECT wanted FROM outbox WHERE id = ?", row.id)
        return now is None or now["wanted"] != row.wanted

    async def forget(self, row: int) -> None:
        """What it showed is over."""
        async with self._db.transaction() as tx:
            await tx.run("DELETE FROM outbox WHERE id = ?", row)

    async def drop(self, row: int, error: str) -> None:
        """Give up: the chat is gone or the content can never be sent."""
        async with self._db.transaction() as tx:
            await tx.run("UPDATE outbox SET state = 'dropped', error = ? WHERE id = ?", error[:500], row)

    async def has(self, key: str) -> bool:
        """Whether this has been said, or is about to be."""
        return await self._db.one("SELECT 1 FROM outbox WHERE key = ?", key) is not None

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
        ambiguous, row["attempts"], row["message"], row["run"], row["wanted"], row["drawn"],
    )  # fmt: skip
