"""Things that nothing uses, on the simulated hosts."""

from dataclasses import replace
from typing import Any

from lab.services.docker.engine.host import Host
from lab.services.docker.engine.model import Container, Image
from tests.tools.conftest import TOOLS, Outcome, Rack
from tools.docker.models import KINDS
from tools.kit import Change, Deed

DAY = 86_400.0
EVERYTHING = tuple(kind for kind in KINDS if kind != "unused_volumes")
MB = 10**6


def nas(rack: Rack) -> Host:
    return rack.world.hosts["nas"]


async def card(rack: Rack, *kinds: str, deeds: list[Deed] | None = None, **args: Any) -> Change[Any]:
    async def past() -> list[Deed]:
        return deeds or []

    if kinds:
        args["kinds"] = kinds
    return await TOOLS["prune_system"].run(replace(rack.ctx, past=past), host="nas", **args)


def names(pieces: Any) -> list[str]:
    return [piece.name for piece in pieces]


def ended(rack: Rack, name: str, *, days: float = 30, code: int = 0) -> Container:
    """A container that ended some time ago."""
    container = nas(rack).get(name)
    container.end(rack.world.now() - days * DAY, code)
    container.created = rack.world.now() - 60 * DAY
    return container


def dangling(rack: Rack, size: int, *layers: str, base: int = 0, days: float = 100) -> Image:
    """An image without a name; with a base, its first layer has these bytes."""
    old = nas(rack).images.get("alpine:3.19")
    own = [*layers, rack.world.digest()]
    made = rack.world.now() - days * DAY
    image = replace(old, id=rack.world.digest(), tags=[], digests=[], size=size, layers=own, base=base, created=made)
    nas(rack).images.all[image.id] = replace(image, tagged=made)
    return nas(rack).images.all[image.id]


def taken(host: Host) -> int:
    """Bytes on its disk: images, build cache, volumes, containers."""
    cache = sum(record.size for record in host.images.cache if not record.shared)
    volumes = sum(volume.size for volume in host.volumes.all.values())
    return host.images.bytes_of(host.images.all.values()) + cache + volumes + sum(c.size_rw for c in host.all.values())


async def swept(rack: Rack, change: Change[Any]) -> Outcome:
    """The change carried out, and what it freed compared with what was promised."""
    before = taken(nas(rack))
    outcome = await rack.carry_out(change)
    assert outcome.error is None and outcome.verified
    after: Any = outcome.after
    assert abs(before - taken(nas(rack)) - after.freed_mb * MB) < MB / 10
    return outcome
