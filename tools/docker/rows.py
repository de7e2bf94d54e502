"""A container as the engine lists or inspects it, in typed fields. Shared by reads, facts and target search."""

import re
from datetime import datetime
from typing import Any, get_args

from tools.docker.models import ContainerRow, Health, RestartPolicy, State
from tools.kit.raw import Raw, moment, one_of, record, records, text, texts, to_second, whole

FORBID_LABEL = "rackhand.forbid"
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
DEPENDS_LABEL = "com.docker.compose.depends_on"
ONE_OFF_LABEL = "com.docker.compose.oneoff"
STOPPED = ("exited", "created", "dead")
"""States of a container that does not run and is not about to."""
LOOPING_RESTARTS, LOOPING_SECONDS = 3, 120
MOST_PORTS = 20
NO_TAG = "<none>:<none>"

_HEX64 = re.compile(r"[0-9a-f]{64}")
_EXITED = re.compile(r"(?:Exited|Restarting) \((\d{1,5})\)")
_UP = re.compile(r"Up (?:About an?|(\d{1,4})) (minute|hour|day|week|month|year)s?\b")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000, "year": 31_536_000}
_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)$")
_PORT = re.compile(r"[0-9]{1,5}")
_STATES: tuple[State, ...] = get_args(State)
_HEALTHS: tuple[Health, ...] = get_args(Health)
_POLICIES: tuple[RestartPolicy, ...] = get_args(RestartPolicy)


def short(identifier: str) -> str:
    """An id or digest in twelve digits, `sha256:` kept; other text as it is."""
    head, colon, digits = identifier.rpartition("sha256:")
    return f"{head}{colon}{digits[:12]}" if _HEX64.fullmatch(digits) else identifier


def is_hex_id(name: str) -> bool:
    """Whether a name is one that the engine made up, as for an anonymous volume."""
    return _HEX64.fullmatch(name) is not None


def name_of(listed: Raw) -> str:
    """The container's own name; links give it more names, with a second slash."""
    own = [name.removeprefix("/") for name in texts(listed.get("Names")) if name.count("/") == 1]
    return own[0] if own else text(listed.get("Id"))[:12]


def labels_of(item: Raw) -> dict[str, str]:
    """The labels of anything listed."""
    return {key: value for key, value in record(item.get("Labels")).items() if isinstance(value, str)}


def is_forbidden(item: Raw) -> bool:
    """Whether its owner marked it as never to be touched."""
    return labels_of(item).get(FORBID_LABEL, "false").strip().lower() not in ("false", "0", "")


def project_of(labels: dict[str, str]) -> str:
    """The compose project that a container is a service of; empty for any other, and for `compose run`."""
    return "" if labels.get(ONE_OFF_LABEL, "").lower() == "true" else labels.get(PROJECT_LABEL, "")


def state_of(value: Any) -> State:
    """The engine's word for the state of a container."""
    return one_of(value, _STATES, "unknown")


def health_of(state: Raw) -> Health:
    """The health in an inspected `State`."""
    return one_of(record(state.get("Health")).get("Status"), _HEALTHS, "none")


def policy_of(inspected: Raw) -> RestartPolicy:
    """The restart policy of an inspected container."""
    policy = record(record(inspected.get("HostConfig")).get("RestartPolicy"))
    return one_of(policy.get("Name"), _POLICIES, "no")


def is_looping(state: Raw, restarts: int | None, now: float) -> bool:
    """Whether a container keeps crashing: between two crashes the engine calls it running."""
    if state.get("Status") == "restarting":
        return True
    started = moment(state.get("StartedAt"))
    young = started is not None and now - started.timestamp() < LOOPING_SECONDS
    return state.get("Status") == "running" and (restarts or 0) >= LOOPING_RESTARTS and young


def since_of(state: Raw) -> datetime | None:
    """When a container got into its state: started, or for one that does not run, ended."""
    runs = state.get("Status") in ("running", "paused", "restarting")
    return to_second(moment(state.get("StartedAt" if runs else "FinishedAt")))


def exit_code_of(state: Raw) -> int | None:
    """How its process ended; absent while it runs and before it ever did."""
    ended = state.get("Status") in ("exited", "dead", "restarting") or text(state.get("Error"))
    return whole(state.get("ExitCode")) if ended and state.get("Status") not in ("running", "paused") else None


def listed_ports(listed: Raw) -> list[str]:
    """`8096/tcp`, or `8080:80/tcp` for one that the host publishes."""
    found: dict[str, None] = {}
    for port in records(listed.get("Ports")):
        inside, outside = whole(port.get("PrivatePort")), whole(port.get("PublicPort"))
        if inside is not None:
            found[_port(inside, text(port.get("Type")) or "tcp", text(port.get("IP")), outside)] = None
    return list(found)[:MOST_PORTS]


def inspected_ports(inspected: Raw) -> list[str]:
    """The same, from an inspected container."""
    found: dict[str, None] = {}
    for spec, bindings in record(record(inspected.get("NetworkSettings")).get("Ports")).items():
        inside, _, protocol = spec.partition("/")
        if not _PORT.fullmatch(inside):
            continue
        for binding in records(bindings) or [{}]:
            outside = text(binding.get("HostPort"))
            public = int(outside) if _PORT.fullmatch(outside) else None
            found[_port(int(inside), protocol or "tcp", text(binding.get("HostIp")), public)] = None
    return list(found)[:MOST_PORTS]


def _port(inside: int, protocol: str, address: str, outside: int | None) -> str:
    spec = f"{inside}/{protocol if protocol in ('tcp', 'udp', 'sctp') else 'tcp'}"
    if outside is None:
        return spec
    # `*` and the IPv6 spellings say nothing a person needs; a single IPv4 address does.
    local = f"{address}:" if re.fullmatch(r"(?!0\.0\.0\.0)[\d.]{7,15}", address) else ""
    return f"{local}{outside}:{spec}"


def row_of(host: str, listed: Raw) -> ContainerRow:
    """A listed container; what only an inspection knows is left out."""
    status, state = text(listed.get("Status")), state_of(listed.get("State"))
    code, up, health = _EXITED.match(status), _UP.match(status), _HEALTH.search(status)
    return ContainerRow(
        host=host,
        project=project_of(labels_of(listed)) or None,
        name=name_of(listed),
        id=f"{host}/{text(listed.get('Id'))[:12]}",
        image=short(text(listed.get("Image"))) or "unknown",
        state=state,
        health=one_of(health and health[1], _HEALTHS, "none"),
        exit_code=int(code[1]) if code else None,
        ports=listed_ports(listed),
        up=int(up[1] or 1) * _SECONDS[up[2]] if up else None,
    )


def condition_of(inspected: Raw, now: float) -> Raw:
    """How an inspected container is: what of its `ContainerState` can change."""
    state, restarts = record(inspected.get("State")), whole(inspected.get("RestartCount"))
    return {
        "state": "restarting" if is_looping(state, restarts, now) else state_of(state.get("Status")),
        "health": health_of(state),
        "restarts": restarts,
        "since": since_of(state),
        "exit_code": exit_code_of(state),
    }


def tags_of(image: Raw) -> list[str]:
    """An image's names, without the placeholder of a dangling one."""
    return [tag for tag in texts(image.get("RepoTags")) if tag != NO_TAG]


def volume_label(name: str) -> str:
    """A volume's name; one that the engine made up, in twelve digits."""
    return name[:12] if is_hex_id(name) else name
