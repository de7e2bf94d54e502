"""What has happened on a host: its events in a span that has ended, why something was killed, what was written."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Annotated, Literal

from tools.docker.disk import MEASURING, written
from tools.docker.hosts import DockerHosts, Engine, service
from tools.docker.models import State
from tools.docker.names import Container, Host
from tools.docker.rows import since_of, state_of
from tools.kit import Context, Field, Ident, Listing, Result, Risk, listed, or_else
from tools.kit.raw import MB, MIB, Raw, moment, one_of, record, size, text, to_second, whole

NOISE = ("exec_create", "exec_start", "exec_die", "exec_detach", "top")
"""Events of health checks and of whoever looks: there may be thousands, and they say nothing."""
Kind = Literal["container", "image", "network", "volume", "other"]
Ended = Literal[
    "the kernel killed it: it reached its own memory limit",
    "the kernel killed it: the host had no memory left",
    "a process in it was killed for memory, and it went on",
    "killed, and not for memory as far as the engine knows",
    "not killed: it was stopped or ended by itself",
    "not killed: it runs",
]


class Happened(Result):
    """One event."""

    at: datetime | None
    host: Ident
    kind: Kind
    action: Ident
    name: Ident
    exit_code: int | None = None


class Events(Listing):
    """What happened, the newest first."""

    events: list[Happened]


class Killed(Result):
    """Why a container was killed, as far as the engine knows."""

    host: Ident
    name: Ident
    state: State
    verdict: Ended
    exit_code: int | None = None
    memory_limit_mb: float | None = None
    """Absent: none but the host's own memory."""
    since: datetime | None = None
    oom_events: int
    """How often the kernel took memory away from it in the last day, by the engine's events."""


class Path(Result):
    """Something in a container that its image has otherwise."""

    path: Ident
    kind: Literal["changed", "added", "deleted"]


class Written(Listing):
    """What a container has in its own layer: it goes when the container is made anew."""

    host: Ident
    name: Ident
    size_mb: float | None = None
    paths: list[Path]


@service.tool(Risk.READ)
async def get_events(
    ctx: Context[DockerHosts],
    host: Host | None = None,
    minutes: Annotated[int, Field(description="How far to look back, in minutes.", ge=1, le=1440)] = 60,
) -> Events:
    """List what happened on the hosts lately: starts, deaths, kills, pulls; use it for "what changed?"."""
    found, down = await ctx.client.each(lambda engine: _events(engine, minutes), host)
    rows = sorted(chain(*found.values()), key=lambda row: row.at.timestamp() if row.at else 0.0)[::-1]
    shown, more = listed(rows)
    return Events(events=shown, more=more, down=down)


@service.tool(Risk.READ)
async def find_oom(ctx: Context[DockerHosts], container: Container) -> Killed:
    """Find out why a container was killed: by the kernel for memory, and whose, or by somebody."""
    engine, reference = ctx.client.at(container)
    raw = await engine.ask(lambda api: api.inspect_container(reference))
    nothing: list[Raw] = []
    told = await or_else(_told(engine, 1440, {"container": [reference], "event": ["oom"]}), nothing)
    state, limit = record(raw.get("State")), whole(record(raw.get("HostConfig")).get("Memory"))
    return Killed(
        host=engine.name,
        name=text(raw.get("Name")).removeprefix("/") or reference[:12],
        state=state_of(state.get("Status")),
        verdict=_ended(state, bool(limit), len(told)),
        exit_code=whole(state.get("ExitCode")),
        memory_limit_mb=size(limit, MIB) if limit else None,
        since=since_of(state),
        oom_events=len(told),
    )


@service.tool(Risk.READ)
async def get_container_changes(ctx: Context[DockerHosts], container: Container) -> Written:
    """List the files a container has written beside its volumes: what it would lose by being made anew."""
    engine, reference = ctx.client.at(container)
    raw, told = await engine.ask(lambda api: (api.inspect_container(reference), api.differences(reference)))
    paths, more = listed([*_paths(told)])
    taken = await or_else(engine.ask(lambda api: written(api, reference), patience=MEASURING), None)
    name = text(raw.get("Name")).removeprefix("/") or reference[:12]
    return Written(host=engine.name, name=name, size_mb=size(taken, MB), paths=paths, more=more)


def _paths(told: list[Raw]) -> Iterator[Path]:
    """What differs, without the folders that do so only because something in them does."""
    kinds: dict[int, Literal["changed", "added", "deleted"]] = {0: "changed", 1: "added", 2: "deleted"}
    names = sorted((text(item.get("Path")), whole(item.get("Kind")) or 0) for item in told)
    for number, (path, kind) in enumerate(names):
        after = names[number + 1][0] if number + 1 < len(names) else ""
        if path and kind in kinds and not (kind == 0 and after.startswith(f"{path}/")):
            yield Path(path=path, kind=kinds[kind])


def _ended(state: Raw, limited: bool, events: int) -> Ended:
    if state.get("Status") in ("running", "paused"):
        return "a process in it was killed for memory, and it went on" if events else "not killed: it runs"
    if state.get("OOMKilled") is True or (events and state.get("ExitCode") == 137):
        return (
            "the kernel killed it: it reached its own memory limit"
            if limited
            else "the kernel killed it: the host had no memory left"
        )
    killed = state.get("ExitCode") == 137
    return (
        "killed, and not for memory as far as the engine knows"
        if killed
        else ("not killed: it was stopped or ended by itself")
    )


async def _told(engine: Engine, minutes: int, filters: dict[str, list[str]]) -> list[Raw]:
    return await engine.ask(lambda api: api.events_of_last(minutes * 60, filters))


async def _events(engine: Engine, minutes: int) -> list[Happened]:
    told = await _told(engine, minutes, {})
    return [_happened(engine.name, each) for each in told if text(each.get("Action")).partition(":")[0] not in NOISE]


def _happened(host: str, event: Raw) -> Happened:
    actor = record(event.get("Actor"))
    about = record(actor.get("Attributes"))
    code = text(about.get("exitCode"))
    return Happened(
        at=to_second(moment(event.get("time"))),
        host=host,
        kind=one_of(event.get("Type"), ("container", "image", "network", "volume"), "other"),
        action=text(event.get("Action")).partition(":")[0],
        name=text(about.get("name")) or text(actor.get("ID"))[:19],
        exit_code=int(code) if code.isascii() and code.isdigit() and len(code) < 6 else None,
    )
