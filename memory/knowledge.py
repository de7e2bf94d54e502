"""Memories: what people asked to be kept, found again by words and by meaning."""

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from memory.database import Database, Row, Transaction
from memory.embeddings import Embedder, cosines
from memory.text import clean

SATURATION = 4.0
"""The bm25 that counts half: a second rare word says less than the first."""
MEANING = 4.0
"""Weight of the cosine beside the words; both were chosen on one half of a labelled set and held on the other."""
NOISE = 0.12
"""Cosine up to which a memory without one common word is unrelated: such questions were seen to reach it."""
MOST_TERMS = 32
BATCH = 500
"""Memories that get a missing vector at a time."""

_STOP_WORDS = """
    a about after all also am an and any are as at be because been before being but by can could did do does
    for from get had has have he her here him his how i if in into is it its just like may me more most my no
    not of on or our out over she should so some such than that the their them then there these they this
    those to too up us was we were what when where which while who whom whose why will with would you your
"""
STOP_WORDS = frozenset(re.findall(r"\w+", _STOP_WORDS))

NEXT_ID = """SELECT max(coalesce((SELECT max(id) FROM memories), 0),
    coalesce((SELECT max(memory) FROM memory_versions), 0)) + 1"""
"""Ids are never used twice, or an old Undo and the history would mean the wrong memory."""
INSERT = """INSERT INTO memories (id, text, vector, actor, run, tainted, created, updated)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


STAINED = "SELECT 1 FROM memory_versions WHERE memory = ? AND text = ? AND tainted"


class IdTaken(Exception):
    """Another memory has this id."""


@dataclass(frozen=True)
class Memory:
    """One remembered text."""

    id: int
    text: str
    actor: str
    """Who wrote this text."""
    run: str | None
    tainted: bool
    """Whether text from outside had entered the run that wrote it."""
    created: float
    updated: float


@dataclass(frozen=True)
class Version:
    """What a memory said, and what happened to it then."""

    text: str
    actor: str
    at: float
    what: Literal["added", "updated", "deleted"]
    tainted: bool
    """Whether text from outside had entered the run that wrote the text."""


@dataclass(frozen=True)
class Hit:
    """A memory that answers a query; the score orders hits of one query and means nothing else."""

    memory: Memory
    score: float


@dataclass(frozen=True)
class Summary:
    """All memories in numbers."""

    memories: int
    tainted: int
    oldest: float | None
    newest: float | None
    by: dict[str, int]
    """Actor → memories, most first."""


class Recall:
    """Reading. Whoever holds one of these cannot change a memory."""

    def __init__(self, database: Database, embedder: Embedder) -> None:
        self._db = database
        self._embedder = embedder

    async def get(self, id: int) -> Memory | None:
        """The memory, or None."""
        return next(iter(await self.some([id])), None)

    async def some(self, ids: Iterable[int]) -> list[Memory]:
        """Those of these memories that are there, by id."""
        rows = await self._db.all(
            "SELECT * FROM memories WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id", json.dumps(list(ids))
        )
        return [_memory(row) for row in rows]

    async def all(self, page: int = 1, size: int = 10) -> list[Memory]:
        """One page of memories, the newest first; pages count from 1."""
        rows = await self._db.all("SELECT * FROM memories ORDER BY id DESC LIMIT ? OFFSET ?", size, (page - 1) * size)
        return [_memory(row) for row in rows]

    async def ids(self) -> list[int]:
        """Every memory's id."""
        return [row["id"] for row in await self._db.all("SELECT id FROM memories ORDER BY id")]

    async def next_id(self) -> int:
        """The id the next memory gets if nobody is faster."""
        return _number(await self._db.one(NEXT_ID))

    async def same(self, text: str, *, tainted: bool) -> Memory | None:
        """A memory with exactly this text; one that is tainted counts only for a tainted asker."""
        row = await self._db.one(
            "SELECT * FROM memories WHERE text = ? AND tainted <= ? ORDER BY id LIMIT 1", text, int(tainted)
        )
        return _memory(row) if row else None

    async def history(self, id: int) -> list[Version]:
        """Everything a memory ever said, the oldest first; deleted memories have one, too."""
        rows = await self._db.all("SELECT * FROM memory_versions WHERE memory = ? ORDER BY rowid", id)
        return [Version(row["text"], row["actor"], row["at"], row["what"], bool(row["tainted"])) for row in rows]

    async def stained(self, id: int, text: str) -> bool:
        """Whether this text of a memory ever came from outside: then it does for good, whoever puts it back."""
        return bool(await self._db.one(STAINED, id, text))

    async def changes(self, ids: Iterable[int]) -> int:
        """How often these memories have been added, updated or deleted."""
        sql = "SELECT count(*) FROM memory_versions WHERE memory IN (SELECT value FROM json_each(?))"
        return _number(await self._db.one(sql, json.dumps(list(ids))))

    async def summary(self) -> Summary:
        """How many memories there are, how old, and by whom."""
        row = await self._db.one("SELECT count(*), total(tainted), min(created), max(created) FROM memories")
        by = await self._db.all("SELECT actor, count(*) FROM memories GROUP BY actor ORDER BY 2 DESC, actor")
        assert row is not None, "an aggregate has one row"
        return Summary(row[0], int(row[1]), row[2], row[3], {actor: count for actor, count in by})

    async def snapshot(self, ids: Iterable[int]) -> list[dict[str, Any]]:
        """These memories whole, vectors included, as JSON values: what `Knowledge.restore` takes."""
        rows = await self._db.all(
            "SELECT * FROM memories WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id", json.dumps(list(ids))
        )
        return [{**dict(row), "vector": row["vector"].hex() if row["vector"] else None} for row in rows]

    async def search(self, query: str, limit: int = 5) -> list[Hit]:
        """The memories nearest to a query by words and by meaning, best first; unrelated ones are left out."""
        query, _ = clean(query)
        words, near = await self._words(query), await self._near(query)
        scores = {
            id: words.get(id, 0.0) / (words.get(id, 0.0) + SATURATION) + MEANING * near.get(id, 0.0)
            for id in words.keys() | near.keys()
            if id in words or near[id] > NOISE
        }
        # Rounded, so that the last digits of one way to compute a cosine never decide the order.
        best = sorted(scores, key=lambda id: (-round(scores[id], 5), id))[:limit]
        found = {memory.id: memory for memory in await self.some(best)}
        return [Hit(found[id], round(scores[id], 3)) for id in best if id in found]

    async def _words(self, query: str) -> dict[int, float]:
        """Id → bm25, for memories that share a word with the query."""
        match = match_any(query)
        if not match:
            return {}
        rows = await self._db.all("SELECT rowid, -bm25(memories_fts) FROM memories_fts WHERE text MATCH ?", match)
        return {id: score for id, score in rows}

    async def _near(self, query: str) -> dict[int, float]:
        """Id → cosine, for memories with a vector of this embedder's size."""
        [vector] = await self._embedder.embed([query])
        if not vector:
            return {}
        if self._db.vectors:
            rows = await self._db.all(
                "SELECT id, 1 - vec_distance_cosine(vector, ?) FROM memories WHERE length(vector) = ?",
                vector,
                len(vector),
            )
            return {id: cosine for id, cosine in rows}
        rows = await self._db.all("SELECT id, vector FROM memories WHERE length(vector) = ?", len(vector))
        found = await asyncio.to_thread(cosines, vector, [row["vector"] for row in rows])
        return dict(zip([row["id"] for row in rows], found, strict=True))


class Knowledge(Recall):
    """Reading and writing. Every change adds a row to the history."""

    def reading(self) -> Recall:
        """The same memories without the means to change them."""
        return Recall(self._db, self._embedder)

    async def add(
        self, text: str, actor: str, *, tainted: bool, run: str | None = None, id: int | None = None
    ) -> Memory:
        """A new memory. Raises IdTaken when `id` is given and in use."""
        vector = await self._vector(text)
        now = self._db.now()
        async with self._db.transaction() as tx:
            new = id if id is not None else _number(await tx.one(NEXT_ID))
            if await tx.one("SELECT 1 FROM memories WHERE id = ?", new):
                raise IdTaken(f"memory {new} exists")
            await tx.run(INSERT, new, text, vector, actor, run, int(tainted), now, now)
            await self._version(tx, new, text, actor, "added", tainted)
        await self.reindex()
        return Memory(new, text, actor, run, tainted, now, now)

    async def update(self, id: int, text: str, actor: str, *, tainted: bool) -> bool:
        """Another text for a memory; whether there was one."""
        vector = await self._vector(text)
        async with self._db.transaction() as tx:
            tainted = tainted or bool(await tx.one(STAINED, id, text))
            changed = await tx.run(
                "UPDATE memories SET text = ?, vector = ?, actor = ?, tainted = ?, updated = ? WHERE id = ?",
                text, vector, actor, int(tainted), self._db.now(), id,
            )  # fmt: skip
            if changed:
                await self._version(tx, id, text, actor, "updated", tainted)
        await self.reindex()
        return bool(changed)

    async def delete(self, ids: Iterable[int], actor: str) -> int:
        """Delete these memories together; returns how many there were. Their history stays."""
        deleted = 0
        async with self._db.transaction() as tx:
            for id in ids:
                if row := await tx.one("DELETE FROM memories WHERE id = ? RETURNING text, tainted", id):
                    await self._version(tx, id, row["text"], actor, "deleted", bool(row["tainted"]))
                    deleted += 1
        return deleted

    async def restore(self, ids: Iterable[int], kept: list[dict[str, Any]], actor: str) -> None:
        """Make these memories exactly what a snapshot says: one that is not in it did not exist."""
        wanted = {item["id"]: item for item in kept}
        async with self._db.transaction() as tx:
            for id in ids:
                row = await tx.one("DELETE FROM memories WHERE id = ? RETURNING text, tainted", id)
                if item := wanted.get(id):
                    tainted = bool(item["tainted"] or await tx.one(STAINED, id, item["text"]))
                    vector = bytes.fromhex(item["vector"]) if item["vector"] else None
                    await tx.run(
                        INSERT, id, item["text"], vector, item["actor"], item["run"], int(tainted), item["created"],
                        item["updated"],
                    )  # fmt: skip
                    await self._version(tx, id, item["text"], actor, "updated" if row else "added", tainted)
                elif row:
                    await self._version(tx, id, row["text"], actor, "deleted", bool(row["tainted"]))

    async def reindex(self) -> int:
        """Give a vector to memories that have none, or one of another embedder; returns how many got one."""
        size = self._embedder.dims * 4
        rows = await self._db.all(
            "SELECT id, text FROM memories WHERE ? AND (length(coalesce(vector, '')) < ?"
            " OR length(coalesce(vector, '')) > ?) LIMIT ?",
            int(self._embedder.dims > 0), size, size, BATCH,
        )  # fmt: skip
        if not rows:
            return 0  # an embedder is not loaded for nothing
        vectors = await self._embedder.embed([row["text"] for row in rows])
        new = [(vector, row["id"], row["text"]) for row, vector in zip(rows, vectors, strict=True) if vector]
        if not new:
            return 0
        async with self._db.transaction() as tx:
            await tx.many("UPDATE memories SET vector = ? WHERE id = ? AND text = ?", new)
        return len(new)

    async def _vector(self, text: str) -> bytes | None:
        [vector] = await self._embedder.embed([text])
        return vector or None

    async def _version(self, tx: Transaction, id: int, text: str, actor: str, what: str, tainted: bool) -> None:
        await tx.run(
            "INSERT INTO memory_versions (memory, text, actor, at, what, tainted) VALUES (?, ?, ?, ?, ?, ?)",
            id, text, actor, self._db.now(), what, int(tainted),
        )  # fmt: skip


def match_any(query: str) -> str:
    """An FTS5 query for any telling word of a text; empty when there is none. Nothing in it is syntax."""
    words = dict.fromkeys(re.findall(r"[^\W_]+", query.lower()))
    telling = [word for word in words if word not in STOP_WORDS]
    return " OR ".join(f'"{word}"' for word in telling[:MOST_TERMS])


def _memory(row: Row) -> Memory:
    return Memory(
        row["id"], row["text"], row["actor"], row["run"], bool(row["tainted"]), row["created"], row["updated"]
    )


def _number(row: Row | None) -> int:
    return int(row[0]) if row else 0
