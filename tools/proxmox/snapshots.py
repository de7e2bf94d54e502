"""States that a guest can be brought back to."""

from datetime import datetime
from typing import Annotated

from tools.kit import Change, Conflict, Context, Field, Gone, Ident, Risk, Shown, or_else
from tools.kit.proxmox import Params
from tools.proxmox.client import Cluster, service
from tools.proxmox.models import Ended
from tools.proxmox.power import GuestFacts, called, read_guest, restarted, unlocked
from tools.proxmox.reads import snapshots_of
from tools.proxmox.targets import GuestName, SnapshotName, there

WithMemory = Annotated[bool, Field(description="Whether a running VM's memory is kept, too: larger and slower.")]


class SnapshotFacts(GuestFacts):
    """A guest and its snapshots, the oldest first."""

    snapshots: Shown[list[Ident]]
    comes_from: Shown[Ident | None] = None
    """The snapshot that its present state comes from."""
    rolled_back: datetime | None = None
    """When it was last brought back to one."""


async def read_snapshots(client: Cluster, guest: str) -> SnapshotFacts:
    """A guest and its snapshots now."""
    facts = await read_guest(client, guest)
    if facts.node is None:
        return SnapshotFacts(**vars(facts), snapshots=[])
    rows, now = await snapshots_of(client, facts.node, guest)
    back = await or_else(last_done(client, facts.node, guest, "rollback"), None)
    names = [row.name for row in rows]
    return SnapshotFacts(**vars(facts), snapshots=names, comes_from=now, rolled_back=back)


async def last_done(client: Cluster, node: str, guest: str, kind: str) -> datetime | None:
    """When the newest task of a kind that ended well was begun for a guest."""
    number = int(guest.partition("/")[2])
    params: Params = {"vmid": number, "typefilter": kind, "source": "all", "limit": 10}
    rows = await client.read(list[Ended], "/nodes/{}/tasks", node, params=params)
    return max((row.started for row in rows if row.status == "OK"), default=None)


@service.tool(Risk.CHANGE, undo="delete the snapshot", word="snapshot", often=True)
async def create_snapshot(
    ctx: Context[Cluster], guest: GuestName, name: SnapshotName = "before-change", memory: WithMemory = False
) -> Change[SnapshotFacts]:
    """Keep a guest's present state under a name, to be brought back to it with rollback_snapshot."""
    found, facts = await there(ctx.client, guest), await ctx.read(read_snapshots, guest)
    unlocked(facts)
    if name in facts.snapshots:
        raise Conflict(f"{found.called} has a snapshot {name} already: choose another name.")
    params = {"snapname": name, "description": "Taken by Rackhand"}
    keeps_memory = memory and found.type == "qemu" and facts.state == "running"
    return Change(
        f"Take snapshot {name} of {called(found)}",
        facts=facts,
        do=lambda client: client.begin(
            "POST", "/nodes/{}/{}/{}/snapshot", found.node, found.type, found.vmid,
            params={**params, **({"vmstate": True} if keeps_memory else {})},
        ),
        expect=lambda before, after: name in after.snapshots and not after.lock,
        undo=lambda before, _: delete_snapshot.call(guest=guest, snapshot=name),
    )  # fmt: skip


@service.tool(Risk.DESTROY, word="rollback")
async def rollback_snapshot(ctx: Context[Cluster], guest: GuestName, snapshot: SnapshotName) -> Change[SnapshotFacts]:
    """Bring a guest back to a snapshot: everything that it has written since is lost."""
    found, facts = await there(ctx.client, guest), await ctx.read(read_snapshots, guest)
    unlocked(facts)
    if snapshot not in facts.snapshots:
        raise Gone(f"{found.called} has no snapshot {snapshot}: it has {', '.join(facts.snapshots) or 'none'}.")
    running = facts.state == "running"
    newer = facts.snapshots[facts.snapshots.index(snapshot) + 1 :]
    notes = ["What it has written since is lost, and there is no undo."]
    if newer:
        notes.append(f"On ZFS this is refused while newer snapshots stand: {', '.join(newer)}.")
    return Change(
        f"Roll {called(found)} back to {snapshot}",
        facts=facts,
        do=lambda client: client.begin(
            "POST", "/nodes/{}/{}/{}/snapshot/{}/rollback", found.node, found.type, found.vmid, snapshot,
            params={"start": running},
        ),
        expect=lambda before, after: (
            after.comes_from == snapshot and after.state == before.state and _later(before, after)
        ),
        notes=tuple(notes),
    )  # fmt: skip


def _later(before: SnapshotFacts, after: SnapshotFacts) -> bool:
    """Whether it was rolled back since, by the cluster's tasks, and restarted with it where it ran."""
    if after.rolled_back is None or (before.up_since and not restarted(before, after)):
        return False
    return before.rolled_back is None or after.rolled_back > before.rolled_back


@service.tool(Risk.DESTROY)
async def delete_snapshot(ctx: Context[Cluster], guest: GuestName, snapshot: SnapshotName) -> Change[SnapshotFacts]:
    """Delete one snapshot; the guest itself stays as it is."""
    found, facts = await there(ctx.client, guest), await ctx.read(read_snapshots, guest)
    unlocked(facts)
    if snapshot not in facts.snapshots:
        raise Gone(f"{found.called} has no snapshot {snapshot}: it has {', '.join(facts.snapshots) or 'none'}.")
    return Change(
        f"Delete snapshot {snapshot} of {called(found)}",
        facts=facts,
        do=lambda client: client.begin(
            "DELETE", "/nodes/{}/{}/{}/snapshot/{}", found.node, found.type, found.vmid, snapshot
        ),
        expect=lambda before, after: after.state != "gone" and snapshot not in after.snapshots and not after.lock,
        notes=("The guest cannot be brought back to it any more.",),
    )
