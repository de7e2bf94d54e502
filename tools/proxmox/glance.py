"""The cluster at a glance: what /status and the digest say of it."""

from tools.kit import Context, Glance, Trouble, counted
from tools.proxmox.client import Cluster, service
from tools.proxmox.models import Guest, NodeRow, StorageRow
from tools.proxmox.targets import all_guests, all_nodes, all_storages

FULL = 0.9
"""Share of a storage from which a person should look."""


@service.glance
async def glance(ctx: Context[Cluster]) -> Glance:
    """Nodes and guests, what is down, and storages that fill up."""
    nodes, guests = await all_nodes(ctx.client), await all_guests(ctx.client)
    found = [guest for guest in guests if not guest.template]
    up, running = sum(map(is_up, nodes)), sum(guest.status == "running" for guest in found)
    troubles = [Trouble(node.node, "node", f"is {node.status}") for node in nodes if not is_up(node)]
    troubles += [
        Trouble(guest.called, guest.node, "its node does not answer", target=guest.id)
        for guest in found if guest.status == "unknown"
    ]  # fmt: skip
    troubles += [
        Trouble(row.storage, row.node, f"{100 * share(row):.0f} % full", red=share(row) > 0.97)
        for row in await all_storages(ctx.client) if share(row) > FULL
    ]  # fmt: skip
    return Glance(
        f"{up} of {counted(len(nodes), 'node')} up, {running} of {counted(len(found), 'guest')} running",
        tuple(troubles),
        {f"{guest.node}/{guest.called}": guest.status for guest in found},
    )


def is_up(node: NodeRow) -> bool:
    """Whether a node answers."""
    return node.status == "online"


def share(row: StorageRow) -> float:
    """How full a storage is, from 0 to 1."""
    return (row.used_gib or 0.0) / row.total_gib if row.total_gib else 0.0


def bar(percent: float | None) -> str:
    """A share as a bar in text."""
    return "" if percent is None else "▰" * round(percent / 20) + "▱" * (5 - round(percent / 20)) + f" {percent:.0f} %"


def memory(one: Guest | NodeRow) -> float | None:
    """The memory in use, in percent."""
    most = one.memory_max_gib
    return None if one.memory_gib is None or not most else min(100.0, 100 * one.memory_gib / most)
