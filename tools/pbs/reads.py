"""Looking: datastores, backups, jobs, tasks, and what is known of the backups' wholeness."""

import time
from typing import Any, get_args

from tools.kit import Answers, Context, Count, Risk, Which
from tools.kit.backups import Proof
from tools.kit.proxmox import Proxmox, TaskLine, TaskState
from tools.pbs.client import NODE, Servers, every_group, service, stores, sync_jobs
from tools.pbs.models import Collected, Group, Job, Jobs, Proved, Snapshot, Snapshots, Store, TaskRow, Tasks
from tools.pbs.targets import Kept, Upid, rows_of

RECENT, LAST_LINES = 2 * 86_400, 20
"""Seconds in which tasks are the latest, and lines that are the last."""


async def _of_each(servers: Servers, ask: Any) -> Any:
    """The rows of all servers by `server/id`, and who gave none."""
    found, down = await servers.each(ask)
    return Answers[Any](found={f"{name}/{row.id}": row for name, rows in found.items() for row in rows}, down=down)


@service.tool(Risk.READ)
async def list_datastores(ctx: Context[Servers]) -> Answers[Store]:
    """The datastores of the backup servers."""
    return await _of_each(ctx.client, stores)  # type: ignore[no-any-return]


@service.tool(Risk.READ)
async def get_datastore_usage(ctx: Context[Servers]) -> Answers[Store]:
    """How full each datastore is, when it will be full, and what deduplication saves."""
    return await _of_each(ctx.client, usage)  # type: ignore[no-any-return]


async def usage(server: Proxmox) -> list[Store]:
    """How full a server's datastores are."""
    return await server.read(list[Store], "/status/datastore-usage")


@service.tool(Risk.READ, word="copies", often=True)
async def list_snapshots(ctx: Context[Servers], of: Kept, count: Count = 20) -> Snapshots:
    """The backups of a guest or in a datastore, the newest first: when, how large, verified or broken."""
    rows = sorted(await rows_of(ctx.client, of), key=lambda pair: pair[1].at, reverse=True)
    found = [Snapshot(**vars(row), id=f"{group}/{row.stamp}", known=row.proof) for group, row in rows[:count]]
    return Snapshots(backups=found, more=len(rows) - len(found) or None)


@service.tool(Risk.READ)
async def list_jobs(ctx: Context[Servers]) -> Answers[Jobs]:
    """The sync, verify and prune jobs and garbage collection: schedule, last run and how it ended, next run."""
    return await ctx.client.answers(_jobs)


async def _jobs(server: Proxmox) -> Jobs:
    verify, prune, gc = [await server.read(list[Job], f"/admin/{kind}") for kind in ("verify", "prune", "gc")]
    return Jobs(sync=await sync_jobs(server) or [], verify=verify, prune=prune, gc=gc)


@service.tool(Risk.READ)
async def get_task_status(ctx: Context[Servers], task: Upid | None = None, server: Which | None = None) -> Tasks:
    """How a task stands, with its last lines; without one, the tasks of the last two days, failures included."""
    if task is None:
        since = {"since": int(time.time()) - RECENT, "limit": 100}
        ask = lambda one: one.read(list[TaskRow], "/nodes/{}/tasks", NODE, params=since)  # noqa: E731
        found, down = await ctx.client.each(ask, server)
        return Tasks(tasks=found, down=down)
    asked, at = ctx.client.one(server), "/nodes/{}/tasks/{}"
    state = await asked.read(TaskState, f"{at}/status", NODE, task)
    lines = await asked.read(list[TaskLine], f"{at}/log", NODE, task, params={"limit": 500})
    return Tasks(status=state.status, outcome=state.exitstatus, log=[line.t for line in lines[-LAST_LINES:]])


@service.tool(Risk.READ)
async def get_verify_status(ctx: Context[Servers]) -> Answers[Proved]:
    """Which backups were verified, which failed and which never were, by datastore."""
    groups, down = await every_group(ctx.client)
    return Answers(found={store: _proved(store, groups) for store in {one.store: 0 for one in groups}}, down=down)


def _proved(store: str, groups: list[Group]) -> Proved:
    rows = [(f"{one.id}/{row.stamp}", row.proof) for one in groups if one.store == store for row in one.rows]
    named = {proof: [name for name, each in rows if each == proof] for proof in get_args(Proof)}
    counts = {"whole": len(named["whole"]), "never_verified": len(named["never verified"])}
    return Proved(**counts, broken=named["broken"], not_finished=named["not finished"])


@service.tool(Risk.READ)
async def get_gc_status(ctx: Context[Servers]) -> Answers[Collected]:
    """Garbage collection by datastore: last run, how it ended, what it freed, what waits, what is broken."""
    ask = lambda server: server.read(list[Collected], "/admin/gc")  # noqa: E731
    return await _of_each(ctx.client, ask)  # type: ignore[no-any-return]
