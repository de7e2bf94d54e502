"""Following what a change has begun and what then goes on by itself: it is only looked at, so this may begin again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from memory.stores import Stores
from tools.kit.change import Broken, Done
from tools.kit.errors import CircuitOpen, NoAnswer, OutcomeUnknown, RateLimited, Unreachable
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
    """Shows how far a call is, in its receipt's place, at a pace that a chat can bear."""

    def __init__(self, stores: Stores, call: str, conversation: str, said: Callable[[object], str]) -> None:
        self._stores, self._call, self._conversation, self._said = stores, call, conversation, said
        self._due, self._pauses = 0.0, iter(REDRAWN_AFTER)

    async def __call__(self, line: str) -> None:
        """One line more; the latest wins."""
        now = asyncio.get_running_loop().time()
        if now < self._due:
            return
        self._due = now + next(self._pauses, REDRAWN_AFTER[-1])
        words = self._said(line)
        words = words if len(words) <= LONGEST_LINE else f"{words[: LONGEST_LINE - 1]}…"
        approval = await self._stores.approvals.latest(self._call)
        async with self._stores.database.transaction() as tx:
            changed = await self._stores.journal.progressed(tx, self._call, words)
            if changed and approval is not None:
                await self._stores.outbox.draw(tx, self._conversation, "card", approval.card)
