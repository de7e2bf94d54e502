"""After a crash: what was under way is unknown, never run again by itself, and shown with what can be seen now."""

import asyncio
from functools import partial
from typing import Any

from loguru import logger

from memory.marks import LOOKS
from memory.models import CallRow, CallState, Use
from memory.points import point
from memory.stores import Stores
from tools.gate import results
from tools.gate.card import gone
from tools.gate.execution import Execution
from tools.gate.outcomes import LOOK_SECONDS, Seen
from tools.gate.proposals import Answer, Proposal, Proposals
from tools.gate.standing import Standing
from tools.kit.errors import ToolFailed

MOST_LOOKS = 3
"""Recoveries in a row that may die while they look at a target; then it is not looked at any more."""
APPROVED_NOT_STARTED = "Approved, but I was interrupted before it began. Ask again if you still want it."
NO_NET = "I was cut off while I made what Undo would need. Nothing was changed."
CUT_OFF = "I was cut off while this ran."
CANNOT_LOOK = "I was cut off while this ran, and have crashed each time I looked at what came of it."

Evidence = tuple[str, dict[str, Any] | None]


class Recovery:
    """Runs once at start, before anything else may change; doing it again finds nothing."""

    def __init__(self, stores: Stores, execution: Execution, proposals: Proposals, standing: Standing) -> None:
        self._stores, self._execution, self._proposals, self._standing = stores, execution, proposals, standing

    async def run(self, only: set[str] | None = None) -> int:
        """Settle every call that a crash left open (in these runs only); returns how many outcomes are unknown."""
        await self.settle(only)
        return await self.look(only)

    async def settle(self, only: set[str] | None = None) -> set[str]:
        """Close what had not begun, without a look at any target; returns the runs that had something under way."""
        for card in await self._stores.approvals.open_cards():
            if reason := await self._standing.review(card):
                logger.info("card {} is closed: {}", card.id, reason)
        for row in await self._left(CallState.PROPOSED, only):
            await self._execution.outcomes.close(row, CallState.NOT_STARTED, "I was interrupted before this was asked.")
        for row in await self._left(CallState.WAITING, only):
            approval = await self._stores.approvals.latest(row.id)
            if approval is not None and approval.state == "approved":
                await self._execution.outcomes.close(row, CallState.NOT_STARTED, APPROVED_NOT_STARTED)
        return {row.run for row in await self._left(CallState.STARTED, only)}

    async def look(self, only: set[str] | None = None) -> int:
        """Call what was under way unknown, with what can be seen within LOOK_SECONDS; returns how many there were.

        What goes on by itself is followed again, from what the journal has of it.
        """
        left = await self._left(CallState.STARTED, only)
        found = [row for row in left if row.task is None]
        for row in left:
            if row.task is not None:  # it goes on without us, and is only looked at: this may begin again
                self._execution.following.follow(row, partial(self._seen, row), 0.0)
        looks = await self._count_look() if found else 0
        # All at once: one target that hangs must not keep what came of the others from being said.
        await asyncio.gather(*(self._unknown(row, look=looks <= MOST_LOOKS) for row in found))
        if found:
            async with self._stores.database.transaction() as tx:
                await self._stores.marks.clear(tx, LOOKS)
        return len(found)

    async def _unknown(self, row: CallRow, *, look: bool) -> None:
        logger.warning("call {} ({}) was under way when I stopped", row.id, row.tool)
        if row.safety == {}:  # the change itself begins only after that
            await self._execution.outcomes.close(row, CallState.FAILED, NO_NET)
            return
        words, seen = await self._evidence(row) if look else (CANNOT_LOOK, None)
        await self._execution.outcomes.close(row, CallState.UNKNOWN, words, after=seen)

    async def _left(self, state: CallState, only: set[str] | None) -> list[CallRow]:
        return [row for row in await self._stores.journal.in_state(state) if only is None or row.run in only]

    async def _count_look(self) -> int:
        """Count this recovery before it can die; how many there were since the last that lived."""
        async with self._stores.database.transaction() as tx:
            return await self._stores.marks.count(tx, LOOKS)

    async def _evidence(self, row: CallRow) -> Evidence:
        """What a read-only look shows now, in words and in facts: evidence, not a verdict."""
        run = await self._stores.runs.get(row.run)
        assert run is not None, "a call belongs to a run"
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                found = await self._proposals.prepare(run, Use(row.id, row.tool, row.args), insist=True)
        except TimeoutError:
            words, seen = f"Seen now: nothing, {row.service} does not answer.", None
        else:
            words, seen = await self._judge(row, found)
        point("recovering")
        step = f" The last step: {row.detail}." if row.detail else ""
        return f"{CUT_OFF}{step} {words}", seen

    async def _seen(self, row: CallRow, within: float) -> Seen:
        """The target as it is now, and whether it is as a call has wanted it that another process has begun."""
        run = await self._stores.runs.get(row.run)
        assert run is not None, "a call belongs to a run"
        found = await self._proposals.prepare(run, Use(row.id, row.tool, row.args), insist=True, of=row)
        if isinstance(found, Answer):
            return Seen(found.facts, found.facts is not None, None if found.facts else ToolFailed(found.detail))
        if found.is_for_another(row):
            return Seen(failed=ToolFailed(f"{gone(row)}."))
        return await self._execution.outcomes.came_of(row, found.change)

    async def _judge(self, row: CallRow, found: Answer | Proposal) -> Evidence:
        if isinstance(found, Answer) and found.facts is not None:
            return "Seen now: it is as was wanted.", results.stored_facts(found.facts, fits=True)
        if not isinstance(found, Proposal):
            return (f"Seen now: {gone(row, {found.absent})}." if found.gone else f"Seen now: {found.detail}"), None
        if found.is_for_another(row):
            return f"Seen now: {gone(row)}.", None
        if not row.before["all"]:
            return "Seen now: nothing that would show it.", None
        came = await self._execution.outcomes.came_of(row, found.change)
        assert came.facts is not None, "they were read for the plan"
        seen = results.stored_facts(came.facts, fits=came.held, parts=came.parts)
        if results.moved(row.before, seen):
            return "Seen now: it is not as it was before.", seen
        if results.moved(row.before, seen, "all"):
            return "Seen now: what was on the card is as before, but something else has moved.", seen
        return "Seen now: no trace of it, everything is as before.", seen
