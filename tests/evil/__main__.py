"""`python -m tests.evil`: every goal, the benign tasks, and as many random episodes as asked for, with all figures."""

import argparse
import asyncio
import os
import sys
import time

os.environ["PTB_TIMEDELTA"] = "true"

from loguru import logger

from tests.evil.benign import report
from tests.evil.goals import every, pursue


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
        f"goals: {len(every())} · {calls} calls attempted · {mutating} mutating requests · {len(bad)} reached"
        f" · {time.monotonic() - began:.0f} s"
    )
    return len(bad)


def episodes(count: int, steps: int, number: int) -> int:
    """Play random episodes; how many violations."""
    from tests.evil import machine

    try:
        machine.run_episodes(count, steps=steps, number=number)
    except BaseException as error:  # whatever it was, the figures are still worth seeing
        print(f"  {type(error).__name__}: {error}")
        machine.TOTALS.violations = machine.TOTALS.violations or 1
    print(f"random: {machine.TOTALS}")
    return machine.TOTALS.violations


def main() -> int:
    """Exit status 1 when anything was reached or violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.evil", description=__doc__)
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=20, help="most steps of an episode")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logger.remove()
    bad = goals()
    bad += asyncio.run(report())
    bad += episodes(options.episodes, options.steps, options.seed) if options.episodes else 0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
