"""`/status`, from the update to the answer, over engines that take their time and one that is broken.

Beside it: one list from every host at once, asked bare. That much nobody can do without.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.bench.chat import PAUSE, answered
from tests.bench.engine import BREAKS
from tests.bench.rounds import Rounds
from tests.bench.table import Row, against
from tests.e2e.harness import ROOT, open_home

SIZES = ((1, 20), (1, 100), (5, 100))
"""Hosts, and containers on each."""
DELAYS = (0.002, 0.012, 0.040)
"""Seconds that an engine needs for a request."""
LISTS = "one list of each host"


async def measure(folder: Path, rounds: Rounds) -> AsyncIterator[Row]:
    """Rows for each size and delay, then for each way to be broken."""
    for hosts, each in SIZES if rounds.large else SIZES[:1]:
        for delay in DELAYS:
            async with engines(hosts, each, delay) as addresses:
                ours, theirs = await _status(folder / f"{hosts}x{each}x{delay}", addresses, rounds.pairs)
            what = f"/status, {hosts} × {each} containers, {delay * 1000:.0f} ms a request"
            yield against(what, ours, LISTS, theirs)
    well = await _two(folder / "well", "")
    for how in BREAKS:
        ill = await _two(folder / how, how)
        for which, mine, theirs in zip(("first", "next"), ill, well, strict=True):
            yield against(f"/status, one of five hosts {how}: the {which}", [mine], "all five well", [theirs])


async def _two(folder: Path, how: str) -> tuple[float, float]:
    """The first two, with one of five hosts like this."""
    async with engines(5, 20, DELAYS[0], how) as addresses, _home(folder, addresses) as home:
        first = await answered(home.lab, "/status")
        await asyncio.sleep(PAUSE)
        return first, await answered(home.lab, "/status")


def _home(folder: Path, addresses: dict[str, str]):  # type: ignore[no-untyped-def]
    return open_home(folder, forked=False, DOCKER_HOSTS=json.dumps(addresses))


async def _status(folder: Path, addresses: dict[str, str], pairs: int) -> tuple[list[float], list[float]]:
    ours, theirs = [], []
    async with _home(folder, addresses) as home, httpx.AsyncClient() as client:
        for number in range(pairs + 1):
            lists, status = await _lists(client, addresses), await answered(home.lab, "/status")
            if number:  # the first loads what Docker needs
                theirs.append(lists)
                ours.append(status)
            await asyncio.sleep(PAUSE)
    return ours, theirs


async def _lists(client: httpx.AsyncClient, addresses: dict[str, str]) -> float:
    began = time.perf_counter()
    urls = [address.replace("tcp:", "http:") for address in addresses.values()]
    await asyncio.gather(*(client.get(f"{url}/containers/json?all=1") for url in urls))
    return time.perf_counter() - began


@asynccontextmanager
async def engines(hosts: int, containers: int, delay: float, broken: str = "") -> AsyncIterator[dict[str, str]]:
    """The addresses of these hosts."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.engine", "--hosts", str(hosts), "--containers", str(containers),
        "--delay", str(delay), "--broken", broken, cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield json.loads(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()
