"""One simulated Docker host: its containers and what can be done to them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from signal import Signals
from typing import Any

from lab.services.docker.engine import config as configs
from lab.services.docker.engine import start
from lab.services.docker.engine.images import Images, familiar
from lab.services.docker.engine.log import Log
from lab.services.docker.engine.model import Container, Json, Manifest, Status, Trait
from lab.services.docker.engine.rules import EngineError, Rules, is_anonymous
from lab.services.docker.engine.storage import Networks, Volumes

SWARM_SERVICE = "com.docker.swarm.service.name"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_FATAL_SIGNALS = {"KILL": 137, "TERM": 143, "INT": 130, "QUIT": 131, "ABRT": 134}
_HARMLESS_SIGNALS = ("HUP", "USR1", "USR2", "WINCH", "CONT")


@dataclass(frozen=True)
class Event:
    """Something that happened, as `docker events` tells it."""

    at: float
    kind: str
    action: str
    id: str
    attributes: dict[str, str]


class Host:
    """One Docker host. Containers are addressed by name, id or unique id prefix."""

    def __init__(self, name: str, rules: Rules, registry: dict[str, Manifest], cpus: int, memory: int) -> None:
        self.name = name
        self.rules = rules
        self.cpus = cpus
        self.memory = memory
        self.engine_id = rules.hex_id()
        self.all: dict[str, Container] = {}
        self.traits: dict[str, Trait] = {}
        self.events: list[Event] = []
        self.podman = False
        """Whether Podman answers here instead of dockerd."""
        self.missing_paths: set[str] = set()
        """Paths of the machine, devices among them, that are not there."""
        self.volume_plugins = {"", "local"}
        self.images = Images(rules, registry, self.all.values)
        self.volumes = Volumes(rules, self.all.values)
        self.networks = Networks(rules, self.all.values)

    def containers(self) -> list[Container]:
        """All containers as of now, newest first."""
        now = self.rules.now()
        for container in self.all.values():
            container.advance(now)
        return sorted(self.all.values(), key=lambda container: -container.created)

    def get(self, ref: str) -> Container:
        """One container as of now."""
        name = ref.removeprefix("/")
        exact = [c for c in self.all.values() if ref == c.id or name == c.name]
        found = exact or [c for c in self.all.values() if ref and c.id.startswith(ref)]
        if not found:
            raise EngineError(404, f"No such container: {ref}")
        if len(found) > 1:
            raise EngineError(400, f"multiple IDs found with provided prefix: {ref}")
        found[0].advance(self.rules.now())
        return found[0]

    def health(self, container: Container) -> str | None:
        """Docker's word for a container's health, None without a health check."""
        return container.health(self.rules.now(), self.rules.health_after)

    def start(self, ref: str) -> bool:
        """Start a container; False if it runs already."""
        container = self.get(ref)
        if container.status == "paused":
            raise EngineError(409, "cannot start a paused container, try unpause instead")
        if container.alive:
            return False
        self._prepare(container)
        if not self.rules.lies("start"):
            self._begin(container)
        return True

    def stop(self, ref: str) -> bool:
        """Stop a container; False if it does not run."""
        container = self.get(ref)
        if not container.alive:
            return False
        if not self.rules.lies("stop"):
            self._halt(container)
            if container.host_config["AutoRemove"]:
                self._delete(container, volumes=True)
            self._replace(container)
        return True

    def restart(self, ref: str) -> None:
        """Stop a container if it runs, and start it; one that cannot start stays stopped."""
        container = self.get(ref)
        if self.rules.lies("restart"):
            return
        if container.alive:
            self._halt(container)
        try:
            self._prepare(container)
        except EngineError as error:
            raise EngineError(500, f"Cannot restart container {ref}: {error.message}") from None
        self._begin(container)
        self._happened("restart", container)

    def kill(self, ref: str, signal: str = "SIGKILL") -> None:
        """Send a signal; the fatal ones end the container for good."""
        container = self.get(ref)
        number = {"9": "KILL", "15": "TERM", "2": "INT", "1": "HUP", "3": "QUIT"}
        name = number.get(signal, signal.upper().removeprefix("SIG"))
        if name not in _FATAL_SIGNALS and name not in _HARMLESS_SIGNALS:
            raise EngineError(400, f"Invalid signal: {signal}")
        if not container.alive:
            raise EngineError(409, f"cannot kill container: {ref}: container {container.id} is not running")
        self._happened("kill", container, signal=str(int(Signals[f"SIG{name}"])))
        if name in _FATAL_SIGNALS and not self.rules.lies("kill"):
            self._end(container, _FATAL_SIGNALS[name] if name == "KILL" else container.app.stop_code)
            self._replace(container)

    def crash(self, ref: str, exit_code: int = 1, out_of_memory: bool = False) -> None:
        """Let the process of a running container end by itself, with 137 when the kernel takes its memory away."""
        container = self.get(ref)
        container.crash(self.rules.now(), 137 if out_of_memory else exit_code, out_of_memory)
        if out_of_memory:
            self._happened("oom", container)
        self._happened("die", container, exitCode=str(container.exit_code))

    def pause(self, ref: str) -> None:
        """Freeze a running container."""
        self._switch(ref, "pause", "running", "paused", "is not running")

    def unpause(self, ref: str) -> None:
        """Let a paused container go on."""
        self._switch(ref, "unpause", "paused", "running", "is not paused")

    def rename(self, ref: str, name: str) -> None:
        """Give a container another name."""
        container = self.get(ref)
        name = name.removeprefix("/")
        if not name:
            raise EngineError(400, "Neither old nor new names may be empty")
        if name == container.name:
            raise EngineError(400, "Renaming a container with the same name as its current name")
        self._check_name(name)
        if self.rules.lies("rename"):
            return
        if trait := self.traits.pop(container.name, None):
            self.traits[name] = trait
        before, container.name = container.name, name
        self._happened("rename", container, oldName=f"/{before}")

    def update(self, ref: str, changes: Json) -> None:
        """Change limits or the restart policy of a container in place."""
        container = self.get(ref)
        if policy := changes.get("RestartPolicy"):
            configs.check_restart_policy(policy)
            changes = changes | {"RestartPolicy": {"MaximumRetryCount": 0, **policy}}
        if not self.rules.lies("update"):
            known = {key: value for key, value in changes.items() if key in container.host_config}
            container.host_config |= known
            self._happened("update", container)

    def remove(self, ref: str, force: bool = False, volumes: bool = False) -> None:
        """Delete a container, and with `volumes` its anonymous volumes."""
        container = self.get(ref)
        if container.alive and not force:
            hint = {"paused": "unpause and then stop the container before removing or force remove"}
            todo = hint.get(container.status, "stop the container before removing or force remove")
            words = f'cannot remove container "/{container.name}": container is {container.status}: {todo}'
            raise EngineError(409, words)
        if self.rules.lies("remove"):
            return
        ran = container.alive
        if ran:
            self._end(container, 137, remove=False)
        self._delete(container, volumes)
        if ran:
            self._replace(container)

    def create(self, body: Json, name: str = "") -> Container:
        """A new container from the body of a create request; it is not started."""
        configs.check_shapes(body)
        if name:
            self._check_name(name)
        if not body.get("Image"):
            raise EngineError(400, "no image specified")
        image = self.images.get(body["Image"])
        container_id, now = self.rules.hex_id(), self.rules.now()
        config = configs.container_config(body, image, container_id)
        host_config = configs.host_config(body.get("HostConfig") or {})
        start.resolve_carriers(self, host_config)
        start.check_mounts(self, host_config)
        name = name or f"quiet_{self.rules.rng.choice(('heron', 'otter', 'lynx'))}_{container_id[:6]}"
        trait = self.traits.get(name, Trait())
        lies = self.rules.lies("create")
        container = Container(
            id=container_id,
            name=name,
            image_id=image.id,
            app=image.app,
            created=now,
            config=config,
            host_config=host_config,
            mounts=[] if lies else configs.mount_points(config, host_config, self._volume),
            endpoints=self._endpoints(
                host_config["NetworkMode"], body.get("NetworkingConfig") or {}, config.get("MacAddress", "")
            ),
            log=Log(trait.chatter or image.app.chatter),
        )
        if not lies:
            self.all[container.id] = container
            self._happened("create", container)
        return container

    def prune(self, matches: Callable[[Container], bool]) -> tuple[list[str], int]:
        """Delete stopped containers; the ids and the bytes freed."""
        stopped = [c for c in self.containers() if not c.alive and matches(c)]
        if not self.rules.lies("prune"):
            for container in stopped:
                self._delete(container, volumes=False)
        return [container.id for container in stopped], sum(container.size_rw for container in stopped)

    def _begin(self, container: Container) -> None:
        trait = self.traits.get(container.name, Trait())
        for network, endpoint in container.endpoints.items():
            endpoint["NetworkID"] = self.networks.get(endpoint.get("NetworkID") or network).id
        container.begin(self.rules.now(), self.rules.rng.randrange(2000, 400000), trait.fault)
        self._happened("start", container)

    def _halt(self, container: Container) -> None:
        self._happened("kill", container, signal="15")
        self._end(container, container.app.stop_code, remove=False)
        self._happened("stop", container)

    def _end(self, container: Container, exit_code: int, remove: bool = True) -> None:
        trait = self.traits.get(container.name)
        if trait and trait.fault and trait.fault.restart_heals:
            trait.fault = None
        container.end(self.rules.now(), exit_code)
        self._happened("die", container, exitCode=str(container.exit_code))
        if remove and container.host_config["AutoRemove"]:
            self._delete(container, volumes=True)

    def _delete(self, container: Container, volumes: bool) -> None:
        del self.all[container.id]
        self._happened("destroy", container)
        names = [mount["Name"] for mount in container.mounts if mount["Type"] == "volume"]
        for name in names if volumes else ():
            if is_anonymous(name) and not self.volumes.users(name):
                self.volumes.all.pop(name, None)

    def _replace(self, task: Container) -> None:
        """A swarm starts another task in the place of one that has ended."""
        if service := task.labels.get(SWARM_SERVICE):
            body = {**task.config, "HostConfig": task.host_config, "Hostname": ""}
            self.start(self.create(body, f"{service}.1.{self.rules.hex_id()[:25]}").id)

    def _switch(self, ref: str, operation: str, old: Status, new: Status, otherwise: str) -> None:
        container = self.get(ref)
        if container.status == new == "paused":
            raise EngineError(409, f"container {container.id} is already paused")
        if container.status != old:
            status = 409 if operation == "pause" else 500
            raise EngineError(status, f"container {container.id} {otherwise}")
        if not self.rules.lies(operation):
            container.status = new
            self._happened(operation, container)

    def _check_name(self, name: str) -> None:
        if not _NAME.fullmatch(name.removeprefix("/")):
            allowed = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
            raise EngineError(400, f"Invalid container name ({name}), only {allowed} are allowed")
        for other in self.all.values():
            if other.name == name.removeprefix("/"):
                raise EngineError(
                    409,
                    f'Conflict. The container name "/{other.name}" is already in use by container '
                    f'"{other.id}". You have to remove (or rename) that container to be able to reuse that name.',
                )

    def _prepare(self, container: Container) -> None:
        """Check what a start needs; like dockerd, keep in the container why it cannot be."""
        try:
            start.check(self, container)
        except EngineError as error:
            if not container.alive:
                container.error, container.exit_code = error.message, 128
            raise

    def _volume(self, name: str) -> str:
        return self.volumes.create(name).name

    def _endpoints(self, mode: str, networking: Json, mac: str) -> dict[str, Json]:
        given: dict[str, Any] = networking.get("EndpointsConfig") or {}
        settings = {self.networks.name_of(ref): value for ref, value in given.items()}
        if mode.startswith("container:"):
            return {}
        main = self.networks.name_of(mode)
        if mac:
            settings[main] = {"MacAddress": mac, **(settings.get(main) or {})}
        names = dict.fromkeys([main, *settings])
        return {name: self.networks.endpoint(name, settings.get(name) or {}) for name in names}

    def _happened(self, action: str, container: Container, **more: str) -> None:
        attributes = {"image": container.config["Image"], "name": container.name, **more}
        self.events.append(Event(self.rules.now(), "container", action, container.id, attributes))


def shown_image(host: Host, container: Container) -> str:
    """The image as `docker ps` shows it: the reference it was made from, or the id once that tag moved on."""
    reference: str = container.config["Image"]
    image = host.images.all.get(container.image_id)
    if reference.startswith("sha256:") or (image and familiar(reference) in (*image.tags, *image.digests)):
        return reference
    return container.image_id
