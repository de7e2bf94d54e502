"""The nouns of a simulated Docker host: images, containers, volumes, networks."""

from dataclasses import dataclass, field
from hashlib import sha256
from math import inf
from typing import Any, Literal

from lab.services.docker.engine.log import Chatter, Log

Json = dict[str, Any]
Status = Literal["created", "running", "paused", "restarting", "exited"]

FIRST_BACKOFF, LAST_BACKOFF = 0.1, 60.0


@dataclass(frozen=True)
class App:
    """How the program inside an image behaves: what it prints, uses and leaves behind."""

    name: str
    banner: tuple[bytes, ...]
    chatter: Chatter
    cpu: float
    """Share of one core, 0.25 = a quarter."""
    memory: int
    """Resident bytes."""
    pids: int = 12
    stop_code: int = 0
    """Exit code after SIGTERM; 137 for a program that ignores it and is killed."""


@dataclass(frozen=True)
class Fault:
    """Why a container cannot stay up."""

    cause: str
    exit_code: int
    lines: tuple[bytes, ...]
    runtime: float = 0.4
    """Seconds it lives after each start."""
    out_of_memory: bool = False
    restart_heals: bool = False
    """Whether a stop or restart by a person removes the cause."""


@dataclass
class Trait:
    """What the story gives to the container of one name, whoever creates it."""

    fault: Fault | None = None
    chatter: Chatter | None = None


@dataclass
class Image:
    """One image as stored on a host, or as offered by a registry."""

    id: str
    tags: list[str]
    digests: list[str]
    created: float
    size: int
    config: Json
    layers: list[str]
    app: App
    base: int = 0
    """Bytes of its first layer, where that is one that other images have, too."""
    tagged: float = 0.0
    """When it last got a name on this host."""

    @property
    def weights(self) -> dict[str, int]:
        """Chain id → bytes of each layer, the lowest first; an id stands for a layer and all below it."""
        chain, found = "", dict[str, int]()
        first = self.base or self.size // len(self.layers)
        each = (self.size - first) // max(1, len(self.layers) - 1)
        for layer in self.layers:
            chain = f"sha256:{sha256(f'{chain} {layer}'.encode()).hexdigest()}" if chain else layer
            found[chain] = each if found else first
        found[chain] += self.size - sum(found.values())
        return found


@dataclass(frozen=True)
class Manifest:
    """What the registry offers under one tag."""

    digest: str
    image: Image


@dataclass
class Volume:
    """A named or anonymous volume of the local driver."""

    name: str
    created: float
    size: int
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    driver: str = "local"


@dataclass
class Network:
    """A network of one host."""

    id: str
    name: str
    created: float
    driver: str = "bridge"
    subnet: str = ""
    internal: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)

    @property
    def predefined(self) -> bool:
        """Whether dockerd made it and it cannot be removed."""
        return self.name in ("bridge", "host", "none")


@dataclass
class CacheRecord:
    """One record of the build cache."""

    id: str
    description: str
    size: int
    used: float
    in_use: bool = False
    shared: bool = False
    """Whether an image has the same layer: its bytes are that image's."""
    parents: tuple[str, ...] = ()
    kind: str = "regular"


@dataclass
class Container:
    """One container: what it was created with and what has become of it."""

    id: str
    name: str
    image_id: str
    app: App
    created: float
    config: Json
    host_config: Json
    mounts: list[Json]
    endpoints: dict[str, Json]
    log: Log
    size_rw: int = 0
    status: Status = "created"
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    out_of_memory: bool = False
    error: str = ""
    """Why the last start came to nothing."""
    restart_count: int = 0
    pid: int = 0
    fault: Fault | None = None
    next_change: float = inf
    backoff: float = FIRST_BACKOFF

    @property
    def alive(self) -> bool:
        """What dockerd calls Running, which includes paused and waiting to be restarted."""
        return self.status in ("running", "paused", "restarting")

    @property
    def labels(self) -> dict[str, str]:
        """The container's labels."""
        labels: dict[str, str] = self.config["Labels"]
        return labels

    def comes_back(self, exit_code: int) -> bool:
        """Whether the restart policy brings it back after its process has ended so."""
        policy = self.host_config["RestartPolicy"]
        if policy["Name"] == "on-failure":
            most = policy["MaximumRetryCount"]
            return exit_code != 0 and (not most or self.restart_count < most)
        return policy["Name"] in ("always", "unless-stopped")

    def begin(self, at: float, pid: int, fault: Fault | None) -> None:
        """Start the process as a person would: counters and back-off begin anew."""
        self.fault, self.restart_count, self.backoff = fault, 0, FIRST_BACKOFF
        self._run(at, pid)

    def end(self, at: float, exit_code: int) -> None:
        """Let the process end for good."""
        self.log.catch_up(at)
        if self.status != "restarting":
            self.finished_at, self.exit_code = at, exit_code
        self.status, self.pid, self.next_change = "exited", 0, inf
        self.log.end()

    def crash(self, at: float, exit_code: int, out_of_memory: bool = False) -> None:
        """Let the process end by itself: its restart policy says what follows."""
        self.log.catch_up(at)
        self.log.end()
        self.finished_at, self.exit_code, self.out_of_memory, self.pid = at, exit_code, out_of_memory, 0
        if self.comes_back(exit_code):
            self.status, self.next_change = "restarting", at + self.backoff
            self.backoff = min(self.backoff * 2, LAST_BACKOFF)
        else:
            self.status, self.next_change = "exited", inf

    def advance(self, now: float) -> None:
        """Let time pass: a faulty process crashes, is restarted, and prints what it has to say."""
        while self.next_change <= now:
            at = self.next_change
            if self.status == "restarting":
                self.restart_count += 1
                self._run(at, 2000 + int(at) % 60000)
            elif self.fault:
                self.log.write(at - min(0.1, self.fault.runtime / 2), self.fault.lines, "stderr")
                self.crash(at, self.fault.exit_code, self.fault.out_of_memory)
        if self.status == "running":
            self.log.catch_up(now)

    def health(self, now: float, health_after: float) -> str | None:
        """Docker's word for its health, None without a health check."""
        if not (self.config.get("Healthcheck") or {}).get("Test"):
            return None
        if self.status not in ("running", "paused"):
            return "unhealthy" if self.started_at else "starting"
        if self.fault or now - self.started_at < health_after:
            return "starting"
        return "healthy"

    def _run(self, at: float, pid: int) -> None:
        self.status, self.started_at, self.pid = "running", at, pid
        self.exit_code, self.out_of_memory, self.error = 0, False, ""
        self.next_change = at + self.fault.runtime if self.fault else inf
        self.log.write(at, self.app.banner)
        if not self.fault:
            self.log.begin(at)
