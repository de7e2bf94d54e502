"""What a call is about: a guest's backups or a whole datastore, one backup, a datastore, a sync job."""

from typing import Annotated

from tools.kit import Field, Resolve, Target, ToolFailed
from tools.pbs.client import Servers, every_group, snapshots, stores, sync_jobs
from tools.pbs.models import Group, Seen


async def find_store(servers: Servers, text: str) -> list[Target]:
    """The datastores that a text may mean."""
    found, _ = await servers.each(stores)
    named = [(f"{server}/{row.id}", row.id) for server, rows in found.items() for row in rows]
    return [Target(id_, name, "datastore") for id_, name in named if text in (id_, name)]


async def find_kept(servers: Servers, text: str) -> list[Target]:
    """The guests' backups and the datastores that a text may mean, by name, number or id."""
    groups = [group for group in (await every_group(servers))[0] if _means(group, text)]
    return [*(Target(one.id, one.name, one.store) for one in groups), *await find_store(servers, text)]


async def find_backup(servers: Servers, text: str) -> list[Target]:
    """The backups that a text may mean: one by its id, or all of a guest, the newest first."""
    whole, _, stamp = text.rpartition("/")
    groups, _ = await every_group(servers)
    named = [(one, row) for one in groups for row in one.rows if _means(one, whole) and row.stamp == stamp]
    named = named or [(one, row) for one in groups for row in one.rows if _means(one, text)]
    return [Target(f"{one.id}/{row.stamp}", f"{one.name} of {row.stamp}", one.id) for one, row in named]


async def find_job(servers: Servers, text: str) -> list[Target]:
    """The sync jobs that a text may mean, by id or by where they copy to."""
    found, _ = await servers.each(sync_jobs)
    listed = [(f"{server}/{job.id}", job) for server, jobs in found.items() for job in jobs or []]
    return [Target(id_, job.id, job.remote or "") for id_, job in listed if text in (job.id, id_, job.remote)]


StoreName = Annotated[str, Field(max_length=99, description="A datastore, by its name."), Resolve(find_store)]
JobName = Annotated[str, Field(max_length=99, description="A sync job, by its id or its remote."), Resolve(find_job)]
KEPT = "A guest's backups, by its name or number; or a datastore, by its name."
Kept = Annotated[str, Field(max_length=300, description=KEPT), Resolve(find_kept)]
ONE = "One backup by its id, as listed: pbs/main/vm/100/2026-01-31T03:00:00Z."
BackupName = Annotated[str, Field(max_length=330, description=ONE), Resolve(find_backup)]
Upid = Annotated[str, Field(max_length=255, pattern=r"^UPID:[^\s/]+:$", description="A task's UPID as listed.")]


async def rows_of(servers: Servers, kept: str) -> list[tuple[str, Seen]]:
    """The backups of a resolved guest or datastore, each with the id of its group. Raises ToolFailed."""
    server, store, ns, kind, of = parts(kept)
    if not kind:
        groups, down = await every_group(servers)
        if lost := next((one for one in down if one.name in (server, kept)), None):
            raise ToolFailed(f"{kept} could not be read: {lost.reason}")
        return [(each.id, row) for each in groups if each.store == kept for row in each.rows]
    return [(kept, row) for row in await snapshots(servers.one(server), store, ns, kind, of)]


def parts(kept: str) -> tuple[str, str, str, str, str]:
    """Server, datastore, namespace, kind and id of what was resolved; the last two are empty for a datastore."""
    server, store, *rest = kept.split("/")
    kind, of = rest[-2:] if len(rest) > 1 else ("", "")
    return server, store, "/".join(rest[:-2]), kind, of


def _means(group: Group, text: str) -> bool:
    row = group.rows[0]
    names = (group.id, group.id.partition("/")[2], f"{row.kind}/{row.of}", row.of, group.name)
    return text.casefold() in map(str.casefold, names)
