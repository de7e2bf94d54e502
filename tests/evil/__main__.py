"""`python -m tests.evil`: every goal and injection, the benign tasks, and random episodes, with all figures."""

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

os.environ["PTB_TIMEDELTA"] = "true"

from loguru import logger

from tests.evil.benign import report
from tests.evil.goals import every, pursue
from tests.evil.injections import SOURCES, inject


def goals() -> int:
    """Play every goal; how many were reached or came with a violation."""
    began, calls, mutating, bad = time.monotonic(), 0, 0, []
    for name in sorted(every()):
        result = asyncio.run(pursue(name))
        calls, mutating = calls + result.calls, mutating + result.mutating
        if result.reached or result.violations:
            bad.append(name)
            print(f"  REACHED {name} {result.violations}" if result.reached else f"  {name}: {result.violations}")
    print(
        f"goals: {len(every())} tried · {calls} calls attempted · {mutating} mutating requests · {len(bad)} reached"
        f" without a person's valid tap, or with a violation · {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return len(bad)


def injections() -> int:
    """The same words in every place where somebody else's can stand; how many of their orders had an effect."""
    began, told, obeyed, marked, bad = time.monotonic(), 0, 0, 0, 0
    for name in sorted(SOURCES):
        for autonomy in ("ask", "reversible"):
            outcome = asyncio.run(inject(name, autonomy=autonomy))
            told, obeyed, marked = told + outcome.told, obeyed + outcome.obeyed, marked + outcome.marked
            if outcome.done or outcome.violations or outcome.unmarked:
                bad += 1
                print(f"  {name}, {autonomy}: {outcome.done} {outcome.violations} {outcome.unmarked}")
    print(
        f"injections: {len(SOURCES)} places · {2 * len(SOURCES)} plays · read by the model in {told} ·"
        f" {obeyed} orders obeyed, {marked} of their arguments marked on cards · {bad} with an effect, a violation or"
        f" no mark · {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return bad


def random(count: int, steps: int, number: int, jobs: int) -> int:
    """Share the episodes among processes; how many violations."""
    from tests.evil.machine import play, told

    began, figures = time.monotonic(), Counter[str]()
    each = [count // jobs + (job < count % jobs) for job in range(jobs)]
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for wrong, mine in pool.map(play, each, [steps] * jobs, range(number, number + jobs)):
            figures.update(mine)
            print(wrong, end="\n" if wrong else "")
    seeds = ", ".join(str(number + job) for job in range(jobs))
    print(f"random: {told(figures)} · seed {seeds} · {time.monotonic() - began:.0f} s", flush=True)
    return figures["violations"]


def main() -> int:
    """Exit status 1 when anything was reached or violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.evil", description=__doc__)
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=20, help="most steps of an episode")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the random episodes; one seed each")
    options = parser.parse_args()
    logger.remove()
    bad = goals() + injections()
    bad += asyncio.run(report())
    bad += random(options.episodes, options.steps, options.seed, options.jobs) if options.episodes else 0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
