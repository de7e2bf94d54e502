"""The simulated homelab: two Docker hosts, a seeded story, and what the demo page shows of them."""

import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from lab.catalogue import LOCAL_BUILDS, MB, OTHER_TAGS, PROGRAMS, Program
from lab.kit.registry import Registries
from lab.rack import MACHINES, SECRET, Deployment, Machine
from lab.services.docker.engine.host import Host, shown_image
from lab.services.docker.engine.images import repository
from lab.services.docker.engine.model import LAST_BACKOFF, CacheRecord, Container, Image, Json, Manifest, Network, Trait
from lab.services.docker.engine.rules import Rules, is_anonymous
from lab.services.docker.engine.text import status_line
from lab.story import noise, tell

DAY = 86400.0
BASE, BASE_LAYER = 78 * MB, f"sha256:{'ba5e' * 16}"
"""The first layer of every large published image: one distribution, which a host keeps once."""


class World(Rules):
    """Everything that is simulated. `hosts` maps a name to a Docker host; `story` says what is wrong."""

    def __init__(self, seed: int, clock: Callable[[], float] = time.time) -> None:
        super().__init__(seed, clock)
        self.seed = seed
        self.story = tell(seed)
        self.canaries: list[str] = []
        self.registry: dict[str, Manifest] = {}
        self.last_inspected: tuple[str, str] | None = None
        self.card: Callable[[], str] = str
        """What the newest open card says, as anybody in the chat can read it; empty when there is none."""
        for program in PROGRAMS:
            self._publish(program)
        self.registries = Registries(self._offers, self._token)
        self.hosts = {machine.name: self._build(machine) for machine in MACHINES}
        self._set_story()
        self._publish_others()

    def summary(self) -> list[dict[str, Any]]:
        """One row per container: host, id, name, image, state, status, restarts, health."""
        return [
            {
                "host": host.name,
                "id": container.id[:12],
                "name": container.name,
                "image": shown_image(host, container),
                "state": container.status,
                "status": status_line(container, self.now(), host.health(container)),
                "restarts": container.restart_count,
                "health": host.health(container),
            }
            for host in self.hosts.values()
            for container in sorted(host.containers(), key=lambda container: container.name)
        ]

    def suggestions(self) -> list[str]:
        """Three lines a visitor might write."""
        return ["/status", f"why is {self.story.culprit.name} unhappy?", "restart jellyfin"]

    def change_behind_back(self) -> str:
        """Do something to what the open card is about, as another person would; says what.

        Without a card it is the container that was inspected last.
        """
        card = self.card()
        if image := self._image_of(card):
            host, tag = image
            self._outdate(tag)
            host.images.pull(tag)
            return f"Somebody else pulled a newer {tag} on {host.name}."
        host, container = self._container_of(card) or self._last_looked_at()
        # Paused, not stopped: a card that would stop it must see that something has changed, too.
        acts = {
            "running": (host.pause, "paused"),
            "paused": (host.unpause, "woke"),
            "restarting": (host.stop, "stopped"),
        }
        act, done = acts.get(container.status, (host.start, "started"))
        act(container.id)
        return f"Somebody else {done} {container.name} on {host.name}."

    def dump(self) -> dict[str, Any]:
        """The state of every host without clocks, ids and addresses, for comparison before and after."""
        return {name: _dump_host(host) for name, host in self.hosts.items()}

    def _container_of(self, card: str) -> tuple[Host, Container] | None:
        """The container that a card names first, on the host that it names."""
        hosts = [host for host in self.hosts.values() if _names(card, host.name)] or list(self.hosts.values())
        for line in card.splitlines():
            for host in hosts:
                for container in host.containers():
                    if _names(line, container.name):
                        return host, container
        return None

    def _image_of(self, card: str) -> tuple[Host, str] | None:
        """The image whose name is in a card's title, on the host that the card names."""
        title = card.partition("\n")[0]
        for host in self.hosts.values():
            for image in host.images.all.values() if _names(card, host.name) else ():
                for tag in image.tags:
                    if tag in self.registry and _names(title, tag):
                        return host, tag
        return None

    def _last_looked_at(self) -> tuple[Host, Container]:
        if self.last_inspected:
            host, container_id = self.last_inspected
            if container_id in self.hosts[host].all:
                return self.hosts[host], self.hosts[host].get(container_id)
        for fallback in self.hosts.values():
            for container in fallback.containers():
                if container.name == "jellyfin":
                    return fallback, container
        raise LookupError("nothing was inspected and there is no jellyfin")

    def _publish(self, name: str) -> None:
        program = PROGRAMS[name]
        image = _on_the_base(self._image(name, program, age=60 * DAY))
        self.registry[program.image] = Manifest(self.digest(), image)

    def _offers(self) -> dict[str, str]:
        return {tag: each.digest for tag, each in self.registry.items()}

    def _token(self) -> str:
        self.canaries.append(self.hex_id())
        return self.canaries[-1]

    def _publish_others(self) -> None:
        """The further tags, each an image of its own; they cost the world's chance nothing."""
        for tag, manifest in list(self.registry.items()):
            for other in OTHER_TAGS.get(repository(tag), ()):
                ident, digest = (
                    f"sha256:{sha256(f'{kind} {tag} {other}'.encode()).hexdigest()}" for kind in ("id", "")
                )
                labels = {**manifest.image.config["Labels"], "org.opencontainers.image.version": other}
                config = {**manifest.image.config, "Labels": labels}
                image = replace(manifest.image, id=ident, tags=[], digests=[], config=config)
                self.registry[f"{repository(tag)}:{other}"] = Manifest(digest, image)

    def _image(self, name: str, program: Program, age: float) -> Image:
        created = self.now() - age - self.rng.uniform(0, 30 * DAY)
        day = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        labels = {
            "org.opencontainers.image.version": program.version,
            "org.opencontainers.image.created": day,
        }
        config: Json = {
            "User": program.user,
            "Env": list(program.env),
            "Entrypoint": list(program.entrypoint) or None,
            "Cmd": list(program.cmd) or None,
            "WorkingDir": "/",
            "ExposedPorts": {port: {} for port in program.ports} or None,
            "Volumes": {path: {} for path in program.volumes} or None,
            "Labels": labels,
        }
        if program.check:
            nano = 10**9
            check = {
                "Test": ["CMD-SHELL", program.check],
                "Interval": 30 * nano,
                "Timeout": 10 * nano,
                "Retries": 3,
            }
            config["Healthcheck"] = check
        size = program.size * MB + self.rng.randrange(MB)
        layers = [self.digest() for _ in range(self.rng.randrange(3, 8))]
        return Image(self.digest(), [], [], created, size, config, layers, program.app(name), tagged=created)

    def _build(self, machine: Machine) -> Host:
        host = Host(machine.name, self, self.registry, machine.cpus, machine.memory_gb * 1024 * MB)
        now = self.now()
        for name, driver, subnet in (
            ("bridge", "bridge", "172.17.0.0/16"),
            ("host", "host", ""),
            ("none", "null", ""),
        ):
            network = Network(self.hex_id(), name, now - 200 * DAY, driver, subnet)
            host.networks.all[network.id] = network
        projects = {d.project for d in machine.containers if not d.network} | {f"{machine.name}-old"}
        for project in sorted(projects):
            labels = {"com.docker.compose.network": "default", "com.docker.compose.project": project}
            host.networks.create({"Name": f"{project}_default", "Labels": labels}).created = now - 90 * DAY
        for program in (*(d.program for d in machine.containers), "alpine", *LOCAL_BUILDS):
            self._store(host, program)
        for _ in range(machine.dangling):
            old = self._image("alpine", replace(PROGRAMS["alpine"], size=self.rng.randrange(80, 900)), 150 * DAY)
            host.images.all[old.id] = old
        for name in machine.leftovers:
            host.volumes.create(name)
        host.volumes.create()
        for deployment in machine.containers:
            self._deploy(host, deployment)
        for volume in host.volumes.all.values():
            volume.created, volume.size = (
                now - self.rng.uniform(60, 300) * DAY,
                self.rng.randrange(MB, 6000 * MB),
            )
        host.images.cache = [
            CacheRecord(self.hex_id()[:25], text, self.rng.randrange(MB, 400 * MB), now - 30 * DAY, number == 0)
            for number, text in enumerate(machine.cache)
        ]
        host.events.clear()
        return host

    def _store(self, host: Host, program: str) -> None:
        tag = PROGRAMS[program].image
        image = host.images.pull(tag)
        image.tagged = image.created
        if program in LOCAL_BUILDS:
            host.images.get(tag).digests.clear()

    def _deploy(self, host: Host, deployment: Deployment) -> None:
        now = self.now()
        container = host.create(
            deployment.body([self._value(item) for item in deployment.env], PROGRAMS[deployment.program].image),
            deployment.name,
        )
        ago = deployment.days * DAY + self.rng.uniform(0, 3600)
        container.created = now - ago - self.rng.uniform(5, 90)
        container.size_rw = deployment.size_rw
        container.begin(now - ago, self.rng.randrange(2000, 400000), None)
        if deployment.exited is not None:
            container.end(now - ago + 312, deployment.exited)

    def _value(self, item: str) -> str:
        if not item.endswith(SECRET):
            return item
        secret = urlsafe_b64encode(self.rng.randbytes(18)).decode().replace("-", "x").replace("_", "y")
        self.canaries.append(secret)
        return item.replace(SECRET, secret)

    def _set_story(self) -> None:
        culprit, update, noisy = self.story.culprit, self.story.update, self.story.noisy
        host = self.hosts[culprit.host]
        container = host.get(culprit.name)
        host.traits[culprit.name] = Trait(fault=culprit.fault)
        container.fault = culprit.fault
        self._loop(container)
        self._outdate(self.hosts[update.host].get(update.name).config["Image"])
        container = self.hosts[noisy.host].get(noisy.name)
        self.hosts[noisy.host].traits[noisy.name] = Trait(chatter=noise())
        container.log.chatter = noise()
        container.log.lines.clear()
        container.log.begin(self.now() - 900)
        for name in LOCAL_BUILDS:
            del self.registry[PROGRAMS[name].image]

    def _loop(self, container: Container) -> None:
        """Put a container in the middle of a crash loop that has lasted for hours."""
        fault = container.fault
        assert fault
        rounds = self.rng.randrange(80, 400)
        container.log.lines.clear()
        container.log.end()
        container.restart_count, container.backoff = rounds - 20, LAST_BACKOFF
        container.status = "restarting"
        container.next_change = self.now() - 20 * (LAST_BACKOFF + fault.runtime) + self.rng.uniform(10, 50)
        container.advance(self.now())

    def _outdate(self, tag: str) -> None:
        manifest = self.registry[tag]
        newer = _on_the_base(self._image(manifest.image.app.name, PROGRAMS[manifest.image.app.name], age=0))
        newer.created = self.now() - 2 * DAY
        self.registry[tag] = Manifest(self.digest(), newer)


def _on_the_base(image: Image) -> Image:
    """The image with its first layer from the distribution, if it is large enough for one."""
    fits = image.size > 3 * BASE
    return replace(image, base=BASE, layers=[BASE_LAYER, *image.layers[1:]]) if fits else image


def _names(text: str, name: str) -> bool:
    """Whether a name stands in a text by itself, and not as part of another name."""
    return re.search(rf"(?<![\w./:-]){re.escape(name)}(?![\w/:-]|\.\w)", text) is not None


def _dump_host(host: Host) -> dict[str, Any]:
    return {
        "containers": {container.name: _dump_container(container) for container in host.containers()},
        "images": {image.id: sorted([*image.tags, *image.digests]) for image in host.images.all.values()},
        "volumes": sorted("<anonymous>" if is_anonymous(name) else name for name in host.volumes.all),
        "networks": sorted(network.name for network in host.networks.all.values()),
    }


def _dump_container(container: Container) -> dict[str, Any]:
    config = {key: value for key, value in container.config.items() if key != "Hostname"}
    host_config = {key: value for key, value in container.host_config.items() if key not in ("Binds", "Mounts")}
    return {
        "image": container.image_id,
        "state": "running" if container.alive else "exited",
        "config": config | {"Env": sorted(config["Env"])},
        "host_config": host_config,
        "mounts": {mount["Destination"]: _dump_mount(mount) for mount in container.mounts},
        "networks": {name: sorted(mine["Aliases"] or []) for name, mine in container.endpoints.items()},
    }


def _dump_mount(mount: Json) -> dict[str, Any]:
    anonymous = is_anonymous(mount.get("Name", ""))
    source = "<anonymous>" if anonymous else mount["Source"]
    return {"type": mount["Type"], "source": source, "writable": mount["RW"]}
