"""What a container leans on elsewhere: whose network it is in, which networks it joins; and what of that is missing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

from tools.docker.hosts import Engine
from tools.docker.models import State
from tools.docker.podman import awake
from tools.docker.rows import DEPENDS_LABEL, STOPPED, is_hex_id, labels_of, short, state_of
from tools.docker.versions import VersionRefused
from tools.kit import Conflict, Gone, OutcomeUnknown, Refused, ToolFailed, or_else
from tools.kit.raw import Raw, moment, record, records, text, texts
from tools.kit.types import trusted_name

if TYPE_CHECKING:
    from tools.docker.facts import ContainerFacts
    from tools.docker.session import Session

SHARED = {"NetworkMode": "its network comes", "PidMode": "its processes come", "IpcMode": "its shared memory comes"}
"""Setting that may say `container:…` → how a sentence about that begins."""


@dataclass(frozen=True)
class Carrier:
    """Another container that this one cannot be without."""

    name: str
    """Its name; of one that is gone, its id in short, or the name that it was asked for by."""
    state: State | Literal["gone"]
    what: str
    """`its network comes`"""
    called: str
    """Its name and id, as far as either is known."""

    @property
    def trouble(self) -> str:
        """Why this one cannot start, as a clause; empty when the carrier runs."""
        if self.state == "gone":
            return f"{self.what} from {self.called}, which is gone"
        return f"{self.what} from {self.called}, which does not run" if self.state in STOPPED else ""


async def carriers(engine: Engine, inspected: Raw) -> list[Carrier]:
    """The containers whose network, processes or memory an inspected one shares, as they are now."""
    settings = record(inspected.get("HostConfig"))
    modes = ((what, text(settings.get(key))) for key, what in SHARED.items())
    wanted = {mode.removeprefix("container:"): what for what, mode in modes if mode.startswith("container:")}
    return [await _carrier(engine, inspected, what, reference) for reference, what in wanted.items()]


async def donors(engine: Engine, inspected: Raw) -> list[Carrier]:
    """The containers that one has volumes or links from: only making it again needs them."""
    settings = record(inspected.get("HostConfig"))
    volumes = {given.partition(":")[0]: "its volumes come" for given in texts(settings.get("VolumesFrom"))}
    links = {given.removeprefix("/").partition(":")[0]: "its link comes" for given in texts(settings.get("Links"))}
    return [await _carrier(engine, inspected, what, reference) for reference, what in {**volumes, **links}.items()]


async def _carrier(engine: Engine, inspected: Raw, what: str, reference: str) -> Carrier:
    brief = short(reference)
    try:
        found = await engine.ask(lambda api: api.inspect_container(reference))
    except Gone:
        service = _only_dependency(inspected)
        return Carrier(brief, "gone", what, f"{service} ({brief}…)" if service and brief != reference else brief)
    name = text(found.get("Name")).removeprefix("/") or brief
    state = state_of(record(found.get("State")).get("Status"))
    return Carrier(name, state, what, f"{name} ({short(text(found.get('Id')))}…)")


def _only_dependency(inspected: Raw) -> str:
    """The one service that compose says it depends on: the id of what is gone says nothing to anybody."""
    needed = labels_of(record(inspected.get("Config"))).get(DEPENDS_LABEL, "").split(",")
    services = [part.partition(":")[0] for part in needed]
    return services[0] if len(services) == 1 and trusted_name(services[0]) else ""


async def lost_networks(engine: Engine, inspected: Raw) -> dict[str, bool]:
    """The networks that it joins and that are gone, by name, and whether another has that name now.

    A start looks for the very network that it was in; for one that has never been started the name decides.
    """
    joined = record(record(inspected.get("NetworkSettings")).get("Networks"))
    wanted = {name: text(record(endpoint).get("NetworkID")) for name, endpoint in joined.items() if name != "default"}
    # Podman writes a name for the id, and lets nobody remove a network that has members.
    wanted = {name: ident for name, ident in wanted.items() if not ident or is_hex_id(ident)}
    if not wanted:
        return {}
    try:
        listed = records(await engine.ask(lambda api: api.networks()))
    except ToolFailed:
        return {}  # a proxy may keep the networks to itself: what cannot be seen is not gone
    names, ids = ({text(item.get(key)) for item in listed} for key in ("Name", "Id"))
    return {name: name in names for name, ident in wanted.items() if (ident or name) not in names | ids}


def lost(found: list[Carrier]) -> str:
    """Why nothing but making it again helps, as a clause; empty when all of these are still there."""
    return next((carrier.trouble for carrier in found if carrier.state == "gone"), "")


async def hindrances(engine: Engine, inspected: Raw, name: str) -> tuple[str, ...]:
    """Lines for the card of a start that may fail. Raises Conflict where it cannot but fail."""
    found = await carriers(engine, inspected)
    if clause := lost(found):
        raise Conflict(f"{name} cannot start: {clause}. Make it again, with compose for example: its volumes stay.")
    lines = [f"{carrier.trouble}: start that first." for carrier in found if carrier.trouble]
    for network, replaced in (await lost_networks(engine, inspected)).items():
        also = ", and the one of that name is another" if replaced else ""
        lines.append(f"its network {network} is gone{also}: it cannot start until it is made again.")
    return tuple(f"{line[:1].upper()}{line[1:]}" for line in lines)


async def end(engine: Engine, container: str, before: "ContainerFacts") -> None:
    """Ask for a stop, in the time that it is given. Raises ToolFailed."""

    def stop(api: "Session") -> None:
        with awake(api, container, before.state):
            api.stop(container, timeout=before.grace)

    await engine.ask(stop)


async def begin(engine: Engine, container: str, before: "ContainerFacts", call: Callable[["Session"], Any]) -> None:
    """Ask for a start; what is refused for anything but the container itself says for what. Raises ToolFailed."""
    try:
        await engine.ask(call)
    except (Gone, Conflict, Refused, OutcomeUnknown) as error:
        now = await _look(engine, container)
        if not _is_refusal(error, before, now):
            raise
        said = reduce(lambda words, ident: words.replace(ident, short(ident)), _leans_on(now), error.said)
        refusal = Conflict(f"{before.name} cannot start: {said or 'the engine lacks something that it needs'}.")
        refusal.outside = error.outside
        raise refusal from error


async def _look(engine: Engine, container: str) -> Raw:
    """The container as it is now; empty when it is gone, or cannot be seen."""
    nothing: Raw = {}
    return await or_else(engine.ask(lambda api: api.inspect_container(container)), nothing)


def _is_refusal(error: ToolFailed, before: "ContainerFacts", now: Raw) -> bool:
    """Whether nothing was done, and for another reason than that the container is gone."""
    if isinstance(error, VersionRefused):
        return False  # it has not looked at the request
    if not isinstance(error, OutcomeUnknown):
        return bool(now) or not isinstance(error, Gone)
    # Much of what is missing is answered with HTTP 500, and an engine that has answered does no more.
    state = record(now.get("State"))
    idle = state.get("Status") in STOPPED and moment(state.get("StartedAt")) == before.started
    return error.answered and idle and not before.alive


def _leans_on(inspected: Raw) -> list[str]:
    """The ids of the containers and networks that an inspected container names."""
    settings, networks = record(inspected.get("HostConfig")), record(inspected.get("NetworkSettings"))
    modes = [text(settings.get(key)).removeprefix("container:") for key in SHARED]
    joined = [text(record(each).get("NetworkID")) for each in record(networks.get("Networks")).values()]
    return [ident for ident in (*modes, *joined) if is_hex_id(ident)]
