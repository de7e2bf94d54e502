"""New containers, with sensible values for whatever is not said."""

from typing import Annotated

from tools.kit import Change, Conflict, Context, Facts, Field, Gone, Ident, Risk, Shown
from tools.kit.proxmox import Params
from tools.proxmox.backups import Vmid, delete_vm
from tools.proxmox.client import Cluster, service
from tools.proxmox.models import StorageRow
from tools.proxmox.power import State, read_guest
from tools.proxmox.reads import contents_of
from tools.proxmox.shape import Cores, MemoryMib, next_id
from tools.proxmox.targets import NodeName, StorageName, Volume, the_guest


class NewFacts(Facts):
    """What stands under the number, and what the container is made of."""

    taken_by: Shown[Ident | None]
    state: Shown[State]
    template: Shown[Ident]
    storage: Shown[Ident]
    node: Shown[Ident]
    free_gib: float
    """What is left on the storage."""
    lock: Ident | None = None


async def read_new(
    client: Cluster, guest: str, template: str | None, node: str | None, storage: str | None
) -> NewFacts:
    """Where a container would go now, and what from. Raises ToolFailed where nothing fits."""
    rows = await client.read(list[StorageRow], "/cluster/resources", params={"type": "storage"})
    usable = [row for row in rows if row.status == "available" and node in (None, row.node)]
    found, _ = await contents_of(client, "vztmpl", None)
    names = {place: {one.volume for one in volumes} for place, volumes in found.items()}
    wanted = template or max(
        (name for volumes in names.values() for name in volumes),
        key=lambda name: ("debian" in name, name),
        default=None,
    )
    if wanted is None:
        raise Gone("No storage holds a container template: download one with `pveam download local …` on a node.")
    at = {row.node for row in usable if wanted in names.get(row.place, ())}
    fit = [row for row in usable if row.node in at and "rootdir" in row.content and storage in (None, row.storage)]
    if not fit:
        raise Gone(f"No node has both the template {wanted.rpartition('/')[2]} and a storage for containers.")
    best = max(fit, key=lambda row: row.free_gib)
    made, facts = await the_guest(client, guest), await read_guest(client, guest)
    return NewFacts(
        taken_by=made.called if made else None, state=facts.state, template=wanted, storage=best.storage,
        node=best.node, free_gib=best.free_gib, lock=facts.lock,
    )  # fmt: skip


@service.tool(Risk.CHANGE, undo="delete it again", word="create")
async def create_lxc(
    ctx: Context[Cluster],
    name: Annotated[str, Field(max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$", description="Its host name.")],
    template: Volume | None = None,
    node: NodeName | None = None,
    storage: StorageName | None = None,
    gib: Annotated[int, Field(ge=1, le=10_000, description="Size of its root disk in GiB.")] = 8,
    cores: Cores = 1,
    memory_mib: MemoryMib = 512,
    bridge: Annotated[str, Field(max_length=15, pattern=r"^\w[\w.-]*$", description="Its network bridge.")] = "vmbr0",
    vmid: Vmid | None = None,
) -> Change[NewFacts]:
    """Make an unprivileged container from a template, with DHCP; what is not said is chosen and stands on the card."""
    number = vmid or await next_id(ctx.client)
    guest = f"lxc/{number}"
    facts = await ctx.read(read_new, guest, template, node, storage)
    if facts.taken_by:
        raise Conflict(f"The number {number} is taken by {facts.taken_by}: leave it out for the next free one.")
    if facts.free_gib < gib:
        raise Conflict(f"{facts.storage} on {facts.node} has no room for {gib} GiB: make it smaller, or make room.")
    params: Params = {
        "vmid": number, "hostname": name, "ostemplate": facts.template, "rootfs": f"{facts.storage}:{gib}",
        "cores": cores, "memory": memory_mib, "swap": memory_mib, "unprivileged": True, "features": "nesting=1",
        "net0": f"name=eth0,bridge={bridge},ip=dhcp",
    }  # fmt: skip
    return Change(
        f"Create container {name} ({number}) on {facts.node}",
        facts=facts,
        do=lambda client: client.begin("POST", "/nodes/{}/lxc", facts.node, params=params),
        expect=lambda before, after: after.taken_by == name and not after.lock,
        undo=lambda before, _: delete_vm.call(guest=guest, backup_first=False),
        notes=(
            f"{cores} cores, {memory_mib} MiB, {gib} GiB on {facts.storage}, {bridge} with DHCP, unprivileged.",
            "It has no password: enter it with `pct enter` on its node. It is not started yet.",
        ),
    )
