"""A durable turn, against the SDK's own loop and two frameworks: the same task at the same double, in paired rounds.

A task is three requests: five tools at once, one tool, 1,200 characters of text. Each tool reads 6,000 characters at
once, the system prompt has 6,000, everything is streamed. What the double needs is subtracted on every side.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.bench.clients import ours
from tests.bench.peers import ROOT, NotHere, Peer, peers
from tests.bench.rounds import Rounds
from tests.bench.table import Row, against, ratio, spread

SIZES = (10, 120)
"""Numbers of tools."""
LINE = "Nov 27 10:%02d:%02d nas jellyfin[812]: [INF] GET /Items/%d?fields=Path answered 200 in %d ms\n"
RESULT = "".join(LINE % (n // 60, n % 60, n * 7919 % 10007, n * 31 % 97) for n in range(90))[:6000]
SYSTEM = ("You look after a shelf. Look before you answer, say what you found, and never guess a name. " * 70)[:6000]
QUESTION = "why does jellyfin answer so slowly?"
Taken = dict[str, list[float]]


async def measure(folder: Path, rounds: Rounds) -> AsyncIterator[Row]:
    """Rows for each number of tools and each peer."""
    here: dict[str, Path] = {"ours": Path(sys.executable)}
    for peer in peers():
        try:
            here[peer.name] = await asyncio.to_thread(peer.python)
        except NotHere as why:
            yield Row(f"a durable turn, against {peer.says}", "skipped", peer.name, str(why))
    for tools in SIZES:
        taken = await _rounds(folder / str(tools), rounds, tools, here)
        for peer in peers():
            if peer.name in here:
                yield _wall(tools, peer, taken)
        for peer in peers():
            if peer.name in here:
                yield _cpu(tools, peer, taken)
        for peer in peers():
            if sum(taken.get(peer.name, {}).get("stored", ())):
                yield _stored(tools, peer, taken)


async def _rounds(folder: Path, rounds: Rounds, tools: int, here: dict[str, Path]) -> dict[str, Taken]:
    taken: dict[str, Taken] = {name: {"turn": [], "cpu": [], "stored": []} for name in here}
    async with double(tools) as url:
        for number in range(rounds.pairs):
            for name in rounds.in_turn(number, here):
                place = lay_out(folder / f"{name}{number}", tools)
                found = await client(name, here[name], url, place, rounds.warm_up, rounds.tasks)
                for kind, values in taken[name].items():
                    values.append(found[kind])
    return taken


def lay_out(folder: Path, tools: int, **more: str) -> Path:
    """The folder, with the task in it that a client is to do there."""
    folder.mkdir(parents=True)
    task = {"question": QUESTION, "system": SYSTEM, "result": RESULT, "tools": ours.definitions(tools, folder), **more}
    (folder / "task.json").write_text(json.dumps(task))
    return folder


@asynccontextmanager
async def double(tools: int, *more: str) -> AsyncIterator[str]:
    """The double in a process of its own, and where it is."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.double",
        "--tools",
        str(tools),
        *more,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def client(name: str, python: Path, url: str, folder: Path, warm_up: int, tasks: int) -> dict[str, Any]:
    """What a client has measured, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        str(python), "-W", "ignore", "-m", f"tests.bench.clients.{name}", "--url", url, "--folder", str(folder),
        "--warm-up", str(warm_up), "--tasks", str(tasks),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the client {name} ended with {process.returncode}")
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def _wall(tools: int, peer: Peer, taken: dict[str, Taken]) -> Row:
    return against(f"a durable turn, {tools} tools", taken["ours"]["turn"], peer.says, taken[peer.name]["turn"])


def _cpu(tools: int, peer: Peer, taken: dict[str, Taken]) -> Row:
    mine, theirs = taken["ours"]["cpu"], taken[peer.name]["cpu"]
    return against(f"CPU of a task of three turns, {tools} tools", mine, peer.says, theirs)


def _stored(tools: int, peer: Peer, taken: dict[str, Taken]) -> Row:
    mine, theirs = ([each / 1000 for each in taken[name]["stored"]] for name in ("ours", peer.name))
    what = f"stored for a task, {tools} tools"
    return Row(what, spread(mine, "KB"), peer.says, spread(theirs, "KB"), ratio(mine, theirs))
