"""Where the backup servers are, and what one keeps of each guest and host."""

import asyncio

from tools import kit
from tools.kit.errors import tried
from tools.kit.proxmox import Proxmox, TokenSettings, followed
from tools.pbs.models import Group, Namespace, Seen, Store, SyncJob

Servers = kit.Instances[Proxmox]
NODE = "localhost"
"""What a backup server calls itself."""
NO_SIGHT = (
    "The token of {} sees no datastore: run `proxmox-backup-manager acl update /datastore DatastoreAudit --auth-id"
    " USER@REALM!TOKEN` there, and the same for the user."
)


class Settings(TokenSettings, env_prefix="PBS_"):
    """Where the backup servers are."""

    url: kit.Addresses = {}
    """Its address, e.g. https://192.0.2.8:8007; several with commas, or as {"name": "https://host"}. Empty: off."""


async def connect(link: kit.Link) -> Servers:
    """The backup servers of the settings."""
    places = {place.name: place for place in link.settings.places()}
    title = "Backup server {}" if len(places) > 1 else "The backup server"
    made = {
        name: Proxmox(title.format(name), "PBS", [place], link.settings, link.access, link.breaker(name))
        for name, place in places.items()
    }
    return kit.Instances("backup server", made)


service = kit.Service("pbs", area=kit.Area.INFRASTRUCTURE, settings=Settings, connect=connect, hosts=True)


service.follow(followed)


async def stores(server: Proxmox) -> list[Store]:
    """Its datastores. Raises Unauthorised where the token sees none: an empty list is not a healthy one."""
    found = await server.read(list[Store], "/admin/datastore")
    if not found and not await server.holds("Datastore.Audit"):
        raise kit.Unauthorised(NO_SIGHT.format(server.service), rejected=False)
    return found


async def sync_jobs(server: Proxmox) -> list[SyncJob] | None:
    """The jobs that copy to or from other servers; None where the token may not know."""
    found = await server.read(list[SyncJob], "/admin/sync", params={"sync-direction": "all"})
    return found if found or await server.holds("Remote.Audit") else None


async def snapshots(server: Proxmox, store: str, ns: str, kind: str | None = None, of: str | None = None) -> list[Seen]:
    """The backups in a namespace, or of one thing in it, the newest first."""
    asked = {"ns": ns or None, "backup-type": kind, "backup-id": of}
    found = await server.read(list[Seen], "/admin/datastore/{}/snapshots", store, params=asked)
    return sorted(found, key=lambda one: one.at, reverse=True)


async def every_group(servers: Servers) -> tuple[list[Group], list[kit.Down]]:
    """What is kept of each thing on all servers, and the servers and datastores that could not be read."""
    found, down = await servers.each(_groups)
    by_store = {f"{name}/{store}": (name, each) for name, kept in found.items() for store, each in kept.items()}
    lost = {store: (name, each) for store, (name, each) in by_store.items() if isinstance(each, kit.ToolFailed)}
    down += [kit.Down.of(store, error, servers[name].service) for store, (name, error) in lost.items()]
    read = [
        (store, row) for store, (_, each) in by_store.items() if not isinstance(each, kit.ToolFailed) for row in each
    ]
    return [Group(store, *row) for store, row in read], down


Kept = list[tuple[str, list[Seen], bool | None]]
"""Namespace, backups, and whether they are elsewhere, too: of each thing."""


async def _groups(server: Proxmox) -> dict[str, Kept | kit.ToolFailed]:
    rows, jobs = await stores(server), await sync_jobs(server)
    kept = await asyncio.gather(*(tried(_kept(server, row.id, jobs)) for row in rows))
    return {row.id: each for row, each in zip(rows, kept, strict=True)}


async def _kept(server: Proxmox, store: str, jobs: list[SyncJob] | None) -> Kept:
    found: dict[tuple[str, str, str], list[Seen]] = {}
    for space in await server.read(list[Namespace], "/admin/datastore/{}/namespace", store):
        for one in await snapshots(server, store, space.ns):
            found.setdefault((space.ns, one.kind, one.of), []).append(one)
    return [(ns, rows, SyncJob.offsite(jobs, store, ns, kind, of)) for (ns, kind, of), rows in found.items()]
