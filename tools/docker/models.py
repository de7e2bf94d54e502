"""What the reading tools return."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import PlainSerializer

from memory.text import MASK
from tools.kit import Ident, Outside, Own, Result

State = Literal["running", "exited", "restarting", "paused", "created", "dead", "removing", "unknown"]
Health = Literal["healthy", "unhealthy", "starting", "none"]
RestartPolicy = Literal["no", "always", "on-failure", "unless-stopped"]

EnvName = Annotated[Ident, PlainSerializer(lambda name: f"{name}={MASK}", return_type=str)]
"""The name of an environment variable. Its value never gets this far; it is printed as `NAME=•••`."""


class HostDown(Result):
    """A host that could not be asked: why, and what to do about it."""

    host: Ident
    reason: Own


class HostDownInItsWords(HostDown):
    """The same when the reason quotes what the host said."""

    reason: Outside


class Listing(Result):
    """What every listing over several hosts ends with."""

    more: int | None = None
    """How many there are beyond those listed."""
    hosts_down: list[HostDown] = []


class ContainerRow(Result):
    """One container in a list."""

    host: Ident
    name: Ident
    id: Ident
    image: Ident
    state: State
    health: Health
    restarts: int | None = None
    exit_code: int | None = None
    since: datetime | None = None
    """When it started; for one that does not run, when it ended."""
    ports: list[Ident] = []


class Containers(Listing):
    """The containers, those in trouble first."""

    containers: list[ContainerRow]
    running: int
    stopped: int
    troubled: list[Ident]
    """Crash-looping, unhealthy, dead, or ended with an error."""


class Mount(Result):
    """Something mounted into a container."""

    kind: Literal["volume", "bind", "tmpfs", "other"]
    name: Ident | None = None
    source: Ident | None = None
    target: Ident
    read_only: bool


class ContainerDetails(Result):
    """One container, without the values of its environment."""

    host: Ident
    name: Ident
    id: Ident
    image: Ident
    image_id: Ident
    state: State
    health: Health
    restarts: int | None = None
    exit_code: int | None = None
    oom_killed: bool
    error: Outside | None = None
    since: datetime | None = None
    finished: datetime | None = None
    restart_policy: RestartPolicy
    command: Outside | None = None
    env: list[EnvName]
    mounts: list[Mount]
    networks: list[Ident]
    ports: list[Ident]
    compose_project: Ident | None = None
    memory_limit_mb: float | None = None


LogNote = Literal[
    "Nothing was printed in this span.",
    "No line contains this text.",
    "The log is larger than what is read at once; ask for fewer lines or fewer minutes.",
    "The newest lines are shown; older ones were left out.",
]


class Logs(Result):
    """The newest lines a container printed, oldest first."""

    host: Ident
    name: Ident
    lines: list[Outside]
    shown: int
    truncated: bool
    note: LogNote | None = None


class Stats(Result):
    """What a container uses right now; a field is absent when the engine does not know."""

    host: Ident
    name: Ident
    state: State
    cpu_percent: float | None = None
    """100 is one whole core."""
    memory_mb: float | None = None
    memory_limit_mb: float | None = None
    memory_percent: float | None = None
    network_rx_mb: float | None = None
    network_tx_mb: float | None = None
    block_read_mb: float | None = None
    block_write_mb: float | None = None
    pids: int | None = None


class HostInfo(Result):
    """One engine: what it is and what takes its disk."""

    host: Ident
    engine: Ident | None = None
    containers: int | None = None
    running: int | None = None
    paused: int | None = None
    stopped: int | None = None
    images: int | None = None
    cpus: int | None = None
    memory_gb: float | None = None
    storage_driver: Ident | None = None
    disk_images_gb: float | None = None
    disk_volumes_gb: float | None = None
    disk_build_cache_gb: float | None = None
    reclaimable_gb: float | None = None


class SystemInfo(Result):
    """Every Docker host."""

    hosts: list[HostInfo]
    hosts_down: list[HostDown] = []


class ImageRow(Result):
    """One image on one host."""

    host: Ident
    id: Ident
    tags: list[Ident]
    size_mb: float | None = None
    created: datetime | None = None
    in_use: bool
    dangling: bool


class Images(Listing):
    """The images, largest first."""

    images: list[ImageRow]


class NetworkRow(Result):
    """One network and the containers that are configured for it."""

    host: Ident
    name: Ident
    driver: Ident
    containers: list[Ident]


class Networks(Listing):
    """The networks."""

    networks: list[NetworkRow]


class VolumeRow(Result):
    """One volume and the containers that mount it, running or not."""

    host: Ident
    name: Ident
    driver: Ident
    in_use_by: list[Ident]
    created: datetime | None = None


class Volumes(Listing):
    """The volumes, unused ones first."""

    volumes: list[VolumeRow]
