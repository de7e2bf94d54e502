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
MEASURED = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end -->)", re.DOTALL)
"""The part of a page that is written here."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(PARTS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="one round, and nothing that takes minutes")
    parser.add_argument("--write", type=Path, help="also put it between the marks of this page")
    options = parser.parse_args()
    if unknown := set(options.names) - PARTS.keys():
        parser.error(f"nothing here is called {', '.join(sorted(unknown))}")
    rows = asyncio.run(_measure(options.names or list(PARTS), QUICK if options.quick else FULL))
    print(markdown(rows))
    if options.write:
        write(options.write, rows)


async def _measure(names: list[str], rounds: Rounds) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            async for row in PARTS[name](Path(folder) / name, rounds):
                print(f"{name}: {row.what}: {row.ours} {row.ratio}", file=sys.stderr, flush=True)
                rows.append(row)
    return rows


def write(page: Path, rows: list[Row]) -> None:
    """Put the table and where it was measured between the marks of a page."""
    text = page.read_text(encoding="utf-8")
    found = f"{machine()}\n\n{markdown(rows)}\n"
    page.write_text(MEASURED.sub(lambda _: found, text), encoding="utf-8")


def machine() -> str:
    """What it was measured on, and how busy that was."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"Measured {time.strftime('%Y-%m-%d')} on {cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores,"
        f" {memory:.0f} GB, Linux {platform.release()}, Python {platform.python_version()};"
        f" load at the end {os.getloadavg()[1]:.1f}."
    )


if __name__ == "__main__":
    main()
