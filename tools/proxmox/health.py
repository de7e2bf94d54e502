"""How the machines are: measurements over time, disks, pools, updates, high availability, backup jobs."""

from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar

from tools.kit import Context, Down, Field, Ident, Listing, Outside, Result, Risk, Series, ToolFailed, at, listed
from tools.kit.errors import tried
from tools.kit.proxmox import Params
from tools.proxmox.client import Cluster, service
from tools.proxmox.models import Gib, Words
from tools.proxmox.targets import GuestName, NodeName, all_nodes, there

R = TypeVar("R", bound=Result)
Span = Annotated[Literal["hour", "day", "week", "month", "year"], Field(description="How far back.")]


class Sample(Result):
    """What was measured at one time; what was not measured then is absent."""

    time: int
    cpu: float | None = None
    maxcpu: float | None = None
    mem: float | None = None
    memused: float | None = None
    """A node calls its memory so."""
    netin: float | None = None
    netout: float | None = None
    diskread: float | None = None
    diskwrite: float | None = None


class Metrics(Result):
    """What was measured of a guest or a node, the oldest first."""

    of: Ident
    series: dict[Ident, Series]


MEASURED = {
    "cpu": ("percent", 100.0), "memory": ("GiB", 2.0**-30), "net_in": ("KiB/s", 2.0**-10),
    "net_out": ("KiB/s", 2.0**-10), "disk_read": ("KiB/s", 2.0**-10), "disk_write": ("KiB/s", 2.0**-10),
}  # fmt: skip


async def samples(client: Cluster, node: str, guest: str | None, span: str) -> list[Sample]:
    """The measurements of a guest, or of its node, oldest first."""
    params: Params = {"timeframe": span, "cf": "AVERAGE"}
    kind, _, vmid = (guest or "").partition("/")
    path, ids = ("/nodes/{}/{}/{}/rrddata", (node, kind, vmid)) if guest else ("/nodes/{}/rrddata", (node,))
    return sorted(await client.read(list[Sample], path, *ids, params=params), key=lambda sample: sample.time)


@service.tool(Risk.READ, word="chart")
async def get_metrics(ctx: Context[Cluster], guest: GuestName, span: Span = "day") -> Metrics:
    """CPU, memory, network and disk of one guest over an hour up to a year."""
    found = await there(ctx.client, guest)
    return _metrics(found.called, await samples(ctx.client, found.node, guest, span))


@service.tool(Risk.READ)
async def get_node_metrics(ctx: Context[Cluster], node: NodeName, span: Span = "day") -> Metrics:
    """CPU, memory and network of one node over an hour up to a year."""
    return _metrics(node, await samples(ctx.client, node, None, span))


def _metrics(of: str, found: list[Sample]) -> Metrics:
    series = {}
    for name, (unit, scale) in MEASURED.items():
        rows = [(sample.time, value) for sample in found if (value := _value(sample, name)) is not None]
        times = [datetime.fromtimestamp(time, UTC) for time, _ in rows]
        if rows:
            series[name] = Series(unit=unit, times=times, values=[round(value * scale, 2) for _, value in rows])
    return Metrics(of=of, series=series)


def _value(sample: Sample, name: str) -> float | None:
    if name == "memory":
        return sample.mem if sample.mem is not None else sample.memused
    found: float | None = getattr(sample, name.replace("_", ""))
    return found


class Disk(Result):
    """A physical disk."""

    path: Annotated[Ident, at("devpath")]
    model: Outside | None = None
    size_gib: Annotated[Gib, at("size")]
    health: Ident | None = None
    """By SMART: PASSED, or not."""
    wearout: int | Ident | None = None
    """Percent of its life that is left, where it tells."""
    used: Ident | None = None


class Pool(Result):
    """A ZFS pool."""

    name: Ident
    health: Ident
    size_gib: Annotated[Gib, at("size")]
    used_gib: Annotated[Gib, at("alloc")]
    fragmented_percent: Annotated[int, at("frag")]


class Update(Result):
    """A package that has a newer version."""

    package: Annotated[Ident, at("Package")]
    old: Annotated[Ident | None, at("OldVersion")] = None
    new: Annotated[Ident, at("Version")]
    origin: Annotated[Ident, at("Origin")]


class Disks(Listing):
    """Disks by node."""

    nodes: dict[Ident, list[Disk]]


class Pools(Listing):
    """ZFS pools by node."""

    nodes: dict[Ident, list[Pool]]


class Updates(Listing):
    """Waiting updates by node."""

    nodes: dict[Ident, list[Update]]


async def _by_node(client: Cluster, kind: type[R], path: str) -> tuple[dict[str, list[R]], list[Down]]:
    found: dict[str, list[R]] = {}
    down: list[Down] = []
    for node in await all_nodes(client):
        answer = await tried(client.read(list[kind], path, node.node))  # type: ignore[valid-type]
        if isinstance(answer, ToolFailed):
            down.append(Down.of(node.node, answer))
        else:
            found[node.node] = answer[:200]
    return found, down


@service.tool(Risk.READ)
async def list_disks(ctx: Context[Cluster]) -> Disks:
    """The physical disks of every node with SMART health and wear."""
    found, down = await _by_node(ctx.client, Disk, "/nodes/{}/disks/list")
    return Disks(nodes=found, down=down)


@service.tool(Risk.READ)
async def list_zfs_pools(ctx: Context[Cluster]) -> Pools:
    """The ZFS pools of every node: health, how full and how fragmented."""
    found, down = await _by_node(ctx.client, Pool, "/nodes/{}/disks/zfs")
    return Pools(nodes=found, down=down)


@service.tool(Risk.READ)
async def list_updates(ctx: Context[Cluster]) -> Updates:
    """The packages of every node that have a newer version; a node looks for them daily by itself."""
    found, down = await _by_node(ctx.client, Update, "/nodes/{}/apt/update")
    return Updates(nodes=found, down=down)


class Managed(Result):
    """A guest, or a service of the cluster, under high availability."""

    id: Ident
    type: Ident
    node: Ident | None = None
    status: Outside
    state: Ident | None = None


class Availability(Listing):
    """What high availability does now."""

    entries: list[Managed]


@service.tool(Risk.READ)
async def list_ha(ctx: Context[Cluster]) -> Availability:
    """High availability: quorum, its manager, and the guests that it keeps running."""
    rows, more = listed(await ctx.client.read(list[Managed], "/cluster/ha/status/current"))
    return Availability(entries=rows, more=more)


class Job(Result):
    """A backup that is made by itself."""

    id: Ident
    enabled: bool = True
    schedule: Ident | None = None
    storage: Ident | None = None
    everything: Annotated[bool, at("all")] = False
    """Whether it takes every guest but the excluded."""
    guests: Annotated[Words, at("vmid")] = []
    excluded: Annotated[Words, at("exclude")] = []
    comment: Outside | None = None


class Jobs(Listing):
    """The backup jobs."""

    jobs: list[Job]


@service.tool(Risk.READ)
async def list_backup_jobs(ctx: Context[Cluster]) -> Jobs:
    """The backup jobs of the cluster: when, what, and where to."""
    rows, more = listed(await ctx.client.read(list[Job], "/cluster/backup"))
    return Jobs(jobs=rows, more=more)
