"""Following what a change has begun and what then goes on by itself: it is only looked at, so this may begin again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from loguru import logger

from memory.models import CallRow
from memory.stores import Stores
from tools.gate.outcomes import LOOK_SECONDS, Look, Outcomes
from tools.kit.change import Broken, Done
from tools.kit.clients import Clients
from tools.kit.context import Access
from tools.kit.errors import CircuitOpen, NoAnswer, OutcomeUnknown, RateLimited, ToolFailed, Unreachable
from tools.kit.service import Follow

PASSING = (Unreachable, NoAnswer, CircuitOpen, RateLimited)
"""What says nothing of the task itself: it is asked again."""
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before it is asked again, each time without an answer."""
LONGEST_LINE = 160
REDRAWN_AFTER = (0.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds between two lines that reach the card: an hour's work is no reason for a thousand edits."""


async def ended(
    follow: Follow[Any], client: Any, ref: str, seconds: float, told: Callable[[str], Awaitable[None]]
) -> Done | Broken:
    """How it ends; every line on the way is told. Raises ToolFailed where nobody can say any more, or not in time."""
    try:
        async with asyncio.timeout(seconds):
            return await _asked(follow, client, ref, told)
    except TimeoutError:
        raise OutcomeUnknown("It went on for longer than it should have: I follow it no more.") from None


async def _asked(follow: Follow[Any], client: Any, ref: str, told: Callable[[str], Awaitable[None]]) -> Done | Broken:
    pauses = iter(PAUSES)
    while True:
        try:
            async for step in follow(client, ref):
                if not isinstance(step, str):
                    return step
                pauses = iter(PAUSES)
                await told(step)
            raise OutcomeUnknown("It no longer says how far it is.")
        except PASSING:
            await asyncio.sleep(next(pauses, PAUSES[-1]))


class Telling:
    """Shows how far a call is, at a pace that a chat can bear."""

    def __init__(self, outcomes: Outcomes, row: CallRow) -> None:
        self._outcomes, self._row = outcomes, row
        self._due, self._pauses = 0.0, iter(REDRAWN_AFTER)

    async def __call__(self, line: str) -> None:
        """One line more; the latest wins."""
        now = asyncio.get_running_loop().time()
        if now < self._due:
            return
        self._due = now + next(self._pauses, REDRAWN_AFTER[-1])
        words = self._outcomes.said(line)
        words = words if len(words) <= LONGEST_LINE else f"{words[: LONGEST_LINE - 1]}…"
        await self._outcomes.told(self._row, words)


class Following:
    """Follows calls in the background."""

    def __init__(self, stores: Stores, clients: Clients, outcomes: Outcomes) -> None:
        self._stores, self._clients, self._outcomes = stores, clients, outcomes
        self._followed: dict[str, tuple[CallRow, asyncio.Task[None]]] = {}
        self.onward: Callable[[str], object] = lambda run: None
        """Carries a run on when what it has waited for has ended."""

    def has(self, run: str) -> bool:
        """Whether something that this run has begun goes on and is followed."""
        return any(row.run == run for row in self.rows)

    @property
    def rows(self) -> list[CallRow]:
        """The calls that go on."""
        return [row for row, _ in self._followed.values()]

    async def stop(self) -> None:
        """Leave what goes on to the next start, which follows it again."""
        followers = [task for _, task in self._followed.values()]
        for task in followers:
            task.cancel()
        await asyncio.gather(*followers, return_exceptions=True)

    def follow(self, row: CallRow, look: Look, within: float) -> None:
        """Follow what a call has begun, in the background, to its receipt; then its run is carried on."""

        def over(task: asyncio.Task[None]) -> None:
            self._followed.pop(row.id, None)
            if not task.cancelled() and (error := task.exception()):
                logger.opt(exception=error).error("call {} is no longer followed", row.id)

        if row.id not in self._followed:
            task = asyncio.create_task(self._follow(row, look, within), name=f"follow {row.id}")
            self._followed[row.id] = row, task
            task.add_done_callback(over)

    async def _follow(self, row: CallRow, look: Look, within: float) -> None:
        assert row.task is not None, "it has begun something"
        left = max(0.0, row.task["until"] - self._stores.database.steady())
        telling = Telling(self._outcomes, row)
        came = await self._outcomes.survive(row, left + LOOK_SECONDS, self._ended(row, row.task["ref"], left, telling))
        if isinstance(came, ToolFailed) and not came.sent:  # it had begun, whatever keeps us from seeing its end
            came = OutcomeUnknown(f"I can follow it no more: {came}")
        await self._outcomes.finish(row, came, look, within)
        run = await self._stores.runs.get(row.run)
        self._followed.pop(row.id, None)
        if run is not None and run.state in ("working", "waiting"):
            self.onward(row.run)

    async def _ended(self, row: CallRow, ref: str, seconds: float, telling: Telling) -> Done | Broken:
        if (follow := self._clients.follower(row.service)) is None:
            raise OutcomeUnknown(f"{row.service} does not say how to follow what it has begun.")
        return await ended(follow, await self._clients.get(row.service, Access.READ), ref, seconds, telling)
