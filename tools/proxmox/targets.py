"""From what a person calls a guest, a node or a volume to the one that is meant."""

import re
from difflib import get_close_matches
from typing import Annotated

from tools.kit import Field, Gone, Resolve, Target
from tools.kit.lifelines import why_kept
from tools.proxmox.client import Cluster, seen
from tools.proxmox.models import FORBID, Guest, Live, NodeRow, StorageRow

_NUMBER = re.compile(r"(?:vm|ct|lxc|qemu|guest)?[\s/#-]*(\d{3,9})", re.I)


async def all_guests(client: Cluster) -> list[Guest]:
    """Every guest of the cluster, by number. Raises Unauthorised when the token may see none."""
    found = await client.read(list[Guest], "/cluster/resources", params={"type": "vm"})
    await seen(client, bool(found), "guests", "/vms", "VM.Audit")
    return sorted(found, key=lambda guest: guest.vmid)


async def all_nodes(client: Cluster) -> list[NodeRow]:
    """Every node of the cluster, by name. Raises Unauthorised when the token may see none."""
    found = await client.read(list[NodeRow], "/cluster/resources", params={"type": "node"})
    await seen(client, bool(found), "nodes", "/nodes", "Sys.Audit")
    return sorted(found, key=lambda node: node.node)


async def all_storages(client: Cluster) -> list[StorageRow]:
    """Every storage that can be reached, a shared one by the first node that has it."""
    found = await client.read(list[StorageRow], "/cluster/resources", params={"type": "storage"})
    await seen(client, bool(found), "storages", "/storage", "Datastore.Audit")
    ordered = sorted(found, key=lambda row: (row.storage, row.status != "available", row.node))
    once = {row.place: row for row in reversed(ordered)}
    return list(reversed(once.values()))


async def the_guest(client: Cluster, id_: str) -> Guest | None:
    """A guest by its id, wherever it is by now; None when it is gone."""
    return next((guest for guest in await all_guests(client) if guest.id == id_), None)


async def there(client: Cluster, id_: str) -> Guest:
    """The same. Raises Gone."""
    if found := await the_guest(client, id_):
        return found
    raise Gone(f"There is no guest {id_.partition('/')[2]} any more: list again to see what there is.")


async def live(client: Cluster, guest: Guest) -> Live:
    """The guest as its own node has it now."""
    return await client.read(Live, "/nodes/{}/{}/{}/status/current", guest.node, guest.type, guest.vmid)


async def find_guest(client: Cluster, text: str) -> list[Target]:
    """The guests that a text may mean: a number, `vm 104`, a name, or `node/name`; the strictest rule wins."""
    wanted, guests = text.strip(), await all_guests(client)
    number = _NUMBER.fullmatch(wanted)
    by_id = [guest for guest in guests if guest.id == wanted or (number and str(guest.vmid) == number[1])]
    placed = [guest for guest in guests if wanted in (guest.name, f"{guest.node}/{guest.name}")]
    alike = [
        guest for guest in guests if wanted.lower() in (guest.called.lower(), f"{guest.node}/{guest.name}".lower())
    ]
    return [_target(guest) for guest in by_id or placed or alike]


async def suggest_guest(client: Cluster, text: str) -> list[str]:
    """The nearest names, each with its number."""
    names = {guest.called.lower(): guest for guest in await all_guests(client)}
    near = [names[name] for name in get_close_matches(text.strip().lower(), names, n=3)]
    return [f"{guest.called} ({guest.vmid})" for guest in near]


def _target(guest: Guest) -> Target:
    kind = "template" if guest.template else "VM" if guest.type == "qemu" else "container"
    return Target(
        id=guest.id,
        name=guest.called,
        detail=f"{kind} {guest.vmid} on {guest.node}",
        forbidden=FORBID in guest.tags,
        protected=why_kept(guest.called, ()),
        aliases=(guest.called, str(guest.vmid), f"{guest.node}/{guest.called}"),
    )


async def find_node(client: Cluster, text: str) -> list[Target]:
    """The node of this name."""
    wanted = text.strip().lower()
    return [Target(row.node, row.node, row.status) for row in await all_nodes(client) if row.node.lower() == wanted]


async def suggest_node(client: Cluster, text: str) -> list[str]:
    """All of them: there are few."""
    return [row.node for row in await all_nodes(client)]


GuestName = Annotated[
    str,
    Resolve(find_guest, suggest_guest),
    Field(min_length=1, max_length=128, description="A VM or container: its number, its name, or node/name."),
]
NodeName = Annotated[
    str, Resolve(find_node, suggest_node), Field(min_length=1, max_length=63, description="A node of the cluster.")
]
StorageName = Annotated[
    str, Field(max_length=100, pattern=r"^[A-Za-z][\w.-]*$", description="A storage, by its name; see list_storage.")
]
SnapshotName = Annotated[
    str,
    Field(max_length=40, pattern=r"^[A-Za-z][\w-]+$", description="A snapshot: letters, digits, '-' and '_'."),
]
Volume = Annotated[
    str, Field(max_length=300, pattern=r"^[A-Za-z][\w.-]*:[^\s]+$", description="A volume id, as listed: storage:path.")
]
