"""Being quick: who does not answer soon is said to be asked still, and goes on being asked."""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TypeVar

from tools.kit.errors import ToolFailed

T = TypeVar("T")

ASKED = "is asked still"
GRACE = 0.5
"""Seconds that a service has beyond its hosts: those that have answered are shown."""


class StillAsked(ToolFailed):
    """Nothing is wrong yet: there was no time to wait for the answer."""


class Hurry:
    """Inside `with`, nobody is waited for longer than that many seconds, all together."""

    def __init__(self, seconds: float) -> None:
        self._until: float | None = asyncio.get_running_loop().time() + seconds
        self._late: dict[str, asyncio.Task[Any]] = {}
        self._token: Token[Hurry | None] | None = None

    def __enter__(self) -> "Hurry":
        self._token = _hurry.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._token is not None, "entered before it is left"
        _hurry.reset(self._token)

    @property
    def late(self) -> bool:
        """Whether somebody was not waited for."""
        return bool(self._late)

    async def over(self) -> None:
        """Wait for those who are asked still; from now on everybody is waited for, and who has failed is not asked."""
        await asyncio.wait(self._late.values())
        self._until = None

    async def answer(self, who: str, work: Coroutine[Any, Any, T], grace: float) -> T:
        """The answer, if it comes in time. Raises StillAsked."""
        late = self._late.get(who)
        if self._until is None:
            if late is not None and (error := _failure(late)):
                work.close()
                raise error
            return await work
        task = asyncio.create_task(work)
        left = self._until + grace - asyncio.get_running_loop().time()
        try:
            done, _ = await asyncio.wait({task}, timeout=max(0.0, left))
        except asyncio.CancelledError:
            task.cancel()
            raise
        if done:
            return task.result()
        self._late[who] = task
        raise StillAsked(f"{who} {ASKED}")


_hurry: ContextVar[Hurry | None] = ContextVar("hurry", default=None)


async def in_time(who: str, work: Coroutine[Any, Any, T], grace: float = 0.0) -> T:
    """The answer of one of several who are asked. Raises StillAsked where somebody is in a hurry."""
    hurry = _hurry.get()
    return await (work if hurry is None else hurry.answer(who, work, grace))


def _failure(task: asyncio.Task[Any]) -> ToolFailed | None:
    error = None if task.cancelled() else task.exception()
    return error if isinstance(error, ToolFailed) else None
