"""How everything stood at the last digest."""

import json

from memory.database import Database, Transaction

KEEP = 30


class Snapshots:
    """Name → state, at a moment."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def save(self, tx: Transaction, items: dict[str, str]) -> None:
        """Keep how things stand now; very old ones are forgotten."""
        await tx.run("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", self._db.now(), json.dumps(items))
        await tx.run(
            "DELETE FROM snapshots WHERE taken NOT IN (SELECT taken FROM snapshots ORDER BY taken DESC LIMIT ?)", KEEP
        )

    async def latest(self) -> tuple[float, dict[str, str]] | None:
        """The newest snapshot and when it was taken."""
        row = await self._db.one("SELECT taken, body FROM snapshots ORDER BY taken DESC LIMIT 1")
        return (row["taken"], json.loads(row["body"])) if row else None
