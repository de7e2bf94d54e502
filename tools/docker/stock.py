"""A host as a clean-up finds it: the cheap listings, and beside them whatever it says in time of states and sizes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from tools.docker.disk import MEASURING, disk_usage, volume_sizes, written
from tools.docker.hosts import DockerHosts, Engine
from tools.docker.layers import Layers, read_layers, read_steps
from tools.docker.recreate import needed
from tools.docker.rows import STOPPED
from tools.kit import Context, Deed, ToolFailed, or_else
from tools.kit.raw import Raw, record, records, text
from tools.kit.threads import within

if TYPE_CHECKING:
    from tools.docker.session import Session

T = TypeVar("T")

LOOKING = 15.0
"""Seconds to look into single containers and images; what could not be looked into by then is left alone."""


@dataclass(frozen=True)
class Stock:
    """Everything that is known of one host, by id; volumes by name."""

    host: str
    now: float
    """The engine's own time."""
    containers: list[Raw]
    images: list[Raw]
    networks: list[Raw]
    volumes: list[Raw]
    inspected: dict[str, Raw]
    """The containers that do not run, as far as they could be looked into."""
    layers: dict[str, Layers]
    disk: Raw
    sizes: dict[str, float]
    """Bytes of containers and volumes, as far as they are known."""
    deeds: list[Deed]
    """What this bot has done to the containers of this host, newest first."""
    needed: frozenset[str]
    """Images, networks and volumes that an Undo which still waits would miss."""


async def take_stock(
    ctx: Context[DockerHosts], engine: Engine, *disk: str, volumes: bool = False, closely: bool = True
) -> Stock:
    """Look at one host, `closely` at single things, and at what kinds of things take on its disk.

    Raises ToolFailed when the host does not list what it has; that a number is missing is no failure.
    """
    # One trouble at most, however many questions fail: slow numbers must not open the host's circuit.
    async with engine.asking():
        return await _look(ctx, engine, disk, volumes=volumes, closely=closely)


async def _look(
    ctx: Context[DockerHosts], engine: Engine, kinds: tuple[str, ...], *, volumes: bool, closely: bool
) -> Stock:
    def listings(api: "Session") -> tuple[Any, Any, Any, Any, float]:
        # The clock is heard with the first answer.
        return api.containers(all=True), api.images(), api.networks(), api.volumes() if volumes else {}, api.now()

    containers, images, networks, listed, now = await engine.ask(listings)
    containers, images = _with_id(containers), _with_id(images)
    stopped = [text(item["Id"]) for item in containers if item.get("State") in STOPPED]
    users = {text(item.get("ImageID")) for item in containers if text(item["Id"]) not in stopped}
    everything = {text(item["Id"]) for item in images} | {text(item.get("ImageID")) for item in containers} - {""}
    removable = [ident for ident in everything if ident not in users]
    if not closely:
        stopped, everything, removable = [], set(), []
    deeds = [deed for deed in await ctx.deeds() if deed.target.startswith(f"{engine.name}/")]
    disk, inspected, layers, steps, sizes = await asyncio.gather(
        disk_usage(engine, *kinds),
        _each(engine, stopped, lambda api, ident: api.inspect_container(ident)),
        _each(engine, sorted(everything), read_layers),
        _each(engine, sorted(removable), read_steps),
        _each(engine, stopped, written, MEASURING),
    )
    return Stock(
        host=engine.name,
        now=now,
        containers=containers,
        images=images,
        networks=_with_id(networks),
        volumes=records(record(listed).get("Volumes")),
        inspected=inspected,
        layers={ident: replace(found, steps=steps.get(ident, ())) for ident, found in layers.items()},
        disk=disk,
        sizes={**volume_sizes(disk), **{ident: size for ident, size in sizes.items() if size is not None}},
        deeds=deeds,
        needed=await _needed(ctx, deeds),
    )


def _with_id(found: Any) -> list[Raw]:
    return [item for item in records(found) if text(item.get("Id"))]


async def _each(
    engine: Engine, idents: list[str], ask: Callable[["Session", str], T], seconds: float = LOOKING
) -> dict[str, T]:
    """The answers about single things, as far as they come within so many seconds in all."""

    def one_by_one(api: "Session") -> dict[str, T]:
        found: dict[str, T] = {}
        with within(seconds):
            for ident in idents:
                try:
                    found[ident] = ask(api, ident)
                except ToolFailed:
                    continue
        return found

    nothing: dict[str, T] = {}
    return await or_else(engine.ask(one_by_one), nothing) if idents else nothing


async def _needed(ctx: Context[DockerHosts], deeds: list[Deed]) -> frozenset[str]:
    nothing: Raw = {}
    kept = [await or_else(ctx.nets.open(deed.net), nothing) for deed in deeds if deed.net and ctx.nets]
    return frozenset(thing for net in kept for thing in needed(net))
