"""Start, stop and restart a container."""

from functools import partial
from typing import TYPE_CHECKING

from tools.docker.dependencies import begin, carriers, end, hindrances, lost
from tools.docker.facts import ContainerFacts, container_facts, has_started, inspect, warnings
from tools.docker.hosts import DockerHosts, service
from tools.docker.names import Container, is_own
from tools.docker.orchestrators import no_undo, starting_owned
from tools.docker.podman import awake
from tools.docker.rows import STOPPED
from tools.kit import Call, Change, Conflict, Context, Risk

if TYPE_CHECKING:
    from tools.docker.session import Session


@service.tool(Risk.CHANGE, undo="stop it again", often=True)
async def start_container(ctx: Context[DockerHosts], container: Container) -> Change[ContainerFacts]:
    """Start a container that is stopped; use restart for one that runs."""
    facts = await ctx.read(container_facts, container)
    if facts.state == "paused":
        raise Conflict(f"{facts.name} is paused, and a start does not wake it: restart it instead.")

    async def do(hosts: DockerHosts) -> None:
        engine, reference = hosts.at(container)
        await begin(engine, reference, facts, lambda api: api.start(reference))

    def undo(before: ContainerFacts, net: str) -> Call | None:
        return None if before.alive else stop_container.call(container=container)

    if facts.state == "gone":
        notes = await warnings(ctx.client, container, facts, goes_away=False)
    else:
        notes = () if facts.alive else await _hindrances(ctx.client, container, facts)
    if facts.owner:
        notes += (starting_owned(facts.owner), no_undo(facts.owner))
    return Change(
        f"Start {facts.name}",
        facts=facts,
        do=do,
        expect=lambda before, after: after.state == "running" and after.steady,
        undo=None if facts.owner else undo,
        notes=notes,
    )


@service.tool(Risk.CHANGE, undo="start it again", often=True)
async def stop_container(ctx: Context[DockerHosts], container: Container) -> Change[ContainerFacts]:
    """Stop a running container; it stays stopped until somebody starts it."""
    facts = await ctx.read(container_facts, container)

    async def do(hosts: DockerHosts) -> None:
        engine, reference = hosts.at(container)
        await end(engine, reference, facts)

    def undo(before: ContainerFacts, net: str) -> Call | None:
        return start_container.call(container=container) if before.alive and not before.auto_remove else None

    for_good = is_own(container.partition("/")[2]) or facts.owner or facts.lacks
    notes = await warnings(ctx.client, container, facts, goes_away=True)
    if facts.auto_remove:
        notes += ("It removes itself when it stops: there is no undo.",)
    elif facts.owner:
        notes += (no_undo(facts.owner),)
    elif facts.lacks:
        raw, _ = await inspect(ctx.client, container)
        notes += (f"No undo: {lost(await carriers(ctx.client.at(container)[0], raw or {}))}.",)
    return Change(
        f"Stop {facts.name}",
        facts=facts,
        do=do,
        # One that removes itself is gone afterwards, as it should be, and an orchestrator may tidy up; any other stays.
        expect=lambda before, after: (
            after.state in STOPPED or ((before.auto_remove or bool(before.owner)) and after.state == "gone")
        ),
        undo=None if for_good else undo,
        notes=notes,
        deadline=60.0 + (facts.grace or 0),
    )


@service.tool(Risk.CHANGE, often=True)
async def restart_container(ctx: Context[DockerHosts], container: Container) -> Change[ContainerFacts]:
    """Restart a container: stop it if it runs, and start it again with the same image and settings."""
    facts = await ctx.read(container_facts, container)

    def restart(api: "Session", reference: str) -> None:
        with awake(api, reference, facts.state):
            api.restart(reference, timeout=_grace_of(facts))

    async def do(hosts: DockerHosts) -> None:
        engine, reference = hosts.at(container)
        await begin(engine, reference, facts, partial(restart, reference=reference))

    notes = await warnings(ctx.client, container, facts, goes_away=False)
    hindered = await _hindrances(ctx.client, container, facts)
    if hindered:
        notes += hindered
    elif facts.state != "gone" and not facts.owner:
        notes += ("Back by itself, nothing to undo.",)
    return Change(
        f"Restart {facts.name}",
        facts=facts,
        do=do,
        expect=has_started,
        notes=notes,
        deadline=60.0 + _grace_of(facts),
    )


async def _hindrances(client: DockerHosts, container: str, facts: ContainerFacts) -> tuple[str, ...]:
    raw, _ = await inspect(client, container)
    return await hindrances(client.at(container)[0], raw or {}, facts.name)


def _grace_of(facts: ContainerFacts) -> int:
    """Seconds to stop in; the SDK's restart knows no `without limit`."""
    return 240 if facts.grace is None else facts.grace
