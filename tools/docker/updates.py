"""Which images have a newer one at their registry: by digest, never by guess."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Annotated, Literal, get_args

from tools.docker.hosts import DockerHosts, Engine, service
from tools.docker.names import Container, Host, list_all
from tools.docker.pull import digests_of
from tools.docker.rows import name_of, short
from tools.kit import Context, Field, Ident, Listing, Result, Risk, listed, or_else
from tools.kit.raw import Raw, record, records, text
from tools.kit.registries.names import Reference
from tools.kit.registries.offers import Offer, Verdict, Why, offers


class ImageUpdate(Result):
    """One image that containers of one host are made from."""

    host: Ident
    image: Ident
    containers: list[Ident]
    kind: Literal["floating", "pinned"] | None = None
    """Whether its tag moves on by itself, or names one release."""
    verdict: Verdict = "unknown"
    why: Why | None = "made from an image without a name"
    """Why that is unknown."""
    here: Ident | None = None
    """Digest of what runs."""
    offered: Ident | None = None
    """Digest that the registry has under the same tag."""
    pulled: bool | None = None
    """Whether the new image is on the host already: making the container anew is all that is missing."""
    newer: list[Ident] = []
    """Tags of later releases, the newest first; another first number is another major version."""


class ImageUpdates(Listing):
    """What there is to update; nothing is called up to date that could not be compared."""

    images: list[ImageUpdate]
    with_update: list[Ident]
    """The containers that have an update, by host and name."""
    unknown: list[Ident]
    """The containers of which nobody can say."""


@dataclass(frozen=True)
class _Used:
    """An image as one host has it, and the names of the containers made from it."""

    engine: Engine
    image: str
    id: str
    containers: list[str] = field(default_factory=list)


@service.tool(Risk.READ, egress=True, often=True)
async def check_image_updates(
    ctx: Context[DockerHosts],
    container: Container | None = None,
    host: Host | None = None,
    running_only: Annotated[bool, Field(description="Leave out containers that do not run.")] = True,
) -> ImageUpdates:
    """Ask the registries whether containers run an outdated image, by digest; use it for "do I have updates?".

    A pinned tag stays what it is: `newer` names later releases. What could not be compared is `unknown`, with why.
    """
    engine, reference = ctx.client.at(container) if container else (None, "")

    def counts(item: Raw) -> bool:
        return item["Id"] == reference if reference else item.get("State") == "running" or not running_only

    found, down = await ctx.client.each(partial(_used, counts), engine.name if engine else host)
    used = [*chain(*found.values())]
    images = await ctx.client.every(_images, [*{one.engine.name: None for one in used}]) if used else {}
    offered = await offers(ctx.client.registries, {one.image for one in used})
    rows = [_row(one, images[one.engine.name], offered.get(one.image)) for one in used]
    rows.sort(key=lambda row: (get_args(Verdict).index(row.verdict) in (0, 3), row.verdict, row.host, row.image))
    shown, more = listed(rows)
    return ImageUpdates(
        images=shown,
        with_update=_containers(rows, "new image", "newer tag"),
        unknown=_containers(rows, "unknown"),
        more=more,
        down=down,
    )


def _containers(rows: list[ImageUpdate], *verdicts: Verdict) -> list[str]:
    return [f"{row.host}/{name}" for row in rows if row.verdict in verdicts for name in row.containers]


async def _images(engine: Engine) -> list[Raw]:
    return records(await engine.ask(lambda api: api.images()))


async def _used(counts: Callable[[Raw], bool], engine: Engine) -> list[_Used]:
    found: dict[tuple[str, str], _Used] = {}
    for item in filter(counts, await list_all(engine)):
        image, ident = text(item.get("Image")), text(item.get("ImageID"))
        if Reference.of(image) is None:
            # Of one whose tag has moved on the list says the id: the inspection has what it was made from.
            nothing: Raw = {}
            raw = await or_else(engine.ask(lambda api, i=item["Id"]: api.inspect_container(i)), nothing)  # type: ignore[misc]
            image = text(record(raw.get("Config")).get("Image")) or image
        found.setdefault((image, ident), _Used(engine, image, ident)).containers.append(name_of(item))
    return list(found.values())


def _row(one: _Used, local: list[Raw], offer: Offer | None) -> ImageUpdate:
    mine: Raw = next((image for image in local if image.get("Id") == one.id), {})
    here, containers = digests_of(mine, one.image), sorted(one.containers)
    row = ImageUpdate(host=one.engine.name, image=short(one.image), containers=containers, here=_brief(here))
    if offer is None:
        return row
    # The containerd store of Docker 29 has the digest for an id.
    verdict, why = offer.judged([one.id] if offer.digest == one.id else here)
    there = any(offer.digest in digests_of(image, one.image) for image in local)
    return row.model_copy(update={
        "kind": "pinned" if offer.pinned else "floating", "verdict": verdict, "why": why, "newer": offer.newer,
        "offered": _brief([offer.digest]), "pulled": there if verdict == "new image" else None,
    })  # fmt: skip


def _brief(digests: list[str]) -> str | None:
    return digests[0][:23] if digests and digests[0] else None
