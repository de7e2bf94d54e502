"""What a guest is made of, and where it runs: moved, cloned, given more or less."""

import re
from typing import Annotated

from tools.kit import Change, Conflict, Context, Facts, Field, Gone, Ident, Risk, Shown
from tools.kit.proxmox import Params
from tools.proxmox.backups import Vmid, delete_vm
from tools.proxmox.client import Cluster, service
from tools.proxmox.power import GuestFacts, State, called, read_guest, unlocked
from tools.proxmox.reads import config_of
from tools.proxmox.targets import GuestName, NodeName, all_guests, all_nodes, the_guest, there

Cores = Annotated[int, Field(ge=1, le=512, description="CPU cores.")]
MemoryMib = Annotated[int, Field(ge=16, le=4_194_304, description="Memory in MiB.")]
HOUR = 3600.0
SIZE = re.compile(r"size=(\d+(?:\.\d+)?)([KMGT]?)")
UNITS = {"": 2.0**-30, "K": 2.0**-20, "M": 2.0**-10, "G": 1.0, "T": 1024.0}


@service.tool(Risk.CHANGE, undo="migrate it back", word="migrate")
async def migrate_guest(ctx: Context[Cluster], guest: GuestName, node: NodeName) -> Change[GuestFacts]:
    """Move a guest to another node: a running VM goes on meanwhile, a running container is restarted."""
    found, facts = await there(ctx.client, guest), await ctx.read(read_guest, guest)
    unlocked(facts)
    target = next((row for row in await all_nodes(ctx.client) if row.node == node), None)
    if target is None or target.status != "online":
        raise Conflict(f"The node {node} is not up: choose another one.")
    running = facts.state == "running"
    if found.type == "qemu":
        how: Params = {"online": running, "with-local-disks": True}
    else:
        how = {"restart": True} if running else {}
    rests = "It goes on while it moves." if found.type == "qemu" else "It is restarted on the way."
    return Change(
        f"Migrate {called(found)} to {node}",
        facts=facts,
        do=lambda client: client.begin(
            "POST", "/nodes/{}/{}/{}/migrate", found.node, found.type, found.vmid,
            params={"target": node, **how}, lasts=6 * HOUR,
        ),
        expect=lambda before, after: after.node == node and after.state == before.state and not after.lock,
        undo=lambda before, _: migrate_guest.call(guest=guest, node=before.node) if before.node != node else None,
        notes=(rests,) if running else (),
        within=60.0,
    )  # fmt: skip


class CloneFacts(Facts):
    """The original, and what stands under the number of the clone."""

    state: Shown[State]
    node: Shown[Ident | None]
    taken_by: Shown[Ident | None]
    """The guest that has this number."""
    lock: Ident | None = None


async def read_clone(client: Cluster, guest: str, clone: str) -> CloneFacts:
    """Both now."""
    facts, made = await read_guest(client, guest), await the_guest(client, clone)
    return CloneFacts(
        state=facts.state, node=facts.node, taken_by=made.called if made else None,
        lock=facts.lock or (made.lock if made else None),
    )  # fmt: skip


@service.tool(Risk.CHANGE, undo="delete the clone", word="clone")
async def clone_guest(
    ctx: Context[Cluster],
    guest: GuestName,
    name: Annotated[str, Field(max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$", description="The clone's name.")],
    vmid: Vmid | None = None,
) -> Change[CloneFacts]:
    """Make a full copy of a guest or template under a name; its number is the next free one unless given."""
    found = await there(ctx.client, guest)
    number = vmid or await next_id(ctx.client)
    clone = f"{found.type}/{number}"
    facts = await ctx.read(read_clone, guest, clone)
    if facts.lock:
        raise Conflict("It is locked: something is under way. Ask again when that has ended.")
    if facts.taken_by:
        raise Conflict(f"The number {number} is taken by {facts.taken_by}: leave it out for the next free one.")
    params: Params = {"newid": number, "full": True, "name" if found.type == "qemu" else "hostname": name}
    return Change(
        f"Clone {called(found)} as {name} ({number})",
        facts=facts,
        do=lambda client: client.begin(
            "POST", "/nodes/{}/{}/{}/clone", found.node, found.type, found.vmid, params=params, lasts=6 * HOUR
        ),
        expect=lambda before, after: after.taken_by == name and not after.lock,
        undo=lambda before, _: delete_vm.call(guest=clone, backup_first=False),
        notes=("It has the addresses and keys of the original: change them before both run.",),
    )


async def next_id(client: Cluster) -> int:
    """The lowest number that no guest has."""
    taken = {guest.vmid for guest in await all_guests(client)}
    return next(number for number in range(100, 10**9) if number not in taken)


class ResourceFacts(GuestFacts):
    """What a guest is given; changes count at once for a container, for a VM mostly after a reboot."""

    cores: Shown[int | None]
    memory_mib: Shown[int | None]
    digest: Ident = ""


async def read_resources(client: Cluster, guest: str) -> ResourceFacts:
    """A guest's configured cores and memory."""
    facts = await read_guest(client, guest)
    if facts.node is None:
        return ResourceFacts(**vars(facts), cores=None, memory_mib=None)
    config = await config_of(client, facts.node, guest)
    memory = re.match(r"(?:current=)?(\d+)", str(config.get("memory", 512)))
    cores = str(config.get("cores", ""))
    return ResourceFacts(
        **vars(facts), cores=int(cores) if cores.isdigit() else None, memory_mib=int(memory[1]) if memory else None,
        digest=str(config.get("digest", "")),
    )  # fmt: skip


@service.tool(Risk.CHANGE, undo="give it what it had", word="resources")
async def set_guest_resources(
    ctx: Context[Cluster], guest: GuestName, cores: Cores | None = None, memory_mib: MemoryMib | None = None
) -> Change[ResourceFacts]:
    """Give a guest other cores or memory; a running VM takes them with its next reboot, unless it can hot-plug."""
    found, facts = await there(ctx.client, guest), await ctx.read(read_resources, guest)
    unlocked(facts)
    if cores is None and memory_mib is None:
        raise Conflict("Say what it shall have: cores, memory_mib, or both.")
    wanted: Params = {k: v for k, v in {"cores": cores, "memory": memory_mib}.items() if v is not None}
    had = {"cores": facts.cores if cores else None, "memory_mib": facts.memory_mib if memory_mib else None}
    later = "It takes effect with the next reboot." if found.type == "qemu" and facts.state == "running" else ""
    return Change(
        f"Set {called(found)} to {' and '.join(_words(cores, memory_mib))}",
        facts=facts,
        # With the digest it refuses where somebody has changed the configuration since.
        do=lambda client: client.send(
            "PUT", "/nodes/{}/{}/{}/config", found.node, found.type, found.vmid,
            params={**wanted, "digest": facts.digest},
        ),
        expect=lambda before, after: (
            cores in (None, after.cores) and memory_mib in (None, after.memory_mib) and after.state != "gone"
        ),
        undo=lambda before, _: set_guest_resources.call(
            guest=guest, **{name: value for name, value in had.items() if value is not None}
        ),
        notes=(later,) if later else (),
    )  # fmt: skip


def _words(cores: int | None, memory: int | None) -> list[str]:
    return [f"{cores} cores"] * bool(cores) + [f"{memory} MiB"] * bool(memory)


class DiskFacts(GuestFacts):
    """A disk of a guest."""

    size_gib: Shown[float | None]
    digest: Ident = ""


async def read_disk(client: Cluster, guest: str, disk: str) -> DiskFacts:
    """A disk's configured size; absent where there is no such disk."""
    facts = await read_guest(client, guest)
    config = await config_of(client, facts.node, guest) if facts.node else {}
    size = SIZE.search(str(config.get(disk, "")))
    gib = round(float(size[1]) * UNITS[size[2]], 2) if size else None
    return DiskFacts(**vars(facts), size_gib=gib, digest=str(config.get("digest", "")))


@service.tool(Risk.DESTROY, word="resize")
async def resize_disk(
    ctx: Context[Cluster],
    guest: GuestName,
    disk: Annotated[str, Field(max_length=12, pattern=r"^[a-z]+\d*$", description="Its disk: scsi0, rootfs, mp0.")],
    gib: Annotated[int, Field(ge=1, le=65_536, description="Its new size in GiB, larger than now.")],
) -> Change[DiskFacts]:
    """Make a guest's disk larger; no disk can ever be made smaller again."""
    found, facts = await there(ctx.client, guest), await ctx.read(read_disk, guest, disk)
    unlocked(facts)
    if facts.size_gib is None:
        raise Gone(f"{found.called} has no disk {disk}: see get_vm_status.")
    if gib < facts.size_gib:
        raise Conflict(f"A disk cannot shrink: {disk} has {facts.size_gib:g} GiB already.")
    return Change(
        f"Resize {disk} of {called(found)} to {gib} GiB",
        facts=facts,
        do=lambda client: client.begin(
            "PUT", "/nodes/{}/{}/{}/resize", found.node, found.type, found.vmid,
            params={"disk": disk, "size": f"{gib}G", "digest": facts.digest},
        ),
        expect=lambda before, after: after.size_gib is not None and after.size_gib >= gib,
        notes=("There is no undo: a disk cannot shrink. The guest's own file system may have to be grown after it.",),
    )  # fmt: skip
