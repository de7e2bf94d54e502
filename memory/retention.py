"""What is forgotten, and after how long. Never what is open, unknown or can be undone, nor what a memory came from."""

from dataclasses import dataclass

from memory.audit import Audit
from memory.database import Database
from memory.journal import OPEN
from memory.points import point

DAY = 86400.0
BATCH = 100
"""Rows that go in one transaction: nobody who writes waits for long."""
LEAST_DAYS, LEAST_AUDIT_DAYS = 180, 730

FORGETTABLE = f"""SELECT id FROM runs WHERE updated < ? AND state NOT IN ('working', 'waiting')
    AND NOT EXISTS (SELECT 1 FROM calls WHERE run = runs.id
        AND ({OPEN} OR (undo IS NOT NULL AND undone_by IS NULL AND undo_until > ?)))
    AND NOT EXISTS (SELECT 1 FROM memories WHERE memories.run = runs.id) ORDER BY updated LIMIT {BATCH}"""
OF_RUNS = (
    "DELETE FROM approvals WHERE call IN (SELECT id FROM calls WHERE run = ?)",
    "DELETE FROM cards WHERE run = ?",
    "DELETE FROM calls WHERE run = ?",
    "DELETE FROM held WHERE run = ?",
    "DELETE FROM messages WHERE run = ?",
    "DELETE FROM runs WHERE id = ?",
)
BY_AGE = {
    "outbox": "id IN (SELECT id FROM outbox WHERE created < ? AND state IN ('sent', 'dropped')"
    f" AND key NOT GLOB 'migrated:*' LIMIT {BATCH})",
    "usage": f"id IN (SELECT id FROM usage WHERE at < ? LIMIT {BATCH})",
    "schedule_runs": "(schedule, due) IN (SELECT schedule, due FROM schedule_runs AS old WHERE at < ?"
    " AND state <> 'started' AND due < (SELECT max(due) FROM schedule_runs WHERE schedule = old.schedule)"
    f" LIMIT {BATCH})",
}
"""What of these tables goes. A group's old number, and the last time that a schedule was served, are known for good."""


@dataclass(frozen=True)
class Keep:
    """Days for which the books are kept."""

    days: int = 365
    """Of requests with all that they did, of what was said and what it cost."""
    audit_days: int = LEAST_AUDIT_DAYS
    """Of the audit log; what is older is in files beside the database."""


class Retention:
    """Forgets what is old, in small steps, each of them whole."""

    def __init__(self, database: Database, audit: Audit, keep: Keep) -> None:
        self._db, self._audit, self._keep = database, audit, keep

    async def prune(self) -> int:
        """Forget everything whose time is up; returns how many requests that were."""
        before, runs = self._db.now() - self._keep.days * DAY, 0
        while forgotten := await self._runs(before):
            runs += forgotten
        for table, where in BY_AGE.items():
            while await self._rows(f"DELETE FROM {table} WHERE {where}", before) == BATCH:
                pass
        folder = self._db.path.parent / "audit"
        while await self._audit.archive(self._db.now() - self._keep.audit_days * DAY, folder):
            pass
        return runs

    async def _runs(self, before: float) -> int:
        async with self._db.transaction() as tx:
            runs = [(row["id"],) for row in await tx.all(FORGETTABLE, before, self._db.steady())]
            for statement in OF_RUNS if runs else ():
                await tx.many(statement, runs)
                point("forgetting")
        return len(runs)

    async def _rows(self, statement: str, before: float) -> int:
        async with self._db.transaction() as tx:
            return await tx.run(statement, before)
