"""Schedules: each due moment is served once."""

import asyncio
from dataclasses import replace

from memory.schedules import Schedule
from memory.stores import Stores

DAILY = Schedule("digest", "digest", "0 8 * * *", "tg:1", {"a": [1]}, True, 5.0)


async def test_a_schedule_is_replaced_but_keeps_its_birthday(stores: Stores) -> None:
    await stores.schedules.put(DAILY)
    assert stores.schedules.changed.is_set()
    await stores.schedules.put(replace(DAILY, cron="0 9 * * *", enabled=False, created=9.0))
    assert await stores.schedules.all() == [replace(DAILY, cron="0 9 * * *", enabled=False)]


async def test_a_due_moment_is_claimed_once(stores: Stores) -> None:
    won = await asyncio.gather(*(stores.schedules.claim("digest", "2026-01-01T08:00") for _ in range(8)))
    assert won.count(True) == 1
    assert await stores.schedules.claim("digest", "2026-01-02T08:00") and await stores.schedules.claim(
        "x", "2026-01-01T08:00"
    )


async def test_what_a_crash_left_open_is_found(stores: Stores) -> None:
    for due in ("2026-01-01T08:00", "2026-01-02T08:00"):
        await stores.schedules.claim("digest", due)
    async with stores.database.transaction() as tx:
        await stores.schedules.served(tx, "digest", "2026-01-01T08:00", "done")
    assert await stores.schedules.unfinished() == [("digest", "2026-01-02T08:00")]
    assert await stores.schedules.last("digest") == "2026-01-02T08:00" and await stores.schedules.last("x") is None
