"""Update a container: the same settings, networks and volumes, with a newer image; and take that back."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal

from tools.docker.disk import MEASURING, written
from tools.docker.facts import container_facts, inspect, warnings
from tools.docker.hosts import LONG_PATIENCE, WRITE_PATIENCE, DockerHosts, service
from tools.docker.models import State
from tools.docker.names import Container, carriers_of, is_own, list_all
from tools.docker.podman import LEFT_OUT
from tools.docker.pull import digests_of, pull_facts, pulled, split, with_tag
from tools.docker.recreate import Net, way_back
from tools.docker.removal import RemovalFacts, facts_with_volumes
from tools.docker.replace import HEALTH_SECONDS, Pair, for_image, named, place, plain, prepare, take_back
from tools.docker.rows import STOPPED, labels_of, name_of, project_of, short
from tools.kit import (
    Change,
    Conflict,
    Context,
    Facts,
    Field,
    Ident,
    Refused,
    Risk,
    Shown,
    ToolFailed,
    or_else,
    partly,
)
from tools.kit.raw import MB, Raw, record, records, size, text

Tag = Annotated[
    str,
    Field(description="Another tag of the same image, e.g. 10.10.7.", max_length=128, pattern=r"^\w[\w.-]*$"),
]
CUT_OFF = "An update of it was cut off: this finishes it. docker_roll_back_update takes it back instead."


class RenewalFacts(RemovalFacts):
    """Whoever has the container's name now, the digest it has, and the one that it would get."""

    here: Shown[Ident | None] = None
    offered: Shown[Ident] = "unknown"
    begun: Shown[bool] = False
    """Whether an update has been cut off between its steps."""
    anew: bool = False
    """Whether another container has the name by now."""
    fresh: bool = False
    """Whether the image on offer is not on the host yet."""


class RollBackFacts(Facts):
    """Whoever has the container's name now."""

    state: Shown[State | Literal["gone"]]
    since: Shown[datetime | None]
    begun: Shown[bool]
    """Whether an update has been cut off between its steps."""
    name: Ident
    host: Ident
    anew: bool = False
    steady: bool = False
    grace: int | None = None


@service.tool(Risk.CHANGE, undo="start the old container again, which is kept", often=True)
async def update_container(
    ctx: Context[DockerHosts], container: Container, tag: Tag | None = None
) -> Change[RenewalFacts]:
    """Update a container to the newest image of its tag, or to another tag; an unhealthy one is rolled back by itself.

    It keeps its settings, networks and volumes. Call it once for each container of "update everything".
    """
    engine, old = ctx.client.at(container)
    raw, _ = await inspect(ctx.client, container)
    if raw is None:
        raise Conflict("It does not exist any more: list the containers.")
    name = plain(text(raw.get("Name")).removeprefix("/"), old)
    written_down = text(record(raw.get("Config")).get("Image"))
    image = _tagged(written_down, tag)
    facts = await ctx.read(renewal_facts, container, name, image, not ctx.tainted)
    kept, defaults = await _source(ctx, container, raw, facts)

    async def do(hosts: DockerHosts) -> AsyncIterator[str]:
        engine, _ = hosts.at(container)
        if (await Pair.of(engine, name, old)).new is None:
            yield f"Pulling {short(image)}"
            digest = await engine.ask(lambda api: pulled(*api.fetch(*split(image))), patience=LONG_PATIENCE)
            if facts.offered not in ("unknown", digest):
                raise Conflict("The registry has yet another image by now: nothing was changed. Ask again.")
            yield "Making the new container beside the old one"
            await prepare(engine, for_image(kept, image, defaults), name, old)
        try:
            async for step in place(engine, name, old, facts.grace):
                yield step
        except ToolFailed as error:
            yield "It did not work: taking the old container back"
            try:
                await take_back(engine, name, old)
            except ToolFailed as failed:
                raise partly(f"{error} It could not be rolled back.", failed) from error
            refusal = Refused(f"{error} Rolled back: the old container runs again.")
            refusal.outside = error.outside
            raise refusal from error

    def expect(before: RenewalFacts, after: RenewalFacts) -> bool:
        well = after.state == "running" and after.steady and after.health in ("none", "healthy")
        right = after.here == before.offered or before.offered == "unknown"
        return after.anew and not after.begun and well and right

    return Change(
        f"Update {name}" + (f" to {tag}" if tag else ""),
        facts=facts,
        do=do,
        expect=expect,
        undo=lambda before, net: roll_back_update.call(container=container, net=net),
        net={"image_id": text(raw.get("Image")), "fresh": facts.fresh},
        partial=_writes(raw),
        notes=await _notes(ctx, container, raw, facts, written_down if image != written_down else ""),
        deadline=LONG_PATIENCE + 6 * WRITE_PATIENCE + HEALTH_SECONDS + (facts.grace or 0),
    )


@service.tool(Risk.CHANGE)
async def roll_back_update(
    ctx: Context[DockerHosts], container: Container, net: Net | None = None
) -> Change[RollBackFacts]:
    """Take an update of a container back: the old container, which was kept, runs again, and the new one goes.

    Use it after an update that was cut off or turned out badly.
    """
    engine, ident = ctx.client.at(container)
    items = await list_all(engine)
    wanted = next((name_of(item) for item in items if item["Id"] == ident), "")
    olds = [item for item in items if ident == item["Id"] or name_of(item).startswith(f"{wanted}.before-")]
    old = max(olds, key=lambda item: (item["Id"] != ident, item.get("Created") or 0), default=None)
    if old is None:
        raise Conflict("The old container is not there any more: nothing can be taken back.")
    name, target = plain(name_of(old), old["Id"]), f"{engine.name}/{old['Id']}"
    pair = await Pair.of(engine, name, old["Id"])
    if pair.new is None and name_of(old) == name and not pair.begun and old.get("State") not in STOPPED:
        raise Conflict(f"No update of {name} is there to be taken back.")
    raw, _ = await inspect(ctx.client, target)
    image = text(record(record(raw).get("Config")).get("Image"))
    facts = await ctx.read(roll_back_facts, target, name)

    kept: Raw = await ctx.nets.open(net) if net and ctx.nets else {}

    async def do(hosts: DockerHosts) -> None:
        engine = hosts.one(target.partition("/")[0])
        await take_back(engine, name, old["Id"])
        if kept.get("fresh") and pair.new is not None:  # the update has brought it, and nobody else may want it
            image_id = text(pair.new.get("ImageID"))
            await or_else(engine.ask(lambda api: api.remove_image(image_id)), None)
        if "@" not in image and not image.startswith("sha256:"):
            # The tag goes back as well: whoever makes it anew from it gets what runs.
            await or_else(
                engine.ask(lambda api: api.tag(text(record(raw).get("Image")), *split(with_tag(image)))), None
            )

    return Change(
        f"Roll back the update of {name}",
        facts=facts,
        do=do,
        expect=lambda before, after: not (after.anew or after.begun) and after.state == "running" and after.steady,
        notes=("What the new one wrote into volumes stays; what it wrote elsewhere is lost.",),
        deadline=4 * WRITE_PATIENCE + (facts.grace or 0),
    )


async def roll_back_facts(client: DockerHosts, target: str, name: str) -> RollBackFacts:
    """The facts about whoever has this name now."""
    holder, begun = await _holder(client, target, name)
    found = await container_facts(client, holder)
    kept = {key: getattr(found, key) for key in ("state", "since", "name", "host", "steady", "grace")}
    return RollBackFacts(**kept, begun=begun, anew=holder != target)


async def _holder(client: DockerHosts, target: str, name: str) -> tuple[str, bool]:
    """Whoever has this name now, the old one when nobody has; and whether an update has been cut off."""
    engine, old = client.at(target)
    pair = await Pair.of(engine, name, old)
    new = pair.new if pair.new is not None and name_of(pair.new) == name else None
    return (f"{engine.name}/{new['Id']}" if new else target), pair.begun


async def renewal_facts(client: DockerHosts, target: str, name: str, image: str, look_outside: bool) -> RenewalFacts:
    """The facts about whoever has this name now, and about the image on offer."""
    engine = client.at(target)[0]
    holder, begun = await _holder(client, target, name)
    raw, facts = await facts_with_volumes(client, holder)
    offer = await pull_facts(client, engine.name, image, look_outside)
    mine = await engine.image(text(raw.get("Image"))) if raw else None
    here = [digest[:23] for digest in digests_of(mine or {}, image)]
    return RenewalFacts(
        **facts.model_dump(),
        here=offer.registry if offer.registry in here else next(iter(here), None),
        offered=offer.registry,
        begun=begun,
        anew=holder != target,
        fresh=offer.registry not in ("unknown", offer.local),
    )


async def _source(ctx: Context[DockerHosts], target: str, raw: Raw, facts: RenewalFacts) -> tuple[Raw, Raw]:
    """What it takes to make it anew, and what its image has brought. Raises Conflict where nobody could."""
    engine, old = ctx.client.at(target)
    if ctx.client.options.only_signed:
        raise Refused("DOCKER_CONTENT_TRUST is set, and the bot cannot check signatures: update it by hand.")
    if is_own(old):
        raise Refused("This bot runs in it, and cannot put another in its own place: update it by hand.")
    if facts.owner or facts.auto_remove:
        why = f"belongs to {facts.owner}: update it there" if facts.owner else "removes itself when it stops"
        raise Conflict(f"{facts.name} {why}.")
    if facts.anew or facts.begun:
        kept: Raw = {"body": {}}
        return kept, {}
    if facts.here == facts.offered and facts.offered != "unknown":
        raise Conflict(f"{facts.name} has the newest image of its tag already.")
    if not facts.alive:
        raise Conflict(f"{facts.name} does not run, so nobody could see whether the new one is well: start it first.")
    leaning = [item for item in await list_all(engine) if item.get("State") == "running"]
    shared = [ident for ident, carrier in (await carriers_of(engine, leaning)).items() if carrier == old]
    if names := sorted(name_of(item) for item in leaning if item["Id"] in shared):
        raise Conflict(f"{', '.join(names)} lives on its network and would lose it: make them anew together.")
    found, obstacle = await way_back(ctx.client, target)
    if found is None:
        raise Conflict(f"{facts.name} cannot be made anew: {obstacle}.")
    return found, record(record(await engine.image(text(raw.get("Image")))).get("Config"))


async def _notes(
    ctx: Context[DockerHosts], target: str, raw: Raw, facts: RenewalFacts, other_tag_than: str
) -> tuple[str, ...]:
    engine, old = ctx.client.at(target)
    notes = [*await warnings(ctx.client, target, facts, goes_away=False)]
    if facts.begun:
        notes.append(CUT_OFF)
    if facts.offered == "unknown":
        notes.append("What the registry offers is not known beforehand.")
    lost = size(await or_else(engine.ask(lambda api: written(api, old), patience=MEASURING), None), MB)
    if lost != 0:
        notes.append(f"Not taken along: {'what it wrote' if lost is None else f'{lost} MB'} outside of volumes.")
    if facts.unnamed_volumes:
        notes.append(f"Unnamed volumes ({len(facts.unnamed_volumes)}): mounted by the new one, too.")
    composed = project_of(labels_of(record(raw.get("Config"))))
    kept = named(plain(facts.name, old), "before", old)
    notes.append(f"The old one stays as {kept}, stopped, until a clean-up or compose's next up takes it away.")
    if composed and other_tag_than:
        notes.append(f"Its compose file still says {short(other_tag_than)}: the next up brings that back.")
    if _writes(raw):
        notes.append("Undo is partial: what the new one writes into its volumes and folders stays.")
    if await engine.ask(lambda api: api.podman):
        notes.append(LEFT_OUT.replace("Undo brings back", "the new one has"))
    return tuple(notes)


def _writes(raw: Raw) -> bool:
    """Whether it writes into anything that outlives it."""
    return any(mount.get("RW") is not False for mount in records(raw.get("Mounts")) if mount.get("Type") != "tmpfs")


def _tagged(image: str, tag: str | None) -> str:
    """The image to go to. Raises Conflict for what is no name, or stands still by its digest."""
    if image.startswith("sha256:") or ("@" in image and tag is None):
        raise Conflict("It was made from one image, not from a tag: say which tag it shall have, or make it by hand.")
    return f"{split(with_tag(image.partition('@')[0]))[0]}:{tag}" if tag else with_tag(image)
