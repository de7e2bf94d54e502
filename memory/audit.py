"""The audit log: a chain of HMACs, each record committed with the change it tells of."""

import asyncio
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from memory.database import Database, Transaction
from memory.filesystem import sync
from memory.keys import Keys
from memory.models import canonical
from memory.points import point
from memory.secrets import Redactor
from memory.text import every_text

BATCH = 1000
"""Records that are checked, or moved, at a time."""


@dataclass(frozen=True)
class Entry:
    """One audit record."""

    seq: int
    at: float
    kind: str
    actor: str
    data: dict[str, Any]
    mac: str


@dataclass(frozen=True)
class Chain:
    """What checking the chain found."""

    records: int
    head: str
    broken_at: int | None
    missing: str = ""
    """The remembered head that the chain does not contain."""
    archived: int = 0
    """Records before these, which are in files; the chain goes on from the last of them."""

    @property
    def intact(self) -> bool:
        """Whether nothing has been edited or removed, as far as can be told."""
        return self.broken_at is None and not self.missing

    def __str__(self) -> str:
        records = f"{self.records} record{'' if self.records == 1 else 's'}"
        records += f" after {self.archived} that are archived" if self.archived else ""
        if self.broken_at is not None:
            return f"{records}, chain broken at {self.broken_at}: somebody has edited or removed it"
        head = f", head {self.head}" if self.head else ""
        if self.missing:
            return f"{records}{head}, but {self.missing} is not among them: they were cut off or replaced"
        return f"{records}, chain intact{head}"


class Audit:
    """Append-only; an edit or a removal in the middle breaks the chain at that record."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._db = database
        self._key = keys.derive("audit")
        self._moving = asyncio.Lock()
        """Held while records move into a file, and while somebody follows the chain."""
        self.redact: Callable[[str], str] = Redactor()
        """Whoever knows the configured secrets puts the better redactor here."""

    async def record(self, tx: Transaction, kind: str, actor: str, **data: Any) -> None:
        """Append one record inside the caller's transaction."""
        last = await tx.one("SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1")
        seq, previous = (last["seq"] + 1, last["mac"]) if last else (1, "")
        at, body = round(self._db.now(), 3), canonical(every_text(data, self.redact))
        await tx.run(
            "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)",
            seq, at, kind, actor, body, self._mac(previous, seq, at, kind, actor, body),
        )  # fmt: skip

    async def last(self, count: int) -> list[Entry]:
        """The newest records, newest first."""
        rows = await self._db.all("SELECT * FROM audit ORDER BY seq DESC LIMIT ?", count)
        return [_entry(row) for row in rows]

    async def export(self) -> list[Entry]:
        """Every record, oldest first."""
        return [_entry(row) for row in await self._db.all("SELECT * FROM audit ORDER BY seq")]

    async def verify(self, head: str = "") -> Chain:
        """Recompute the chain; `head` is one that was seen before (SEQ:HEX) and must still be in it.

        From the anchor on, every time: an edit may be younger than any check, and of a record that was fine then.
        """
        async with self._moving:
            anchor = await self._anchor()
            if anchor is None:
                return Chain(0, "", 1)
            first, previous = anchor
            missing, expected = head, first + 1
            seq, _, mark = head.lower().partition(":")
            while rows := await self._after(expected - 1):
                macs = await asyncio.to_thread(self._macs, previous, rows)  # the loop has better to do
                for row, mac in zip(rows, macs, strict=True):
                    if row["seq"] != expected or not hmac.compare_digest(mac.encode(), row["mac"].encode()):
                        return Chain(row["seq"] - first, previous[-8:], row["seq"], archived=first)
                    if mark and str(expected) == seq and mac.endswith(mark):
                        missing = ""
                    previous, expected = mac, expected + 1
        return Chain(expected - 1 - first, previous[-8:], None, missing, first)

    async def archive(self, before: float, folder: Path) -> int:
        """Move a batch of records that are older into a file in `folder`; returns how many.

        What remains is one chain with them by its anchor. A chain that is broken stays where it can be looked at.
        """
        async with self._moving:
            return await self._archive(before, folder)

    async def _archive(self, before: float, folder: Path) -> int:
        found = await self._anchor()
        if found is None:
            return 0
        first, previous = found
        rows = [*takewhile(lambda row: row["at"] < before, await self._after(first))]
        macs = await asyncio.to_thread(self._macs, previous, rows)
        newest = await self._db.one("SELECT seq FROM audit ORDER BY seq DESC LIMIT 1")
        whole = all(row["seq"] == first + 1 + at and row["mac"] == macs[at] for at, row in enumerate(rows))
        if not rows or not whole or newest is None or rows[-1]["seq"] == newest["seq"]:
            return 0
        last = rows[-1]["seq"]
        name = f"audit-{first + 1:09}-{last:09}-{macs[-1][-8:]}.jsonl"
        await asyncio.to_thread(_write_down, folder, name, "".join(f"{json.dumps(dict(row))}\n" for row in rows))
        anchor = canonical({"seq": last, "mac": macs[-1], "proof": self._proof(last, macs[-1])})
        async with self._db.transaction() as tx:
            await self.record(tx, "archived", "clock", through=last, file=name)
            await tx.run("INSERT OR REPLACE INTO meta VALUES ('audit anchor', ?)", anchor)
            point("archiving")
            await tx.run("DELETE FROM audit WHERE seq <= ?", last)
        return len(rows)

    async def _anchor(self) -> tuple[int, str] | None:
        """The last record that is archived, and its MAC; None when somebody has put another there."""
        row = await self._db.one("SELECT value FROM meta WHERE key = 'audit anchor'")
        if row is None:
            return 0, ""
        try:
            anchor = json.loads(row["value"])
            seq, mac, proof = anchor["seq"], anchor["mac"], anchor["proof"]
        except (ValueError, TypeError, KeyError):
            return None
        return (seq, mac) if hmac.compare_digest(str(proof), self._proof(seq, mac)) else None

    async def _after(self, seq: int) -> list[Any]:
        return await self._db.all("SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", seq, BATCH)

    def _macs(self, previous: str, rows: list[Any]) -> list[str]:
        """What the MACs of these records have to be."""
        return [
            previous := self._mac(previous, row["seq"], row["at"], row["kind"], row["actor"], row["data"])
            for row in rows
        ]

    def _proof(self, seq: int, mac: str) -> str:
        return hmac.new(self._key, canonical(["anchor", seq, mac]).encode(), "sha256").hexdigest()

    def _mac(self, previous: str, seq: int, at: float, kind: str, actor: str, body: str) -> str:
        text = canonical([previous, seq, at, kind, actor, body])
        return hmac.new(self._key, text.encode(), "sha256").hexdigest()


def _entry(row: Any) -> Entry:
    try:
        data = json.loads(row["data"])
    except ValueError:
        data = None
    if not isinstance(data, dict):
        data = {"unreadable": row["data"]}  # somebody's edit; what it says is evidence, too
    return Entry(row["seq"], row["at"], row["kind"], row["actor"], data, row["mac"])


def _write_down(folder: Path, name: str, text: str) -> None:
    """A file that is on the disk, whole, when this returns."""
    folder.mkdir(mode=0o700, exist_ok=True)
    half = folder / f"{name}.part"
    half.touch(0o600)
    half.write_text(text, encoding="utf-8")
    sync(half)
    half.replace(folder / name)
    sync(folder)
