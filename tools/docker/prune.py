"""Clean up a host: remove exactly the unused things that the card lists."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from tools.docker.clean import MB, number, record, records, short, text
from tools.docker.hosts import LONG_PATIENCE, DockerHosts, Engine, service
from tools.docker.inventory import tags_of
from tools.docker.names import Host, is_own
from tools.docker.rows import STOPPED, is_forbidden, name_of, volume_label
from tools.kit import (
    Change,
    Conflict,
    Context,
    Facts,
    Field,
    Gone,
    Ident,
    OutcomeUnknown,
    Risk,
    Shown,
    ToolFailed,
    Unauthorised,
)

if TYPE_CHECKING:
    from tools.docker.transport import Session

Raw = dict[str, Any]
DIGITS = 6
"""Of an id, to tell namesakes apart."""
PREDEFINED = frozenset({"bridge", "host", "none", "ingress", "docker_gwbridge"})


class PruneFacts(Facts):
    """What nobody uses on one host. Things marked `rackhand.forbid` are never among it."""

    containers: Shown[tuple[Ident, ...]]
    """Stopped containers, each as `name@3f2a9c`: a namesake that takes one's place is another."""
    images: Shown[tuple[Ident, ...]]
    """Images without a tag that no remaining container uses."""
    networks: Shown[tuple[Ident, ...]]
    """Like the containers."""
    volumes: Shown[tuple[Ident, ...]]
    build_cache_mb: Shown[float]
    frees_mb: Shown[float | None]
    host: Ident
    also_called: tuple[Ident, ...] = ()
    """Every other way in which the owner may have forbidden one of these containers and networks."""


class Rubbish:
    """The unused things of one host, with the ids they are removed by."""

    def __init__(self) -> None:
        self.containers: dict[str, str] = {}
        self.images: dict[str, str] = {}
        self.networks: dict[str, str] = {}
        self.volumes: dict[str, str] = {}
        self.cache_bytes = 0.0
        self.bytes: float | None = 0.0

    def facts(self, host: str) -> PruneFacts:
        """The same, as the card shows it."""
        named = sorted({**self.containers, **self.networks}.items())
        return PruneFacts(
            containers=tuple(sorted(f"{name}@{ident[:DIGITS]}" for ident, name in self.containers.items())),
            images=tuple(sorted(self.images.values())),
            networks=tuple(sorted(f"{name}@{ident[:DIGITS]}" for ident, name in self.networks.items())),
            volumes=tuple(sorted(self.volumes.values())),
            build_cache_mb=round(self.cache_bytes / MB, 1),
            frees_mb=None if self.bytes is None else round((self.bytes + self.cache_bytes) / MB, 1),
            host=host,
            also_called=tuple(
                text for ident, name in named for text in (name, f"{host}/{name}", ident[:12], f"{host}/{ident[:12]}")
            ),
        )


@service.tool(Risk.DESTROY)
async def prune_system(
    ctx: Context[DockerHosts],
    host: Host,
    volumes: Annotated[
        bool, Field(description="Also remove volumes that no container mounts: their data is lost.")
    ] = False,
) -> Change[PruneFacts]:
    """Free disk space on a host: stopped containers, untagged images, unused networks, build cache; there is no undo.

    Look at docker_get_system_info first: it says how much there is to gain.
    """
    engine = ctx.client.one(host)
    found: list[Rubbish] = []

    async def read(client: DockerHosts) -> PruneFacts:
        rubbish = await _rubbish(client.one(host), volumes=volumes)
        found[:] = found[:1] or [rubbish]
        return rubbish.facts(engine.name)

    facts = await ctx.read(read)
    listed = found[0]

    async def do(hosts: DockerHosts) -> None:
        await _remove(hosts.one(host), listed)

    return Change(
        f"Clean up {engine.name}",
        facts=facts,
        do=do,
        expect=_nothing_listed_is_left,
        notes=_notes(facts, volumes=volumes),
        deadline=LONG_PATIENCE + 20,
    )


def _nothing_listed_is_left(before: PruneFacts, after: PruneFacts) -> bool:
    kinds = ("containers", "images", "networks", "volumes")
    left = any(set(getattr(before, kind)) & set(getattr(after, kind)) for kind in kinds)
    return not left and (before.build_cache_mb == 0 or after.build_cache_mb < before.build_cache_mb)


async def _rubbish(engine: Engine, *, volumes: bool) -> Rubbish:
    def ask(api: "Session") -> tuple[Any, Any, Any, Any]:
        return api.containers(all=True, size=True), api.images(), api.networks(), api.volumes()

    containers, images, networks, all_volumes = await engine.ask(ask)
    found = Rubbish()
    stay: list[Raw] = []
    for item in records(containers):
        if item.get("State") in STOPPED and not is_forbidden(item) and not is_own(text(item.get("Id"))):
            found.containers[text(item.get("Id"))] = name_of(item)
            found.bytes = _plus(found.bytes, item.get("SizeRw", 0))
        else:
            stay.append(item)
    kept_images = {text(item.get("ImageID")) for item in stay}
    for image in records(images):
        if not tags_of(image) and text(image.get("Id")) not in kept_images and not is_forbidden(image):
            found.images[text(image.get("Id"))] = short(text(image.get("Id")))
            found.bytes = _plus(found.bytes, image.get("Size"))
    _unused_networks(found, records(networks), stay)
    disk = await engine.ask(lambda api: api.disk_usage())
    found.cache_bytes = _cache(disk)
    if volumes:
        _unused_volumes(found, records(record(all_volumes).get("Volumes")), records(containers), disk)
    return found


def _unused_networks(found: Rubbish, networks: list[Raw], stay: list[Raw]) -> None:
    """A network that only a stopped container refers to is in use: without it that one could not start again."""
    used: set[str] = set()
    for item in stay:
        for name, endpoint in record(record(item.get("NetworkSettings")).get("Networks")).items():
            used |= {name, text(record(endpoint).get("NetworkID"))}
    for network in networks:
        name, identifier = text(network.get("Name")), text(network.get("Id"))
        if name not in PREDEFINED and not used & {name, identifier} and not is_forbidden(network):
            found.networks[identifier] = name


def _unused_volumes(found: Rubbish, volumes: list[Raw], containers: list[Raw], disk: Raw) -> None:
    """Volumes that no container mounts, not even one that is about to be removed."""
    used = {text(mount.get("Name")) for item in containers for mount in records(item.get("Mounts"))}
    measured = records(disk.get("Volumes")) or records(record(disk.get("VolumeUsage")).get("Items"))
    sizes = {text(item.get("Name")): record(item.get("UsageData")).get("Size") for item in measured}
    for volume in volumes:
        name = text(volume.get("Name"))
        if name and name not in used and not is_forbidden(volume):
            found.volumes[name] = volume_label(name)
            found.bytes = _plus(found.bytes, sizes.get(name))


def _cache(disk: Raw) -> float:
    items = records(disk.get("BuildCache")) or records(record(disk.get("BuildCacheUsage")).get("Items"))
    return sum(number(item.get("Size")) or 0.0 for item in items if item.get("InUse") is False)


def _plus(total: float | None, more: Any) -> float | None:
    """The sum; unknown once a part of it is."""
    part = number(more)
    return None if total is None or part is None else total + part


async def _remove(engine: Engine, listed: Rubbish) -> None:
    """Remove the listed things one by one: what came into use meanwhile, the engine refuses and we leave."""
    steps: list[Callable[[Session], Any]] = []
    steps += [lambda api, i=i: api.remove_container(i, v=False, force=False) for i in listed.containers]  # type: ignore[misc]
    steps += [lambda api, i=i: api.remove_network(i) for i in listed.networks]  # type: ignore[misc]
    steps += [lambda api, i=i: api.remove_volume(i) for i in listed.volumes]  # type: ignore[misc]
    steps += [lambda api, i=i: api.remove_image(i) for i in listed.images]  # type: ignore[misc]
    if listed.cache_bytes:
        steps.append(lambda api: api.prune_builds(all=True))
    removed = 0
    for step in steps:
        try:
            await engine.ask(step, patience=LONG_PATIENCE)
        except (Gone, Conflict, Unauthorised) as no:
            # The engine answers 403, too, for a network that came into use; but to the first step it means a
            # credential that may not remove anything.
            if isinstance(no, Unauthorised) and not removed:
                raise
        except ToolFailed as error:
            if removed:
                raise OutcomeUnknown(f"Only a part was removed. {error}") from error
            raise
        else:
            removed += 1


def _notes(facts: PruneFacts, *, volumes: bool) -> tuple[str, ...]:
    notes = ["No undo."]
    if facts.containers:
        notes.append("Settings and own data of the stopped containers are lost.")
    if facts.volumes:
        notes.append("The data in these volumes is lost for good.")
    elif volumes:
        notes.append("No volume is unused.")
    return tuple(notes)
