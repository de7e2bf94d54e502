"""Verifying, collecting garbage, copying to another server, and forgetting one backup."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from tools.kit import Change, Conflict, Context, Facts, Field, Gone, Ident, Risk, Shown, Tolerance, later
from tools.kit.backups import WRONG, Proof
from tools.kit.proxmox import Params, begun
from tools.kit.values import gigabytes
from tools.pbs.client import Servers, service, sync_jobs
from tools.pbs.models import Collected, Seen, within
from tools.pbs.targets import BackupName, JobName, Kept, StoreName, parts, rows_of

Protected = Annotated[bool, Field(description="Whether it shall be protected.")]
Pruning = Literal["would keep it", "would remove it", "there is none"]


class Proofs(Facts):
    """What is known of the backups that are to be verified."""

    backups: Shown[int]
    never_verified: Shown[int]
    broken: Shown[int]
    by: list[Ident]
    """The tasks that have verified them."""


async def _proofs(servers: Servers, of: str) -> Proofs:
    rows = [row for _, row in await rows_of(servers, of) if row.proof != "not finished"]
    if not rows:
        raise Gone(f"There is no finished backup in {of}.")
    return Proofs(
        backups=len(rows),
        never_verified=sum(row.proof == "never verified" for row in rows),
        broken=sum(row.proof == "broken" for row in rows),
        by=sorted({row.upid for row in rows if row.upid}),
    )


@service.tool(Risk.CHANGE, word="verify")
async def start_verify(ctx: Context[Servers], of: Kept) -> Change[Proofs]:
    """Check every byte of the backups of a guest or a datastore: of those never verified, or else of all again."""
    facts, (server, store, ns, kind, id_) = await ctx.read(_proofs, of), parts(of)
    only = {"backup-type": kind, "backup-id": id_, "ns": ns or None} if kind else {}
    params: Params = {**only, "ignore-verified": facts.never_verified > 0}
    return Change(
        f"Verify {of}",
        facts=facts,
        do=lambda servers: begun(servers, server, "/admin/datastore/{}/verify", store, params=params),
        expect=lambda before, after: not after.never_verified and after.by != before.by,
        notes=("The disks are busy meanwhile; no backup is changed.",),
    )


class Collection(Facts):
    """How garbage collection stands."""

    last_run: Shown[datetime | None]
    frees_gb: Annotated[Shown[float | None], Tolerance(percent=20)]


async def _collection(servers: Servers, datastore: str) -> Collection:
    server, store = servers.at(datastore)
    rows = await server.read(list[Collected], "/admin/gc", params={"store": store})
    if not rows:
        raise Gone(f"There is no datastore {datastore}.")
    return Collection(last_run=rows[0].last_run, frees_gb=gigabytes(rows[0].pending))


@service.tool(Risk.CHANGE, word="collect")
async def start_gc(ctx: Context[Servers], datastore: StoreName) -> Change[Collection]:
    """Free what no backup of a datastore needs any more (garbage collection); it takes a while."""
    server, _, store = datastore.partition("/")
    return Change(
        f"Collect garbage in {datastore}",
        facts=await ctx.read(_collection, datastore),
        do=lambda servers: begun(servers, server, "/admin/datastore/{}/gc", store),
        expect=lambda before, after: later(before.last_run, after.last_run),
        notes=("There is no undo, and none is needed: it frees only what no backup needs.",),
    )


class Copying(Facts):
    """What a sync job does."""

    source: Shown[Ident]
    to: Shown[Ident]
    removes: Shown[bool]  # there what is gone here
    last_run: Shown[datetime | None]


async def _copying(servers: Servers, job: str) -> Copying:
    server, id_ = servers.at(job)
    found = next((one for one in await sync_jobs(server) or [] if one.id == id_), None)
    if found is None:
        raise Gone(f"There is no sync job {job}.")
    here, there = "/".join(filter(None, (found.store, found.ns))), f"{found.remote or 'local'}:{found.remote_store}"
    source, to = (here, there) if found.direction == "push" else (there, here)
    return Copying(source=source, to=to, removes=bool(found.removes), last_run=found.last_run)


@service.tool(Risk.CHANGE, word="sync")
async def start_sync_job(ctx: Context[Servers], job: JobName) -> Change[Copying]:
    """Run a sync job now: it copies backups to or from another server, so that they are in two places."""
    facts, (server, _, id_) = await ctx.read(_copying, job), job.partition("/")
    gone = f"What {facts.source} no longer has, it removes from {facts.to}: that cannot be undone."
    return Change(
        f"Sync {facts.source} to {facts.to}",
        facts=facts,
        do=lambda servers: begun(servers, server, "/admin/sync/{}/run", id_),
        expect=lambda before, after: later(before.last_run, after.last_run),
        notes=(gone,) if facts.removes else ("It only adds; there is no undo.",),
    )


class OneBackup(Facts):
    """One backup, and what is left without it."""

    proof: Shown[Proof | None]  # nothing where it is not there
    gb: Shown[float | None]
    left: Shown[int]  # other backups of the same
    newest_good_left: Shown[datetime | None]
    prune_job: Shown[Pruning]
    """What the datastore's own prune job would do with it, tried without removing anything."""
    protected: Shown[bool]


async def _one(servers: Servers, backup: str) -> OneBackup:
    group, _, stamp = backup.rpartition("/")
    rows = [row for _, row in await rows_of(servers, group)]
    row, others = next((one for one in rows if one.stamp == stamp), None), [one for one in rows if one.stamp != stamp]
    good = [one.at for one in others if one.proof not in WRONG]
    return OneBackup(
        proof=row.proof if row else None,
        gb=gigabytes(row.size) if row else None,
        left=len(others),
        newest_good_left=max(good, default=None),
        prune_job=await _pruned(servers, group, row),
        protected=bool(row and row.protected),
    )


async def _pruned(servers: Servers, group: str, row: Seen | None) -> Pruning:
    name, store, ns, kind, id_ = parts(group)
    server = servers.one(name)
    jobs = await server.read(list[dict[str, Any]], "/admin/prune", params={"store": store})
    job = next((job for job in jobs if not job.get("disable") and within(ns, job.get("ns"))), {})
    keep = {name: value for name, value in job.items() if name.startswith("keep-") and isinstance(value, int)}
    if not keep or row is None:
        return "there is none"
    asked: Params = {"backup-type": kind, "backup-id": id_, "ns": ns or None, **keep}
    found = await server.tried(list[dict[str, Any]], "/admin/datastore/{}/prune", store, params=asked)
    kept = [one.get("backup-time") for one in found if one.get("keep")]
    return "would keep it" if int(row.at.timestamp()) in kept else "would remove it"


async def _at(servers: Servers, method: str, what: str, backup: str, **more: bool) -> None:
    """Send something about one backup."""
    group, _, stamp = backup.rpartition("/")
    name, store, ns, kind, id_ = parts(group)
    taken = int(datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    which: Params = {"backup-type": kind, "backup-id": id_, "backup-time": taken, "ns": ns or None, **more}
    await servers.one(name).send(method, f"/admin/datastore/{{}}/{what}", store, params=which)


@service.tool(Risk.DESTROY, word="forget")
async def forget_snapshot(ctx: Context[Servers], backup: BackupName) -> Change[OneBackup]:
    """Remove one backup for good; the card says what is left, and what the prune job would have done with it."""
    facts = await ctx.read(_one, backup)
    if facts.protected:
        raise Conflict(f"{backup} is protected: lift that first (protect_snapshot with protected=false).")
    bare = ("It leaves no good backup of this guest.",) if facts.newest_good_left is None else ()
    return Change(
        f"Forget {backup}",
        facts=facts,
        do=lambda servers: _at(servers, "DELETE", "snapshots", backup),
        expect=lambda before, after: after.proof is None,
        notes=(*bare, "There is no undo: the next garbage collection frees what only it needed."),
    )


@service.tool(Risk.CHANGE, undo="protect it as before")
async def protect_snapshot(ctx: Context[Servers], backup: BackupName, protected: Protected = True) -> Change[OneBackup]:
    """Protect one backup from being pruned or forgotten, or lift that."""
    back = protect_snapshot.call(backup=backup, protected=not protected)
    return Change(
        f"Protect {backup}" if protected else f"Lift the protection of {backup}",
        facts=await ctx.read(_one, backup),
        do=lambda servers: _at(servers, "PUT", "protected", backup, protected=protected),
        expect=lambda before, after: after.protected == protected,
        undo=lambda before, _: back if before.protected != protected else None,
    )
