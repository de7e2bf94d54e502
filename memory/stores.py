"""Every store over one database, opened and closed together."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from memory.approvals import Approvals
from memory.audit import Audit
from memory.database import Database, DatabaseBroken, log_of
from memory.embeddings import Embedder, NoEmbedder
from memory.inbox import Inbox
from memory.journal import Held, Journal
from memory.keys import Keys, digest
from memory.knowledge import Knowledge
from memory.marks import Marks
from memory.nets import Nets
from memory.outbox import Outbox
from memory.runs import Runs
from memory.schedules import Schedules
from memory.snapshots import Snapshots
from memory.usage import Usage


@dataclass(frozen=True)
class Stores:
    """What the rest of the program keeps in memory/."""

    database: Database
    keys: Keys
    inbox: Inbox
    outbox: Outbox
    runs: Runs
    journal: Journal
    held: Held
    approvals: Approvals
    audit: Audit
    usage: Usage
    nets: Nets
    schedules: Schedules
    snapshots: Snapshots
    knowledge: Knowledge
    marks: Marks

    @classmethod
    async def open(cls, folder: Path, embedder: Embedder | None = None) -> "Stores":
        """Everything in `folder`; without an embedder memories are found by their words. Raises DatabaseBroken."""
        path, key = folder / "rackhand.db", folder / "rackhand.key"
        if await asyncio.to_thread(lambda: key.exists() and not path.exists()):
            raise DatabaseBroken(
                f"{path} is missing, but its key is there: restore a backup with `python main.py restore FILE`,"
                f" or move {key.name} away to begin with nothing."
            )
        await asyncio.to_thread(_drop_stillborn, path, key)
        return cls.over(await Database.open(path), Keys.open(key), embedder)

    @classmethod
    def over(cls, database: Database, keys: Keys, embedder: Embedder | None = None) -> "Stores":
        """The stores of an open database."""
        return cls(
            database, keys, Inbox(database), Outbox(database), Runs(database), Journal(database), Held(database),
            Approvals(database, keys), Audit(database, keys), Usage(database), Nets(database, keys),
            Schedules(database), Snapshots(database), Knowledge(database, embedder or NoEmbedder()), Marks(database),
        )  # fmt: skip

    def undo_hash(self, call: str) -> str:
        """What the journal keeps of an Undo button."""
        return digest(self.keys.button("undo", call))

    async def close(self) -> None:
        """Close the database."""
        await self.database.close()


def _drop_stillborn(path: Path, key: Path) -> None:
    """An empty database without a key never held anything: a crash came between creating and writing it."""
    if path.exists() and not key.exists() and not log_of(path).exists() and _blank(path):
        path.unlink()


def _blank(path: Path) -> bool:
    """Whether there is nothing in the file, or a header and a schema without a single row."""
    with path.open("rb") as file:
        head = file.read(105)
    return not head or (head[28:32] == (1).to_bytes(4, "big") and head[100:101] == b"\r" and head[103:105] == b"\0\0")
