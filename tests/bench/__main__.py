"""`python -m tests.bench [NAME…] [--quick] [--write FILE]`: measure, and print one table."""

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.bench import turn
from tests.bench.rounds import FULL, QUICK, Rounds
from tests.bench.table import Row, markdown

PARTS: dict[str, Callable[[Path, Rounds], AsyncIterator[Row]]] = {"turn": turn.measure}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(PARTS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and nothing that takes minutes")
    options = parser.parse_args()
    if unknown := set(options.names) - PARTS.keys():
        parser.error(f"nothing here is called {', '.join(sorted(unknown))}")
    rows = asyncio.run(_measure(options.names or list(PARTS), QUICK if options.quick else FULL))
    print(markdown(rows))


async def _measure(names: list[str], rounds: Rounds) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        return [row for name in names async for row in PARTS[name](Path(folder) / name, rounds)]


if __name__ == "__main__":
    main()
