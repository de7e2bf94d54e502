"""Remove a container."""

import asyncio

from tools.docker.dependencies import end
from tools.docker.disk import MEASURING, written
from tools.docker.facts import ContainerFacts, inspected_facts, warnings
from tools.docker.hosts import WRITE_PATIENCE, DockerHosts, service
from tools.docker.names import Container, is_own, list_all
from tools.docker.orchestrators import no_undo
from tools.docker.podman import LEFT_OUT
from tools.docker.recreate import recreate_container, way_back
from tools.docker.rows import is_hex_id, name_of, volume_label
from tools.kit import (
    Call,
    Change,
    Conflict,
    Context,
    Gone,
    Ident,
    Refused,
    Risk,
    Shown,
    ToolFailed,
    Unauthorised,
    or_else,
    partly,
)
from tools.kit.raw import MB, Raw, records, size, text, texts


class RemovalFacts(ContainerFacts):
    """A container with the data it is attached to."""

    named_volumes: Shown[tuple[Ident, ...]] = ()
    """Volumes that stay, by name."""
    unnamed_volumes: Shown[tuple[Ident, ...]] = ()
    """Volumes nobody named: they stay, too, but only Undo would find them again."""


@service.tool(Risk.DESTROY, undo="make it again from its configuration, with its networks and volumes")
async def remove_container(ctx: Context[DockerHosts], container: Container) -> Change[RemovalFacts]:
    """Remove a container for good; its volumes and its image stay.

    Use stop instead when it should only be quiet. What it wrote outside of volumes is lost.
    """
    facts = await ctx.read(removal_facts, container)

    async def do(hosts: DockerHosts) -> None:
        engine, reference = hosts.at(container)
        if facts.alive:
            await end(engine, reference, facts)
        try:
            # `v=False`: no volume goes with it. Force covers one that came back between the two requests.
            await engine.ask(lambda api: api.remove_container(reference, v=False, force=facts.alive))
        except ToolFailed as error:
            if not facts.alive:
                raise
            if not (facts.auto_remove and isinstance(error, Gone | Conflict)):
                raise partly("It was stopped, but perhaps not removed.", error) from error
            # One that removes itself when it stops is gone, or on its way.

    own = is_own(container.partition("/")[2])
    await _check_released(ctx.client, container, facts)
    net, obstacle = (None, "") if own or facts.owner else await way_back(ctx.client, container)

    def undo(before: RemovalFacts, net: str) -> Call | None:
        return recreate_container.call(net=net) if net and before.state != "gone" else None

    notes = await _notes(ctx.client, container, facts)
    return Change(
        f"Remove {facts.name}",
        facts=facts,
        do=do,
        expect=lambda before, after: after.state == "gone",
        undo=undo if net else None,
        net=net,
        notes=(*notes, *await _about_undo(ctx.client, container, facts, net, obstacle)),
        deadline=WRITE_PATIENCE * 2 + (facts.grace or 0),
    )


async def removal_facts(client: DockerHosts, target: str) -> RemovalFacts:
    """The facts about a container and its volumes."""
    return (await facts_with_volumes(client, target))[1]


async def facts_with_volumes(client: DockerHosts, target: str) -> tuple[Raw, RemovalFacts]:
    """The same, and the inspection that they are from; empty when it is gone."""
    raw, facts = await inspected_facts(client, target)
    names = [text(item.get("Name")) for item in records(raw.get("Mounts")) if item.get("Type") == "volume"]
    return raw, RemovalFacts(
        **facts.model_dump(),
        named_volumes=tuple(sorted(name for name in names if not is_hex_id(name))),
        unnamed_volumes=tuple(sorted(volume_label(name) for name in names if is_hex_id(name))),
    )


async def _check_released(client: DockerHosts, target: str, facts: RemovalFacts) -> None:
    """Podman removes nothing that others share something of, it would only be stopped. Raises Conflict."""
    engine, reference = client.at(target)
    if facts.state == "gone" or not await engine.ask(lambda api: api.podman):
        return

    async def leans(item: Raw) -> bool:
        try:
            native = await engine.ask(lambda api: api.podmans_own(item["Id"]))
        except (Gone, Refused, Unauthorised):
            return False
        return reference in texts(native.get("Dependencies"))

    items = await list_all(engine)
    leaning = await asyncio.gather(*map(leans, items))
    if names := sorted(name_of(item) for item, does in zip(items, leaning, strict=True) if does):
        raise Conflict(f"Podman removes {facts.name} only after {', '.join(names[:8])}: remove that first.")


async def _notes(client: DockerHosts, target: str, facts: RemovalFacts) -> tuple[str, ...]:
    notes = list(await warnings(client, target, facts, goes_away=is_own(target.partition("/")[2])))
    if facts.state == "gone":
        return tuple(notes)
    if facts.alive:
        notes.append(f"{facts.state.capitalize()}: stopped, then removed.")
    engine, reference = client.at(target)
    lost = size(await or_else(engine.ask(lambda api: written(api, reference), patience=MEASURING), None), MB)
    # How much it wrote is decoration; that it is lost is not.
    notes.append(f"Lost: {'what it wrote' if lost is None else f'{lost} MB'} outside of volumes, and its log.")
    if facts.restart_policy == "no" and not facts.owner:
        notes.append("Restart policy is no.")
    return tuple(notes)


async def _about_undo(
    client: DockerHosts, target: str, facts: RemovalFacts, net: Raw | None, obstacle: str
) -> tuple[str, ...]:
    notes = []
    if facts.unnamed_volumes:
        fate = "lost with it" if facts.auto_remove else "kept, and mounted again by Undo" if net else "kept"
        notes.append(f"Unnamed volumes ({len(facts.unnamed_volumes)}): {fate}.")
    if facts.owner:
        notes.append(no_undo(facts.owner))
    elif obstacle:
        notes.append(f"No undo: {obstacle}.")
    elif net is not None and await client.at(target)[0].ask(lambda api: api.podman):
        notes.append(LEFT_OUT)
    return tuple(notes)
