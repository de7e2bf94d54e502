"""Cards and approvals: waiting is a stored row, and one compare-and-set decides."""

import json
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from memory.database import Database, Row, Transaction
from memory.keys import Keys, digest
from memory.models import Approval, Card

EXPIRY_SECONDS = 600.0
"""A tap carries no date: this is what bounds late execution."""
SETTINGS = "settings"
"""Who decided where no person did: what the owner has configured."""
CARD = "SELECT *, (SELECT message FROM outbox WHERE key = 'card:' || cards.id) AS message FROM cards"


@dataclass(frozen=True)
class Ask:
    """One call as it is put before a person."""

    call: str
    args_hash: str
    shown_hash: str
    schema_version: str = ""
    """Of its tool; an empty one is never current."""


class Approvals:
    """Single-use decisions, bound to a call, its arguments, the shown facts, the chat, the message and the person."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._db = database
        self._keys = keys

    def key(self, card: str) -> str:
        """The secret in a card's buttons."""
        return self._keys.button("card", card)

    async def request(
        self,
        tx: Transaction,
        run: str,
        conversation: str,
        asks: list[Ask],
        *,
        allowed: list[str],
        policy: int,
    ) -> str:
        """A new card with a pending approval for each call; earlier live ones are superseded."""
        card, now = secrets.token_hex(8), await self._db.note_clock(tx)
        epoch = await self.epoch(tx)
        await tx.run(
            "INSERT INTO cards (id, run, conversation, key_hash, allowed, policy, epoch, created, expires)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            card, run, conversation, digest(self.key(card)), json.dumps(allowed), policy, epoch, now,
            now + EXPIRY_SECONDS,
        )  # fmt: skip
        for ask in asks:
            await tx.run(
                "UPDATE approvals SET state = 'superseded' WHERE call = ? AND state IN ('pending', 'approved')",
                ask.call,
            )
            await tx.run(
                "INSERT INTO approvals (call, card, args_hash, shown_hash, schema_version) VALUES (?, ?, ?, ?, ?)",
                ask.call, card, ask.args_hash, ask.shown_hash, ask.schema_version,
            )  # fmt: skip
        return card

    async def grant(self, tx: Transaction, run: str, conversation: str, ask: Ask, *, actor: str, policy: int) -> None:
        """Record a decision that was made elsewhere: a tap on Undo is its own approval."""
        card = await self.request(tx, run, conversation, [ask], allowed=[actor], policy=policy)
        await tx.run(
            "UPDATE approvals SET state = 'approved', decided_by = ?, decided = ? WHERE card = ?",
            actor, self._db.now(), card,
        )  # fmt: skip

    async def decide(self, tx: Transaction, card: Card, calls: list[str], approve: bool, actor: str) -> bool:
        """Decide these calls of a card, all of them or none. The second tap loses."""
        now, marks = await self._db.note_clock(tx), ",".join("?" * len(calls))
        changed = await tx.run(
            f"UPDATE approvals SET state = ?, decided_by = ?, decided = ? WHERE card = ? AND call IN ({marks})"
            " AND state = 'pending' AND EXISTS (SELECT 1 FROM cards WHERE id = card AND expires > ? AND epoch ="
            " (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'epoch'))"
            f" AND (SELECT count(*) FROM approvals WHERE card = ? AND call IN ({marks}) AND state = 'pending') = ?",
            "approved" if approve else "denied", actor, self._db.now(), card.id, *calls,
            now, card.id, *calls, len(calls),
        )  # fmt: skip
        return changed == len(calls)

    async def arm(self, tx: Transaction, card: str) -> bool:
        """The first of the two taps that a DESTROY needs; False when somebody has decided meanwhile."""
        changed = await tx.run(
            "UPDATE cards SET armed = 1 WHERE id = ? AND id IN (SELECT card FROM approvals WHERE state = 'pending')",
            card,
        )  # fmt: skip
        return changed > 0

    async def supersede(self, tx: Transaction, card: str) -> bool:
        """Put a card's open questions aside, to be asked otherwise; False when there is none any more."""
        changed = await tx.run("UPDATE approvals SET state = 'superseded' WHERE card = ? AND state = 'pending'", card)
        return changed > 0

    async def close(self, tx: Transaction, card: str, state: Literal["denied", "superseded"], reason: str) -> bool:
        """End a card's open questions without a person; False when somebody was faster."""
        changed = await tx.run(
            "UPDATE approvals SET state = ?, reason = ?, decided_by = ?, decided = ? WHERE card = ?"
            " AND state = 'pending'",
            state, reason, SETTINGS, self._db.now(), card,
        )  # fmt: skip
        return changed > 0

    async def waiting(self, tx: Transaction, conversation: str) -> int:
        """How many cards wait in a chat."""
        row = await tx.one(
            "SELECT count(*) AS n FROM cards WHERE conversation = ? AND expires > ?"
            " AND id IN (SELECT card FROM approvals WHERE state = 'pending')",
            conversation, await self._db.note_clock(tx),
        )  # fmt: skip
        assert row is not None, "an aggregate has one row"
        return int(row["n"])

    async def proposed(
        self, tx: Transaction, conversation: str, actor: str, since: float
    ) -> tuple[list[float], list[float]]:
        """When cards came since a moment, oldest first: in this chat, and for this person.

        Those that a model or a schedule has thought of: not what a person's own button asks, nor the same call once
        more (it has moved, or is taken one by one).
        """
        rows = await tx.all(
            "SELECT DISTINCT card, created, conversation, actor FROM (SELECT min(approvals.id), approvals.card,"
            " cards.created, cards.conversation, runs.actor FROM cards CROSS JOIN runs ON runs.id = cards.run"
            " CROSS JOIN approvals ON approvals.card = cards.id WHERE cards.created > ?"
            " AND (runs.thinks OR runs.unattended) GROUP BY approvals.call) ORDER BY created",
            since,
        )  # fmt: skip
        here = [row["created"] for row in rows if row["conversation"] == conversation]
        return here, [row["created"] for row in rows if row["actor"] == actor]

    async def withdraw(self, tx: Transaction, call: str) -> None:
        """Close a call's open question: it has been settled otherwise."""
        await tx.run("UPDATE approvals SET state = 'superseded' WHERE call = ? AND state = 'pending'", call)

    async def expire(self, tx: Transaction, *, everything: bool = False) -> list[str]:
        """Close overdue approvals (or all of them); returns the runs to be advanced."""
        now = await self._db.note_clock(tx)
        where = "state = 'pending' AND (SELECT expires <= ? OR ? FROM cards WHERE id = card)"
        rows = await tx.all(
            f"SELECT DISTINCT run FROM cards WHERE id IN (SELECT card FROM approvals WHERE {where})",
            now, int(everything),
        )  # fmt: skip
        await tx.run(f"UPDATE approvals SET state = 'expired' WHERE {where}", now, int(everything))
        return [row["run"] for row in rows]

    async def by_key(self, key: str) -> Card | None:
        """The card whose buttons carry this secret."""
        row = await self._db.one(f"{CARD} WHERE key_hash = ?", digest(key))
        return _card(row) if row else None

    async def card(self, card: str) -> Card | None:
        """A card by id."""
        row = await self._db.one(f"{CARD} WHERE id = ?", card)
        return _card(row) if row else None

    async def of_card(self, card: str) -> list[Approval]:
        """A card's approvals in the order shown."""
        return [_approval(r) for r in await self._db.all("SELECT * FROM approvals WHERE card = ? ORDER BY id", card)]

    async def latest(self, call: str) -> Approval | None:
        """The newest approval of a call."""
        row = await self._db.one("SELECT * FROM approvals WHERE call = ? ORDER BY id DESC LIMIT 1", call)
        return _approval(row) if row else None

    async def open_cards(self, conversation: str | None = None) -> list[Card]:
        """Cards with a pending approval, oldest first."""
        rows = await self._db.all(
            f"{CARD} WHERE id IN (SELECT card FROM approvals WHERE state = 'pending') ORDER BY created"
        )
        return [_card(row) for row in rows if conversation in (None, row["conversation"])]

    async def epoch(self, tx: Transaction) -> int:
        """The fencing epoch; a restore makes a new one."""
        row = await tx.one("SELECT CAST(value AS INTEGER) AS epoch FROM meta WHERE key = 'epoch'")
        assert row is not None, "meta.epoch is written by the first migration"
        return int(row["epoch"])

    async def next_epoch(self, tx: Transaction) -> None:
        """Void everything that was approved or pending under the old epoch."""
        await tx.run("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'epoch'")


def _card(row: Row) -> Card:
    return Card(
        row["id"], row["run"], row["conversation"], row["message"], json.loads(row["allowed"]), row["policy"],
        row["epoch"], bool(row["armed"]), row["created"], row["expires"],
    )  # fmt: skip


def _approval(row: Any) -> Approval:
    return Approval(
        row["id"],
        row["call"],
        row["card"],
        row["state"],
        row["shown_hash"],
        row["schema_version"],
        row["decided_by"],
        row["decided"],
        row["reason"],
    )
