"""After a crash: what was under way is unknown, never run again by itself, and shown with what can be seen now."""

from loguru import logger

from memory.models import CallRow, CallState, Run, Use
from memory.points import point
from memory.stores import Stores
from tools.gate import results
from tools.gate.execution import Execution
from tools.gate.proposals import Proposal, Proposals

MOST_LOOKS = 3
"""Recoveries in a row that may die while they look at a target; then it is not looked at any more."""
APPROVED_NOT_STARTED = "Approved, but I was interrupted before it began. Ask again if you still want it."
CANNOT_LOOK = "I was interrupted while this ran, and have crashed each time I looked what came of it."


class Recovery:
    """Runs once at start, before anything else may change; doing it again finds nothing."""

    def __init__(self, stores: Stores, execution: Execution, proposals: Proposals) -> None:
        self._stores, self._execution, self._proposals = stores, execution, proposals

    async def run(self, only: set[str] | None = None) -> int:
        """Settle every call that a crash left open (in these runs only); returns how many outcomes are unknown."""
        for row in await self._left(CallState.PROPOSED, only):
            await self._execution.close(row, CallState.NOT_STARTED, "I was interrupted before this was asked.")
        for row in await self._left(CallState.WAITING, only):
            approval = await self._stores.approvals.latest(row.id)
            if approval is not None and approval.state == "approved":
                await self._execution.close(row, CallState.NOT_STARTED, APPROVED_NOT_STARTED)
        found = await self._left(CallState.STARTED, only)
        looks = await self._count_look() if found else 0
        for row in found:
            logger.warning("call {} ({}) was under way when I stopped", row.id, row.tool)
            evidence = await self._evidence(row) if looks <= MOST_LOOKS else CANNOT_LOOK
            await self._execution.close(row, CallState.UNKNOWN, evidence)
        if found:
            async with self._stores.database.transaction() as tx:
                await tx.run("DELETE FROM meta WHERE key = 'looks'")
        return len(found)

    async def _left(self, state: CallState, only: set[str] | None) -> list[CallRow]:
        return [row for row in await self._stores.journal.in_state(state) if only is None or row.run in only]

    async def _count_look(self) -> int:
        """Count this recovery before it can die; how many there were since the last that lived."""
        async with self._stores.database.transaction() as tx:
            await tx.run("INSERT INTO meta VALUES ('looks', '1') ON CONFLICT (key) DO UPDATE SET value = value + 1")
            row = await tx.one("SELECT CAST(value AS INTEGER) AS looks FROM meta WHERE key = 'looks'")
        return int(row["looks"]) if row else 0

    async def _evidence(self, row: CallRow) -> str:
        """What a read-only look shows now: evidence, not a verdict."""
        run = await self._stores.runs.get(row.run)
        assert run is not None, "a call belongs to a run"
        seen = await self._probe(run, row)
        point("recovering")
        return f"I was interrupted while this ran. {seen}"

    async def _probe(self, run: Run, row: CallRow) -> str:
        found = await self._proposals.prepare(run, Use(row.id, row.tool, row.args), insist=True)
        if not isinstance(found, Proposal):
            return f"Seen now: {found.detail}"
        facts = found.change.facts.shown()
        moved = results.moved(row.before["shown"], facts)
        if not moved:
            return "Seen now: no trace of it, everything is as before."
        return "Seen now: " + "; ".join(f"{name} {old} → {new}" for name, (old, new) in moved.items())
