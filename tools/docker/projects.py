"""Compose projects: what belongs together, by the labels that compose leaves."""

from collections import defaultdict
from itertools import chain

from tools.docker.disk import MEASURING, volume_sizes
from tools.docker.hosts import DockerHosts, Engine, service
from tools.docker.names import Host, list_all
from tools.docker.rows import labels_of, name_of, project_of, state_of
from tools.kit import Context, Ident, Listing, Result, Risk, listed
from tools.kit.raw import MB, Raw, number, record, records, text

FOLDER_LABEL = "com.docker.compose.project.working_dir"


class Project(Result):
    """One compose project on one host."""

    host: Ident
    name: Ident
    running: int
    containers: list[Ident]
    """Its containers, those that do not run included."""
    off: list[Ident]
    """Those that do not run."""
    folder: Ident | None = None
    """Where its compose file is."""


class Projects(Listing):
    """The compose projects."""

    projects: list[Project]


class ProjectDisk(Result):
    """What one project takes on its host."""

    host: Ident
    project: Ident | None = None
    """Absent: what belongs to no project."""
    containers_mb: float
    """What its containers wrote outside of volumes."""
    volumes_mb: float
    """Its volumes, as far as their sizes are known; one that several projects mount counts for each."""


class DiskByProject(Listing):
    """What the projects take, the largest first; images, which they share, are left out."""

    projects: list[ProjectDisk]


@service.tool(Risk.READ)
async def list_compose_projects(ctx: Context[DockerHosts], host: Host | None = None) -> Projects:
    """List compose projects with their containers and folders; use it before anything about a whole stack."""
    found, down = await ctx.client.each(_projects, host)
    rows, more = listed([*chain(*found.values())])
    return Projects(projects=rows, more=more, down=down)


@service.tool(Risk.READ)
async def get_disk_by_project(ctx: Context[DockerHosts], host: Host | None = None) -> DiskByProject:
    """Measure what each compose project takes on disk: its volumes, and what its containers wrote beside them."""
    found, down = await ctx.client.each(_disk, host)
    rows, more = listed(sorted(chain(*found.values()), key=lambda row: -row.volumes_mb - row.containers_mb))
    return DiskByProject(projects=rows, more=more, down=down)


async def members(engine: Engine) -> dict[str, list[Raw]]:
    """The listed containers by project, by name; those of none under the empty name."""
    found: dict[str, list[Raw]] = defaultdict(list)
    for item in sorted(await list_all(engine), key=name_of):
        found[project_of(labels_of(item))].append(item)
    return dict(found)


async def _projects(engine: Engine) -> list[Project]:
    found = await members(engine)
    return [_project(engine.name, name, found[name]) for name in sorted(found) if name]


def _project(host: str, name: str, items: list[Raw]) -> Project:
    off = [name_of(item) for item in items if state_of(item.get("State")) != "running"]
    folder = labels_of(items[0]).get(FOLDER_LABEL)
    names = [name_of(item) for item in items]
    return Project(host=host, name=name, running=len(names) - len(off), containers=names, off=off, folder=folder)


async def _disk(engine: Engine) -> list[ProjectDisk]:
    measured = await engine.ask(lambda api: api.disk_usage("container", "volume"), patience=2 * MEASURING)
    containers = record(measured.get("ContainersUsage")).get("Items") or measured.get("Containers")
    written = {text(item.get("Id")): number(item.get("SizeRw")) or 0.0 for item in records(containers)}
    sizes, found = volume_sizes(measured), []
    for name, items in (await members(engine)).items():
        mounted = {text(mount.get("Name")) for item in items for mount in records(item.get("Mounts"))}
        found.append(ProjectDisk(
            host=engine.name, project=name or None,
            containers_mb=round(sum(written.get(item["Id"], 0.0) for item in items) / MB, 1),
            volumes_mb=round(sum(sizes.get(volume, 0.0) for volume in mounted) / MB, 1),
        ))  # fmt: skip
    return found
