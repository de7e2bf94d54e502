"""APScheduler's life: rows become jobs; each due moment is served once, late if the bot was off."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from loguru import logger

from memory.retention import Keep
from memory.schedules import Schedule
from memory.stores import Stores
from scheduler.digests import Digests
from scheduler.housekeeping import tidy
from scheduler.ports import Notifier

DIGEST = "daily-digest"
LOOK_BACK = (timedelta(hours=1), timedelta(days=1, hours=1), timedelta(days=8))
SOON = timedelta(minutes=1)
"""After a start, until the house is kept for the first time."""
LATE_AFTER = timedelta(minutes=5)


class Clock:
    """Runs until cancelled."""

    def __init__(self, stores: Stores, digests: Digests, notifier: Notifier, zone: ZoneInfo, keep: Keep) -> None:
        self._stores, self._digests, self._notifier, self._zone, self._keep = stores, digests, notifier, zone, keep

    async def run(self) -> None:
        """Serve schedules; look again whenever a row changes."""
        scheduler = AsyncIOScheduler(timezone=self._zone)
        scheduler.start()
        try:
            while True:
                self._stores.schedules.changed.clear()
                await self._arrange(scheduler)
                await self._catch_up()
                await self._stores.schedules.changed.wait()
        finally:
            scheduler.shutdown(wait=False)

    async def _arrange(self, scheduler: AsyncIOScheduler) -> None:
        scheduler.remove_all_jobs()
        # A busy loop or a suspended machine must not drop a job silently: hence no limit on lateness.
        options = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        # First after a minute: a bot that is restarted every half hour would otherwise never get to it.
        hourly = IntervalTrigger(hours=1, start_date=datetime.now(self._zone) + SOON)
        scheduler.add_job(_survive, hourly, args=["housekeeping", partial(tidy, self._stores, self._keep)], **options)
        for schedule in await self._stores.schedules.all():
            if schedule.enabled:
                trigger = CronTrigger.from_crontab(schedule.cron, timezone=self._zone)
                scheduler.add_job(_survive, trigger, args=[schedule.id, partial(self._serve, schedule)], **options)

    async def _catch_up(self) -> None:
        """Serve what fell due while the bot was off, once, and what a crash left half done."""
        unfinished = {schedule for schedule, _ in await self._stores.schedules.unfinished()}
        for schedule in await self._stores.schedules.all():
            if schedule.enabled:
                serve = partial(self._serve, schedule, again=schedule.id in unfinished)
                await _survive(schedule.id, serve)  # or it would break every start until it is no longer due

    async def _serve(self, schedule: Schedule, *, again: bool = False) -> None:
        now = datetime.fromtimestamp(self._stores.database.now(), self._zone)
        due = last_due(CronTrigger.from_crontab(schedule.cron, timezone=self._zone), now)
        if due is None or due.timestamp() < schedule.created:
            return
        # Local wall-clock time names the moment: an hour that comes twice in autumn is one due moment.
        name = due.replace(tzinfo=None).isoformat(timespec="minutes")
        if not await self._stores.schedules.claim(schedule.id, name) and not again:
            return
        late = now - due > LATE_AFTER
        digest, items = await self._digests.gather(late=late)
        async with self._stores.database.transaction() as tx:
            await self._notifier.digest(tx, schedule.conversation, digest, f"{schedule.id}:{name}")
            await self._stores.snapshots.save(tx, items)
            await self._stores.schedules.served(tx, schedule.id, name, "late" if late else "done")
            await self._stores.audit.record(tx, "digest", "clock", due=name, late=late)


async def _survive(job: str, work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception as error:  # one of the three places that must survive anything: one job
        logger.opt(exception=error).error("job {} broke", job)


def last_due(trigger: CronTrigger, now: datetime) -> datetime | None:
    """The latest moment at or before now, within eight days."""
    for span in LOOK_BACK:
        # Counted in seconds since 1970: by wall-clock time this would never leave the hour that comes twice.
        found, at = None, now.timestamp() - span.total_seconds()
        while at <= now.timestamp():
            moment: datetime | None = trigger.get_next_fire_time(None, datetime.fromtimestamp(at, now.tzinfo))
            if moment is None or moment.timestamp() > now.timestamp():
                break
            ahead = moment.timestamp() >= at
            found = moment if ahead else found
            at = moment.timestamp() + 1 if ahead else at + 60
        if found is not None:
            return found
    return None


async def plan_digest(stores: Stores, conversation: str, at: str) -> None:
    """The daily digest's row, from the settings."""
    hour, minute = at.split(":")
    await stores.schedules.put(
        Schedule(DIGEST, "digest", f"{int(minute)} {int(hour)} * * *", conversation, {}, True, stores.database.now())
    )
