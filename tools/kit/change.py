"""A change is a plan: what it rests on, what to do, how to see that it worked, how to take it back."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr

T = TypeVar("T")
F = TypeVar("F", bound="Facts")
SHOWN = "shown"

Shown = Annotated[T, SHOWN]
"""A fact that the card shows: when it moves between card and tap, nothing runs."""


@dataclass(frozen=True)
class Tolerance:
    """How far a shown fact may be from what the card says: `Annotated[Shown[float], Tolerance(2)]`.

    For what moves by itself, such as a temperature; always from what was on the card, so it cannot creep away.
    """

    by: float = 0.0
    """In the fact's own unit; seconds, where it is a moment."""
    percent: float = 0.0
    """Of what the card says, where it is a number."""


class Facts(BaseModel):
    """The few typed fields a person must know before a change."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    _reader: Callable[[Any], Awaitable["Facts"]] | None = PrivateAttr(default=None)
    _settles: float | None = PrivateAttr(default=None)

    def shown(self) -> dict[str, Any]:
        """The facts on the card, as JSON values."""
        names = {name for name, info in type(self).model_fields.items() if SHOWN in info.metadata}
        return {name: value for name, value in self.model_dump(mode="json").items() if name in names}

    async def again(self, client: Any) -> "Facts":
        """The same facts, read afresh."""
        assert self._reader is not None, "facts come from ctx.read()"
        return await self._reader(client)

    @property
    def settles(self) -> float | None:
        """Seconds from this look until one can tell what has come of a change, where the service knows."""
        return self._settles

    def settling(self, seconds: float | None) -> Self:
        """The same facts, after which nobody looks again for so long."""
        self._settles = seconds
        return self


@dataclass(frozen=True)
class Call:
    """A stored call: the tool's full name and its arguments as JSON values."""

    tool: str
    args: dict[str, Any]


@dataclass(frozen=True)
class Task:
    """What `do` returns when it has only begun something that now goes on by itself; the service must `follow` it."""

    ref: str
    """What the service knows it by, kept at once: after a crash it is followed by this, and never begun again."""
    lasts: float = 3600.0
    """Seconds after which it is followed no more, and its outcome unknown."""


@dataclass(frozen=True)
class Done:
    """A task has ended well, by the service's word; the target is read again all the same."""

    note: str = ""
    """What the person should hear of it."""


@dataclass(frozen=True)
class Broken:
    """A task has ended badly, by the service's word; what it has changed until then is looked at."""

    words: str


@dataclass(frozen=True)
class Taken:
    """What a safety net has made."""

    words: str
    """What it is, for the receipt: `snapshot before-resize`."""
    kept: BaseModel | None = None
    """What Undo must know of it; read it with `ctx.kept(net, Model)`."""


@dataclass(frozen=True)
class Change(Generic[F]):
    """What a CHANGE or DESTROY tool returns. Building one changes nothing."""

    title: str
    """Verb and target, as on the button: `Restart jellyfin`."""
    facts: F
    do: Callable[[Any], Awaitable[Any] | AsyncIterator[str]]
    """Receives the writing client, once, after the journal says `started`; may return a `Task`, or give its steps
    one by one: each is in the journal before it begins."""
    expect: Callable[[F, F], bool | Mapping[str, bool]]
    """`expect(before, after)`: whether the target is as the change wants it; of several targets, each by its id."""
    undo: Callable[[F, str], Call | None] | None = None
    """`undo(before, net)`: the call that takes it back, or None when there is nothing to take back."""
    net: dict[str, Any] | BaseModel | None = None
    """What undo needs and only now can be read (a full configuration). Kept encrypted; `undo` gets its id."""
    safety_net: Callable[[Any], Awaitable["Taken"]] | None = None
    """Receives the writing client after the tap and before `do`, and makes what Undo will need: a snapshot, an export.
    When it fails nothing is done; Undo is worked out from what it has made."""
    notes: tuple[str, ...] = ()
    """Lines for the card: what would be lost, why there is no undo."""
    partial: bool = False
    """Whether Undo leaves something as the change has made it: then it never runs untapped."""
    within: float = 20.0
    """Seconds until the expectation must hold."""
    deadline: float = 60.0
    """Seconds that `do` may take in all."""

    def fits(self, before: F, after: F) -> bool:
        """Whether all is as the change wants it."""
        found = self.expect(before, after)
        return bool(found) and all(found.values()) if isinstance(found, Mapping) else found

    def parts(self, before: F, after: F) -> dict[str, bool]:
        """Whether each of several targets that were not so already is as wanted; nothing where there is one alone."""
        found, already = self.expect(before, after), self.expect(before, before)
        if not isinstance(found, Mapping) or not isinstance(already, Mapping):
            return {}
        return {target: fits for target, fits in found.items() if not already.get(target)}

    @property
    def has_net(self) -> bool:
        """Whether Undo will find something kept for it."""
        return self.net is not None or self.safety_net is not None

    def kept(self, taken: "Taken | None" = None) -> dict[str, Any] | None:
        """What is kept for Undo, what its safety net has made included, as JSON values; None when there is nothing."""
        parts = [part for part in (self.net, taken.kept if taken else None) if part is not None]
        whole = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
        return {name: value for part in whole for name, value in part.items()} if whole else None

    def way_back(self, net: str) -> Call | None:
        """What Undo will call, given the id under which the net is kept; None when there is no way back."""
        return self.undo(self.facts, net) if self.undo else None


def later(before: datetime | None, after: datetime | None) -> bool:
    """Whether it has happened anew: what was never done before, by any time at all."""
    return after is not None and (before is None or after > before)
