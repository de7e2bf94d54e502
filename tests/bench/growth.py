"""What becomes of it in the long run: the same work on top of what has been done before."""

import asyncio
import json
import sqlite3
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.chat import PAUSE, answered, said
from tests.bench.rounds import Rounds
from tests.bench.table import Row, against, ms, ratio, spread
from tests.bench.turn import client, double, lay_out
from tests.e2e.harness import Home, open_home

TOOLS = 10
WINDOW = 20
"""Tasks that make one figure."""
NUMBERED = {"id", "run", "trigger", "key"}
"""Columns in which no two rows, or no two runs, are alike."""
BODY = json.dumps({"role": "user", "content": [{"type": "text", "text": "what has been said before. " * 20}]})
NOTHING = "with nothing stored"


async def measure(folder: Path, rounds: Rounds) -> AsyncIterator[Row]:
    """Rows for one long conversation, and for a database in which much is stored."""
    async with double(TOOLS) as url:
        last = 3000 if rounds.large else 60
        place = lay_out(folder / "long", TOOLS, conversation="tg:1")
        long = await client("ours", Path(sys.executable), url, place, rounds.warm_up, last)
        for at in (300, last) if rounds.large else (last,):
            yield _turns(long["turns"], at)
            yield _bytes(long["sizes"], at)
        runs = 100_000 if rounds.large else 1000
        yield await _on_top(folder, url, rounds, runs)
    yield await _status(folder / "status", rounds, runs)


def _window(values: list[float], at: int) -> list[float]:
    return values[max(0, at - WINDOW) :][:WINDOW]


def _turns(turns: list[float], at: int) -> Row:
    now, first = (statistics.median(_window(turns, place)) for place in (at, 1))
    return Row(
        f"a turn, task {at:,} of one conversation", ms([now]), "its first tasks", ms([first]), ratio([now], [first])
    )


def _bytes(sizes: list[int], at: int) -> Row:
    each = [(after - before) / 1000 for before, after in pairwise(sizes)]
    now, first = (statistics.fmean(_window(each, place)) for place in (at, 1))
    what = f"stored for a task, task {at:,} of one conversation"
    return Row(what, spread([now], "KB"), "its first tasks", spread([first], "KB"), ratio([now], [first]))


async def _on_top(folder: Path, url: str, rounds: Rounds, runs: int) -> Row:
    """A turn over a full database and over an empty one, in turns."""
    place = lay_out(folder / "full", TOOLS)
    await client("ours", Path(sys.executable), url, place, 0, 1)
    multiply(place / "data" / "rackhand.db", runs)
    taken: dict[str, list[float]] = {"full": [], "empty": []}
    for number in range(rounds.pairs):
        for name in rounds.in_turn(number, taken):
            there = place if name == "full" else lay_out(folder / f"empty{number}", TOOLS)
            found = await client("ours", Path(sys.executable), url, there, rounds.warm_up, rounds.tasks)
            taken[name].append(found["turn"])
    return against(f"a turn, {runs:,} runs stored", taken["full"], NOTHING, taken["empty"])


async def _status(folder: Path, rounds: Rounds, runs: int) -> Row:
    """`/status` of one bot, before and after."""
    async with open_home(folder, forked=False) as home:
        await said(home, "warmup", 0.0)
        before = await _answers(home, rounds)
        await home.bot.stop()
        multiply(home.data / "rackhand.db", runs)
        await home.start()
        return against(f"/status, {runs:,} runs stored", await _answers(home, rounds), NOTHING, before)


async def _answers(home: Home, rounds: Rounds) -> list[float]:
    taken = []
    for _ in range(rounds.pairs + 1):
        taken.append(await answered(home.lab, "/status"))
        await asyncio.sleep(PAUSE)
    return taken[1:]  # the first loads what Docker needs


def multiply(database: Path, runs: int) -> None:
    """Store the newest run so many times more, a minute apart, with what belongs to it and short messages."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        [run] = connection.execute("SELECT * FROM runs ORDER BY created DESC LIMIT 1")
        for table, mine in (("runs", "id"), ("messages", "run"), ("usage", "run"), ("outbox", "run")):
            if mine in (columns := _columns(connection, table)):
                rows = connection.execute(f"SELECT * FROM {table} WHERE {mine} = ?", (run["id"],)).fetchall()
                names = [name for name in columns if (name, columns[name]) != ("id", "INTEGER")]
                sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
                copies = (_copy(row, names, number) for number in range(runs) for row in rows)
                connection.executemany(sql, copies)
        connection.commit()


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    return {row["name"]: row["type"] for row in connection.execute(f"PRAGMA table_info({table})")}


def _copy(row: sqlite3.Row, names: list[str], number: int) -> list[Any]:
    changed: dict[str, Any] = {}
    for name in names:
        if name in NUMBERED and isinstance(row[name], str):
            changed[name] = f"{row[name]}-{number}"
        if name in ("created", "updated", "at"):
            changed[name] = row[name] - 86_400 - 60 * number
        if name == "body":
            changed[name] = BODY
    return [changed.get(name, row[name]) for name in names]
