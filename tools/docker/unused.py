"""What nothing uses on a host, kind by kind: what may go, what is left alone and why, and what that frees."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from tools.docker.disk import cached_layers, idle_cache
from tools.docker.layers import UNKNOWN, Amount, Layers, amount, freed
from tools.docker.models import ContainerRow, Kind, Rubbish
from tools.docker.names import is_own, lifeline
from tools.docker.orchestrators import owner_of
from tools.docker.pull import repositories_of
from tools.docker.rows import (
    STOPPED,
    condition_of,
    is_forbidden,
    labels_of,
    name_of,
    row_of,
    short,
    tags_of,
    volume_label,
)
from tools.docker.stock import Stock
from tools.docker.troubles import Found, Standing, judge
from tools.docker.troubles import found as looked_at
from tools.kit.raw import Raw, moment, record, records, text, texts, whole

Why = Literal[
    "forbidden", "protected", "orchestrated", "can still be undone", "an undo needs it", "failed", "recent",
    "should run", "unreadable",
]  # fmt: skip

PREDEFINED = frozenset({"bridge", "host", "none", "ingress", "docker_gwbridge", "podman"})
DAY = 86_400.0
IDLE_DAYS = 7
"""For so long a thing counts as recent, unless told otherwise."""
BY_ITSELF: tuple[Kind, ...] = ("dangling_images", "build_cache")
"""What goes when nobody says more: by-products that come again by themselves. A stopped container may be wanted, a
network takes no space, and for a tagged image somebody may have plans."""


@dataclass(frozen=True)
class Thing:
    """One thing that nothing uses."""

    kind: Rubbish
    id: str
    names: tuple[str, ...]
    """What the owner calls it; an image may have several names."""
    frees: Amount = Amount()
    layers: Layers = Layers()
    built_here: bool = False
    """Whether no registry has it."""
    why: Why | None = None
    """Why it is left alone."""


@dataclass(frozen=True)
class Unused:
    """The things of some kinds that nothing uses."""

    things: tuple[Thing, ...]
    """Those that may go, the largest first."""
    kept: tuple[Thing, ...]
    cache: dict[str, float | None] | None
    """Bytes by id of the build cache that may go; None when it is not known."""
    since: float = 0.0
    """The moment, on the engine's clock, from which on a use counts as recent."""
    others: tuple[Layers, ...] = ()
    """The images that stay."""

    def still(self, now: "Unused") -> "Unused":
        """What of this is there and unused now, too, or may be: the same question, asked later."""
        there = {(thing.kind, thing.id) for thing in (*now.things, *now.kept)}
        cache = {ident: size for ident, size in (self.cache or {}).items() if now.cache is None or ident in now.cache}
        return replace(
            self, things=tuple(thing for thing in self.things if (thing.kind, thing.id) in there), cache=cache
        )

    @property
    def frees(self) -> Amount:
        """What all of it frees; the build cache that is not known stays."""
        parts = [thing.frees for thing in self.things] + [amount(size) for size in (self.cache or {}).values()]
        return sum(parts, Amount())

    @property
    def cached(self) -> Amount:
        """What the build cache frees."""
        return sum(map(amount, (self.cache or {}).values()), Amount())


def unused(found: Stock, kinds: Collection[Rubbish], days: int) -> Unused:
    """What of these kinds nothing has used for so many days, when all of it is to go together."""
    since = found.now - days * DAY
    things: list[Thing] = []
    if "stopped_containers" in kinds:
        things += _containers(found, since)
    going = {thing.id for thing in things if thing.why is None}
    staying = [item for item in found.containers if text(item["Id"]) not in going]
    if images := {"dangling_images", "unused_images"} & set(kinds):
        things += _images(found, staying, since, tagged="unused_images" in images)
    if "unused_networks" in kinds:
        things += _networks(found, staying, since)
    if "unused_volumes" in kinds:
        things += _volumes(found, since)
    go = _measured(found, [thing for thing in things if thing.why is None], since, cache="build_cache" in kinds)
    gone = {thing.id for thing in go}
    return Unused(
        things=tuple(sorted(go, key=lambda thing: (-thing.frees.bytes, thing.names))),
        kept=tuple(thing for thing in things if thing.why is not None),
        cache=idle_cache(found.disk, since) if "build_cache" in kinds else {},
        since=since,
        others=tuple(layers for ident, layers in _every_image(found).items() if ident not in gone),
    )


def _containers(found: Stock, since: float) -> Iterator[Thing]:
    carriers = {
        text(record(item.get("HostConfig")).get("NetworkMode")).partition("container:")[2] for item in found.containers
    }
    judged = judge([_looked_into(found, item) for item in found.containers], found.deeds)
    for item, judgement in zip(found.containers, judged, strict=True):
        ident = text(item["Id"])
        if item.get("State") in STOPPED and ident not in carriers:
            why = _why_container(found, item, since)
            if why is None and judgement.standing is Standing.TROUBLE:
                why = "should run"
            yield Thing("stopped_containers", ident, (name_of(item),), amount(found.sizes.get(ident)), why=why)


def _looked_into(found: Stock, item: Raw) -> Found[ContainerRow]:
    ident, row = text(item["Id"]), row_of(found.host, item)
    if raw := found.inspected.get(ident):
        row = row.model_copy(update=condition_of(raw, found.now))
        return looked_at(row, ident, labels_of(item), raw, found.now)
    return Found(row, ident, labels_of(item))


def _why_container(found: Stock, item: Raw, since: float) -> Why | None:
    ident = text(item["Id"])
    deeds = [deed for deed in found.deeds if deed.target == f"{found.host}/{ident}"]
    state = record(found.inspected.get(ident, {}).get("State"))
    code, ended, made = whole(state.get("ExitCode")), moment(state.get("FinishedAt")), moment(item.get("Created"))
    times = [at.timestamp() for at in (ended, made, *(deed.at for deed in deeds)) if at is not None]
    if is_forbidden(item):
        return "forbidden"
    if is_own(ident) or lifeline(item):
        return "protected"
    if owner_of(labels_of(item)) is not None:
        return "orchestrated"
    if any(deed.undoable for deed in deeds):
        return "can still be undone"
    if code is None or not (ended or made):
        return "unreadable"
    if code != 0 or state.get("OOMKilled") is True or text(state.get("Error")) or item.get("State") == "dead":
        return "failed"  # it is the evidence of what went wrong
    return "recent" if max(times) >= since else None


def _images(found: Stock, staying: list[Raw], since: float, *, tagged: bool) -> Iterator[Thing]:
    used = {text(item.get("ImageID")) for item in staying}
    named = _latest_names(found)
    for image in found.images:
        ident, tags = text(image["Id"]), tags_of(image)
        if ident in used or (tags and not tagged):
            continue
        layers = found.layers.get(ident, Layers())
        why: Why | None = None
        # A dangling image is as old as what took its name: until that has proved itself, it is the way back.
        times = [named.get(name, 0.0) for name in repositories_of(image) if not tags]
        times += [at.timestamp() for at in (layers.tagged, moment(image.get("Created"))) if at is not None]
        if is_forbidden(image):
            why = "forbidden"
        elif ident in found.needed:
            why = "an undo needs it"
        elif not layers.chain or not times:
            why = "unreadable"
        elif max(times) >= since:
            why = "recent"
        yield Thing(
            "unused_images" if tags else "dangling_images",
            ident,
            tuple(tags) or (_dangling_name(image),),
            layers=layers,
            built_here=not _from_registry(image),
            why=why,
        )


def _latest_names(found: Stock) -> dict[str, float]:
    """When a repository's tags were last given to an image here."""
    latest: dict[str, float] = {}
    for image in found.images:
        tagged = found.layers.get(text(image["Id"]), Layers()).tagged
        for repository in repositories_of(image) if tags_of(image) and tagged else ():
            latest[repository] = max(latest.get(repository, 0.0), tagged.timestamp() if tagged else 0.0)
    return latest


def _dangling_name(image: Raw) -> str:
    """What it was once called, where that is known, and its id in twelve digits."""
    digits = short(text(image["Id"])).removeprefix("sha256:")
    return "@".join([*sorted(repositories_of(image))[:1], digits])


def _from_registry(image: Raw) -> bool:
    # Podman has a digest for what was built here, too, and a registry of this name for it.
    return any(not digest.startswith("localhost/") for digest in texts(image.get("RepoDigests")))


def _networks(found: Stock, staying: list[Raw], since: float) -> Iterator[Thing]:
    """A network that only a stopped container refers to is in use: without it that one could not start again."""
    used: set[str] = set()
    for item in staying:
        for name, endpoint in record(record(item.get("NetworkSettings")).get("Networks")).items():
            used |= {name, text(record(endpoint).get("NetworkID"))}
    for network in found.networks:
        name, ident, made = text(network.get("Name")), text(network["Id"]), moment(network.get("Created"))
        # Who is on a network of a whole swarm, this host does not know.
        shared = text(network.get("Scope")) not in ("", "local") or network.get("ConfigOnly") is True
        if name in PREDEFINED or shared or used & {name, ident}:
            continue
        yield Thing(
            "unused_networks", ident, (name or short(ident),), why=_why(found, network, {name, ident}, made, since)
        )


def _volumes(found: Stock, since: float) -> Iterator[Thing]:
    """Volumes that no container mounts, not even one that is about to be removed."""
    used = {text(mount.get("Name")) for item in found.containers for mount in records(item.get("Mounts"))}
    for volume in found.volumes:
        name = text(volume.get("Name"))
        if name and name not in used:
            why = _why(found, volume, {name}, moment(volume.get("CreatedAt")), since)
            yield Thing("unused_volumes", name, (volume_label(name),), amount(found.sizes.get(name)), why=why)


def _why(found: Stock, item: Raw, names: set[str], made: Any, since: float) -> Why | None:
    if is_forbidden(item):
        return "forbidden"
    if names & found.needed:
        return "an undo needs it"
    return "recent" if made is not None and made.timestamp() >= since else None


def _every_image(found: Stock) -> dict[str, Layers]:
    """Every image that a layer may belong to, those that only containers know of among them."""
    idents = {text(item["Id"]) for item in found.images} | {text(item.get("ImageID")) for item in found.containers}
    return {ident: found.layers.get(ident, Layers()) for ident in idents if ident}


def _measured(found: Stock, things: list[Thing], since: float, *, cache: bool) -> list[Thing]:
    """The things with what each of them frees, images one after the other."""
    rest = [thing for thing in things if "images" not in thing.kind]
    images = [thing for thing in things if "images" in thing.kind]
    images.sort(key=lambda thing: (-(thing.layers.size or 0.0), thing.id))
    removed, every = {thing.id for thing in images}, _every_image(found)
    amounts = freed(
        [thing.layers for thing in images], [layers for ident, layers in every.items() if ident not in removed]
    )
    cached = cached_layers(found.disk, since if cache else None)
    for thing, frees in zip(images, amounts, strict=True):
        rest.append(replace(thing, frees=UNKNOWN if cached is None else thing.layers.but_for(cached, frees)))
    return rest
