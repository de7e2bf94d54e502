"""Putting a new container in an old one's place, step by step, with a way back at each of them.

The names on the engine are the record: the new one is made as `NAME.next-ID`, the old one is kept as `NAME.before-ID`.
Whoever comes after a crash reads from them what is done; the two never run at the same time.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from tools.docker.facts import STEADY_SECONDS, facts_from
from tools.docker.hosts import Engine
from tools.docker.names import list_all
from tools.docker.recreate import build
from tools.docker.rows import name_of, policy_of
from tools.kit import Refused, ToolFailed, or_else, partly
from tools.kit.raw import Raw, record, text, texts

HEALTH_SECONDS, LOOK_EVERY = 120.0, 0.5
"""How long a new container may take to become healthy, and the pause between two looks."""
FROM_IMAGE = ("Cmd", "Entrypoint", "Healthcheck", "OnBuild", "Shell", "StopSignal", "User", "WorkingDir")
"""Settings that an inspection shows as the container's own although the image has brought them."""


def named(name: str, role: str, old: str) -> str:
    """What one of the two is called while they are apart."""
    return f"{name}.{role}-{old[:12]}"


def plain(name: str, ident: str) -> str:
    """The name that a container has had, or will have."""
    return name.removesuffix(f".before-{ident[:12]}")


@dataclass(frozen=True)
class Pair:
    """The two as the engine lists them now; None where there is no such container."""

    old: Raw | None
    new: Raw | None
    name: str

    @classmethod
    async def of(cls, engine: Engine, name: str, old: str) -> "Pair":
        """Raises ToolFailed."""
        items = await list_all(engine)
        theirs = (named(name, "next", old), name)
        return cls(
            next((item for item in items if item["Id"] == old), None),
            next((item for item in items if name_of(item) in theirs and item["Id"] != old), None),
            name,
        )

    @property
    def begun(self) -> bool:
        """Whether one has been made for the other's place, and has never run in it."""
        new, old = self.new, self.old
        if old is None:
            return False
        return name_of(old) != self.name if new is None else new.get("State") == "created"


def for_image(kept: Raw, image: str, defaults: Raw) -> Raw:
    """The kept configuration for another image: what the old image has brought is left to the new one."""
    body = {key: value for key, value in record(kept["body"]).items()}
    own_entrypoint = body.get("Entrypoint") not in (defaults.get("Entrypoint"), [""])
    for key in FROM_IMAGE:
        # A command of one's own image goes with its entry point; beside another one it was meant for that.
        if body.get(key) == defaults.get(key) and not (key == "Cmd" and own_entrypoint):
            body.pop(key, None)
    if defaults.get("Entrypoint") is None and body.get("Entrypoint") == [""]:
        body.pop("Entrypoint")
    body["Env"] = [line for line in texts(body.get("Env")) if line not in texts(defaults.get("Env"))]
    for key in ("Labels", "ExposedPorts", "Volumes"):
        theirs = record(defaults.get(key))
        body[key] = {
            name: value for name, value in record(body.get(key)).items() if (name, value) not in theirs.items()
        }
    return {**kept, "body": {**body, "Image": image}}


async def place(engine: Engine, name: str, old: str, grace: int | None) -> AsyncIterator[str]:
    """Put the new one in the old one's place; what is done already is not done again. Raises ToolFailed."""
    pair = await Pair.of(engine, name, old)
    if pair.old is None or pair.new is None:
        raise Refused("One of the two containers is gone.")
    new, policy = pair.new["Id"], policy_of(await engine.ask(lambda api: api.inspect_container(old)))
    if name_of(pair.old) == name:
        yield "Keeping the old container under another name"
        await engine.ask(lambda api: api.rename(old, named(name, "before", old)))
    if name_of(pair.new) != name:
        yield "Giving its name to the new one"
        await engine.ask(lambda api: api.rename(new, name))
    if policy != "no":
        yield "Making sure that the old one stays off"
        await _restarting(engine, old, {"Name": "no", "MaximumRetryCount": 0})
    if pair.old.get("State") not in ("exited", "created", "dead"):
        yield "Stopping the old container"
        await engine.ask(lambda api: api.stop(old, timeout=grace))
    yield "Starting the new container"
    await engine.ask(lambda api: api.start(new))
    yield "Waiting until it is well"
    await _well(engine, new)


async def take_back(engine: Engine, name: str, old: str) -> None:
    """Let the old one run again under its name, and remove the new one. Raises ToolFailed."""
    pair = await Pair.of(engine, name, old)
    if pair.old is None:
        raise Refused("The old container is gone.")
    policy: Raw = {}
    if pair.new is not None:
        new = pair.new["Id"]
        raw = await engine.ask(lambda api: api.inspect_container(new))
        policy = record(record(raw.get("HostConfig")).get("RestartPolicy"))
        if pair.new.get("State") not in ("exited", "created", "dead"):
            await engine.ask(lambda api: api.stop(new))
        await engine.ask(lambda api: api.remove_container(new, v=False, force=True))
    if name_of(pair.old) != name:
        await engine.ask(lambda api: api.rename(old, name))
    if policy:
        await _restarting(engine, old, policy)
    await engine.ask(lambda api: api.start(old))


async def prepare(engine: Engine, kept: Raw, name: str, old: str) -> None:
    """Make the new one, not started, beside the old one. Raises ToolFailed: then there is none."""
    try:
        await build(engine, kept, record(kept["body"]), named(name, "next", old))
    except ToolFailed as error:
        try:
            await forget(engine, name, old)
        except ToolFailed as failed:
            raise partly(f"{named(name, 'next', old)} may have been left behind.", error, failed) from error
        refusal = Refused(f"The new container could not be made: {error} The old one was not touched.")
        refusal.outside = error.outside
        raise refusal from error


async def forget(engine: Engine, name: str, old: str) -> None:
    """Remove what was made for the old one's place and is not in it. Raises ToolFailed."""
    new = (await Pair.of(engine, name, old)).new
    if new is not None and name_of(new) != name:
        await engine.ask(lambda api: api.remove_container(new["Id"], v=False, force=True))


async def _restarting(engine: Engine, container: str, policy: Raw) -> None:
    """Say when the engine shall start it by itself; Podman knows no such request, and only does so at boot."""
    podman = await engine.ask(lambda api: api.podman)
    changed = engine.ask(lambda api: api.set_restart_policy(container, policy))
    await (or_else(changed, None) if podman else changed)


async def _well(engine: Engine, container: str) -> None:
    """Wait until it runs steadily, and is healthy where it says so. Raises Refused."""
    clock = asyncio.get_running_loop().time
    until = clock() + HEALTH_SECONDS

    def look(api: Any) -> Any:
        return api.inspect_container(container), api.now()

    while True:
        raw, now = await engine.ask(look)
        seen = facts_from(raw, now, f"{engine.name}/{container}")
        if seen.state != "running":
            code = text(record(raw.get("State")).get("Status"))
            raise Refused(f"The new container did not stay up ({code}).")
        if seen.health == "unhealthy":
            raise Refused("The new container is unhealthy.")
        if seen.steady and seen.health != "starting":
            return
        if clock() > until:
            raise Refused(f"The new container was not healthy after {HEALTH_SECONDS:.0f} s.")
        await asyncio.sleep(min(LOOK_EVERY, STEADY_SECONDS))
