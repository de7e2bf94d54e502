"""Backups: made, restored, and taken before a guest is deleted."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel

from tools.kit import (
    Broken,
    Change,
    Conflict,
    Context,
    Facts,
    Field,
    Gone,
    Ident,
    NetId,
    Resolve,
    Risk,
    Shown,
    Taken,
    Target,
    Task,
    ToolFailed,
    or_else,
)
from tools.kit.proxmox import Params, follow
from tools.proxmox.client import Cluster, service
from tools.proxmox.models import StorageRow
from tools.proxmox.power import GuestFacts, State, called, read_guest, unlocked
from tools.proxmox.reads import DISK, backups_of, config_of, contents_of, is_protected, newest_first, snapshots_of
from tools.proxmox.snapshots import last_done
from tools.proxmox.targets import GuestName, NodeName, StorageName, find_guest, the_guest, there

HOURS = 6 * 3600.0
"""A backup of much data on a slow line."""
NET_NOTES = "rackhand: before it was deleted"
ARCHIVE = re.compile(r"(?:vzdump-|backup/)(?P<kind>qemu|lxc|vm|ct)[-/](?P<vmid>\d+)[-/]")
KINDS = {"qemu": "qemu", "vm": "qemu", "lxc": "lxc", "ct": "lxc"}
Vmid = Annotated[int, Field(ge=100, le=999_999_999, description="The number of a guest.")]


class BackupFacts(GuestFacts):
    """A guest and its backups on one storage."""

    newest: Shown[datetime | None]
    free_gib: float
    """What is left on the storage."""


async def _store_for(client: Cluster, node: str, wanted: str | None, gib: float) -> StorageRow | None:
    """Where a backup of so much can go from this node: the named storage, or the one with most room."""
    rows = await client.read(list[StorageRow], "/cluster/resources", params={"type": "storage"})
    fit = [
        row for row in rows
        if row.node == node and row.status == "available" and "backup" in row.content and wanted in (None, row.storage)
    ]  # fmt: skip
    if wanted and not fit:
        raise Gone(f"{node} has no storage {wanted} that takes backups: see list_storage.")
    fit = [row for row in fit if wanted or row.free_gib > gib]
    return max(fit, key=lambda row: row.free_gib, default=None)


async def read_backups(client: Cluster, guest: str, storage: str) -> BackupFacts:
    """A guest and its newest backup on a storage."""
    facts = await read_guest(client, guest)
    row = await _store_for(client, facts.node, storage, 0.0) if facts.node else None
    if row is None:
        return BackupFacts(**vars(facts), newest=None, free_gib=0.0)
    made = [backup.made for backup in await backups_of(client, guest, row)]
    return BackupFacts(**vars(facts), newest=made[0] if made else None, free_gib=row.free_gib)


async def _dump(client: Cluster, node: str, guest: str, storage: str, notes: str) -> Task:
    params = {"vmid": guest.partition("/")[2], "storage": storage, "mode": "snapshot", "compress": "zstd",
              "notes-template": notes}  # fmt: skip
    return await client.begin("POST", "/nodes/{}/vzdump", node, params=params, lasts=HOURS)


@service.tool(Risk.CHANGE, word="backup", often=True)
async def create_backup(
    ctx: Context[Cluster], guest: GuestName, storage: StorageName | None = None
) -> Change[BackupFacts]:
    """Back a guest up now, while it runs, to the named storage or the one with most room."""
    found = await there(ctx.client, guest)
    place = await _store_for(ctx.client, found.node, storage, 0.0)
    if place is None:
        raise Conflict(f"No storage on {found.node} takes backups: give one the content type backup.")
    if place.free_gib < 1:
        raise Conflict(f"The storage {place.storage} is full: make room there first, or name another one.")
    facts = await ctx.read(read_backups, guest, place.storage)
    unlocked(facts)
    return Change(
        f"Back {called(found)} up to {place.storage}",
        facts=facts,
        do=lambda client: _dump(client, found.node, guest, place.storage, "{{guestname}}"),
        expect=lambda before, after: after.newest is not None and after.newest != before.newest and not after.lock,
        notes=("There is no undo: the backup stays until it is pruned.",),
    )


# -- back from one ----------------------------------------------------------------------------------------------------


async def find_backup(client: Cluster, text: str) -> list[Target]:
    """The backup of this volume id; of a guest's name or number, its newest one."""
    found, _ = await contents_of(client, "backup", None)
    rows = newest_first([backup for backups in found.values() for backup in backups])
    meant = {int(target.id.partition("/")[2]) for target in await find_guest(client, text)}
    if text.strip().isdigit():
        meant.add(int(text))
    exact = [row for row in rows if row.volume == text.strip()]
    newest = {row.vmid: row for row in reversed(rows) if row.vmid in meant}
    return [
        Target(row.volume, row.volume, f"{row.made:%Y-%m-%d %H:%M}" if row.made else "")
        for row in exact or newest.values()
    ]


BackupName = Annotated[
    str,
    Resolve(find_backup),
    Field(
        min_length=1, max_length=300, description="A backup: its volume id as listed, or a guest for its newest one."
    ),
]


class RestoreFacts(Facts):
    """A backup, and what is where it shall go."""

    made: Shown[datetime | None]
    size_gib: Shown[float | None]
    replaces: Shown[Ident | None]
    """The guest that is there now, and would be overwritten."""
    state: Shown[State]
    restored: datetime | None = None
    """When the guest that is there was last made from a backup."""
    lock: Ident | None = None
    protected: bool = False


async def read_restore(client: Cluster, volume: str, guest: str, node: str) -> RestoreFacts:
    """The backup and its target now."""
    found, _ = await contents_of(client, "backup", volume.partition(":")[0])
    backup = next((row for rows in found.values() for row in rows if row.volume == volume), None)
    now, facts = await the_guest(client, guest), await read_guest(client, guest)
    done = await or_else(last_done(client, now.node if now else node, guest, "restore"), None)
    return RestoreFacts(
        made=backup.made if backup else None,
        size_gib=backup.size_gib if backup else None,
        replaces=now.called if now else None,
        state=facts.state,
        restored=done if now else None,
        lock=facts.lock,
        protected=now is not None and is_protected(await config_of(client, now.node, guest)),
    )


@service.tool(Risk.DESTROY, word="restore")
async def restore_backup(
    ctx: Context[Cluster],
    backup: BackupName,
    vmid: Vmid | None = None,
    node: NodeName | None = None,
    start: Annotated[bool, Field(description="Whether it is started afterwards.")] = False,
) -> Change[RestoreFacts]:
    """Make a guest from a backup: under its own number, where it overwrites what is there, or under another one."""
    archive = ARCHIVE.search(backup)
    if archive is None:
        raise Conflict("This backup's name says no guest: take one as list_backups names it.")
    guest = f"{KINDS[archive['kind']]}/{vmid or archive['vmid']}"
    now = await the_guest(ctx.client, guest)
    place = now.node if now else node or await _node_of(ctx.client, backup)
    facts = await ctx.read(read_restore, backup, guest, place)
    if facts.lock or facts.protected:
        raise Conflict("The guest that is there is locked or protected: restore under another number.")
    if facts.state not in ("stopped", "gone"):
        raise Conflict("The guest that is there still runs: shut it down first, or restore under another number.")
    lost = f"{facts.replaces} is overwritten: what it holds now is gone, and there is no undo."
    return Change(
        f"Restore {guest.partition('/')[2]} from {backup.partition(':')[2].rpartition('/')[2] or backup}",
        facts=facts,
        do=lambda client: _restore(client, place, guest, backup, start=start, force=now is not None),
        expect=lambda before, after: (
            after.state == ("running" if start else "stopped") and after.restored not in (None, before.restored)
        ),
        notes=(lost,) if now else (f"A new guest on {place}; there is no undo: delete it when it is not wanted.",),
        within=60.0,
    )


async def _node_of(client: Cluster, volume: str) -> str:
    """A node that reaches the storage of a volume."""
    found, _ = await contents_of(client, "backup", volume.partition(":")[0])
    storages = await client.read(list[StorageRow], "/cluster/resources", params={"type": "storage"})
    places = {name for name, rows in found.items() if any(row.volume == volume for row in rows)}
    at = next((row.node for row in storages if row.place in places and row.status == "available"), None)
    if at is None:
        raise Gone("No node reaches the storage of this backup.")
    return at


async def _restore(client: Cluster, node: str, guest: str, volume: str, *, start: bool, force: bool) -> Task:
    kind, _, vmid = guest.partition("/")
    archive: Params = {"archive": volume} if kind == "qemu" else {"ostemplate": volume, "restore": True}
    params: Params = {"vmid": int(vmid), **archive, "force": force, "start": start}
    return await client.begin("POST", "/nodes/{}/{}", node, kind, params=params, lasts=HOURS)


# -- gone -------------------------------------------------------------------------------------------------------------


class DeleteFacts(GuestFacts):
    """A guest, and what goes with it or rests on it."""

    disks: Shown[list[Ident]]
    snapshots: Shown[list[Ident]]
    needed_by: Shown[list[Ident]]
    """Backup jobs and high availability that name it."""
    protected: bool = False


class Before(BaseModel):
    """The backup that was taken before a guest was deleted."""

    volume: str
    guest: str
    node: str


async def read_whole(client: Cluster, guest: str) -> DeleteFacts:
    """A guest with all that is lost with it."""
    facts = await read_guest(client, guest)
    if facts.node is None:
        return DeleteFacts(**vars(facts), disks=[], snapshots=[], needed_by=[])
    config = await config_of(client, facts.node, guest)
    rows, _ = await snapshots_of(client, facts.node, guest)
    return DeleteFacts(
        **vars(facts),
        disks=[f"{name}:{_volume(value)}" for name, value in sorted(config.items()) if DISK.fullmatch(name)],
        snapshots=[row.name for row in rows],
        needed_by=await _needing(client, guest.partition("/")[2]),
        protected=is_protected(config),
    )


def _volume(value: object) -> str:
    return str(value).partition(",")[0]


async def _needing(client: Cluster, vmid: str) -> list[str]:
    """The backup jobs and the high availability that name a guest."""
    jobs = await client.read(list[dict[str, object]], "/cluster/backup")
    managed = await or_else(client.read(list[dict[str, object]], "/cluster/ha/resources"), [])
    named = [f"backup-job:{job.get('id')}" for job in jobs if vmid in str(job.get("vmid", "")).split(",")]
    return named + [f"ha:{one['sid']}" for one in managed if str(one.get("sid", "")).partition(":")[2] == vmid]


@service.tool(Risk.DESTROY, undo="restore it from the backup that was taken first", word="delete")
async def delete_vm(
    ctx: Context[Cluster],
    guest: GuestName,
    backup_first: Annotated[bool, Field(description="Whether a backup is taken before, where there is room.")] = True,
) -> Change[DeleteFacts]:
    """Delete a stopped VM or container with its disks and snapshots, after a backup where a storage has room."""
    found = await there(ctx.client, guest)
    facts = await ctx.read(read_whole, guest)
    unlocked(facts)
    if facts.protected:
        raise Conflict(f"{found.called} is protected: take the protection off in Proxmox first, if that is meant.")
    if facts.state != "stopped":
        raise Conflict(f"{found.called} is {facts.state}: shut it down first.")
    room = await _store_for(ctx.client, found.node, None, found.disk_max_gib or 0.0) if backup_first else None
    why = "No backup is taken first" + (": no storage has room for one." if backup_first else ".")
    kept = f"A backup to {room.storage} is taken first, and stays." if room else f"{why} There is no undo."
    return Change(
        f"Delete {called(found)}",
        facts=facts,
        do=lambda client: client.begin("DELETE", "/nodes/{}/{}/{}", found.node, found.type, found.vmid,
                                       params={"purge": True}),
        expect=lambda before, after: after.state == "gone",
        safety_net=(lambda client: _kept(client, found.node, guest, room)) if room else None,
        undo=lambda before, net: bring_back.call(net=net) if net else None,
        notes=(kept, "It is taken out of backup jobs and high availability, too."),
        deadline=HOURS,
    )  # fmt: skip


async def _kept(client: Cluster, node: str, guest: str, room: StorageRow) -> Taken:
    """A backup, finished and found again. Raises ToolFailed."""
    before = {backup.volume for backup in await backups_of(client, guest, room)}
    task = await _dump(client, node, guest, room.storage, NET_NOTES)
    async for step in follow(client, task.ref):
        if isinstance(step, Broken):
            failed = ToolFailed(f"The backup failed: {step.words}.")
            failed.outside = True
            raise failed
    made = [backup.volume for backup in await backups_of(client, guest, room) if backup.volume not in before]
    if not made:
        raise ToolFailed("The backup ended well and cannot be found on its storage.")
    return Taken(f"backup {made[0]}", Before(volume=made[0], guest=guest, node=node))


@service.tool(Risk.CHANGE, hidden=True)
async def bring_back(ctx: Context[Cluster], net: NetId) -> Change[GuestFacts]:
    """Restore a deleted guest from the backup that was taken before; for Undo."""
    before = await ctx.kept(net, Before)
    return Change(
        f"Restore {before.guest.partition('/')[2]} as it was",
        facts=await ctx.read(read_guest, before.guest),
        do=lambda client: _restore(client, before.node, before.guest, before.volume, start=False, force=False),
        expect=lambda before, after: after.state != "gone" and not after.lock,
    )
