"""Memory search and inserts, against NumPy over all vectors in memory and against a vec0 table.

All three embed the query, which is the same for all; ours also searches by words.
"""

import asyncio
import random
import sqlite3
import struct
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

from memory.database import pick_driver
from memory.embeddings import WordLlamaEmbedder
from memory.stores import Stores
from tests.bench.rounds import Rounds
from tests.bench.table import Row, against

SIZES = (1_000, 10_000, 100_000)
NEAREST = 5
SEARCHES = 5
"""In a round; the middle one counts."""
SYLLABLES = ("ba", "ne", "ti", "ro", "su", "ka", "mo", "le", "vi", "do", "ra", "pe")
Timed = Callable[[], Coroutine[Any, Any, float]]


async def measure(folder: Path, rounds: Rounds) -> AsyncIterator[Row]:
    """Rows for each number of memories."""
    for number in SIZES if rounds.large else SIZES[:1]:
        place = folder / str(number)
        await asyncio.to_thread(place.mkdir, parents=True)
        async for row in _at(place, number, rounds):
            yield row


async def _at(folder: Path, number: int, rounds: Rounds) -> AsyncIterator[Row]:
    import numpy

    embedder, rng = WordLlamaEmbedder(), random.Random(number)
    memories = [(_words(rng, 12), _vector(rng, embedder.dims)) for _ in range(number)]
    stores = await Stores.open(folder, embedder)
    now = stores.database.now()
    async with stores.database.transaction() as tx:
        rows = ((text, vector, "tg:1", 0, now, now) for text, vector in memories)
        await tx.many(
            "INSERT INTO memories (text, vector, actor, tainted, created, updated) VALUES (?, ?, ?, ?, ?, ?)", rows
        )
    await stores.knowledge.add("what loads the index that is kept in memory", "tg:1", tainted=False)
    table = numpy.frombuffer(b"".join(vector for _, vector in memories), dtype="<f4").reshape(number, -1)
    with closing(_vec0(folder, memories)) as vec0:

        async def ours() -> float:
            began = time.perf_counter()
            await stores.knowledge.search(_words(rng, 3), NEAREST)
            return time.perf_counter() - began

        async def with_numpy() -> float:
            began = time.perf_counter()
            [query] = await embedder.embed([_words(rng, 3)])
            scores = table @ numpy.frombuffer(query, dtype="<f4")
            numpy.argpartition(scores, -NEAREST)[-NEAREST:]
            return time.perf_counter() - began

        async def with_vec0() -> float:
            began = time.perf_counter()
            [query] = await embedder.embed([_words(rng, 3)])
            vec0.execute(f"SELECT rowid FROM v WHERE e MATCH ? AND k = {NEAREST}", (query,)).fetchall()
            return time.perf_counter() - began

        async def add() -> float:
            began = time.perf_counter()
            await stores.knowledge.add(_words(rng, 12), "tg:1", tainted=False)
            return time.perf_counter() - began

        async def add_vec0() -> float:
            began = time.perf_counter()
            [vector] = await embedder.embed([_words(rng, 12)])
            vec0.execute("INSERT INTO v (e) VALUES (?)", (vector,))
            vec0.commit()
            return time.perf_counter() - began

        try:
            for peer, other in (("NumPy, all in memory", with_numpy), ("vec0", with_vec0)):
                mine, theirs = await _in_turns(ours, other, rounds)
                yield against(f"memory search among {number:,}", mine, peer, theirs)
            mine, theirs = await _in_turns(add, add_vec0, rounds)
            yield against(f"memory insert into {number:,}", mine, "vec0, one row and no words", theirs)
        finally:
            await stores.close()


async def _in_turns(ours: Timed, other: Timed, rounds: Rounds) -> tuple[list[float], list[float]]:
    taken: dict[Timed, list[float]] = {ours: [], other: []}
    for number in range(rounds.pairs):
        for each in (ours, other)[:: -1 if number % 2 else 1]:
            taken[each].append(sorted([await each() for _ in range(SEARCHES)])[SEARCHES // 2])
    return taken[ours], taken[other]


def _words(rng: random.Random, number: int) -> str:
    return " ".join("".join(rng.choices(SYLLABLES, k=3)) for _ in range(number))


def _vector(rng: random.Random, dims: int) -> bytes:
    values = [rng.gauss(0, 1) for _ in range(dims)]
    length = sum(value * value for value in values) ** 0.5
    return struct.pack(f"<{dims}f", *(value / length for value in values))


def _vec0(folder: Path, memories: list[tuple[str, bytes]]) -> sqlite3.Connection:
    import sqlite_vec

    driver, _ = pick_driver()
    connection: sqlite3.Connection = driver.connect(str(folder / "vec0.db"))
    connection.enable_load_extension(True)
    sqlite_vec.load(connection)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"CREATE VIRTUAL TABLE v USING vec0(e float[{len(memories[0][1]) // 4}])")
    connection.executemany("INSERT INTO v (e) VALUES (?)", ((vector,) for _, vector in memories))
    connection.commit()
    return connection
