"""The process by itself: how soon it listens, and what it keeps in memory at rest."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from lab.lab import Lab
from tests.bench.chat import ECHO, answered, echoing, said
from tests.bench.rounds import Rounds
from tests.bench.table import Row, against, ms, spread
from tests.e2e.harness import Home, open_home

SETTLED = 6.0
"""Seconds until a process is at rest."""
IMPORTS = ("asyncio", "pydantic", "httpx", "telegram", "uvicorn", "tokenizers", "docker", "paramiko", "anthropic")
"""What is large among what we import, each measured in a Python of its own: they share, so this is no sum."""
IMPORTING = """
import re, sys, time
def resident(): return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])
before, began = resident(), time.perf_counter()
__import__(sys.argv[1])
print(time.perf_counter() - began, (resident() - before) / 1024)
"""


async def measure(folder: Path, rounds: Rounds) -> AsyncIterator[Row]:
    """Rows for the first poll, the memory, and what that is made of."""
    yield await _first_poll(folder, rounds)
    async with open_home(folder / "memory", forked=False) as home:
        yield await _resident(home, "memory at rest: started")
        await said(home, "warmup", 0.0)
        yield await _resident(home, "memory at rest: after the first free text")
        await answered(home.lab, "/status")
        yield await _resident(home, "memory at rest: Docker asked as well")
    for name in IMPORTS:
        took, kept = zip(*[await asyncio.to_thread(_import, name) for _ in range(rounds.pairs)], strict=True)
        yield Row(f"import {name}, alone", spread(kept, "MB"), "and it takes", ms(took))


async def _first_poll(folder: Path, rounds: Rounds) -> Row:
    ours, theirs = [], []
    for number in range(rounds.pairs):
        async with open_home(folder / f"ours{number}", started=False, forked=False) as home:
            began = time.time()
            await home.start()
            ours.append(_polled(home.lab) - began)
        async with echoing(folder / f"echo{number}") as (lab, began):
            theirs.append(_polled(lab) - began)
    return against("start → first poll", ours, ECHO, theirs)


def _polled(lab: Lab) -> float:
    return next(request.at for request in lab.traffic.requests if request.path.endswith("/getUpdates"))


async def _resident(home: Home, what: str) -> Row:
    await asyncio.sleep(SETTLED)
    return Row(what, spread([_megabytes(home.bot.pid)], "MB"))


def _megabytes(pid: int | None) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found, "Linux tells the resident size"
    return int(found[1]) / 1024


def _import(name: str) -> tuple[float, float]:
    ended = subprocess.run([sys.executable, "-c", IMPORTING, name], capture_output=True, text=True, check=True)
    took, kept = map(float, ended.stdout.split())
    return took, kept
