"""The audit log: a chain of HMACs, each record committed with the change it tells of."""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from memory.database import Database, Transaction
from memory.keys import Keys
from memory.models import canonical
from memory.secrets import Redactor
from memory.text import every_text


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

    @property
    def intact(self) -> bool:
        """Whether nothing has been edited or removed, as far as can be told."""
        return self.broken_at is None and not self.missing

    def __str__(self) -> str:
        records = f"{self.records} record{'' if self.records == 1 else 's'}"
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
        """Recompute the chain; `head` is one that was seen before (SEQ:HEX) and must still be in it."""
        previous, expected, missing = "", 1, head
        seq, _, mark = head.lower().partition(":")
        for row in await self._db.all("SELECT * FROM audit ORDER BY seq"):
            mac = self._mac(previous, row["seq"], row["at"], row["kind"], row["actor"], row["data"])
            if row["seq"] != expected or not hmac.compare_digest(mac.encode(), row["mac"].encode()):
                return Chain(row["seq"], previous[-8:], row["seq"])
            if mark and str(expected) == seq and mac.endswith(mark):
                missing = ""
            previous, expected = mac, expected + 1
        return Chain(expected - 1, previous[-8:], None, missing)

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
