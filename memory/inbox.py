"""Updates, committed before Telegram is told that they arrived."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from memory.database import Database, Transaction
from memory.points import point

KEEP_SECONDS = 48 * 3600
"""Telegram keeps updates 24 h; after that an id may come back with another update."""
LOOK_SECONDS = 30 * 86400
"""For which a malformed update is kept for a look."""
LAPSE_SECONDS = 24 * 3600
MAX_ATTEMPTS = 3
GivenUp = Callable[[Transaction], Awaitable[None]]


class Inbox:
    """At least once in, and each update's consequence once."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def store(self, updates: list[dict[str, Any]]) -> None:
        """Commit a batch of raw updates; ids seen before are ignored."""
        now = self._db.now()
        rows = [(update["update_id"], json.dumps(update), now) for update in updates]
        async with self._db.transaction() as tx:
            await tx.many("INSERT OR IGNORE INTO inbox (update_id, raw, received) VALUES (?, ?, ?)", rows)
            point("storing")

    async def pending(self) -> list[tuple[int, str]]:
        """Unhandled updates, oldest first: id and raw JSON."""
        rows = await self._db.all("SELECT update_id, raw FROM inbox WHERE state = 'new' ORDER BY update_id")
        return [(row["update_id"], row["raw"]) for row in rows]

    async def lapsed(self) -> set[int]:
        """Unhandled updates that have lain here for longer than Telegram itself would have kept them."""
        rows = await self._db.all(
            "SELECT update_id FROM inbox WHERE state = 'new' AND received < ?", self._db.now() - LAPSE_SECONDS
        )
        return {row["update_id"] for row in rows}

    async def attempt(self, update_id: int, given_up: GivenUp | None = None) -> bool:
        """Count an attempt before it is made; False when this update has crashed us too often.

        It is then set aside, and what `given_up` writes about it is in the same commit.
        """
        async with self._db.transaction() as tx:
            await tx.run("UPDATE inbox SET attempts = attempts + 1 WHERE update_id = ?", update_id)
            row = await tx.one("SELECT attempts FROM inbox WHERE update_id = ?", update_id)
            if row is not None and row["attempts"] <= MAX_ATTEMPTS:
                return True
            await tx.run("UPDATE inbox SET state = 'quarantined' WHERE update_id = ?", update_id)
            if given_up is not None:
                await given_up(tx)
            return False

    async def quarantine(self, update_id: int) -> None:
        """Set a malformed update aside, kept for a look."""
        async with self._db.transaction() as tx:
            await tx.run("UPDATE inbox SET state = 'quarantined' WHERE update_id = ?", update_id)

    async def done(self, tx: Transaction, *updates: int | None) -> None:
        """Mark handled, in the transaction of their one consequence."""
        for update in updates:
            await tx.run("UPDATE inbox SET state = 'done' WHERE update_id = ? AND state = 'new'", update)

    async def handled(self, *updates: int) -> None:
        """Mark updates without consequence as handled."""
        async with self._db.transaction() as tx:
            await self.done(tx, *updates)

    async def album_handled(self, chat: int, album: str) -> bool:
        """Whether a picture of this album has been dealt with."""
        row = await self._db.one(
            "SELECT 1 FROM inbox WHERE state = 'done' AND CASE WHEN json_valid(raw) THEN"
            " json_extract(raw, '$.message.media_group_id') = ? AND json_extract(raw, '$.message.chat.id') = ? END",
            album, chat,
        )  # fmt: skip
        return row is not None

    async def prune(self) -> None:
        """Forget what is too old to be delivered again."""
        async with self._db.transaction() as tx:
            for state, kept in (("done", KEEP_SECONDS), ("quarantined", LOOK_SECONDS)):
                await tx.run("DELETE FROM inbox WHERE state = ? AND received < ?", state, self._db.now() - kept)
