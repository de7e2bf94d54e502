"""`python -m tests.bench [NAME…] [--quick] [--write docs/figures.md]`: measure, and print one table."""

import argparse
import asyncio
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.bench import chat, growth, process, recall, status, turn
from tests.bench.rounds import FULL, QUICK, Rounds
from tests.bench.table import Row, markdown

PARTS: dict[str, Callable[[Path, Rounds], AsyncIterator[Row]]] = {
    "turn": turn.measure,
    "chat": chat.measure,
    "status": status.measure,
    "process": process.measure,
    "growth": growth.measure,
    "recall": recall.measure,
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(PARTS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="one round, and nothing that takes minutes")
    parser.add_argument("--write", type=Path, help="also put each part between its marks in this page")
    options = parser.parse_args()
    if unknown := set(options.names) - PARTS.keys():
        parser.error(f"nothing here is called {', '.join(sorted(unknown))}")
    rows = []
    for name in options.names or PARTS:
        found = asyncio.run(_measure(name, QUICK if options.quick else FULL))
        if options.write:
            write(options.write, name, found)
        rows += found
    print(markdown(rows))


async def _measure(name: str, rounds: Rounds) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        async for row in PARTS[name](Path(folder) / name, rounds):
            print(f"{name}: {row.what}: {row.ours} {row.ratio}", file=sys.stderr, flush=True)
            rows.append(row)
    return rows


def write(page: Path, part: str, rows: list[Row]) -> None:
    """Put the rows of a part, and where they were measured, between its marks in a page."""
    text, found = page.read_text(encoding="utf-8"), f"{machine()}\n\n{markdown(rows)}\n"
    between = re.compile(rf"(?<=<!-- {part} -->\n).*?(?=<!-- end -->)", re.DOTALL)
    page.write_text(between.sub(lambda _: found, text, count=1), encoding="utf-8")


def machine() -> str:
    """What it was measured on, and how busy that was."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    kernel, _, _ = platform.release().partition("-")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"Measured {time.strftime('%Y-%m-%d')} on {cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores,"
        f" {memory:.0f} GB, Linux {kernel}, Python {platform.python_version()};"
        f" load at the end {os.getloadavg()[1]:.1f}."
    )


if __name__ == "__main__":
    main()
