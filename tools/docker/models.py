"""What the reading tools return."""

from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import PlainSerializer

from memory.secrets import MASK
from tools.kit import Down, Field, Ident, Listing, Outside, Own, Result, counted

State = Literal["running", "exited", "restarting", "paused", "created", "dead", "removing", "unknown"]
Health = Literal["healthy", "unhealthy", "starting", "none"]
RestartPolicy = Literal["no", "always", "on-failure", "unless-stopped"]
Why = Literal[
    # Not started at all, in the engine's own words for it.
    "could not be started",
    "could not be started: its port is taken",
    "could not be started: its network is gone",
    "could not be started: the container whose network it uses does not run",
    "could not be started: something it mounts is missing",
    "could not be started: a device is missing",
    "could not be started: its command is not there",
    "could not be started: its command may not be run",
    "could not be started: it is built for another processor",
    # Started and ended.
    "out of memory",
    "killed",
    "stopped",
    "finished",
    "failed",
    "crashed: segmentation fault",
    "crashed: illegal instruction",
    "crashed: bus error",
    "crashed: arithmetic error",
    "crashed: aborted",
    "its command is not there",
    "its command may not be run",
    # Neither off nor well.
    "restarting",
    "restarting again and again",
    "paused",
    "unhealthy",
    "a process in it ran out of memory",
    "crashed and came back",
    "dead",
]
"""What is wrong with a container, or why it does not run."""
TOLD: tuple[Why, ...] = ("out of memory", "stopped")
"""Reasons to which an exit code adds nothing."""

Kind = Literal["dangling_images", "unused_images", "build_cache", "stopped_containers", "unused_networks"]
"""What can be cleaned up by naming it. Unused images are the dangling ones, too, as for the docker command."""
Rubbish = Kind | Literal["unused_volumes"]
KINDS: tuple[Rubbish, ...] = (*get_args(Kind), "unused_volumes")

EnvName = Annotated[Ident, PlainSerializer(lambda name: f"{name}={MASK}", return_type=str)]
"""The name of an environment variable. Its value never gets this far; it is printed as `NAME=•••`."""


class ContainerState(Result):
    """Which container it is, and how it is."""

    host: Ident
    name: Ident
    id: Ident
    image: Ident
    state: State
    why: Why | None = None
    stopped_by: Own | None = None
    """Who stopped it through this bot, when it is off for that reason."""
    health: Health
    restarts: int | None = None
    exit_code: int | None = None
    since: datetime | None = None
    """When it started; for one that does not run, when it ended."""

    @property
    def condition(self) -> str:
        """How it is in a few words: `killed (exit code 137)`, `stopped by Ana`, `out of memory, 61 restarts`."""
        if self.stopped_by:
            return f"stopped by {self.stopped_by}"
        words: str = self.why or self.state
        if self.exit_code and self.why not in TOLD and not words.startswith("could not"):
            words += f" (exit code {self.exit_code})"
        if self.restarts and (self.state == "restarting" or self.why == "crashed and came back"):
            words += f", {counted(self.restarts, 'restart')}"
        return words


class ContainerRow(ContainerState):
    """One container in a list."""

    ports: list[Ident] = []
    project: Ident | None = Field(default=None, exclude=True)
    """Its compose project: what a page groups by, and the model asks for with the details."""
    up: float | None = Field(default=None, exclude=True)
    """About how many seconds it has run for, as a list tells of all of them."""


class Containers(Listing):
    """The containers, those in trouble first."""

    containers: list[ContainerRow]
    running: int
    """Those that do: neither paused nor between two crashes."""
    stopped: int
    restarting: int = 0
    """Those that keep crashing."""
    paused: int = 0
    troubled: list[Ident]
    """What needs a person: crash-looping, unhealthy, paused, failed, or off although it should run."""
    unread: int | None = None
    """How many could not be looked into: nothing is known of them but their state."""


class Mount(Result):
    """Something mounted into a container."""

    kind: Literal["volume", "bind", "tmpfs", "other"]
    name: Ident | None = None
    source: Ident | None = None
    target: Ident
    read_only: bool


class ContainerDetails(ContainerState):
    """One container, without the values of its environment."""

    image_id: Ident
    oom_killed: bool
    error: Outside | None = None
    finished: datetime | None = None
    restart_policy: RestartPolicy
    command: Outside | None = None
    env: list[EnvName]
    mounts: list[Mount]
    networks: list[Ident]
    ports: list[Ident]
    compose_project: Ident | None = None
    managed_by: Ident | None = None
    """The orchestrator that decides whether it runs, and what it is there: `swarm/web`."""
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


class UnusedKind(Result):
    """What nothing uses of one kind of things, and what removing just that would free."""

    kind: Rubbish
    count: int | None = None
    frees_mb: float | None = None
    frees_at_least_mb: float | None = None
    """Where a part is not known."""
    left_alone: int
    """How many are unused as well, and stay: recent, failed, forbidden, or an Undo may still need them."""


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
    """What a clean-up frees that is not told more: dangling images and build cache."""
    unused: list[UnusedKind] = []


class SystemInfo(Result):
    """Every Docker host."""

    hosts: list[HostInfo]
    down: list[Down] = []


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
