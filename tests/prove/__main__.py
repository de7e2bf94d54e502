"""`python -m tests.prove`: kill the bot everywhere, spoil everything around it, and count what was lost or repeated."""

import argparse
import asyncio
import functools
import logging
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.prove.cast import Cast, Result, judged
from tests.prove.matrix import LATER, ROWS
from tests.prove.nursery import nursery
from tests.prove.scenarios import SCENARIOS

Part = Callable[[Cast], Awaitable[Any]]
Plan = list[tuple[str, Part]]
SLOW = 3
"""Of the slowest runs, this many are named."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="python -m tests.prove", description=__doc__)
    root.add_argument("--kills", type=int, default=150, help="SIGKILLs at random times (default: 150)")
    root.add_argument("--seed", type=int, default=1, help="of the random kills")
    root.add_argument("--quick", action="store_true", help="each named point once: what CI runs")
    root.add_argument("--few", action="store_true", help="a handful of each: what `make test` runs")
    root.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="labs at the same time")
    root.add_argument("--only", default="", help="runs whose name contains this")
    return root


async def prove(options: argparse.Namespace) -> int:
    """Everything; the exit status is 1 when anything was violated."""
    began, results = time.monotonic(), []
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # the lab talks to the dead, and is warned of it
    async with nursery():
        print("scenarios, undisturbed")
        rehearsed = await perform(options, rehearsals(options), every=True)
        results += rehearsed
        for title, plan in (
            ("killed at every named moment", kills(rehearsed, options)),
            ("fault matrix", rows(options)),
            (f"killed at random times (seed {options.seed})", random_kills(options)),
        ):
            print(title)
            results += await perform(options, plan)
    report(results, rehearsed, time.monotonic() - began)
    return 1 if any(result.wrong for result in results) else 0


def rehearsals(options: argparse.Namespace) -> Plan:
    """Every scenario once, without any harm: it must pass, and it tells which moments there are."""
    names = list(SCENARIOS)[:3] if options.few else list(SCENARIOS)
    return [(name, functools.partial(Cast.play, name=name)) for name in names]


def kills(rehearsed: list[Result], options: argparse.Namespace) -> Plan:
    """Each moment of each scenario; or each named point once."""
    plan: Plan = []
    points: set[str] = set()
    for result in sorted(rehearsed, key=lambda result: -len(result.moments)):
        for moment in result.moments:
            point = moment.partition(":")[0]
            if not (options.quick or options.few) or point not in points:
                points.add(point)
                name = f"{result.name} @ {moment}"
                plan.append((name, functools.partial(_killed, scenario=result.name, moment=moment)))
    return plan[::4] if options.few else plan


async def _killed(cast: Cast, scenario: str, moment: str) -> None:
    await cast.play(scenario, "--kill", moment)


def rows(options: argparse.Namespace) -> Plan:
    """The rows of the fault matrix that are not moments alone."""
    plan = [(f"{ident} {row.title}", row.play) for ident, row in ROWS.items()]
    return plan[::6] if options.few else plan


def random_kills(options: argparse.Namespace) -> Plan:
    """A random scenario each, with kills at random times."""
    chance = random.Random(options.seed)
    count = min(options.kills, 4) if options.few else options.kills
    plan: Plan = []
    for number in range(count):
        name, seed = chance.choice(list(SCENARIOS)), chance.randrange(10**9)
        plan.append((f"{name} # {number} ({seed})", functools.partial(Cast.strike, name=name, seed=seed)))
    return plan


async def perform(options: argparse.Namespace, plan: Plan, *, every: bool = False) -> list[Result]:
    """Carry out a plan, some runs at a time; tell of each that goes wrong at once."""
    waiting, results = iter([(name, part) for name, part in plan if every or options.only in name]), []

    async def work() -> None:
        for name, part in waiting:
            result = await judged(name, part)
            results.append(result)
            for sentence in result.wrong:
                print(f"  VIOLATION {name}: {sentence}", flush=True)

    await asyncio.gather(*(work() for _ in range(max(1, options.jobs))))
    wrong = sum(bool(result.wrong) for result in results)
    print(f"  {len(results)} runs, {wrong} with violations", flush=True)
    return results


def report(results: list[Result], rehearsed: list[Result], seconds: float) -> None:
    """The figures."""
    points = {moment.partition(":")[0] for result in rehearsed for moment in result.moments}
    missed = [result.name for result in results if not result.struck and (" @ " in result.name)]
    print("\nnot applicable yet")
    for ident, why in LATER.items():
        print(f"  {ident}  {why}")
    print()
    figures = {
        "points": len(points),
        "scenarios": len(SCENARIOS),
        "fault rows": len(ROWS),
        "runs": len(results),
        "kills that missed their moment": len(missed),
        "violations": sum(len(result.wrong) for result in results),
        "seconds": round(seconds),
    }
    width = max(map(len, figures))
    print("\n".join(f"{name:<{width}}  {value}" for name, value in figures.items()))
    slowest = sorted(results, key=lambda result: -result.seconds)[:SLOW]
    print("slowest:", ", ".join(f"{result.name} {result.seconds:.1f} s" for result in slowest))


if __name__ == "__main__":
    sys.exit(asyncio.run(prove(parser().parse_args())))
