"""Start, stop and restart a container."""

from tools.docker.facts import ContainerFacts, container_facts, has_started, warnings
from tools.docker.hosts import DockerHosts, service
from tools.docker.names import Container, is_own
from tools.docker.rows import STOPPED
from tools.kit import Call, Change, Conflict, Context, Risk


@service.tool(Risk.CHANGE, undo="stop it again")
async def start_container(ctx: Context[DockerHosts], container: Container) -> Change[ContainerFacts]:
    """Start a container that is stopped; use restart for one that runs."""
    facts = await ctx.read(container_facts, container)
    if facts.state == "paused":
        raise Conflict(f"{facts.name} is paused, and a start does not wake it: restart it instead.")

    async def do(hosts: DockerHosts) -> None:
        engine, reference = hosts.at(container)
        await engine.ask(lambda api: api.start(reference))

    def undo(before: ContainerFacts, net: str) -> Call | None:
        return None if before.alive else stop_container.call(container=container)

    return Change(
        f"Start {facts.name}",
        facts=facts,
        do=do,
        expect=lambda before, after: after.state == "running" and after.steady,
        undo=undo,
        notes=await warnings(ctx.client, container, facts, goes_away=False) if facts.state == "gone" else (),
    )


@service.tool(Risk.CHANGE, undo="start it again")
async def stop_container(ctx: Context[DockerHosts], container: Container) -> Change[ContainerFacts]:
    """Stop a running container; it stays stopped until somebody starts it."""
    facts = await ctx.read(container_facts, container)

    async def do(hosts: DockerHosts) -> None:
        engine, reference = hosts.at(container)
        await engine.ask(lambda api: api.stop(reference, timeout=facts.grace))

    def undo(before: ContainerFacts, net: str) -> Call | None:
        return start_container.call(container=container) if before.alive and not before.auto_remove else None

    own = is_own(container.partition("/")[2])
    notes = await warnings(ctx.client, container, facts, goes_away=True)
    if facts.auto_remove:
        notes += ("It removes itself when it stops: there is no undo.",)
    return Change(
        f"Stop {facts.name}",
        facts=facts,
        do=do,
        # One that removes itself is gone afterwards, as it should be; any other must still be there.
        expect=lambda before, after: after.state in STOPPED or (before.auto_remove and after.state == "gone"),
        undo=None if own else undo,
        notes=notes,
        deadline=60.0 + (facts.grace or 0),
    )


@service.tool(Risk.CHANGE)
async def restart_container(ctx: Context[DockerHosts], container: Container) -> Change[ContainerFacts]:
    """Restart a container: stop it if it runs, and start it again with the same image and settings."""
    facts = await ctx.read(container_facts, container)

    async def do(hosts: DockerHosts) -> None:
        engine, reference = hosts.at(container)
        await engine.ask(lambda api: api.restart(reference, timeout=_grace_of(facts)))

    notes = await warnings(ctx.client, container, facts, goes_away=False)
    if facts.state != "gone":
        notes += ("Back by itself, nothing to undo.",)
    return Change(
        f"Restart {facts.name}",
        facts=facts,
        do=do,
        expect=has_started,
        notes=notes,
        deadline=60.0 + _grace_of(facts),
    )


def _grace_of(facts: ContainerFacts) -> int:
    """Seconds to stop in; the SDK's restart knows no `without limit`."""
    return 240 if facts.grace is None else facts.grace
