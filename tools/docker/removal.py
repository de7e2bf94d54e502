"""Remove a container."""

from tools.docker.clean import MB, is_hex_id, records, size, text
from tools.docker.disk import MEASURING, or_else, written
from tools.docker.facts import ContainerFacts, facts_from, inspect, warnings
from tools.docker.hosts import WRITE_PATIENCE, DockerHosts, service
from tools.docker.names import Container, is_own
from tools.docker.recreate import recreate_container, snapshot
from tools.docker.rows import volume_label
from tools.kit import Call, Change, Conflict, Context, Gone, Ident, OutcomeUnknown, Risk, Shown, ToolFailed


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
            await engine.ask(lambda api: api.stop(reference, timeout=facts.grace))
        try:
            # `v=False`: no volume goes with it. Force covers one that came back between the two requests.
            await engine.ask(lambda api: api.remove_container(reference, v=False, force=facts.alive))
        except ToolFailed as error:
            if not facts.alive:
                raise
            if not (facts.auto_remove and isinstance(error, Gone | Conflict)):
                raise OutcomeUnknown(f"It was stopped, but perhaps not removed. {error}") from error
            # One that removes itself when it stops is gone, or on its way.

    own = is_own(container.partition("/")[2])

    def undo(before: RemovalFacts, net: str) -> Call | None:
        return recreate_container.call(net=net) if net and before.state != "gone" else None

    return Change(
        f"Remove {facts.name}",
        facts=facts,
        do=do,
        expect=lambda before, after: after.state == "gone",
        undo=None if own else undo,
        net=None if own else await snapshot(ctx.client, container),
        notes=await _notes(ctx.client, container, facts),
        deadline=WRITE_PATIENCE * 2 + (facts.grace or 0),
    )


async def removal_facts(client: DockerHosts, target: str) -> RemovalFacts:
    """The facts about a container and its volumes."""
    raw, now = await inspect(client, target)
    names = [text(item.get("Name")) for item in records((raw or {}).get("Mounts")) if item.get("Type") == "volume"]
    return RemovalFacts(
        **facts_from(raw, now, target).model_dump(),
        named_volumes=tuple(sorted(name for name in names if not is_hex_id(name))),
        unnamed_volumes=tuple(sorted(volume_label(name) for name in names if is_hex_id(name))),
    )


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
    if facts.unnamed_volumes:
        fate = "lost with it" if facts.auto_remove else "kept, and mounted again by Undo"
        notes.append(f"Unnamed volumes ({len(facts.unnamed_volumes)}): {fate}.")
    if facts.restart_policy == "no":
        notes.append("Restart policy is no.")
    return tuple(notes)
