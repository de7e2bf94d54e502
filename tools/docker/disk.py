"""What takes disk on a host, as far as the engine says so in time: a number is decoration, and nothing waits for it."""

import asyncio
from typing import TYPE_CHECKING, Any

from tools.docker.hosts import Engine
from tools.kit import or_else
from tools.kit.raw import Raw, moment, number, record, records, text, texts

if TYPE_CHECKING:
    from tools.docker.session import Session

MEASURING = 10.0
"""Seconds that anybody waits for sizes. An engine that walks through large volumes for them may need minutes."""
APART = (1, 42)
"""The first API version that measures only what it is asked about."""


async def disk_usage(engine: Engine, *kinds: str) -> Raw:
    """What these kinds of things take (`image`, `volume`, `build-cache`); what is not said in time is left out."""
    if not kinds:
        return {}
    version = await engine.ask(lambda api: str(api.api_version))
    apart = tuple(map(int, version.split("."))) >= APART
    # One slow kind must not hide the others; an old engine measures everything, and refuses a second request meanwhile.
    questions = [(kind,) for kind in kinds] if apart else [kinds]
    nothing: Raw = {}
    answers = await asyncio.gather(
        *(
            or_else(engine.ask(lambda api, q=asked: api.disk_usage(*q), patience=MEASURING), nothing)  # type: ignore[misc]
            for asked in questions
        )
    )
    return {key: value for answer in answers for key, value in answer.items()}


def written(api: "Session", container: str) -> float | None:
    """Bytes in a container's own layer. Each is asked about by itself: one that is damaged spoils a whole list."""
    found: Any = api.containers(all=True, size=True, filters={"id": container})
    item = next((item for item in records(found) if item.get("Id") == container), None)
    return None if item is None else number(item.get("SizeRw", 0))


def items(disk: Raw, kind: str, old: str) -> list[Raw] | None:
    """The things of one kind, from the shape of API 1.52 or an older one; None when nothing was said of them."""
    found = record(disk.get(f"{kind}Usage")).get("Items") or disk.get(old)
    return records(found) if found is not None or f"{kind}Usage" in disk or old in disk else None


def total(disk: Raw, kind: str, old: str) -> float | None:
    """Bytes that one kind takes in all, things shared counted once."""
    if (summary := number(record(disk.get(f"{kind}Usage")).get("TotalSize"))) is not None:
        return summary
    if kind == "Image":
        return number(disk.get("LayersSize")) or None  # Podman says 0, whatever there is
    found = items(disk, kind, old)
    return None if found is None else sum(_taken(item) or 0.0 for item in found)


def volume_sizes(disk: Raw) -> dict[str, float]:
    """Bytes by the name of the volume, of those whose size is known."""
    sizes = {text(item.get("Name")): _taken(item) for item in items(disk, "Volume", "Volumes") or []}
    return {name: size for name, size in sizes.items() if size is not None}


def idle_cache(disk: Raw, since: float) -> dict[str, float | None] | None:
    """Bytes by id of the build cache that an ordinary prune with this cut-off removes; None when it is not known.

    What is in use, was used since, or is an image's layer as well stays, and with it everything that it builds on.
    """
    found = items(disk, "BuildCache", "BuildCache")
    if found is None:
        return None
    parents = {text(item.get("ID")): _parents(item) for item in found}
    stays = {text(item.get("ID")) for item in found if _stays(item, since)}
    while more := {parent for kept in stays for parent in parents.get(kept, ())} - stays:
        stays |= more
    return {ident: _taken(item) for item in found if (ident := text(item.get("ID"))) not in stays}


def cached_layers(disk: Raw, since: float | None) -> frozenset[float] | None:
    """Bytes of the layers of images that live on in the build cache, unless a prune with this cut-off follows.

    Which layers they are is not said. None when nothing is known of the cache.
    """
    found = items(disk, "BuildCache", "BuildCache")
    if found is None:
        return None
    shared = [item for item in found if item.get("Shared") is True]
    held = [item for item in shared if since is None or _stays({**item, "Shared": False}, since)]
    return frozenset(size for item in held if (size := _taken(item)))


def _stays(item: Raw, since: float) -> bool:
    used = moment(item.get("LastUsedAt"))
    recent, internal = used is not None and used.timestamp() >= since, item.get("Type") in ("internal", "frontend")
    return item.get("InUse") is not False or item.get("Shared") is True or recent or internal


def _parents(item: Raw) -> list[str]:
    # Some engines spell the list with a space, and the oldest know one parent only.
    return [*texts(item.get("Parents") or item.get(" Parents")), text(item.get("Parent"))]


def _taken(item: Raw) -> float | None:
    data = record(item.get("UsageData"))
    return number(data.get("Size") if data else item.get("Size"))
