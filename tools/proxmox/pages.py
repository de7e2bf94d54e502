"""The pages of the cluster: its nodes, and its guests with what may be done to each."""

from tools.kit import Context, Dot, Page, Row, counted, so_far
from tools.proxmox.client import Cluster, service
from tools.proxmox.glance import bar, is_up, memory
from tools.proxmox.models import Guest
from tools.proxmox.reads import get_node_status, get_vm_status, list_snapshots
from tools.proxmox.targets import all_guests, all_nodes

DOTS: dict[str, Dot] = {"running": "🟢", "stopped": "⚪", "unknown": "🔴"}


@service.page("nodes", looks=(get_node_status,))
async def nodes(ctx: Context[Cluster]) -> Page:
    """The cluster's nodes: load, memory and how many guests run on each."""
    found, guests = await all_nodes(ctx.client), await all_guests(ctx.client)
    rows = []
    for node in found:
        here = sum(guest.node == node.node and guest.status == "running" for guest in guests)
        how = f"CPU {bar(node.cpu_percent)} · memory {bar(memory(node))} · {counted(here, 'guest')}"
        dot: Dot = "🟢" if is_up(node) else "🔴"
        rows.append(Row(dot, node.node, detail=how if is_up(node) else node.status, target=node.node))
    return Page(f"{sum(map(is_up, found))} of {counted(len(found), 'node')} up", rows)


@service.page("vms", label="VMs", looks=(get_vm_status, list_snapshots))
async def vms(ctx: Context[Cluster]) -> Page:
    """Every VM and container, by node: how it is, and what may be done to it."""
    found = [guest for guest in await all_guests(ctx.client) if not guest.template]
    running = sum(guest.status == "running" for guest in found)
    rows = [_row(guest) for guest in sorted(found, key=lambda guest: (guest.node, guest.vmid))]
    return Page(f"{running} of {counted(len(found), 'guest')} running", rows)


def _row(guest: Guest) -> Row:
    dot = "🟡" if guest.lock else DOTS.get(guest.status, "🟡")
    said = [f"locked ({guest.lock})"] if guest.lock else [] if guest.status == "running" else [guest.status]
    if guest.status == "running":
        since = f"up {so_far(guest.up_since)}" if guest.up_since else "running"
        said += [since, f"CPU {bar(guest.cpu_percent)}", f"memory {bar(memory(guest))}"]
    return Row(dot, f"{guest.vmid} {guest.called}", guest.node, " · ".join(said), guest.id, group=guest.node)
