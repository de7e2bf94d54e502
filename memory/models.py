"""The records that are stored, and the words for their states."""

import json
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Literal

Block = dict[str, Any]
"""One content block as the Messages API has it."""
Message = dict[str, Any]
"""`{"role": …, "content": [Block, …]}`."""

FIND = "find_tools"
"""The call by which a model looks for further tools: it asks nobody and looks at nothing."""


PROGRESS = "progress"
"""The kind of message that shows what a run is doing."""


class Role(IntEnum):
    """What a person may do: viewers read, operators approve CHANGE, admins DESTROY."""

    NOBODY = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


class CallState(StrEnum):
    """The life of a call."""

    PROPOSED = "proposed"
    WAITING = "waiting"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DENIED = "denied"
    EXPIRED = "expired"
    NOT_STARTED = "not started"


SETTLED = frozenset(CallState) - {CallState.PROPOSED, CallState.WAITING, CallState.STARTED}
RAN = frozenset({CallState.DONE, CallState.FAILED, CallState.UNKNOWN})
"""What a call comes to once it has been tried."""
RunState = Literal["working", "waiting", "done", "failed", "stopped"]


@dataclass(frozen=True)
class Actor:
    """Who asks or taps: `tg:1001` or `console:1000`."""

    id: str
    name: str


@dataclass(frozen=True)
class Run:
    """One request carried to its end."""

    id: str
    conversation: str
    actor: Actor
    objective: str
    opened_by: str
    """`text`, `command`, `button`, `undo`, `ask`, `schedule`…"""
    thinks: bool
    """False for a one-call run: no model is asked."""
    unattended: bool
    tainted: bool
    state: RunState
    undo_of: str | None
    attempts: int
    error: str | None
    created: float
    updated: float = 0.0
    """When it last moved on."""
    message: int | None = None
    """The message in which it was asked."""

    @property
    def by_hand(self) -> bool:
        """Whether a person's own button or command has asked for it, and neither a model nor a schedule."""
        return not self.thinks and not self.unattended


def service_of(tool: str) -> str:
    """The service in a tool's full name."""
    return tool.partition("_")[0]


@dataclass(frozen=True)
class Use:
    """One tool_use block of a reply."""

    id: str
    tool: str
    args: dict[str, Any]

    @property
    def service(self) -> str:
        """Whose tool it is."""
        return service_of(self.tool)


@dataclass(frozen=True)
class CallRow:
    """One journal row: a change from proposal to outcome."""

    id: str
    run: str
    position: int
    tool: str
    risk: int
    args: dict[str, Any]
    args_hash: str
    targets: dict[str, dict[str, str]]
    """Parameter → id, name and detail of what it resolved to."""
    card: dict[str, Any]
    """Title, notes, undo text and argument provenance, as shown."""
    before: dict[str, Any]
    after: dict[str, Any] | None
    state: CallState
    verified: bool | None
    detail: str
    needs_tap: bool
    tainted: bool
    net: str | None
    undo: dict[str, Any] | None
    undo_until: float | None
    undone_by: str | None
    asked_again: str | None
    """The run that asks this very call once more."""
    proposed: float
    started: float | None
    ended: float | None
    epoch: int
    task: dict[str, Any] | None = None
    """What it has begun and is followed by: `ref`, and `until` when at the latest, by the clock that only moves on."""
    safety: dict[str, Any] | None = None
    """What was made before it was done, in `words`; empty while that is being made, None where there is nothing."""

    @property
    def service(self) -> str:
        """Whose tool it is."""
        return service_of(self.tool)

    @property
    def title(self) -> str:
        """Verb and target."""
        return str(self.card["title"])

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.state in SETTLED


@dataclass(frozen=True)
class Approval:
    """One person's pending or made decision about one call."""

    id: int
    call: str
    card: str
    state: Literal["pending", "approved", "denied", "expired", "superseded"]
    shown_hash: str
    schema_version: str
    """Of the tool, as it was when this was asked."""
    decided_by: str | None
    decided: float | None
    reason: str
    """Why it was closed without a person's decision; empty when it was not."""


@dataclass(frozen=True)
class Card:
    """An approval message: one or several calls of a run."""

    id: str
    run: str
    conversation: str
    message: int | None
    """The one that shows it: taps on any other are refused."""
    allowed: list[str]
    policy: int
    epoch: int
    armed: bool
    created: float
    expires: float


@dataclass(frozen=True)
class Outgoing:
    """One thing to be said, until it is delivered."""

    id: int
    key: str
    conversation: str
    kind: str
    payload: dict[str, Any]
    ambiguous: bool
    attempts: int
    message: int | None = field(default=None)
    run: str | None = None
    """The run that it tells of."""
    wanted: int = 0
    """How often it has been asked to be drawn again."""
    drawn: str = ""
    """What the message shows, as a fingerprint; empty where that is not known."""

    @property
    def passing(self) -> bool:
        """Whether its message is only there while something lasts, and is gone with it: a nicety."""
        return self.kind == PROGRESS


@dataclass(frozen=True)
class Digest:
    """A day in the homelab, told by code."""

    since: float
    late: bool
    troubles: list[tuple[str, float | None]]
    """What needs a person, in a line with its mark, and since when."""
    summaries: list[str]
    changed: list[str]
    """What is different from the last digest: `jellyfin: running → exited`."""
    ran: list[str]
    """Changes with who approved them."""
    pending: int
    usd: float
    audit: str
    """State and head of the audit chain: whoever keeps the digests can tell if its end is cut off."""
    unknown: int = 0
    """Changes of which nobody knows yet whether they happened."""
    quiet: list[tuple[str, float | None]] = field(default_factory=list)
    """What is off and needs nobody, as the troubles are written."""
    outside: bool = False
    """Whether any of it is text that nobody here has written."""


def canonical(value: Any) -> str:
    """The one JSON spelling of a value: what is hashed, stored and executed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
