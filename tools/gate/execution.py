"""Doing it: propose again, compare, commit `started`, do, read again, write the receipt."""

import asyncio
from typing import Any

from loguru import logger

from memory.models import CallRow, CallState, Run, Use
from memory.points import point
from memory.stores import Stores
from tools.gate import results
from tools.gate.policy import Verdict
from tools.gate.ports import Guard, People, Watch
from tools.gate.proposals import Proposal, Proposals
from tools.kit.change import Change, Facts
from tools.kit.clients import Clients
from tools.kit.context import Access
from tools.kit.errors import ToolFailed
from tools.kit.service import Risk

UNDO_SECONDS = 24 * 3600.0
LOUD_AFTER = 30.0
"""Seconds after the tap from which an outcome comes as a message of its own, with sound."""
POLL = (0.1, 0.2, 0.4, 0.8, 1.0)
"""Seconds between looks at the target while the expectation does not hold yet."""


class Moved(Exception):
    """A shown fact differs from the card: carries the new proposal."""

    def __init__(self, proposal: Proposal, facts: dict[str, list[Any]]) -> None:
        super().__init__("the target has changed")
        self.proposal, self.facts = proposal, facts


class Execution:
    """Runs one approved call, once."""

    def __init__(
        self, stores: Stores, proposals: Proposals, clients: Clients, people: People, guard: Guard, watch: Watch
    ) -> None:
        self._stores, self._proposals, self._clients = stores, proposals, clients
        self._people, self._guard, self._watch = people, guard, watch

    async def run(self, run: Run, row: CallRow, decided_by: str | None) -> None:
        """Carry the call to its outcome. Raises Moved when nothing ran because a shown fact moved."""
        use = Use(row.id, row.tool, row.args)
        proposal = await self._proposals.prepare(run, use)
        if not isinstance(proposal, Proposal):
            await self.close(row, CallState.NOT_STARTED, proposal.detail)
            return
        if refusal := self._refusal(run, row, proposal, decided_by):
            await self.close(row, CallState.NOT_STARTED, refusal)
            return
        if facts := results.moved(row.before["shown"], proposal.change.facts.shown()):
            raise Moved(proposal, facts)
        if await self._start(run, row, proposal.change, decided_by):
            await self._do(run, row, proposal.change)

    def _refusal(self, run: Run, row: CallRow, proposal: Proposal, decided_by: str | None) -> str:
        if held := self._guard.held(run.id):
            return held
        if proposal.decision.verdict is Verdict.REFUSE:
            return proposal.decision.reason
        if proposal.risk > row.risk:
            return "This has become more dangerous than what was approved: ask again."
        if row.needs_tap and decided_by is not None:
            allowed = self._people.approvers(run.conversation, run.actor, Risk(row.risk), proposal.tool.service.name)
            if decided_by not in allowed:
                return "Whoever approved this may no longer do so."
        return ""

    async def _start(self, run: Run, row: CallRow, change: Change[Any], decided_by: str | None) -> bool:
        stores = self._stores
        point("starting")
        async with stores.database.transaction() as tx:
            net = await stores.nets.seal(tx, row.id, change.net) if change.net is not None else None
            started = await stores.journal.start(tx, row.id, row.epoch, net)
            if started:
                await stores.audit.record(
                    tx, "started", decided_by or run.actor.id, call=row.id, tool=row.tool, args_hash=row.args_hash
                )
        if not started:
            await self.close(row, CallState.NOT_STARTED, "Another instance has taken over.")
        return started

    async def _do(self, run: Run, row: CallRow, change: Change[Any]) -> None:
        self._watch.doing(run.id, f"{change.title} …")
        point("started")
        try:
            client = await self._clients.get(row.tool.partition("_")[0], Access.WRITE)
            async with asyncio.timeout(change.deadline):
                await change.do(client)
            point("answered")
        except ToolFailed as error:
            state = CallState.UNKNOWN if error.sent else CallState.FAILED
            await self._finish(row, change, state, str(error), verify=error.sent)
        except TimeoutError:
            text = f"No answer within {change.deadline:.0f} s."
            await self._finish(row, change, CallState.UNKNOWN, text, verify=True)
        except Exception as error:  # one of the three places that must survive anything: a tool call
            logger.opt(exception=error).error("tool {} broke while changing something", row.tool)
            text = f"The tool broke ({type(error).__name__}); the log has the details."
            await self._finish(row, change, CallState.UNKNOWN, text, verify=True)
        else:
            await self._finish(row, change, CallState.DONE, "", verify=True)

    async def _finish(self, row: CallRow, change: Change[Any], state: CallState, detail: str, *, verify: bool) -> None:
        # A lost answer is not waited for: one look is the evidence, and a person decides.
        within = change.within if state is CallState.DONE else 0.0
        after, held = await self._look(row, change, within) if verify else (None, False)
        stores = self._stores
        current = await stores.journal.get(row.id)
        undo = None
        if state is CallState.DONE and change.undo is not None and current is not None:
            undo = change.undo(change.facts, current.net or "")
        async with stores.database.transaction() as tx:
            await stores.journal.finish(
                tx, row.id, state,
                detail=detail,
                after=results.stored_facts(after) if after is not None else None,
                verified=held if state is CallState.DONE else None,
                undo={"tool": undo.tool, "args": undo.args} if undo else None,
                undo_key=stores.undo_hash(row.id) if undo else None,
                undo_until=stores.database.now() + UNDO_SECONDS if undo else None,
            )  # fmt: skip
            await stores.audit.record(tx, str(state), "gate", call=row.id, tool=row.tool, verified=held)
            await self._announce(tx, row, state, held)
            point("finishing")
        point("finished")

    async def _look(self, row: CallRow, change: Change[Any], within: float) -> tuple[Facts | None, bool]:
        """The target as it is now, waiting up to `within` seconds for the expectation."""
        client = await self._clients.get(row.tool.partition("_")[0], Access.READ)
        clock = asyncio.get_running_loop().time
        deadline, waits, seen = clock() + within, iter(POLL), None
        while True:
            try:
                async with asyncio.timeout(max(5.0, within)):
                    seen = await change.facts.again(client)
            except (ToolFailed, TimeoutError):
                pass  # the last thing seen, if anything, is what is reported: it is not called verified
            else:
                if change.expect(change.facts, seen):
                    return seen, True
            if clock() >= deadline:
                return seen, False
            await asyncio.sleep(next(waits, POLL[-1]))

    async def close(self, row: CallRow, state: CallState, detail: str = "") -> None:
        """An outcome without a single byte sent."""
        async with self._stores.database.transaction() as tx:
            if await self._stores.journal.finish(tx, row.id, state, detail=detail):
                await self._stores.audit.record(tx, str(state), "gate", call=row.id, tool=row.tool, detail=detail)
                await self._announce(tx, row, state, True)

    async def _announce(self, tx: Any, row: CallRow, state: CallState, verified: bool) -> None:
        stores = self._stores
        run = await stores.runs.get(row.run)
        approval = await stores.approvals.latest(row.id)
        assert run is not None, "a call belongs to a run"
        if approval is not None:
            event = f"card:{approval.card}:{row.id}:{state}"
            await stores.outbox.add(tx, run.conversation, "card", event, card=approval.card)
        late = approval is not None and stores.database.now() - (approval.decided or 0.0) > LOUD_AFTER
        executed = state in (CallState.DONE, CallState.FAILED, CallState.UNKNOWN)
        if approval is None or (executed and (late or not verified)):
            await stores.outbox.add(tx, run.conversation, "receipt", f"receipt:{row.id}:{state}", call=row.id)
