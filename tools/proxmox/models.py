"""What a cluster tells, as typed results; sizes in GiB, shares in percent."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from tools.kit import Ident, Listing, Outside, Result, at


def _figure(change: Callable[[float], object]) -> BeforeValidator:
    """A number on another scale; what is none stays as it is, and is refused."""
    return BeforeValidator(
        lambda v: change(v) if isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e18 else v
    )


def _words(value: Any) -> Any:
    """`a;b` or `a,b` as a list."""
    return [word for word in value.replace(",", ";").split(";") if word] if isinstance(value, str) else value


Gib = Annotated[float, _figure(lambda v: round(v / 2**30, 1))]
Share = Annotated[float, _figure(lambda v: round(100 * v, 1))]
Since = Annotated[datetime, _figure(lambda v: datetime.now(UTC) - timedelta(seconds=min(max(v, 0), 1e9)))]
"""The moment that lies so many seconds back."""
Words = Annotated[list[Ident], BeforeValidator(_words)]
Kind = Literal["qemu", "lxc"]
FORBID = "rackhand.forbid"


class Guest(Result):
    """A virtual machine (qemu) or container (lxc) as the cluster lists it."""

    id: Ident
    """Kind and number: `qemu/104`."""
    vmid: int
    name: Ident | None = None
    type: Kind
    node: Ident
    status: Ident
    """`unknown` when its node does not answer."""
    cpu_percent: Annotated[Share | None, at("cpu")] = None
    cores: Annotated[float | None, at("maxcpu")] = None
    memory_gib: Annotated[Gib | None, at("mem")] = None
    memory_max_gib: Annotated[Gib | None, at("maxmem")] = None
    disk_max_gib: Annotated[Gib | None, at("maxdisk")] = None
    up_since: Annotated[Since | None, at("uptime")] = None
    template: bool = False
    tags: Words = []
    pool: Ident | None = None
    lock: Ident | None = None
    ha: Annotated[Ident | None, at("hastate")] = None

    @property
    def called(self) -> str:
        """Its name, or its number where it has none."""
        return self.name or str(self.vmid)


class Guests(Listing):
    """Guests of all nodes."""

    guests: list[Guest]


class Templates(Listing):
    """What new guests can be made from."""

    guests: list[Guest]
    """Virtual machines and containers that are templates."""
    files: list[Ident]
    """Container templates, by the volume id that create_lxc takes."""


class NodeRow(Result):
    """A node as the cluster lists it."""

    node: Ident
    status: Ident
    cpu_percent: Annotated[Share | None, at("cpu")] = None
    cores: Annotated[float | None, at("maxcpu")] = None
    memory_gib: Annotated[Gib | None, at("mem")] = None
    memory_max_gib: Annotated[Gib | None, at("maxmem")] = None
    disk_gib: Annotated[Gib | None, at("disk")] = None
    disk_max_gib: Annotated[Gib | None, at("maxdisk")] = None
    up_since: Annotated[Since | None, at("uptime")] = None


class StorageRow(Result):
    """A storage on one node."""

    storage: Ident
    node: Ident
    status: Ident
    kind: Annotated[Ident | None, at("plugintype")] = None
    content: Words = []
    shared: bool = False
    used_gib: Annotated[Gib | None, at("disk")] = None
    total_gib: Annotated[Gib | None, at("maxdisk")] = None

    @property
    def place(self) -> str:
        """What tells it from its namesakes on other nodes."""
        return self.storage if self.shared else f"{self.node}/{self.storage}"

    @property
    def free_gib(self) -> float:
        """What is left; nothing where nobody knows."""
        return max(0.0, (self.total_gib or 0.0) - (self.used_gib or 0.0))


class Storages(Listing):
    """Storages of all nodes; a shared one once."""

    storages: list[StorageRow]


class Member(Result):
    """One line of the cluster's own state: the cluster itself, or a node of it."""

    type: Literal["cluster", "node"]
    name: Ident
    quorate: bool | None = None
    online: bool | None = None
    ip: Ident | None = None


class Resources(Result):
    """The cluster in figures."""

    cluster: Ident | None
    """Its name; none for a node by itself."""
    quorate: bool | None
    """Whether it may change anything: without a majority of its nodes it may not."""
    nodes: list[NodeRow]
    storages: list[StorageRow]
    guests_running: int
    guests_stopped: int
    guests_unknown: int
    templates: int


class NodeStatus(Result):
    """How a node is."""

    version: Annotated[Ident, at("pveversion")]
    kernel: Annotated[Ident | None, at("current-kernel", "release")] = None
    cpu: Annotated[Outside | None, at("cpuinfo", "model")] = None
    cpus: Annotated[int, at("cpuinfo", "cpus")]
    cpu_percent: Annotated[Share, at("cpu")]
    load: Annotated[list[float], at("loadavg")]
    memory_gib: Annotated[Gib, at("memory", "used")]
    memory_max_gib: Annotated[Gib, at("memory", "total")]
    root_gib: Annotated[Gib, at("rootfs", "used")]
    root_max_gib: Annotated[Gib, at("rootfs", "total")]
    up_since: Annotated[Since | None, at("uptime")] = None


class NodeAnswer(Result):
    """A node and the guests on it."""

    node: Ident
    status: NodeStatus
    guests: list[Guest]


class Live(Result):
    """A guest as its node has it now: the cluster's own list is some seconds behind."""

    status: Literal["running", "stopped"]
    qmp: Annotated[Ident | None, at("qmpstatus")] = None
    lock: Ident | None = None
    uptime: Annotated[Since | None, at("uptime")] = None
    cpu_percent: Annotated[Share | None, at("cpu")] = None
    memory_gib: Annotated[Gib | None, at("mem")] = None
    memory_max_gib: Annotated[Gib | None, at("maxmem")] = None
    managed: Annotated[bool, at("ha", "managed")] = False
    """Whether the cluster's high availability starts and stops it."""

    @property
    def state(self) -> Literal["running", "stopped", "paused"]:
        """Running, stopped or paused."""
        return "paused" if self.qmp == "paused" else self.status

    @property
    def up_since(self) -> datetime | None:
        """When it was started; none while it is stopped."""
        return self.uptime if self.status == "running" else None


class GuestStatus(Result):
    """A guest, its live state and what it is made of."""

    guest: Guest
    live: Live
    disks: dict[Ident, Outside]
    networks: dict[Ident, Outside]
    onboot: bool
    protected: bool
    """Whether it and its disks cannot be removed."""
    description: Outside | None = None


class Snapshot(Result):
    """A state that a guest can be brought back to."""

    name: Ident
    parent: Ident | None = None
    taken: Annotated[datetime | None, at("snaptime")] = None
    memory: Annotated[bool, at("vmstate")] = False
    description: Outside = ""


class Snapshots(Result):
    """A guest's snapshots, the oldest first."""

    guest: Ident
    snapshots: list[Snapshot]
    now: Ident | None
    """The snapshot that the present state comes from."""


class Backup(Result):
    """A backup of a guest."""

    volume: Annotated[Ident, at("volid")]
    vmid: int | None = None
    made: Annotated[datetime | None, at("ctime")] = None
    size_gib: Annotated[Gib | None, at("size")] = None
    protected: bool = False
    verified: Annotated[Ident | None, at("verification", "state")] = None
    notes: Outside | None = None


class Backups(Listing):
    """Backups by the storage that they are on, the newest first."""

    storages: dict[Ident, list[Backup]]
    without: list[Ident]
    """Guests that no backup job covers."""


class Ended(Result):
    """A task that a node has run or runs."""

    upid: Ident
    node: Ident
    type: Ident
    id: Ident | None = None
    user: Ident
    started: Annotated[datetime, at("starttime")]
    ended: Annotated[datetime | None, at("endtime")] = None
    status: Outside | None = None
    """`OK`, or what went wrong; none while it runs."""


class TaskLog(Result):
    """The newest tasks, and the last lines of one of them."""

    tasks: list[Ended]
    lines: list[Outside]


class Permissions(Result):
    """What the token may do: privileges by the path that they hold on."""

    token: Ident
    privileges: dict[Ident, list[Ident]]
    missing: list[Ident]
    """What Rackhand's tools need and no path grants."""
