"""Background work that must not take the bot down with it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from loguru import logger


class Tasks:
    """Tasks with an owner: kept alive, waited for, their surprises logged."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(
        self,
        work: Coroutine[Any, Any, None],
        *,
        name: str,
        broken: Callable[[Exception], Awaitable[None]] | None = None,
    ) -> asyncio.Task[None]:
        """Run in the background; `broken` is told when it fails in a way nobody foresaw."""
        task = asyncio.create_task(self._survive(work, name, broken), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _survive(
        self, work: Coroutine[Any, Any, None], name: str, broken: Callable[[Exception], Awaitable[None]] | None
    ) -> None:
        try:
            await work
        except Exception as error:  # one of the three places that must survive anything: one update
            logger.opt(exception=error).error("{} broke", name)
            if broken is not None:
                await broken(error)

    async def drain(self, seconds: float) -> None:
        """Give what runs a chance to end, then cancel it."""
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
