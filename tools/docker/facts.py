"""What a person must know before a container is changed, read afresh as often as needed."""

from datetime import datetime
from typing import Any, Literal

from tools.docker.dependencies import carriers
from tools.docker.hosts import DockerHosts
from tools.docker.models import Health, RestartPolicy, State
from tools.docker.names import carriers_of, is_own, list_all
from tools.docker.orchestrators import ending_owned, owner_of
from tools.docker.rows import (
    DEPENDS_LABEL,
    PROJECT_LABEL,
    SERVICE_LABEL,
    health_of,
    is_looping,
    labels_of,
    name_of,
    policy_of,
    short,
    since_of,
    state_of,
)
from tools.kit import Facts, Gone, Ident, Shown
from tools.kit.raw import Raw, moment, record, text, whole

STEADY_SECONDS = 2.0
"""A process that lives this long has not died of its start."""
DEFAULT_GRACE, LONGEST_GRACE = 10, 240
"""Seconds between the polite and the impolite signal of a stop."""


STAYS_SILENT = "This bot runs in it: it falls silent for good, and nobody is left to undo this or to start it again."


class ContainerFacts(Facts):
    """A container as a change finds it. One that keeps crashing is `restarting`, whatever this instant shows."""

    state: Shown[State | Literal["gone"]]
    health: Shown[Health]
    since: Shown[datetime | None]
    """When it got into this state; absent while it keeps crashing, or no card would stay valid."""
    image: Shown[Ident | None]
    name: Ident
    host: Ident
    started: datetime | None = None
    """The exact moment of the last start."""
    alive: bool = False
    """Whether the engine keeps it going: running, paused, or between two restarts."""
    steady: bool = False
    """Running, and for longer than a failing start takes."""
    restarts: int | None = None
    restart_policy: RestartPolicy = "no"
    auto_remove: bool = False
    grace: int | None = DEFAULT_GRACE
    """Seconds it is given to stop by itself; None: without limit."""
    lacks: Shown[tuple[Ident, ...]] = ()
    """Containers that are gone and whose network, processes or memory it shares: without them it cannot start."""
    owner: Ident | None = None
    """The orchestrator that decides whether it runs, and what it is there: `swarm/web`."""


async def inspect(client: DockerHosts, target: str) -> tuple[Raw | None, float]:
    """The container as the engine describes it, None when it is gone, and the engine's time."""
    engine, reference = client.at(target)
    try:
        return await engine.ask(lambda api: (api.inspect_container(reference), api.now()))
    except Gone:
        return None, 0.0


async def container_facts(client: DockerHosts, target: str) -> ContainerFacts:
    """The facts about one container; one that does not exist any more has the state `gone`."""
    return (await inspected_facts(client, target))[1]


async def inspected_facts(client: DockerHosts, target: str) -> tuple[Raw, ContainerFacts]:
    """The facts about one container, and the inspection that they are from; empty when it is gone."""
    raw, now = await inspect(client, target)
    facts = facts_from(raw, now, target)
    if raw is None:
        return {}, facts
    found = await carriers(client.at(target)[0], raw)
    lacks = tuple(sorted(carrier.name for carrier in found if carrier.state == "gone"))
    return raw, facts.model_copy(update={"lacks": lacks})


def facts_from(raw: Raw | None, now: float, target: str) -> ContainerFacts:
    """The facts in an inspection."""
    host, _, reference = target.partition("/")
    if raw is None:
        return ContainerFacts(state="gone", health="none", since=None, image=None, name=reference[:12], host=host)
    state, config, settings = record(raw.get("State")), record(raw.get("Config")), record(raw.get("HostConfig"))
    restarts, started = whole(raw.get("RestartCount")), moment(state.get("StartedAt"))
    looping, running = is_looping(state, restarts, now), state.get("Status") == "running"
    age = now - started.timestamp() if running and not looping and started is not None else None
    left = None if age is None or age >= STEADY_SECONDS else min(STEADY_SECONDS - age, STEADY_SECONDS)
    return ContainerFacts(
        state="restarting" if looping else state_of(state.get("Status")),
        health=health_of(state) if running and not looping else "none",
        since=None if looping else since_of(state),
        image=short(text(config.get("Image"))) or None,
        name=text(raw.get("Name")).removeprefix("/") or reference[:12],
        host=host,
        started=started,
        alive=state.get("Status") in ("running", "paused", "restarting"),
        steady=age is not None and left is None,
        restarts=restarts,
        restart_policy=policy_of(raw),
        auto_remove=settings.get("AutoRemove") is True,
        grace=_grace(config.get("StopTimeout")),
        owner=owner_of(labels_of(config)),
    ).settling(left)


async def dependents(client: DockerHosts, target: str) -> list[str]:
    """The running containers that would miss this one: on its network stack, or named in compose `depends_on`."""
    engine, reference = client.at(target)
    items = await list_all(engine)
    shared = await carriers_of(engine, [item for item in items if item.get("State") == "running"])
    project, role = _compose(next((item for item in items if item["Id"] == reference), {}))
    roles = {_compose(item) for item in items}
    found = []
    for item in items:
        theirs = _compose(item)[0]
        needs = {part.partition(":")[0] for part in labels_of(item).get(DEPENDS_LABEL, "").split(",")}
        # A name that its own project does not have can only mean the service of another one.
        composed = role in needs and (theirs == project or (theirs, role) not in roles)
        shares = shared.get(item["Id"]) == reference
        if item["Id"] != reference and item.get("State") == "running" and (shares or (role and composed)):
            found.append(name_of(item))
    return sorted(found)


async def warnings(client: DockerHosts, target: str, facts: ContainerFacts, *, goes_away: bool) -> tuple[str, ...]:
    """Lines for the card: what the change would take along."""
    notes = []
    if facts.state == "gone":
        return ("It does not exist any more.",)
    if is_own(target.partition("/")[2]):
        notes.append(
            STAYS_SILENT if goes_away else "This bot runs in it: it falls silent, and reports when it is back."
        )
    if facts.owner:
        notes.append(ending_owned(facts.owner, alive=facts.alive))
    elif facts.restart_policy == "no" and goes_away:
        notes.append("Restart policy is no: it does not come back by itself, not even after a reboot.")
    if missing := await dependents(client, target):
        more = f" and {len(missing) - 8} more" if len(missing) > 8 else ""
        notes.append(f"Needed by {', '.join(missing[:8])}{more}.")
    return tuple(notes)


def has_started(before: ContainerFacts, after: ContainerFacts) -> bool:
    """Whether the container has been started since, and lives."""
    moved = after.started is not None and (before.started is None or after.started > before.started)
    return moved and after.state == "running" and after.steady


def _compose(item: Raw) -> tuple[str, str]:
    """Project and service of a container that compose made."""
    labels = labels_of(item)
    return labels.get(PROJECT_LABEL, ""), labels.get(SERVICE_LABEL, "")


def _grace(value: Any) -> int | None:
    if isinstance(value, int) and value < 0:
        return None
    seconds = whole(value)
    return DEFAULT_GRACE if seconds is None else min(seconds, LONGEST_GRACE)
