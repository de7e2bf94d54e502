"""The journal: every change from intent to outcome. `started` is committed before the first byte leaves."""

import json
from typing import Any

from memory.database import Database, Row, Transaction
from memory.models import CallRow, CallState, canonical

OPEN = "state IN ('proposed', 'waiting', 'started', 'unknown')"
"""As `calls_open` has it: a partial index serves only who asks in its own words."""


class Journal:
    """Rows move only along the legal steps; the schema's triggers refuse the rest."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def propose(self, tx: Transaction, **columns: Any) -> None:
        """A new row, state `proposed`."""
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        # Facts keep the order in which their author put them; arguments have the one canonical spelling.
        values = [
            canonical(value) if name == "args" else json.dumps(value) if isinstance(value, dict | list) else value
            for name, value in columns.items()
        ]
        await tx.run(f"INSERT INTO calls ({names}) VALUES ({marks})", *values)

    async def update_facts(self, tx: Transaction, call: str, before: dict[str, Any], card: dict[str, Any]) -> None:
        """New facts on a card that is shown again."""
        await tx.run("UPDATE calls SET before = ?, card = ? WHERE id = ?", json.dumps(before), json.dumps(card), call)

    async def needs_tap(self, tx: Transaction, call: str) -> None:
        """It does not run without a person's decision any more."""
        await tx.run("UPDATE calls SET needs_tap = 1 WHERE id = ?", call)

    async def waiting(self, tx: Transaction, call: str) -> None:
        """A card is on the table."""
        await tx.run("UPDATE calls SET state = 'waiting' WHERE id = ? AND state = 'proposed'", call)

    async def start(
        self,
        tx: Transaction,
        call: str,
        epoch: int,
        net: str | None,
        *,
        undo: dict[str, Any] | None = None,
        undo_key: str | None = None,
        undo_until: float | None = None,
        safety: bool = False,
    ) -> bool:
        """Commit that it begins now, and how it could be taken back; False when it is no longer ours to begin.

        `safety`: with what makes that possible, and nothing of the change itself until that is `made`.
        """
        changed = await tx.run(
            "UPDATE calls SET state = 'started', started = ?, net = ?, undo = ?, undo_key = ?, undo_until = ?,"
            " safety = ? WHERE id = ? AND epoch = ? AND state IN ('proposed', 'waiting')"
            " AND epoch = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'epoch')",
            self._db.now(), net, canonical(undo) if undo else None, undo_key, undo_until,
            "{}" if safety else None, call, epoch,
        )  # fmt: skip
        return changed == 1

    async def made(
        self, tx: Transaction, call: str, words: str, net: str | None, *, undo: dict[str, Any] | None = None,
        undo_key: str | None = None, undo_until: float | None = None,
    ) -> None:  # fmt: skip
        """Its safety net is there, and with it how it can be taken back: from here on the change itself begins."""
        await tx.run(
            "UPDATE calls SET safety = ?, net = ?, undo = ?, undo_key = ?, undo_until = ?"
            " WHERE id = ? AND state = 'started'",
            json.dumps({"words": words}), net, canonical(undo) if undo else None, undo_key, undo_until, call,
        )  # fmt: skip

    async def begun(self, tx: Transaction, call: str, ref: str, until: float) -> None:
        """Keep what a call has begun and will be followed by."""
        task = canonical({"ref": ref, "until": until})
        await tx.run("UPDATE calls SET task = ? WHERE id = ?", task, call)

    async def progressed(self, tx: Transaction, call: str, words: str) -> bool:
        """How far a call that is under way has come; False when it has ended."""
        return await tx.run("UPDATE calls SET detail = ? WHERE id = ? AND state = 'started'", words, call) == 1

    async def finish(
        self,
        tx: Transaction,
        call: str,
        state: CallState,
        *,
        detail: str = "",
        after: dict[str, Any] | None = None,
        verified: bool | None = None,
    ) -> bool:
        """The outcome; False when the row had already moved on. What has failed cannot be taken back."""
        changed = await tx.run(
            "UPDATE calls SET state = ?, detail = ?, after = coalesce(?, after), verified = ?,"
            " undo = CASE ? WHEN 'failed' THEN NULL ELSE undo END, ended = ? WHERE id = ?"
            f" AND {OPEN}",
            state, detail, json.dumps(after) if after is not None else None,
            None if verified is None else int(verified), state, self._db.now(), call,
        )  # fmt: skip
        return changed == 1

    async def claim_undo(self, tx: Transaction, call: str, by: str) -> bool:
        """Use up a call's Undo; False when it was used before or has lapsed."""
        changed = await tx.run(
            "UPDATE calls SET undone_by = ? WHERE id = ? AND undo IS NOT NULL AND undone_by IS NULL"
            " AND state = 'done' AND undo_until > ?",
            by, call, self._db.steady(),
        )  # fmt: skip
        return changed == 1

    async def release_undo(self, tx: Transaction, call: str, by: str) -> None:
        """Give a call its Undo back when the run that was to take it back has changed nothing."""
        await tx.run(
            "UPDATE calls SET undone_by = NULL WHERE id = ? AND undone_by = ? AND NOT EXISTS ("
            "SELECT 1 FROM calls WHERE run = ? AND state IN ('started', 'done', 'unknown'))",
            call, by, by,
        )  # fmt: skip

    async def asked_again_by(self, run: str) -> list[CallRow]:
        """The calls that a run was opened to ask once more."""
        return [_call(row) for row in await self._db.all("SELECT * FROM calls WHERE asked_again = ?", run)]

    async def claim_again(self, tx: Transaction, calls: list[str], by: str) -> bool:
        """Use up [Ask again] of these calls, all of them or none; False when it was used before."""
        marks = ",".join("?" * len(calls))
        changed = await tx.run(
            f"UPDATE calls SET asked_again = ? WHERE id IN ({marks}) AND asked_again IS NULL"
            " AND state IN ('expired', 'not started', 'unknown')",
            by, *calls,
        )  # fmt: skip
        return changed == len(calls)

    async def release_again(self, tx: Transaction, by: str) -> list[str]:
        """Give calls their [Ask again] back when the run that was to ask could not; returns which."""
        where = "asked_again = ? AND NOT EXISTS (SELECT 1 FROM calls WHERE run = ?)"
        rows = await tx.all(f"SELECT id FROM calls WHERE {where}", by, by)
        await tx.run(f"UPDATE calls SET asked_again = NULL WHERE {where}", by, by)
        return [row["id"] for row in rows]

    async def get(self, call: str) -> CallRow | None:
        """One row."""
        rows = await self._select("id = ?", call)
        return rows[0] if rows else None

    async def by_undo_key(self, key_hash: str) -> CallRow | None:
        """The call whose Undo button has this key."""
        rows = await self._select("undo_key = ?", key_hash)
        return rows[0] if rows else None

    async def not_begun(self, tx: Transaction, run: str) -> list[str]:
        """The calls of a run that have not begun, as this transaction sees them."""
        rows = await tx.all("SELECT id FROM calls WHERE run = ? AND state IN ('proposed', 'waiting')", run)
        return [row["id"] for row in rows]

    async def of_run(self, run: str, tx: Transaction | None = None) -> list[CallRow]:
        """A run's changes in the model's order."""
        return await self._select("run = ?", run, tx=tx)

    async def in_state(self, *states: CallState) -> list[CallRow]:
        """Rows that are open in any of these states, oldest first."""
        marks = ",".join("?" * len(states))
        return await self._select(f"{OPEN} AND state IN ({marks})", *states)

    async def followed(self, conversation: str | None) -> list[CallRow]:
        """What has been begun here, or anywhere, and goes on by itself."""
        return await self._select(
            f"{OPEN} AND state = 'started' AND task IS NOT NULL AND (? IS NULL OR run IN (SELECT id FROM runs WHERE"
            " conversation = ?))",
            conversation, conversation,
        )  # fmt: skip

    async def since(self, moment: float) -> list[CallRow]:
        """Changes that ended or were proposed after a moment, oldest first."""
        return await self._select("coalesce(ended, proposed) > ?", moment)

    async def undoable(self, conversation: str) -> list[CallRow]:
        """What can be taken back here, newest first."""
        rows = await self._select(
            "undo IS NOT NULL AND undone_by IS NULL AND state = 'done' AND undo_until > ?"
            " AND run IN (SELECT id FROM runs WHERE conversation = ?)",
            self._db.steady(), conversation,
        )  # fmt: skip
        return rows[::-1]

    async def not_undoable(self, conversation: str, most: int = 20) -> list[CallRow]:
        """What was done here and can be taken back no more, or never could, newest first."""
        rows = await self._select(
            "rowid IN (SELECT calls.rowid FROM calls JOIN runs ON runs.id = calls.run WHERE runs.conversation = ?"
            " AND calls.state = 'done' AND undone_by IS NULL AND (undo IS NULL OR undo_until <= ?)"
            " ORDER BY calls.ended DESC LIMIT ?)",
            conversation, self._db.steady(), most,
        )  # fmt: skip
        return rows[::-1]

    async def took_effect(self, service: str, since: float) -> list[tuple[CallRow, str]]:
        """A service's changes that were done, or may have been, newest first, each with the name of who decided it."""
        rows = await self._db.all(
            "SELECT calls.*, coalesce((SELECT decider.actor_name FROM approvals JOIN runs AS decider"
            " ON decider.actor = approvals.decided_by WHERE approvals.call = calls.id AND approvals.state = 'approved'"
            " ORDER BY decider.created DESC LIMIT 1), runs.actor_name) AS who"
            " FROM calls JOIN runs ON runs.id = calls.run WHERE calls.state IN ('done', 'unknown')"
            " AND calls.tool LIKE ? ESCAPE '\\' AND calls.started > ? ORDER BY calls.started DESC, calls.rowid DESC",
            service.replace("_", "\\_") + "\\_%", since,
        )  # fmt: skip
        return [(_call(row), row["who"]) for row in rows]

    async def _select(self, where: str, *values: Any, tx: Transaction | None = None) -> list[CallRow]:
        rows = await (tx or self._db).all(f"SELECT * FROM calls WHERE {where} ORDER BY proposed, position", *values)
        return [_call(row) for row in rows]


class Held:
    """Results of reads that wait for the changes of the same reply."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def keep(self, tx: Transaction, run: str, results: dict[str, dict[str, Any]]) -> None:
        """Store tool_result blocks by call id."""
        await tx.many(
            "INSERT OR IGNORE INTO held VALUES (?, ?, ?)",
            [(call, run, json.dumps(block)) for call, block in results.items()],
        )

    async def of_run(self, run: str) -> dict[str, dict[str, Any]]:
        """Stored blocks by call id."""
        rows = await self._db.all("SELECT call, result FROM held WHERE run = ?", run)
        return {row["call"]: json.loads(row["result"]) for row in rows}


def _call(row: Row) -> CallRow:
    def read(column: str) -> Any:
        return None if row[column] is None else json.loads(row[column])

    return CallRow(
        id=row["id"], run=row["run"], position=row["position"], tool=row["tool"], risk=row["risk"],
        args=read("args"), args_hash=row["args_hash"], targets=read("targets"), card=read("card"),
        before=read("before"), after=read("after"), state=CallState(row["state"]),
        verified=None if row["verified"] is None else bool(row["verified"]), detail=row["detail"],
        needs_tap=bool(row["needs_tap"]), tainted=bool(row["tainted"]), net=row["net"], undo=read("undo"),
        undo_until=row["undo_until"], undone_by=row["undone_by"], asked_again=row["asked_again"],
        task=read("task"), safety=read("safety"),
        proposed=row["proposed"], started=row["started"], ended=row["ended"], epoch=row["epoch"],
    )  # fmt: skip
