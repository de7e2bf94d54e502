"""B41–B47: days that are too short or too long."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from bot.settings.settings import BadConfiguration, load
from memory.database import Database
from memory.keys import Keys
from memory.models import Digest
from memory.retention import Keep
from memory.schedules import Schedule
from memory.stores import Stores
from scheduler.clock import Clock as Scheduler
from scheduler.clock import last_due
from tests.bad_inputs.rows import Bench, row
from tests.fakes import Clock
from tests.place import environment
from tools.kit.registry import discover

BERLIN = ZoneInfo("Europe/Berlin")


class Told:
    """Counts digests instead of gathering and sending them."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.late: list[bool] = []

    async def gather(self, *, late: bool = False) -> tuple[Digest, dict[str, str]]:
        self.late.append(late)
        return Digest(0.0, late, [], [], [], [], 0, 0.0, ""), {}

    async def digest(self, tx: Any, conversation: str, digest: Digest, key: str) -> None:
        self.keys.append(key)


async def scheduler(bench: Bench, clock: Clock) -> tuple[Scheduler, Told, Stores]:
    database = await Database.open(bench.folder / "rackhand.db", clock=clock)
    bench.stack.push_async_callback(database.close)
    stores, told = Stores.over(database, Keys.open(bench.folder / "key")), Told()
    return Scheduler(stores, told, told, BERLIN, Keep()), told, stores  # type: ignore[arg-type]


async def served(bench: Bench, first: datetime, days: int) -> list[str]:
    """Which moments a daily 02:30 serves when it looks every ten minutes of these days."""
    clock = Clock(first.timestamp())
    watch, told, stores = await scheduler(bench, clock)
    schedule = Schedule("daily", "digest", "30 2 * * *", "tg:1", {}, True, clock.now)
    await stores.schedules.put(schedule)
    for _ in range(days * 144 + 6):
        await watch._serve(schedule)
        clock.move(600)
    return [key.partition(":")[2] for key in told.keys]


@row("B41", "a daily 02:30 on the day that has no 02:30", "once")
async def spring(bench: Bench) -> None:
    found = await served(bench, datetime(2026, 3, 28, 0, 0, tzinfo=BERLIN), 3)
    assert [moment[:10] for moment in found] == ["2026-03-28", "2026-03-29", "2026-03-30"]


@row("B42", "a daily 02:30 on the day that has two", "once")
async def autumn(bench: Bench) -> None:
    found = await served(bench, datetime(2026, 10, 24, 0, 0, tzinfo=BERLIN), 3)
    assert [moment[:10] for moment in found] == ["2026-10-24", "2026-10-25", "2026-10-26"]
    trigger, due = CronTrigger.from_crontab("30 2 * * *", timezone=BERLIN), set()
    for hour in range(48):
        due.add(last_due(trigger, datetime(2026, 10, 24, 12, tzinfo=UTC) + timedelta(hours=hour)))
    assert None not in due


@row("B45", "a busy loop or a suspended machine at the due moment", "run late and said so, not dropped")
async def late(bench: Bench) -> None:
    clock = Clock(datetime(2026, 5, 4, 2, 0, tzinfo=BERLIN).timestamp())
    watch, told, stores = await scheduler(bench, clock)
    schedule = Schedule("daily", "digest", "30 2 * * *", "tg:1", {}, True, clock.now)
    await stores.schedules.put(schedule)
    jobs = AsyncIOScheduler(timezone=BERLIN)
    jobs.start()
    await watch._arrange(jobs)
    assert all(job.misfire_grace_time is None and job.coalesce for job in jobs.get_jobs())
    jobs.shutdown(wait=False)
    clock.move(5 * 3600)
    running = asyncio.create_task(watch.run())
    while not told.keys:
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert told.keys == ["daily:2026-05-04T02:30"] and told.late == [True]


@row("B47", "a time zone that does not exist", "a configuration error that names the setting")
async def no_such_zone(bench: Bench) -> None:
    for value in ("Mars/Olympus", "../../etc/passwd", "UTC+25", "/etc/localtime", "x" * 5000, "Europe/Berlin\n"):
        with environment({"TIMEZONE": value}), pytest.raises(BadConfiguration) as caught:
            load(discover(), None)
        assert str(caught.value).startswith("TIMEZONE: ") and value.strip() not in str(caught.value)
