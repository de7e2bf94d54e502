"""What the cluster tells for tools that look across services."""

from tools.kit import Context, Identity, Told
from tools.kit.backups import Guest
from tools.proxmox.client import Cluster, service
from tools.proxmox.models import Member
from tools.proxmox.targets import all_guests


@service.guests
async def guests(ctx: Context[Cluster]) -> Told[Guest]:
    """Every guest that somebody may want backed up."""
    found = await all_guests(ctx.client)
    return [
        Guest(kind="vm" if each.type == "qemu" else "ct", id=str(each.vmid), name=each.name, node=each.node,
              template=each.template)
        for each in found
    ], []  # fmt: skip


@service.identities
async def identities(ctx: Context[Cluster]) -> Told[Identity]:
    """Its nodes, by name and address."""
    members = await ctx.client.read(list[Member], "/cluster/status")
    return [Identity.of_host(member.name, member.ip) for member in members if member.type == "node"], []
