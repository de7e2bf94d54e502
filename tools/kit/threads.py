"""One bounded executor per synchronous SDK, so that a hanging host cannot take the others' threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from tools.kit.errors import OutcomeUnknown, ToolFailed

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Runs blocking calls. A thread cannot be cancelled: the SDK's own timeout must be below `deadline`."""

    def __init__(self, name: str, workers: int = 4, deadline: float = 45.0) -> None:
        self._name = name
        self._deadline = deadline
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The call's result; OutcomeUnknown when it has not come back by the deadline, ToolFailed if it never began."""
        work: Future[T] = self._pool.submit(partial(call, *args, **kwargs))
        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.wrap_future(work)
        except TimeoutError:
            if work.cancel():  # it was still waiting for a thread, and will not get one
                raise ToolFailed(f"Too many requests to {self._name} are under way: try again in a moment.") from None
            raise OutcomeUnknown(f"{self._name} did not answer within {self._deadline:.0f} s.") from None

    def close(self) -> None:
        """Forget queued work; running calls end by their own timeout."""
        self._pool.shutdown(wait=False, cancel_futures=True)
