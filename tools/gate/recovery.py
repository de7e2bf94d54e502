"""After a crash: what was under way is unknown, never run again by itself, and shown with what can be seen now."""

from loguru import logger

from memory.models import CallRow, CallState, Run, Use
from memory.points import point
from memory.stores import Stores
from tools.gate import results
from tools.gate.execution import Execution
from tools.gate.proposals import Proposal, Proposals

APPROVED_NOT_STARTED = "Approved, but I was interrupted before it began. Ask again if you still want it."


class Recovery:
    """Runs once at start, before anything else may change; doing it again finds nothing."""

    def __init__(self, stores: Stores, execution: Execution, proposals: Proposals) -> None:
        self._stores, self._execution, self._proposals = stores, execution, proposals

    async def run(self) -> int:
        """Settle every call that a crash left open; returns how many outcomes are unknown."""
        for row in await self._stores.journal.in_state(CallState.PROPOSED):
            await self._execution.close(row, CallState.NOT_STARTED, "I was interrupted before this was asked.")
        for row in await self._stores.journal.in_state(CallState.WAITING):
            approval = await self._stores.approvals.latest(row.id)
            if approval is not None and approval.state == "approved":
                await self._execution.close(row, CallState.NOT_STARTED, APPROVED_NOT_STARTED)
        found = await self._stores.journal.in_state(CallState.STARTED)
        for row in found:
            logger.warning("call {} ({}) was under way when I stopped", row.id, row.tool)
            evidence = await self._evidence(row)
            point("recovering")
            await self._execution.close(row, CallState.UNKNOWN, evidence)
        return len(found)

    async def _evidence(self, row: CallRow) -> str:
        """What a read-only look shows now: evidence, not a verdict."""
        run = await self._stores.runs.get(row.run)
        assert run is not None, "a call belongs to a run"
        seen = await self._probe(run, row)
        return f"I was interrupted while this ran. {seen}"

    async def _probe(self, run: Run, row: CallRow) -> str:
        found = await self._proposals.prepare(run, Use(row.id, row.tool, row.args))
        if not isinstance(found, Proposal):
            return f"Seen now: {found.detail}"
        facts = found.change.facts.shown()
        moved = results.moved(row.before["shown"], facts)
        if not moved:
            return "Seen now: no trace of it, everything is as before."
        return "Seen now: " + "; ".join(f"{name} {old} → {new}" for name, (old, new) in moved.items())
