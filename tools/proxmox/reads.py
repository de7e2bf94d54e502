"""What is there, and how it is."""

import asyncio
import re
from typing import Annotated, Any

from tools.kit import Context, Down, Field, Ident, Outside, Risk, ToolFailed, listed
from tools.kit.errors import tried
from tools.kit.proxmox import TaskLine
from tools.proxmox.client import Cluster, seen, service
from tools.proxmox.models import (
    Backup,
    Backups,
    Ended,
    Guests,
    GuestStatus,
    Member,
    NodeAnswer,
    NodeStatus,
    Permissions,
    Resources,
    Snapshot,
    Snapshots,
    StorageRow,
    Storages,
    TaskLog,
    Templates,
)
from tools.proxmox.targets import (
    GuestName,
    NodeName,
    StorageName,
    all_guests,
    all_nodes,
    all_storages,
    live,
    there,
)

DISK = re.compile(r"(?:ide|sata|scsi|virtio|efidisk|tpmstate|mp|unused)\d+|rootfs")
NEEDED = (
    "Datastore.AllocateSpace", "Datastore.Audit", "Sys.Audit", "VM.Allocate", "VM.Audit", "VM.Backup", "VM.Clone",
    "VM.Config.CPU", "VM.Config.Disk", "VM.Config.Memory", "VM.Config.Options", "VM.Migrate", "VM.PowerMgmt",
    "VM.Snapshot", "VM.Snapshot.Rollback",
)  # fmt: skip
TASKS = 25


@service.tool(Risk.READ, often=True)
async def list_vms(ctx: Context[Cluster]) -> Guests:
    """Every VM and container with its node, state, CPU and memory; use it first for anything about guests."""
    guests, more = listed([guest for guest in await all_guests(ctx.client) if not guest.template])
    return Guests(guests=guests, more=more)


@service.tool(Risk.READ)
async def list_templates(ctx: Context[Cluster]) -> Templates:
    """What new guests can be made from: template guests, and container templates on the storages."""
    guests = [guest for guest in await all_guests(ctx.client) if guest.template]
    found, down = await contents_of(ctx.client, "vztmpl", None)
    files = sorted({backup.volume for volumes in found.values() for backup in volumes})
    return Templates(guests=guests, files=files[:200], down=down)


@service.tool(Risk.READ, word="vm", often=True)
async def get_vm_status(ctx: Context[Cluster], guest: GuestName) -> GuestStatus:
    """One VM or container: live state, load, disks and networks, whether it starts with its node or is protected."""
    found = await there(ctx.client, guest)
    state = await live(ctx.client, found)
    config = await config_of(ctx.client, found.node, guest)
    return GuestStatus(
        guest=found,
        live=state,
        disks={name: str(value) for name, value in config.items() if DISK.fullmatch(name)},
        networks={name: str(value) for name, value in config.items() if re.fullmatch(r"net\d+", name)},
        onboot=bool(int(config.get("onboot", 0))),
        protected=is_protected(config),
        description=config.get("description"),
    )


async def config_of(client: Cluster, node: str, guest: str) -> dict[str, Any]:
    """A guest's configuration."""
    kind, _, vmid = guest.partition("/")
    return await client.read(dict[str, Any], "/nodes/{}/{}/{}/config", node, kind, vmid)


def is_protected(config: dict[str, Any]) -> bool:
    """Whether its owner has set the protection flag."""
    return str(config.get("protection", 0)) == "1"


@service.tool(Risk.READ, word="node", often=True)
async def get_node_status(ctx: Context[Cluster], node: NodeName) -> NodeAnswer:
    """One node: version, load, memory, root disk, and the guests on it."""
    status = await ctx.client.read(NodeStatus, "/nodes/{}/status", node)
    guests = [guest for guest in await all_guests(ctx.client) if guest.node == node and not guest.template]
    return NodeAnswer(node=node, status=status, guests=guests[:200])


@service.tool(Risk.READ)
async def get_cluster_resources(ctx: Context[Cluster]) -> Resources:
    """The cluster in figures: quorum, nodes, storages, and how many guests run."""
    members = await ctx.client.read(list[Member], "/cluster/status")
    whole = next((member for member in members if member.type == "cluster"), None)
    guests = [guest for guest in await all_guests(ctx.client) if not guest.template]
    running, stopped = (sum(guest.status == state for guest in guests) for state in ("running", "stopped"))
    return Resources(
        cluster=whole.name if whole else None,
        quorate=whole.quorate if whole else None,
        nodes=await all_nodes(ctx.client),
        storages=await all_storages(ctx.client),
        guests_running=running,
        guests_stopped=stopped,
        guests_unknown=len(guests) - running - stopped,
        templates=len(await all_guests(ctx.client)) - len(guests),
    )


@service.tool(Risk.READ)
async def list_storage(ctx: Context[Cluster]) -> Storages:
    """Every storage with what it is for and how full it is; a shared one once."""
    rows, more = listed(await all_storages(ctx.client))
    return Storages(storages=rows, more=more)


@service.tool(Risk.READ)
async def list_backups(
    ctx: Context[Cluster], guest: GuestName | None = None, storage: StorageName | None = None
) -> Backups:
    """The backups on the cluster's storages, of one guest or of all, and the guests that no backup job covers."""
    found, down = await contents_of(ctx.client, "backup", storage, guest)
    rows = [backup for volumes in found.values() for backup in volumes]
    await seen(ctx.client, bool(rows), "backups", "/storage", "Datastore.AllocateSpace")
    await seen(ctx.client, bool(rows), "backups", "/vms", "VM.Backup")
    bare = await ctx.client.read(list[dict[str, Any]], "/cluster/backup-info/not-backed-up")
    uncovered = sorted(f"{row.get('vmid')}:{row.get('name') or ''}".rstrip(":") for row in bare)
    kept = {name: newest_first(volumes)[:50] for name, volumes in found.items()}
    more = len(rows) - sum(map(len, kept.values()))
    return Backups(storages=kept, without=uncovered[:200], more=more or None, down=down)


def newest_first(backups: list[Backup]) -> list[Backup]:
    """In the order of their making."""
    return sorted(backups, key=lambda backup: backup.made.timestamp() if backup.made else 0.0, reverse=True)


async def backups_of(client: Cluster, guest: str, storage: StorageRow) -> list[Backup]:
    """A guest's backups on one storage, the newest first."""
    return newest_first(await _content(client, "backup", storage, guest))


async def _content(client: Cluster, content: str, storage: StorageRow, guest: str | None = None) -> list[Backup]:
    asked = {"content": content, "vmid": guest.partition("/")[2] if guest else None}
    params = {name: value for name, value in asked.items() if value}
    return await client.read(list[Backup], "/nodes/{}/storage/{}/content", storage.node, storage.storage, params=params)


async def contents_of(
    client: Cluster, content: str, storage: str | None, guest: str | None = None
) -> tuple[dict[Ident, list[Backup]], list[Down]]:
    """What lies on every storage for this kind of content, and which of them could not be asked."""
    rows = [row for row in await all_storages(client) if content in row.content and storage in (None, row.storage)]
    answers = await asyncio.gather(*(tried(_content(client, content, row, guest)) for row in rows))
    named = list(zip((row.place for row in rows), answers, strict=True))
    found = {name: answer for name, answer in named if not isinstance(answer, ToolFailed)}
    return found, [Down.of(name, answer) for name, answer in named if isinstance(answer, ToolFailed)]


@service.tool(Risk.READ)
async def list_snapshots(ctx: Context[Cluster], guest: GuestName) -> Snapshots:
    """A guest's snapshots, the oldest first, and which of them its present state comes from."""
    found = await there(ctx.client, guest)
    rows, now = await snapshots_of(ctx.client, found.node, guest)
    return Snapshots(guest=guest, snapshots=rows, now=now)


async def snapshots_of(client: Cluster, node: str, guest: str) -> tuple[list[Snapshot], str | None]:
    """A guest's snapshots, the oldest first, and the one that its present state comes from."""
    kind, _, vmid = guest.partition("/")
    rows = await client.read(list[Snapshot], "/nodes/{}/{}/{}/snapshot", node, kind, vmid)
    now = next((row.parent for row in rows if row.name == "current"), None)
    kept = [row for row in rows if row.name != "current"]
    return sorted(kept, key=lambda row: row.taken.timestamp() if row.taken else 0.0), now


@service.tool(Risk.READ)
async def get_task_log(
    ctx: Context[Cluster],
    node: NodeName,
    guest: GuestName | None = None,
    failed: Annotated[bool, Field(description="Only tasks that have failed.")] = False,
) -> TaskLog:
    """A node's newest tasks, of one guest or of all, and the last lines of the newest one."""
    params: dict[str, str | int | bool | None] = {"limit": TASKS, "source": "all", "errors": failed}
    if guest:
        params["vmid"] = int(guest.partition("/")[2])
    tasks = await ctx.client.read(list[Ended], "/nodes/{}/tasks", node, params=params)
    lines: list[Outside] = []
    if tasks:
        log = await ctx.client.read(
            list[TaskLine], "/nodes/{}/tasks/{}/log", node, tasks[0].upid, params={"limit": 1000}
        )
        lines = [line.t[:300] for line in log[-TASKS:]]
    return TaskLog(tasks=tasks[:TASKS], lines=lines)


@service.tool(Risk.READ)
async def get_permissions(ctx: Context[Cluster]) -> Permissions:
    """What Rackhand's token may do on which path, and which privileges its tools would need and lack."""
    held = await ctx.client.read(dict[str, dict[str, int]], "/access/permissions")
    granted = {name for names in held.values() for name in names}
    return Permissions(
        token=ctx.client.token,
        privileges={path: sorted(names) for path, names in list(held.items())[:200]},
        missing=[name for name in NEEDED if name not in granted],
    )
