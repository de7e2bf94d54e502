"""The matrix itself: rows that are exercised register here, the others wait for the part that brings their service."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.live import Live
from tests.place import Place


@dataclass(frozen=True)
class Bench:
    """What a row is exercised with."""

    folder: Path
    patch: pytest.MonkeyPatch
    log: list[str]
    stack: AsyncExitStack

    async def place(self, **options: Any) -> Place:
        """A core over a lab; closed with the test."""
        return await self.stack.enter_async_context(Place(self.folder / "place", **options))

    async def live(self, **options: Any) -> Live:
        """The whole bot in a lab; closed with the test."""
        return await self.stack.enter_async_context(Live(self.folder / "live", **options))


Check = Callable[[Bench], Awaitable[None]]


@dataclass(frozen=True)
class Row:
    """One line of the matrix."""

    id: str
    given: str
    expected: str
    check: Check


ROWS: list[Row] = []


def row(ident: str, given: str, expected: str) -> Callable[[Check], Check]:
    """Register the function that exercises a row; one id may have several."""

    def register(check: Check) -> Check:
        ROWS.append(Row(ident, given, expected, check))
        return check

    return register


ALERTS = "part 7: alerts and webhooks"
SCHEDULES = "part 7: schedules that people make; so far there is one, the daily digest, and it only reads"
LATER: dict[str, str] = {
    "B43": SCHEDULES,
    "B44": SCHEDULES,
    "B46": SCHEDULES,
    "B65": ALERTS,
    "B66": ALERTS,
    "B67": ALERTS,
    "B68": ALERTS,
    "B69": ALERTS,
    "B70": ALERTS,
    "B71": ALERTS,
    "B72": ALERTS,
    "B73": ALERTS,
    "B78": "part 3: Proxmox",
    "B80": "part 4: Cloudflare and Pi-hole records",
}
"""Rows that nothing built so far can be given, with the part that brings it."""
