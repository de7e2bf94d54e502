"""Several of one kind: Docker hosts, Pi-holes, clusters. Asked together; who does not answer is said, and why."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Annotated, ClassVar, Generic, Protocol, TypeVar

from pydantic import Field

from tools.kit.errors import CircuitOpen, ToolFailed, partly, tried
from tools.kit.glance import Trouble
from tools.kit.hurry import ASKED, StillAsked, in_time
from tools.kit.types import Ident, Outside, Own, Result, outside_text

T = TypeVar("T")
R = TypeVar("R", bound=Result)
M = TypeVar("M", bound="Member")

MOST_ROWS = 200
"""Of one result."""


class Member(Protocol):
    """One of them: a client with a circuit breaker of its own."""

    service: str
    """What messages call it, e.g. `Pi-hole attic`."""

    def asking(self) -> AbstractAsyncContextManager[None]:
        """Wrap what is asked of it: raises CircuitOpen at once while it is given a pause."""

    def close(self) -> object:
        """Hang up."""


class Down(Result):
    """One that could not be asked: why, and what to do about it."""

    awaited: ClassVar[bool] = False
    name: Ident
    reason: Own

    @staticmethod
    def of(name: str, error: ToolFailed, called: str = "") -> "Down":
        """Who could not be asked; the words that call it by another name leave that out."""
        if isinstance(error, StillAsked):
            return Awaited(name=name, reason=ASKED)
        why = error.why if isinstance(error, CircuitOpen) else str(error)
        if called:
            why = why.removeprefix(f"{called} ").replace(f" to {called} ", " ")  # its name stands beside it
        return (DownInItsWords if error.outside else Down)(name=name, reason=why)

    def trouble(self, where: str) -> Trouble:
        """It as a service's glance tells of it."""
        outside = any(outside_text(self))
        return Trouble(self.name, where, self.reason, outside=outside, red=not self.awaited, awaited=self.awaited)


class Awaited(Down):
    """One that has not answered yet: nothing is known of it."""

    awaited = True


class DownInItsWords(Down):
    """The same when the reason quotes what it said."""

    reason: Outside


Which = Annotated[str, Field(max_length=64, description="Which one of several, by its name; all of them by default.")]


class Answers(Result, Generic[R]):
    """One answer of each, by name, and those that gave none."""

    found: dict[Ident, R]
    down: list[Down] = []


class Listing(Result):
    """What every listing over several ends with."""

    more: int | None = None
    """How many there are beyond those listed."""
    down: list[Down] = []


def listed(rows: list[T]) -> tuple[list[T], int | None]:
    """As many rows as one result holds, and how many more there are."""
    return rows[:MOST_ROWS], len(rows) - MOST_ROWS if len(rows) > MOST_ROWS else None


Names = Which | Sequence[Which] | None
"""One, several, or all of them."""


class Instances(Mapping[str, M]):
    """Every one that is configured, by name."""

    def __init__(self, kind: str, members: Mapping[str, M]) -> None:
        """`kind` is what messages call one of them, e.g. `Pi-hole`."""
        self.kind, self._members = kind, dict(members)

    def __getitem__(self, name: str) -> M:
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def one(self, name: str | None) -> M:
        """The named one, or the only one. Raises ToolFailed when that is not clear."""
        if name in self._members:
            return self._members[name]
        names = ", ".join(self._members)
        if name is not None:
            raise ToolFailed(f"No {self.kind} has this name: use one of {names}.")
        if len(self._members) > 1:
            raise ToolFailed(f"There are several {self.kind}s: say which one of {names}.")
        return next(iter(self._members.values()))

    def pick(self, names: Names) -> dict[str, M]:
        """The named ones, or all. Raises ToolFailed for an unknown name."""
        if names is None:
            return dict(self._members)
        return {name: self.one(name) for name in ([names] if isinstance(names, str) else names)}

    def at(self, target: str) -> tuple[M, str]:
        """Whose a resolved target is, and its id there: `cellar/17`."""
        name, _, ident = target.partition("/")
        return self.one(name), ident

    async def answers(self, ask: Callable[[M], Awaitable[R]], names: Names = None) -> Answers[R]:
        """`each` as what a tool returns."""
        found, down = await self.each(ask, names)
        return Answers(found=found, down=down)

    async def each(
        self, ask: Callable[[M], Awaitable[T]], names: Names = None
    ) -> tuple[dict[str, T], list[Down]]:  # fmt: skip
        """The answers by name, asked together, and those that gave none."""
        members = self.pick(names)
        answers = await asyncio.gather(*(_tried(member, ask) for member in members.values()))
        pairs = list(zip(members, answers, strict=True))
        found = {name: answer for name, answer in pairs if not isinstance(answer, ToolFailed)}
        down = [Down.of(name, answer, self[name].service) for name, answer in pairs if isinstance(answer, ToolFailed)]
        return found, down

    async def every(self, ask: Callable[[M], Awaitable[T]], names: Names = None) -> dict[str, T]:
        """The answers of all. Raises the first one's ToolFailed: what rests on all of them cannot rest on some."""
        members = self.pick(names)
        answers = await asyncio.gather(*(_tried(member, ask) for member in members.values()))
        for answer in answers:
            if isinstance(answer, ToolFailed):
                raise answer
        return dict(zip(members, answers, strict=True))  # type: ignore[arg-type]

    async def change(self, do: Callable[[M], Awaitable[object]], names: Names = None) -> None:
        """Do it to all. Raises ToolFailed: when any of them may be changed, it is OutcomeUnknown and says which not."""
        members = self.pick(names)
        answers = await asyncio.gather(*(_outcome(member, do) for member in members.values()))
        failed = {name: answer for name, answer in zip(members, answers, strict=True) if answer is not None}
        if not failed:
            return
        done, errors = ", ".join(name for name in members if name not in failed), list(failed.values())
        if not done and (len(failed) == 1 or not any(error.sent for error in errors)):
            raise errors[0]
        told = [f"{'Perhaps' if error.sent else 'Not'} on {name}." for name, error in failed.items()]
        raise partly(" ".join([f"Done on {done}."] * bool(done) + told), *errors)

    async def close(self) -> None:
        """Hang up on all."""
        for member in self._members.values():
            closed = member.close()
            if inspect.isawaitable(closed):
                await closed


async def _tried(member: M, ask: Callable[[M], Awaitable[T]]) -> T | ToolFailed:
    return await tried(in_time(member.service, _answer(member, ask)))


async def _answer(member: M, ask: Callable[[M], Awaitable[T]]) -> T:
    async with member.asking():
        return await ask(member)


async def _outcome(member: M, do: Callable[[M], Awaitable[object]]) -> ToolFailed | None:
    try:
        await do(member)
    except ToolFailed as error:
        return error
    return None
