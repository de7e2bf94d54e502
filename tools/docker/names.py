"""From what a person calls a container to the one container that is meant."""

import asyncio
import re
import socket
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

from tools.docker.hosts import DockerHosts, Engine
from tools.docker.rows import SERVICE_LABEL, is_forbidden, labels_of, name_of, short
from tools.kit import Down, Field, Gone, Resolve, Target, Unreachable
from tools.kit.lifelines import why_kept
from tools.kit.raw import Raw, record, records, text, whole
from tools.kit.types import outside_text, trusted_name

Listed = tuple[Engine, Raw]

_FULL_ID = re.compile(r"[0-9a-f]{64}")
_ID_START = re.compile(r"[0-9a-f]{6,64}")


async def list_all(engine: Engine) -> list[Raw]:
    """Every container of a host as the engine lists it."""
    return [item for item in records(await engine.ask(lambda api: api.containers(all=True))) if text(item.get("Id"))]


async def find_container(client: DockerHosts, wanted: str) -> list[Target]:
    """The containers a text may mean: `name`, `host/name`, `host/id`, an id or its start; exact matches win.

    Names match exactly first, then without regard to case, then as compose calls the service; look-alike letters never
    do.
    """
    host, slash, rest = wanted.strip().removeprefix("/").partition("/")
    hosts = _hosts(client, host) if slash else None
    reference = rest if slash else host
    if hosts == [] or not reference.isascii() or not reference:
        return []
    found, down = await client.each(list_all, hosts)
    everything = [(client[name], item) for name, items in found.items() for item in items]
    matches = _best(everything, reference)
    if not matches and down:
        raise _elsewhere(down)
    carriers: set[str] = set()
    for engine, item in everything:
        if is_own(text(item["Id"])):
            carriers |= {*(await carriers_of(engine, [item])).values()}
    return [_target(engine, item, carriers) for engine, item in matches]


async def suggest_container(client: DockerHosts, wanted: str) -> list[str]:
    """The nearest names, each with its host, for an answer that helps when nothing was found."""
    found, _ = await client.each(list_all)
    places: dict[str, list[str]] = {}
    for host, items in found.items():
        for item in items:
            places.setdefault(name_of(item), []).append(host)
    plain = wanted.strip().rpartition("/")[2].lower()
    by_lower = {name.lower(): name for name in places}
    near = [by_lower[match] for match in get_close_matches(plain, by_lower, n=3)]
    return [f"{name} ({host})" for name in near for host in places[name]]


def _elsewhere(down: list[Down]) -> Unreachable:
    hosts, why = ", ".join(each.name for each in down), " ".join(f"{each.name}: {each.reason}" for each in down)
    error = Unreachable(f"It may be on {hosts}, which does not answer now. {why}")
    error.outside = any(True for _ in outside_text(down))
    return error


def own_container_id(proc: Path = Path("/proc/self"), hostname: str | None = None) -> str:
    """The id of the container this program runs in, or its first twelve digits; empty outside of one."""
    for file, pattern in (
        ("cgroup", r"([0-9a-f]{64})(?:\.scope)?$"),
        ("mountinfo", r"containers/([0-9a-f]{64})/\S+ /etc/host(?:name|s)\b"),
    ):
        try:
            found = re.search(pattern, (proc / file).read_text(errors="replace"), re.MULTILINE)
        except OSError:
            continue
        if found:
            return found[1]
    name = socket.gethostname() if hostname is None else hostname
    return name if re.fullmatch(r"[0-9a-f]{12}", name) else ""


def is_own(container: str) -> bool:
    """Whether this program runs in that container."""
    own = own_container_id()
    return bool(own) and container.startswith(own)


def _hosts(client: DockerHosts, name: str) -> list[str]:
    """The host of this name, none when that is not clear."""
    alike = [host for host in client if name.isascii() and host.lower() == name.lower()]
    return [name] if name in client else alike if len(alike) == 1 else []


def _best(everything: list[Listed], reference: str) -> list[Listed]:
    """The matches of the strictest rule that has any."""
    if _FULL_ID.fullmatch(reference):
        return [found for found in everything if found[1]["Id"] == reference]
    exact = [found for found in everything if name_of(found[1]) == reference]
    alike = exact or [found for found in everything if name_of(found[1]).lower() == reference.lower()]
    alike = alike or [found for found in everything if reference.lower() in map(str.lower, compose_names(found[1]))]
    if alike or not _ID_START.fullmatch(reference):
        return alike
    return [found for found in everything if text(found[1]["Id"]).startswith(reference)]


def compose_names(item: Raw) -> tuple[str, ...]:
    """What its compose file calls a container, if it comes from one: the `jellyfin` of `media-jellyfin-1`."""
    name = labels_of(item).get(SERVICE_LABEL, "")
    return (name,) if name and trusted_name(name) else ()


async def carriers_of(engine: Engine, items: list[Raw]) -> dict[str, str]:
    """Container → the one whose network stack it uses, for those listed that have none of their own.

    Podman's list leaves the network mode out: there each is inspected.
    """

    async def mode(item: Raw) -> str:
        settings = record(item.get("HostConfig"))
        if not settings:
            with suppress(Gone):
                settings = await engine.ask(lambda api: record(api.inspect_container(item["Id"]).get("HostConfig")))
        return text(settings.get("NetworkMode"))

    modes = zip(items, await asyncio.gather(*map(mode, items)), strict=True)
    return {item["Id"]: found.removeprefix("container:") for item, found in modes if found.startswith("container:")}


def lifeline(item: Raw) -> str:
    """What would break for everyone, this bot among them, when a listed container goes away; empty when nothing."""
    ports = ((whole(port.get("PublicPort")), text(port.get("Type"))) for port in records(item.get("Ports")))
    return why_kept(text(item.get("Image")).partition("@")[0].rpartition("/")[2].partition(":")[0], ports)


def _protected(item: Raw, carriers: set[str]) -> str:
    if is_own(text(item["Id"])):
        return "this bot runs in it"
    if text(item["Id"]) in carriers:
        return "this bot's own network goes through it"
    return lifeline(item)


def _target(engine: Engine, item: Raw, carriers: set[str]) -> Target:
    name, container, image = name_of(item), text(item["Id"]), short(text(item.get("Image")))
    return Target(
        id=f"{engine.name}/{container}",
        name=name,
        detail=f"{engine.name} · {image}" if trusted_name(image) else engine.name,
        forbidden=is_forbidden(item),
        protected=_protected(item, carriers),
        aliases=(*dict.fromkeys((name, f"{engine.name}/{name}", container[:12], *compose_names(item))),),
        short=f"{engine.name}/{container[:12]}",
    )


Container = Annotated[
    str,
    Resolve(find_container, suggest_container),
    Field(description="Container: its name, host/name or id.", min_length=1, max_length=200),
]
Host = Annotated[
    str,
    Field(description="Name of a Docker host.", min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
]
