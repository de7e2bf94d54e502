"""Every statement of the stores is found by an index: checked the first time that any test runs it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from memory.database import Database, Transaction

GROWING = frozenset({
    "approvals", "audit", "calls", "cards", "held", "memories", "memory_versions", "messages", "outbox", "runs",
    "schedule_runs", "usage",
})  # fmt: skip
"""Not the inbox and the nets: those are forgotten after a day or two."""
WHOLE = {
    "SELECT * FROM audit ORDER BY seq": "the chain is checked, or told, as a whole",
    "SELECT count(*), total(tainted)": "somebody asks how much is remembered",
    "SELECT actor, count(*) FROM memories": "and by whom",
    "SELECT id FROM memories ORDER BY id": "all of them are to be forgotten",
    "SELECT id, 1 - vec_distance_cosine(vector, ?)": "the nearest may be any; they are compared where they lie",
    "SELECT id, vector FROM memories": "the same where sqlite-vec cannot be loaded",
}
"""What reads a table from end to end, by how it begins, and why it may."""
FEW = ("_open", "_new", "_pending", "_live")
"""Ends of the names of partial indexes that hold only what is open."""
_known: set[str] = set()


def scans(sql: str, plan: list[str]) -> Iterator[str]:
    """The growing tables that a plan reads from end to end; in order of an index, up to a limit, is not that."""
    bounded = " LIMIT " in sql and not any("TEMP B-TREE" in step for step in plan)
    for step in plan:
        verb, _, rest = step.partition(" ")
        table, index = rest.split(" ")[0], rest.rpartition(" INDEX ")[2].split(" ")[0]
        if verb == "SCAN" and table in GROWING and not index.endswith(FEW) and not bounded:
            yield step


def _asker() -> str:
    """The file that asks."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_code.co_filename.endswith("memory/database.py"):
        frame = frame.f_back
    return frame.f_code.co_filename


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A statement that reads all of a growing table fails whoever runs it, unless `WHOLE` says why it may."""
    found: list[str] = []
    for owner, names in ((Database, ("all",)), (Transaction, ("run", "one", "all"))):
        for name in names:
            monkeypatch.setattr(owner, name, _watched(owner, name, found))
    yield
    assert not found, found


def _watched(owner: type, name: str, found: list[str]) -> Any:
    plain = getattr(owner, name)

    async def asked(self: Any, sql: str, *values: Any) -> Any:
        asker = _asker()
        if sql not in _known and "/memory/" in asker and "/tests/" not in asker and "migrations" not in asker:
            _known.add(sql)
            if sql.startswith(("SELECT", "UPDATE", "DELETE")) and not sql.startswith((*WHOLE,)):
                plan = f"EXPLAIN QUERY PLAN {sql}"
                direct = self._connection if isinstance(self, Transaction) else None
                rows = direct.execute(plan, values) if direct else await self._reader.execute_fetchall(plan, values)
                found.extend(f"{asker}: {sql}: {step}" for step in scans(sql, [row["detail"] for row in rows]))
        return await plain(self, sql, *values)

    return asked
