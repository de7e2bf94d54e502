"""The clock: one job that breaks takes nothing with it."""

import asyncio
import contextlib
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from loguru import logger

from memory.models import Digest
from memory.retention import Keep
from memory.stores import Stores
from scheduler.clock import Clock, plan_digest
from scheduler.digests import Digests
from tests import fakes


class Broken:
    """Digests of a service that answers what nobody has thought of."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def gather(self, **how: Any) -> tuple[Digest, dict[str, str]]:
        self.asked.set()
        raise KeyError("odd")


@pytest.mark.parametrize("unfinished", [False, True])
async def test_a_digest_that_breaks_at_the_start_ends_nothing(
    stores: Stores, clock: fakes.Clock, unfinished: bool
) -> None:
    """Or each start would end as the one before, for as long as the digest is due."""
    await plan_digest(stores, "tg:1", "08:00")
    clock.move(2 * 86_400)
    said: list[str] = []
    sink = logger.add(said.append, format="{message}")
    for _ in range(2 if unfinished else 1):
        digests = Broken()
        running = asyncio.create_task(
            Clock(stores, cast(Digests, digests), cast(Any, None), ZoneInfo("UTC"), Keep()).run()
        )
        async with asyncio.timeout(10):
            await digests.asked.wait()
        await asyncio.sleep(0.05)
        assert not running.done()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    logger.remove(sink)
    assert any("broke" in line for line in said)
