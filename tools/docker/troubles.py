"""What a container's state means: why it does not run, whether it should, and whether that needs a person."""

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Generic, TypeVar

from tools.docker.changes import stop_container
from tools.docker.models import ContainerState, RestartPolicy, Why
from tools.docker.orchestrators import owner_of
from tools.docker.removal import remove_container
from tools.docker.renewal import update_container
from tools.docker.rows import LOOPING_RESTARTS, policy_of, project_of
from tools.kit import Deed
from tools.kit.raw import Raw, moment, record, text

FOR_DAYS = timedelta(days=2)
"""Whatever has run for so long was a service, not an errand."""
SETTLED = timedelta(days=28)
"""What should run and has been off for so long is nobody's emergency any more. Deeds are known for longer."""
OLD_NEWS = timedelta(days=7)
"""The same for what nobody has declared: it ran once, and failed."""
SHAKY = timedelta(minutes=30)
"""What has crashed several times is not taken for well before it has run for so long."""
CLOCKS_DIFFER = timedelta(seconds=3)
"""By how much the engine's clock may differ from ours without our noticing it."""
LONGEST_ERROR = 2000
ASKED_TO_END = (130, 143)
"""Exit codes of a process that ended because it was asked to, politely."""
PUT_TO_REST = (stop_container.name, remove_container.name, update_container.name)
"""What leaves a container off on purpose: a removal that came half way, an update, which keeps the old one."""

S = TypeVar("S", bound=ContainerState)
_SIGNALS: dict[int, Why] = {
    126: "its command may not be run",
    127: "its command is not there",
    132: "crashed: illegal instruction",
    134: "crashed: aborted",
    135: "crashed: bus error",
    136: "crashed: arithmetic error",
    137: "killed",
    139: "crashed: segmentation fault",
}
_STARTS: tuple[tuple[str, Why], ...] = (
    (r"port is already allocated|address already in use", "could not be started: its port is taken"),
    (r"cannot join network of|No such container",
     "could not be started: the container whose network it uses does not run"),
    (r"network \S+ not found|could not find a network|No such network", "could not be started: its network is gone"),
    (r"exec format error", "could not be started: it is built for another processor"),
    (r"device", "could not be started: a device is missing"),
    (r"\bmount|bind source|volume", "could not be started: something it mounts is missing"),
    (r"exec(?:utable)?\b.*(?:no such file|not found)", "could not be started: its command is not there"),
    (r"exec\b.*permission denied", "could not be started: its command may not be run"),
)  # fmt: skip
"""What an engine says of a start that failed, and what that means; the first that fits counts."""


class Standing(Enum):
    """What a container asks of a person."""

    FINE = "nothing"
    QUIET = "nothing, but it is worth a line"
    TROUBLE = "a look"


@dataclass(frozen=True)
class Found(Generic[S]):
    """A container as a look found it; what was not inspected has the defaults."""

    seen: S
    reference: str
    """Its whole id."""
    labels: dict[str, str]
    policy: RestartPolicy = "no"
    made: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    now: datetime | None = None
    """The engine's time of the look; None when there was none."""
    ahead: timedelta = timedelta()
    """How far the engine's clock is ahead of ours."""
    out_of_memory: bool = False
    error: str = ""
    """Why its last start came to nothing, as the engine says it."""
    attended: bool = False
    """Whether somebody sat at it: a shell, say, whose exit code is that of its last command."""

    @property
    def project(self) -> tuple[str, str] | None:
        """Host and name of the compose project that it is a service of."""
        name = project_of(self.labels)
        return (self.seen.host, name) if name else None


@dataclass(frozen=True)
class Judgement:
    """Why a container is as it is, and what it asks of a person."""

    why: Why | None
    standing: Standing
    stopped_by: str | None = None

    @property
    def said(self) -> Raw:
        """What of it belongs to the container's own result."""
        return {"why": self.why, "stopped_by": self.stopped_by}


def found(seen: S, reference: str, labels: dict[str, str], raw: Raw, now: float) -> Found[S]:
    """A container with what its inspection tells."""
    state = record(raw.get("State"))
    return Found(
        seen,
        reference,
        labels,
        policy=policy_of(raw),
        made=moment(raw.get("Created")),
        started=moment(state.get("StartedAt")),
        ended=moment(state.get("FinishedAt")),
        now=moment(now),
        ahead=timedelta(seconds=now - time.time()),
        out_of_memory=state.get("OOMKilled") is True,
        error=text(state.get("Error"))[:LONGEST_ERROR],
        attended=record(raw.get("Config")).get("AttachStdin") is True,
    )


def judge(containers: list[Found[S]], deeds: list[Deed]) -> list[Judgement]:
    """What to think of each container; `deeds` are what was done to them through this bot, newest first."""
    last: dict[str, Deed] = {}
    for deed in deeds:
        last.setdefault(deed.target.rpartition("/")[2], deed)  # by its id alone: the host may have been renamed since
    alive = {each.project for each in containers if each.seen.state == "running"}
    return [_judgement(each, last.get(each.reference), each.project in alive) for each in containers]


def _judgement(container: Found[S], deed: Deed | None, siblings_run: bool) -> Judgement:
    why = why_of(container)
    if container.seen.state == "exited" and deed and _put_to_rest(container, deed):
        return Judgement(why, Standing.QUIET, deed.who or "somebody here")
    return Judgement(why, _standing(container, why, siblings_run))


def why_of(container: Found[S]) -> Why | None:
    """What is wrong with it, or why it does not run; None when it simply runs, or has never been started."""
    match container.seen.state:
        case "running":
            if container.seen.health == "unhealthy":
                return "unhealthy"
            if container.out_of_memory:
                return "a process in it ran out of memory"
            return "crashed and came back" if _is_shaky(container) else None
        case "restarting":
            if container.out_of_memory:
                return "out of memory"
            return "restarting again and again" if _crashes(container) else "restarting"
        case "paused" | "dead" as state:
            return state
        case "created" | "exited" if container.error:
            return _failed_start(container.error)
        case "exited":
            return _ending(container)
    return None


def _crashes(container: Found[S]) -> bool:
    """Whether it has crashed several times since somebody started it."""
    return (container.seen.restarts or 0) >= LOOPING_RESTARTS


def _is_shaky(container: Found[S]) -> bool:
    """Whether it has only just come back from the last of several crashes: a loop may take longer than it looks."""
    started, now = container.started, container.now
    return _crashes(container) and bool(started and now and now - started < SHAKY)


def _failed_start(error: str) -> Why:
    return next((why for words, why in _STARTS if re.search(words, error, re.I)), "could not be started")


def _ending(container: Found[S]) -> Why | None:
    if container.out_of_memory:
        return "out of memory"
    code = container.seen.exit_code
    if code == 0:
        return "stopped" if should_run(container) else "finished" if container.now else None
    if code is None or code in ASKED_TO_END:
        return "stopped"
    return _SIGNALS.get(code, "failed")


def should_run(container: Found[S]) -> bool:
    """Whether one that has ended was made to go on: by its restart policy, or as far as its past tells."""
    if owner_of(container.labels) is not None:
        return False
    if container.policy in ("always", "unless-stopped"):
        return True  # the engine itself starts it again, unless somebody has stopped or killed it
    if container.policy == "on-failure" and container.seen.exit_code != 0:
        return True
    started, ended = container.started, container.ended
    return not container.attended and bool(started and ended and ended - started >= FOR_DAYS)


def _standing(container: Found[S], why: Why | None, siblings_run: bool) -> Standing:
    if container.seen.state not in ("created", "exited"):
        return Standing.TROUBLE if why else Standing.FINE
    if why in (None, "finished") or owner_of(container.labels) is not None:
        return Standing.FINE
    failed = why not in ("stopped", "killed")
    # A project that is off as a whole has been put away; one service that its siblings miss has not.
    declared = should_run(container) or (container.project is not None and (failed or siblings_run))
    if not declared and (not failed or (container.attended and not container.out_of_memory)):
        return Standing.FINE
    since = container.ended or container.made
    settled = since and container.now and container.now - since > (SETTLED if declared else OLD_NEWS)
    return Standing.QUIET if settled else Standing.TROUBLE


def _put_to_rest(container: Found[S], deed: Deed) -> bool:
    """Whether it is off because of this deed: nobody has started it since, nor tried to."""
    started = container.started
    untouched = not container.error and (not started or started - container.ahead <= deed.at + CLOCKS_DIFFER)
    return deed.tool in PUT_TO_REST and untouched
