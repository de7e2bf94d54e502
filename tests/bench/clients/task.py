"""What every client measures, with nothing but the standard library: a task, less what the model's double needed."""

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import time
import urllib.request
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORE = 1
"""The double works on core 0."""
KEY = "sk-ant-bench"
MODEL = "claude-sonnet-5-5"


@dataclass
class Task:
    """What is to be done, and where: the same for all."""

    url: str
    folder: Path
    warm_up: int
    tasks: int
    question: str
    system: str
    tools: list[dict[str, Any]]
    result: str
    conversation: str = ""
    """Where all of it is said; empty: each task in a place of its own."""
    replies: int = 3

    @property
    def database(self) -> Path:
        """Where a client that stores what it does keeps it."""
        return self.folder / "data" / "rackhand.db"


def given() -> Task:
    """The task that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--warm-up", type=int, required=True)
    parser.add_argument("--tasks", type=int, required=True)
    options = parser.parse_args()
    return Task(**vars(options), **json.loads((options.folder / "task.json").read_text()))


async def measure(task: Task, turn: Callable[[int], Awaitable[str]]) -> None:
    """Print what a task takes; `turn` does one and gives the answer."""
    pin(CORE)
    taken, sizes = [], []
    for number in range(task.warm_up + task.tasks):
        sizes.append(size(task.database))
        spent(task.url)
        wall, cpu = time.perf_counter(), time.process_time()
        answer = await turn(number)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        double = spent(task.url)
        assert double["requests"] == task.replies and len(answer) >= 1200, (double, answer)
        taken.append(((wall - double["seconds"]) / task.replies, cpu, double["seconds"] / task.replies))
    sizes.append(size(task.database))
    walls, cpus, doubles = zip(*taken[task.warm_up :], strict=True)
    print(json.dumps({
        "turn": statistics.median(walls), "cpu": statistics.fmean(cpus), "double": statistics.median(doubles),
        "stored": (sizes[-1] - sizes[task.warm_up]) / task.tasks, "turns": walls, "sizes": sizes[task.warm_up :],
    }))  # fmt: skip


def spent(url: str) -> dict[str, Any]:
    """What the double has done, and how long it took, since this was asked last."""
    with urllib.request.urlopen(f"{url}/spent") as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def pin(core: int) -> None:
    """Keep this process to one core, where there are several: the double shall not take time from its clients."""
    if len(os.sched_getaffinity(0)) > core:
        os.sched_setaffinity(0, {core})


def size(database: Path) -> int:
    """Bytes in use in a SQLite file, what is still in its log included."""
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        pages, free, each = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * each)


def main(client: Callable[[Task], Awaitable[None]]) -> None:
    """Run a client's measurement."""
    task = given()
    task.database.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(client(task))  # type: ignore[arg-type]
