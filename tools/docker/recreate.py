"""What it takes to make a removed container again, and making it."""

import re
from ipaddress import IPv4Address
from posixpath import normpath
from typing import Annotated, Literal

from tools.docker.dependencies import carriers, donors, lost, lost_networks
from tools.docker.facts import facts_from, inspect
from tools.docker.hosts import DockerHosts, Engine, service
from tools.docker.models import State
from tools.docker.names import list_all
from tools.docker.podman import unsayable
from tools.docker.rows import name_of, short, state_of
from tools.kit import (
    Change,
    Conflict,
    Context,
    Facts,
    Field,
    Gone,
    Ident,
    OutcomeUnknown,
    Refused,
    Risk,
    Shown,
    ToolFailed,
    Unauthorised,
    or_else,
    partly,
)
from tools.kit.raw import Raw, record, records, text, texts

_ENDPOINT = ("IPAMConfig", "Links", "Aliases", "DriverOpts", "GwPriority")


class RecreateFacts(Facts):
    """Whether there is room for the container, and its image."""

    state: Shown[State | Literal["gone"]]
    """State of the container that has this name now; `gone` when the name is free."""
    image_present: Shown[bool]
    name: Ident
    host: Ident
    image: Ident
    steady: bool = False


Net = Annotated[
    str, Field(description="Id of a kept configuration; only Undo knows one.", min_length=1, max_length=128)
]


@service.tool(Risk.CHANGE, hidden=True)
async def recreate_container(ctx: Context[DockerHosts], net: Net) -> Change[RecreateFacts]:
    """Make a removed container again from its kept configuration; only for Undo.

    It gets its name, settings, networks and volumes back; what it had written outside of volumes is lost.
    """
    if ctx.nets is None:
        raise ToolFailed("Nothing was kept to make a container from: create it the way it was created first.")
    kept = await ctx.nets.open(net)
    host, name, running = kept["host"], kept["name"], kept["running"]
    facts = await ctx.read(recreate_facts, host, name, kept["image_id"], kept["body"]["Image"])
    leaned_on = await carriers(ctx.client.one(host), {**kept["body"], "Config": kept["body"]})
    if clause := lost(leaned_on):
        raise Conflict(f"{name} cannot be made again as it was: {clause}.")

    async def do(hosts: DockerHosts) -> None:
        await _make(hosts, kept)

    notes = [f"{name} gets its settings, networks and volumes back; what it wrote elsewhere is lost."]
    if not facts.image_present:
        notes.append("Its image is gone from this host: pull it first.")
    return Change(
        f"Make {name} again",
        facts=facts,
        do=do,
        expect=lambda before, after: after.steady if running else after.state in ("created", "exited"),
        notes=tuple(notes),
    )


async def recreate_facts(client: DockerHosts, host: str, name: str, image_id: str, image: str) -> RecreateFacts:
    """Who has the name now, and whether the image is there."""
    engine = client.one(host)
    holder = next((item for item in await list_all(engine) if name_of(item) == name), None)
    steady, settles = False, None
    if holder is not None:
        raw, now = await inspect(client, f"{host}/{holder['Id']}")
        found = facts_from(raw, now, f"{host}/{holder['Id']}")
        steady, settles = found.steady, found.settles
    return RecreateFacts(
        state="gone" if holder is None else state_of(holder.get("State")),
        image_present=await engine.image(image_id) is not None,
        name=name,
        host=host,
        image=short(image),
        steady=steady,
    ).settling(settles)


async def way_back(client: DockerHosts, target: str) -> tuple[Raw | None, str]:
    """Everything needed to make this container again, secrets included; or why nobody could, as a clause."""
    raw, _ = await inspect(client, target)
    if raw is None:
        return None, ""
    engine, reference = client.at(target)
    clause = await _obstacle(engine, raw, reference)
    return (None, clause) if clause else (_snapshot(raw, target), "")


async def _obstacle(engine: Engine, raw: Raw, reference: str) -> str:
    """What the engine would refuse to make it again for, as far as it can be asked beforehand."""
    for needed in (*await carriers(engine, raw), *await donors(engine, raw)):
        if needed.state == "gone":
            return needed.trouble
    for network, replaced in (await lost_networks(engine, raw)).items():
        if not replaced:  # a new one of that name takes it in
            return f"its network {network} is gone"
    try:
        if await engine.image(text(raw.get("Image"))) is None:
            return "its image is gone from this host"
    except (Refused, Unauthorised):
        return "nobody lets this bot see its image"
    if not await engine.ask(lambda api: api.podman):
        return ""
    try:
        return unsayable(raw, await engine.ask(lambda api: api.podmans_own(reference)))
    except (Gone, Refused, Unauthorised):
        return "Podman does not tell enough of it here"


def _snapshot(raw: Raw, target: str) -> Raw:
    config, settings = dict(record(raw.get("Config"))), dict(record(raw.get("HostConfig")))
    mode = text(settings.get("NetworkMode"))
    reference = target.partition("/")[2]
    shared = mode.startswith("container:")
    # The engine made these up, or refuses them: a borrowed network stack brings its own names and ports.
    if shared or settings.get("UTSMode") == "host" or config.get("Hostname") == reference[:12]:
        config.pop("Hostname", None)
    if config.get("Entrypoint") is None:
        # None here is "cleared", which a create request says with an empty word; its own null is "as in the image".
        config["Entrypoint"] = [""]
    if shared:
        for key in ("Domainname", "ExposedPorts", "MacAddress"):
            config.pop(key, None)
    _keep_volumes(settings, records(raw.get("Mounts")))
    networks = record(record(raw.get("NetworkSettings")).get("Networks"))
    main = "bridge" if mode == "default" else mode
    first = next((key for key, value in networks.items() if main in (key, record(value).get("NetworkID"))), "")
    if not first and not shared and networks:
        # It has left the network it was made in, and must not come back into it.
        first = settings["NetworkMode"] = next(iter(networks))
    return {
        "host": target.partition("/")[0],
        "name": text(raw.get("Name")).removeprefix("/"),
        "image_id": text(raw.get("Image")),
        "running": record(raw.get("State")).get("Status") in ("running", "paused", "restarting"),
        "body": {**config, "HostConfig": settings},
        "networks": {} if shared else {key: _endpoint(record(value), reference) for key, value in networks.items()},
        "first": first,
    }


def needed(kept: Raw) -> set[str]:
    """The image, networks and volumes without which a kept configuration makes no container again."""
    settings = record(record(kept.get("body")).get("HostConfig"))
    binds = [bind.partition(":")[0] for bind in texts(settings.get("Binds"))]
    mounts = [text(item.get("Source")) for item in records(settings.get("Mounts"))]
    return {text(kept.get("image_id")), *record(kept.get("networks")), *binds, *mounts} - {""}


def _keep_volumes(settings: Raw, mounts: list[Raw]) -> None:
    """Name the unnamed volumes, so that the new container mounts the old data instead of making new ones."""
    by_place = {text(mount.get("Destination")): mount for mount in mounts if mount.get("Type") == "volume"}
    wanted = [dict(item) for item in records(settings.get("Mounts"))]
    for item in wanted:
        place = normpath(text(item.get("Target")))
        if item.get("Type") == "volume" and not item.get("Source") and place in by_place:
            item["Source"] = by_place[place].get("Name")
    binds = texts(settings.get("Binds"))
    taken = {normpath(text(item.get("Target"))) for item in wanted} | {_place(bind) for bind in binds}
    for place, mount in by_place.items():
        if place not in taken:
            binds.append(f"{mount.get('Name')}:{place}{'' if mount.get('RW', True) else ':ro'}")
    settings["Binds"] = binds or None
    if wanted:
        settings["Mounts"] = wanted


def _place(bind: str) -> str:
    """Where a bind is mounted; spelled as the engine lists it, without a slash at its end."""
    parts = bind.split(":")
    return normpath(parts[1] if len(parts) > 1 else parts[0])


def _endpoint(given: Raw, reference: str) -> Raw:
    """The settings of one network that were chosen, without what the engine assigned."""
    kept = {key: given[key] for key in _ENDPOINT if given.get(key)}
    if aliases := [alias for alias in texts(kept.get("Aliases")) if alias != reference[:12]]:
        kept["Aliases"] = aliases
    else:
        kept.pop("Aliases", None)
    mac = text(given.get("MacAddress"))
    if mac and mac != _derived(text(given.get("IPAddress"))):
        kept["MacAddress"] = mac
    return kept


def _derived(address: str) -> str:
    """The hardware address that the engine itself gives to this address."""
    try:
        return "02:42:" + IPv4Address(address).packed.hex(":")
    except ValueError:
        return ""


async def _make(hosts: DockerHosts, kept: Raw) -> None:
    """Create, connect, start."""
    body = await _with_image(hosts, kept)
    await build(hosts.one(kept["host"]), kept, body, kept["name"], start=kept["running"])


async def build(engine: Engine, kept: Raw, body: Raw, name: str, *, start: bool = False) -> None:
    """Create and connect. Once something exists, a failure is an unknown outcome, not a clean one."""
    body, others = dict(body), dict(kept["networks"])
    if kept["first"] in others:
        body["NetworkingConfig"] = {"EndpointsConfig": {kept["first"]: others.pop(kept["first"])}}
    made = await _create(engine, body, name)
    reference = text(made.get("Id"))
    if not re.fullmatch(r"[0-9a-f]{64}", reference):
        raise OutcomeUnknown(f"The engine did not confirm that {name} was created: look before trying again.")
    try:
        for network, endpoint in others.items():
            await engine.ask(lambda api, n=network, e=endpoint: api.join_network(n, reference, e))  # type: ignore[misc]
        if start:
            await engine.ask(lambda api: api.start(reference))
    except ToolFailed as error:
        raise partly(f"{name} exists again, but is not complete.", error) from error


async def _create(engine: Engine, body: Raw, name: str) -> Raw:
    """The new container, not started. Raises ToolFailed."""
    try:
        return await engine.ask(lambda api: api.create(body, name))
    except OutcomeUnknown as failed:
        # Podman has HTTP 500 for whatever it refuses. An engine that has answered does no more: one look tells.
        if not failed.answered or await _exists(engine, name):
            raise
        refusal = Refused(f"The engine refused to make {name} again ({failed.said}): nothing was made.")
        refusal.outside = failed.outside
        raise refusal from failed


async def _exists(engine: Engine, name: str) -> bool:
    """Whether a container has this name; so it is taken to be when nobody can look."""
    try:
        return any(name_of(item) == name for item in await list_all(engine))
    except ToolFailed:
        return True


async def _with_image(hosts: DockerHosts, kept: Raw) -> Raw:
    """The create request with the very image it had: by its tag while that still means the same one."""
    body, engine = dict(kept["body"]), hosts.one(kept["host"])
    tagged = await or_else(engine.image(body["Image"]), None)
    if tagged is None or tagged.get("Id") != kept["image_id"]:
        body["Image"] = kept["image_id"]
    return body
