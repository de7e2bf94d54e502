"""Looking: datastores, backups, jobs, tasks, and what is known of the backups' wholeness."""

import time
from typing import Any

from tools.kit import Answers, Context, Count, Risk, Which
from tools.kit.proxmox import Proxmox, TaskLine, TaskState
from tools.pbs.client import NODE, Servers, every_group, service, stores
from tools.pbs.models import Collected, Job, Jobs, Proved, Seen, Snapshots, Store, TaskRow, Tasks, Usage
from tools.pbs.targets import Kept, Upid, rows_of

RECENT = 2 * 86_400
"""Seconds in which tasks are the latest."""
LAST_LINES = 20


async def _of_each(servers: Servers, ask: Any) -> Any:
    """The rows of all servers by `server/id`, and who gave none."""
    found, down = await servers.each(ask)
    return Answers[Any](found={f"{name}/{row.id}": row for name, rows in found.items() for row in rows}, down=down)


@service.tool(Risk.READ)
async def list_datastores(ctx: Context[Servers]) -> Answers[Store]:
    """The datastores of the backup servers."""
    return await _of_each(ctx.client, stores)  # type: ignore[no-any-return]


@service.tool(Risk.READ)
async def get_datastore_usage(ctx: Context[Servers]) -> Answers[Usage]:
    """How full each datastore is, when it will be full, and what deduplication saves."""
    return await _of_each(ctx.client, usage)  # type: ignore[no-any-return]


async def usage(server: Proxmox) -> list[Usage]:
    """How full a server's datastores are."""
    return await server.read(list[Usage], "/status/datastore-usage")


@service.tool(Risk.READ, word="copies", often=True)
async def list_snapshots(ctx: Context[Servers], of: Kept, count: Count = 20) -> Snapshots:
    """The backups of a guest or in a datastore, the newest first: when, how large, verified or broken."""
    rows = sorted(await rows_of(ctx.client, of), key=lambda pair: pair[1].at, reverse=True)
    shown = {f"{group}/{row.stamp}": row for group, row in rows[:count]}
    proofs = {name: row.proof for name, row in shown.items()}
    return Snapshots(backups=shown, proofs=proofs, more=len(rows) - len(shown) or None)


@service.tool(Risk.READ)
async def list_jobs(ctx: Context[Servers]) -> Answers[Jobs]:
    """The sync, verify and prune jobs and garbage collection: schedule, last run and how it ended, next run."""
    return await ctx.client.answers(_jobs)


async def _jobs(server: Proxmox) -> Jobs:
    kinds = {"sync": {"sync-direction": "all"}, "verify": {}, "prune": {}, "gc": {}}
    return Jobs(**{kind: await server.read(list[Job], f"/admin/{kind}", params=more) for kind, more in kinds.items()})


@service.tool(Risk.READ)
async def get_task_status(ctx: Context[Servers], task: Upid | None = None, server: Which | None = None) -> Tasks:
    """How a task stands, with its last lines; without one, the tasks of the last two days, failures included."""
    if task is None:
        since = {"since": int(time.time()) - RECENT, "limit": 100}
        found, down = await ctx.client.each(
            lambda one: one.read(list[TaskRow], "/nodes/{}/tasks", NODE, params=since), server
        )
        return Tasks(tasks=found, down=down)
    asked, at = ctx.client.one(server), "/nodes/{}/tasks/{}"
    state = await asked.read(TaskState, f"{at}/status", NODE, task)
    lines = await asked.read(list[TaskLine], f"{at}/log", NODE, task, params={"limit": 500})
    return Tasks(status=state.status, outcome=state.exitstatus, log=[line.t for line in lines[-LAST_LINES:]])


@service.tool(Risk.READ)
async def get_verify_status(ctx: Context[Servers]) -> Answers[Proved]:
    """Which backups were verified, which failed and which never were, by datastore."""
    groups, down = await every_group(ctx.client)
    by_store: dict[str, list[tuple[str, Seen]]] = {}
    for group in groups:
        rows = by_store.setdefault(f"{group.server}/{group.store}", [])
        rows += [(f"{group.id}/{row.stamp}", row) for row in group.rows]
    return Answers(found={store: _proved(rows) for store, rows in by_store.items()}, down=down)


def _proved(rows: list[tuple[str, Seen]]) -> Proved:
    named = {proof: [name for name, row in rows if row.proof == proof] for proof in {row.proof for _, row in rows}}
    whole, never = len(named.get("whole", ())), len(named.get("never verified", ()))
    broken, not_finished = named.get("broken", []), named.get("not finished", [])
    return Proved(whole=whole, broken=broken, never_verified=never, not_finished=not_finished)


@service.tool(Risk.READ)
async def get_gc_status(ctx: Context[Servers]) -> Answers[Collected]:
    """Garbage collection by datastore: last run, how it ended, what it freed, what waits, what is broken."""
    ask = lambda server: server.read(list[Collected], "/admin/gc")  # noqa: E731
    return await _of_each(ctx.client, ask)  # type: ignore[no-any-return]
