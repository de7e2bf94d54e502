"""Schedules and which of their due moments have been served."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Literal

from memory.database import Database, Transaction


@dataclass(frozen=True)
class Schedule:
    """Something to be done at certain times."""

    id: str
    kind: str
    cron: str
    conversation: str
    payload: dict[str, Any]
    enabled: bool
    created: float


class Schedules:
    """Rows that the scheduler turns into jobs; `changed` tells it to look again."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.changed = asyncio.Event()

    async def put(self, schedule: Schedule) -> None:
        """Add a schedule or replace the one with its id; the day it was first added is kept."""
        async with self._db.transaction() as tx:
            await tx.run(
                "INSERT INTO schedules VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " kind = excluded.kind, cron = excluded.cron, conversation = excluded.conversation,"
                " payload = excluded.payload, enabled = excluded.enabled",
                schedule.id, schedule.kind, schedule.cron, schedule.conversation, json.dumps(schedule.payload),
                int(schedule.enabled), schedule.created,
            )  # fmt: skip
        self.changed.set()

    async def all(self) -> list[Schedule]:
        """Every schedule."""
        return [
            Schedule(
                row["id"], row["kind"], row["cron"], row["conversation"], json.loads(row["payload"]),
                bool(row["enabled"]), row["created"],
            )
            for row in await self._db.all("SELECT * FROM schedules ORDER BY id")
        ]  # fmt: skip

    async def claim(self, schedule: str, due: str) -> bool:
        """Take one due moment (local time, ISO): False when it has been taken already."""
        async with self._db.transaction() as tx:
            changed = await tx.run(
                "INSERT OR IGNORE INTO schedule_runs VALUES (?, ?, 'started', ?)", schedule, due, self._db.now()
            )
        return changed == 1

    async def served(self, tx: Transaction, schedule: str, due: str, state: Literal["done", "late", "failed"]) -> None:
        """How the due moment ended."""
        await tx.run("UPDATE schedule_runs SET state = ? WHERE schedule = ? AND due = ?", state, schedule, due)

    async def unfinished(self) -> list[tuple[str, str]]:
        """Claimed moments that a crash left open."""
        rows = await self._db.all("SELECT schedule, due FROM schedule_runs WHERE state = 'started'")
        return [(row["schedule"], row["due"]) for row in rows]

    async def last(self, schedule: str) -> str | None:
        """The latest moment served, if any."""
        row = await self._db.one("SELECT max(due) AS due FROM schedule_runs WHERE schedule = ?", schedule)
        return row["due"] if row else None
