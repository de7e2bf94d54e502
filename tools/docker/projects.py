"""Compose projects: what belongs together, by the labels that compose leaves."""

from collections import defaultdict
from datetime import datetime
from itertools import chain
from typing import Annotated, Literal

from tools.docker.disk import MEASURING, volume_sizes
from tools.docker.facts import LONGEST_GRACE, container_facts
from tools.docker.hosts import DockerHosts, Engine, service
from tools.docker.models import State
from tools.docker.names import Host, is_own, lifeline, list_all
from tools.docker.rows import DEPENDS_LABEL, SERVICE_LABEL, is_forbidden, labels_of, name_of, project_of, state_of
from tools.kit import (
    Change,
    Conflict,
    Context,
    Facts,
    Field,
    Ident,
    Listing,
    Resolve,
    Result,
    Risk,
    Shown,
    Target,
    listed,
    one_by_one,
)  # fmt: skip
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


class ProjectFacts(Facts):
    """The containers of a project as a restart finds them."""

    states: Shown[dict[Ident, State | Literal["gone"]]]
    host: Ident
    started: dict[Ident, datetime | None]
    well: dict[Ident, bool]
    """Which of them run steadily."""
    grace: int = 0
    """Seconds that they may take to stop, one after the other."""


async def find_project(client: DockerHosts, wanted: str) -> list[Target]:
    """The compose projects that a text may mean: `media`, or `nas/media`."""
    host, _, name = wanted.strip().rpartition("/")
    found, _ = await client.each(members, host if host in client else None)
    return [_target(client[on], name, items[name]) for on, items in found.items() if name and name in items]


ProjectName = Annotated[
    str,
    Resolve(find_project),
    Field(description="Compose project: its name, or host/name.", min_length=1, max_length=200),
]


@service.tool(Risk.CHANGE)
async def restart_project(ctx: Context[DockerHosts], project: ProjectName) -> Change[ProjectFacts]:
    """Restart every container of a compose project that runs, what others depend on first."""
    engine, name = ctx.client.at(project)
    facts = await ctx.read(project_facts, project)
    order = [item["Id"] for item in _in_order((await members(engine)).get(name, [])) if item.get("State") == "running"]
    if not order:
        raise Conflict(f"Nothing of {name} runs: start its containers instead.")

    async def do(hosts: DockerHosts) -> None:
        engine, _ = hosts.at(project)
        await one_by_one(lambda one: engine.ask(lambda api: api.restart(one, timeout=facts.grace)), order)

    def expect(before: ProjectFacts, after: ProjectFacts) -> bool:
        running = [each for each, state in before.states.items() if state == "running"]
        return all(after.well.get(each) and after.started.get(each) != before.started[each] for each in running)

    off = len(facts.states) - len(order)
    return Change(
        f"Restart project {name}",
        facts=facts,
        do=do,
        expect=expect,
        notes=(f"Those that do not run ({off}) stay off.",) if off else (),
        deadline=60.0 + len(order) * (facts.grace + 5),
    )


async def project_facts(client: DockerHosts, target: str) -> ProjectFacts:
    """The facts about a project's containers, by their names."""
    engine, name = client.at(target)
    items = (await members(engine)).get(name, [])
    found = [await container_facts(client, f"{engine.name}/{item['Id']}") for item in items]
    return ProjectFacts(
        states={each.name: each.state for each in found},
        host=engine.name,
        started={each.name: each.started for each in found},
        well={each.name: each.steady for each in found},
        grace=max((each.grace or LONGEST_GRACE for each in found), default=0),
    )


def _target(engine: Engine, name: str, items: list[Raw]) -> Target:
    forbidden = any(map(is_forbidden, items))
    why = next(filter(None, ("this bot runs in it" if is_own(item["Id"]) else lifeline(item) for item in items)), "")
    names = (f"{engine.name}/{name}", *(name_of(item) for item in items))
    return Target(f"{engine.name}/{name}", name, engine.name, forbidden=forbidden, protected=why, aliases=names)


def _in_order(items: list[Raw]) -> list[Raw]:
    """What others depend on before them; where they depend on each other, by name."""
    needs = {
        labels_of(item).get(SERVICE_LABEL, ""): {
            part.partition(":")[0] for part in labels_of(item).get(DEPENDS_LABEL, "").split(",")
        }
        for item in items
    }

    def depth(role: str, above: frozenset[str] = frozenset()) -> int:
        return 1 + max(
            (depth(each, above | {role}) for each in needs.get(role, set()) & needs.keys() - above), default=0
        )

    return sorted(items, key=lambda item: depth(labels_of(item).get(SERVICE_LABEL, "")))


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
