"""Clean up a host: remove exactly the unused things that the card lists."""

from hashlib import sha256
from typing import Annotated, Literal

from tools.docker.hosts import LONG_PATIENCE, DockerHosts, service
from tools.docker.layers import Amount
from tools.docker.models import KINDS, Kind, Rubbish
from tools.docker.names import Host
from tools.docker.pull import familiar
from tools.docker.rows import short
from tools.docker.stock import take_stock
from tools.docker.sweep import Sweep
from tools.docker.unused import BY_ITSELF, IDLE_DAYS, Thing, Unused, unused
from tools.kit import Change, Context, Facts, Field, Ident, Result, Risk, Shown, ToolFailed
from tools.kit.raw import MB, Raw

NAMED, WIDTH = 4, 200
"""How many of a kind stand on the card by name, and in how many characters: it must have room for old and new."""
LEAST_WIDTH = 46
MOST_KEPT = 5


class Piece(Result):
    """One thing on the card; or with a count, the rest of its kind."""

    count: int | None = None
    name: Ident
    size_mb: float | Literal["size unknown"] | None = None
    """What removing it frees, after those before it."""


class PruneFacts(Facts):
    """What nobody uses on one host, the largest by name. What is forbidden, recent, failed or undoable is not in it."""

    frees_mb: Shown[float | None] = None
    """What all of it frees together: layers that other images have, too, do not count."""
    frees_at_least_mb: Shown[float | None] = None
    """The same where a part is not known."""
    freed_mb: Shown[float | None] = None
    """What it did free, as the engine says afterwards."""
    freed_at_least_mb: Shown[float | None] = None
    dangling_images: Shown[tuple[Piece, ...]] = ()
    unused_images: Shown[tuple[Piece, ...]] = ()
    stopped_containers: Shown[tuple[Piece, ...]] = ()
    unused_networks: Shown[tuple[Piece, ...]] = ()
    unused_volumes: Shown[tuple[Piece, ...]] = ()
    build_cache_mb: Shown[float | None] = None
    version: Shown[Ident] = "0"
    """Tells everything that is listed from everything else, whether it is named or not."""
    host: Ident
    also_called: tuple[Ident, ...] = ()
    """Every way in which the owner may have forbidden one of these things."""
    left: int = 0
    """How many of them are there, and unused, or cannot be looked for."""


@service.tool(Risk.DESTROY)
async def prune_system(
    ctx: Context[DockerHosts],
    host: Host,
    kinds: Annotated[
        tuple[Kind, ...],
        Field(description="What to remove; more than the default only when the person asked for it.", max_length=5),
    ] = BY_ITSELF,
    volumes: Annotated[
        bool, Field(description="Also remove volumes that no container mounts: their data is lost.")
    ] = False,
    idle_days: Annotated[
        int, Field(description="Leave alone what was used or made within so many days.", ge=1, le=365)
    ] = IDLE_DAYS,
) -> Change[PruneFacts]:
    """Free disk space on a host: dangling images and build cache, or other unused things by kind; there is no undo.

    Look at docker_get_system_info first: it says how much each kind frees, and how much is left alone.
    """
    engine = ctx.client.one(host)
    wanted: tuple[Rubbish, ...] = (*kinds, "unused_volumes") if volumes else kinds
    disk = ("build-cache", "volume") if volumes else ("build-cache",)
    listed = unused(await take_stock(ctx, engine, *disk, volumes=volumes), wanted, idle_days)
    if listed.cache is None and not listed.things:
        raise ToolFailed(f"{host} does not say in time what its build cache holds: try again when it is less busy.")
    sweep, planned = Sweep(listed), iter([_facts(engine.name, listed)])

    async def read(client: DockerHosts) -> PruneFacts:
        if facts := next(planned, None):
            return facts
        disk = ("build-cache",) if listed.cache else ()
        now = await take_stock(ctx, client.one(host), *disk, volumes=volumes, closely=False)
        return _facts(engine.name, listed.still(unused(now, wanted, idle_days)), sweep if sweep.begun else None)

    facts = await ctx.read(read)

    async def do(hosts: DockerHosts) -> None:
        await sweep.run(hosts.one(host))

    return Change(
        f"Clean up {engine.name}",
        facts=facts,
        do=do,
        expect=lambda before, after: after.left == 0,
        notes=_notes(engine.name, listed),
        deadline=LONG_PATIENCE + 20,
    )


def _facts(host: str, listed: Unused, sweep: Sweep | None = None) -> PruneFacts:
    """What the card shows of the things that are listed; with a sweep, what the receipt does."""
    kinds = [kind for kind in KINDS if kind != "build_cache"]
    lists: Raw = {kind: _pieces([thing for thing in listed.things if thing.kind == kind]) for kind in kinds}
    figures: Raw = _measured("freed", sweep.freed) if sweep else _measured("frees", listed.frees)
    names = [name for thing in listed.things for name in (*thing.names, *map(familiar, thing.names), short(thing.id))]
    ids = sorted([*(f"{thing.kind} {thing.id}" for thing in listed.things), *(listed.cache or ())])
    return PruneFacts(
        **lists,
        **figures,
        build_cache_mb=round(listed.cached.bytes / MB, 1) if (sweep.listed if sweep else listed).cache else None,
        version=sha256("\n".join(ids).encode()).hexdigest()[:12],
        host=host,
        also_called=tuple(called for name in sorted(set(names)) for called in (name, f"{host}/{name}")),
        left=len(listed.things) + bool(listed.cache),
    )


def _measured(verb: str, found: Amount) -> dict[str, float]:
    size = round(found.bytes / MB, 1)
    if found.exact:
        return {f"{verb}_mb": size}
    return {f"{verb}_at_least_mb": size} if size else {}


def _pieces(things: list[Thing]) -> tuple[Piece, ...]:
    """The largest by name, as far as the card has room for them, and how many more there are."""
    pieces: list[Piece] = []
    room = WIDTH
    for number, thing in enumerate(things):
        room -= sum(max(len(name), LEAST_WIDTH) for name in thing.names)
        if number and (room < 0 or number == NAMED):
            rest = things[number:]
            size = _size(rest[0].kind, sum((thing.frees for thing in rest), Amount()))
            return (*pieces, Piece(count=len(rest), name="more", size_mb=size))
        first, *others = map(familiar, thing.names)
        pieces += [Piece(name=first, size_mb=_size(thing.kind, thing.frees)), *(Piece(name=name) for name in others)]
    return tuple(pieces)


def _size(kind: Rubbish, frees: Amount) -> float | Literal["size unknown"] | None:
    if kind == "unused_networks":
        return None
    return round(frees.bytes / MB, 1 if frees.bytes < 10 * MB else None) if frees.exact else "size unknown"


def _notes(host: str, listed: Unused) -> tuple[str, ...]:
    notes, kinds = ["No undo."], {thing.kind for thing in listed.things}
    if "stopped_containers" in kinds:
        notes.append("Settings and own data of the stopped containers are lost.")
    if "unused_volumes" in kinds:
        notes.append("The data in these volumes is lost for good.")
    if own := [thing.names[0] for thing in listed.things if thing.kind == "unused_images" and thing.built_here]:
        notes.append(f"Built here, so no registry has it: {_some(own)}.")
    if listed.cache is None:
        notes.append(f"Build cache stays: {host} did not say in time what is in it.")
    if not listed.frees.exact and not listed.frees.bytes:
        notes.append("How much this frees is not known.")
    if kept := [f"{thing.names[0]} ({thing.why})" for thing in listed.kept]:
        notes.append(f"Left alone: {_some(kept)}.")
    return tuple(notes)


def _some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - MOST_KEPT} more" if len(names) > MOST_KEPT else ""
    return f"{', '.join(names[:MOST_KEPT])}{more}"
