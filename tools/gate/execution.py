"""Doing it: propose again, compare, commit `started`, and do; what comes of it the outcomes tell."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from dataclasses import replace
from typing import Any

from memory.models import CallRow, CallState, Run, Use
from memory.nets import KEEP_SECONDS
from memory.points import point
from memory.stores import Stores
from tools.gate import results
from tools.gate.card import gone
from tools.gate.following import Following
from tools.gate.outcomes import LOOK_SECONDS, Outcomes, Seen
from tools.gate.policy import Verdict
from tools.gate.ports import CLOSING, Guard, Listener, People
from tools.gate.proposals import TOO_LARGE, Answer, Proposal, Proposals
from tools.gate.room import MOST_SHOWN, room
from tools.kit.change import Change, Done, Taken, Task
from tools.kit.clients import Clients
from tools.kit.context import Access
from tools.kit.errors import ToolFailed
from tools.kit.service import Risk

UNDO_SECONDS = KEEP_SECONDS
"""How long a change can be taken back: as long as what that may need is kept."""


class MustAsk(Exception):
    """Nothing ran: a shown fact differs from the card, or it may not run by itself any more. Has the new proposal."""

    def __init__(self, proposal: Proposal, facts: dict[str, list[Any]]) -> None:
        super().__init__("this must be asked again")
        self.proposal, self.facts = proposal, facts


class Execution:
    """Runs one approved call, once."""

    def __init__(
        self, stores: Stores, proposals: Proposals, clients: Clients, people: People, guard: Guard, listener: Listener
    ) -> None:
        self._stores, self._proposals, self._clients = stores, proposals, clients
        self._people, self._guard, self._listener = people, guard, listener
        self._under_way: set[asyncio.Task[None]] = set()
        self._doing: list[CallRow] = []
        self.outcomes = Outcomes(stores, clients, proposals.redact)
        self.following = Following(stores, clients, self.outcomes)

    async def run(self, run: Run, row: CallRow, decided_by: str | None) -> None:
        """Carry the call to its outcome. Raises MustAsk when it has to be asked again first."""
        use = Use(row.id, row.tool, row.args)
        proposal = await self._proposals.prepare(run, use, insist=True)
        if not isinstance(proposal, Proposal):
            why = f"{gone(row, {proposal.absent})}: nothing was changed." if proposal.gone else proposal.detail
            await self.outcomes.close(row, CallState.NOT_STARTED, why, outside=proposal.tainted)
            return
        if proposal.is_for_another(row):
            await self.outcomes.close(
                row, CallState.NOT_STARTED, f"{gone(row, proposal.not_of(row))}: nothing was changed."
            )
            return
        if refusal := self._refusal(run, row, proposal, decided_by):
            await self.outcomes.close(row, CallState.NOT_STARTED, refusal)
            return
        facts = results.moved(row.before, results.stored_facts(proposal.change.facts))
        if facts or (proposal.decision.verdict is Verdict.ASK and not row.needs_tap):
            if room(proposal, run, facts) > MOST_SHOWN:
                await self.outcomes.close(row, CallState.NOT_STARTED, f"It has changed meanwhile. {TOO_LARGE}")
                return
            raise MustAsk(proposal, facts)
        # Once begun it is carried to its receipt, whoever stops waiting for it: /stop, shutdown, a lost terminal.
        await self._to_the_end(self._begin(run, row, proposal, decided_by))

    async def _to_the_end(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.shield(task)

    def barred(self, run: str) -> str:
        """Why nothing that this run asks for could begin, whoever approved it, or an empty string."""
        held = self._guard.held(run)
        return held if held and held != CLOSING else ""

    async def drain(self, seconds: float) -> None:
        """Wait for what is under way; what is not back by then is unknown at the next start.

        What goes on by itself is not waited for: the next start follows it.
        """
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=seconds)
        await self.following.stop()

    async def _begin(self, run: Run, row: CallRow, proposal: Proposal, decided_by: str | None) -> None:
        if await self._start(run, row, proposal.change, decided_by):
            self._doing.append(row)
            try:
                self._listener.doing(run.id, f"{proposal.change.title} …")
                point("started")
                await (self._read if proposal.tool.risk is Risk.READ else self._do)(row, proposal.change)
            finally:
                self._doing.remove(row)

    def _refusal(self, run: Run, row: CallRow, proposal: Proposal, decided_by: str | None) -> str:
        if held := self._guard.held(run.id):
            return held
        if proposal.decision.verdict is Verdict.REFUSE:
            return proposal.decision.reason
        if proposal.risk > row.risk:
            return "This has become more dangerous than what was approved: ask again."
        if row.needs_tap and decided_by is not None:
            allowed = self._people.approvers(run.conversation, Risk(row.risk), proposal.tool.service.name)
            if decided_by not in allowed:
                return "Whoever approved this may no longer do so."
        return ""

    async def _start(self, run: Run, row: CallRow, change: Change[Any], decided_by: str | None) -> bool:
        stores = self._stores
        point("starting")
        async with stores.database.transaction() as tx:
            # Once more: this may have waited for its turn to write, and somebody has said stop meanwhile.
            why = self._guard.held(row.run) or self._in_the_way(row)
            # Kept before it begins: the outcome may get lost, and a person may then say that it happened.
            unsafe = change.safety_net is not None  # until that is made, nobody knows how to take it back
            net, back = (None, {}) if why or unsafe else await self._keep(tx, row, change)
            started = not why and await stores.journal.start(tx, row.id, row.epoch, net, **back, safety=unsafe)
            if started:
                await stores.audit.record(
                    tx, "started", decided_by or run.actor.id, call=row.id, tool=row.tool, args_hash=row.args_hash
                )
        if not started:
            await self.outcomes.close(row, CallState.NOT_STARTED, why or "Another instance has taken over.")
        return started

    async def _keep(
        self, tx: Any, row: CallRow, change: Change[Any], taken: Taken | None = None
    ) -> tuple[str | None, dict[str, Any]]:
        """Keep what Undo needs: its net's id, and what the journal keeps of the call that takes this one back."""
        content = change.kept(taken)
        net = await self._stores.nets.seal(tx, row.id, content) if content is not None else None
        back = change.way_back(net or "")
        until = self._stores.database.steady() + UNDO_SECONDS
        undo = {"tool": back.tool, "args": back.args} if back else None
        kept = {"undo": undo, "undo_key": self._stores.undo_hash(row.id), "undo_until": until} if undo else {}
        return net, kept

    def _in_the_way(self, row: CallRow) -> str:
        """Why a call may not begin while another one is changing its target, or an empty string."""
        others = [*self._doing, *self.following.rows]
        first = next((other for other in others if _touched(other) & _touched(row)), None)
        return f"{first.title} was still under way: ask again when it is done." if first else ""

    async def _read(self, row: CallRow, change: Change[Any]) -> None:
        """A read that a person has let out: its answer is kept for the model, and is all there is to verify."""
        client = await self._clients.get(row.service, Access.READ)
        doing = change.do(client)
        assert not isinstance(doing, AsyncIterator), "a read has no steps"
        answer = await self.outcomes.survive(row, change.deadline, doing)
        came, stores = isinstance(answer, Answer), self._stores
        state = CallState.DONE if came else CallState.FAILED
        async with stores.database.transaction() as tx:
            if isinstance(answer, Answer):
                await stores.held.keep(tx, row.run, {row.id: {"block": answer.block, "tainted": answer.tainted}})
            await stores.journal.finish(
                tx, row.id, state, detail="" if came else self.outcomes.said(answer), verified=came
            )
            await stores.audit.record(tx, str(state), "gate", call=row.id, tool=row.tool, verified=came)
            await self.outcomes.announce(tx, row, state, came)

    async def _do(self, row: CallRow, change: Change[Any]) -> None:
        def look(within: float) -> Awaitable[Seen]:
            return self.outcomes.look(row, change, within)

        if why := await self._unsafe(row, change):
            await self.outcomes.close(row, CallState.FAILED, f"{why} Nothing was changed.")
            return
        came = await self.outcomes.survive(row, change.deadline, self._write(row, change))
        if isinstance(came, CallRow):
            self.following.follow(came, look, change.within)
        else:
            await self.outcomes.finish(row, came, look, change.within)

    async def _unsafe(self, row: CallRow, change: Change[Any]) -> str:
        """Make the safety net; why the change must not begin then, or an empty string."""
        if change.safety_net is None:
            return ""
        net = change.safety_net

        async def made() -> Taken:
            return await net(await self._clients.get(row.service, Access.WRITE))

        self._listener.doing(row.run, f"{row.title}: making sure that it can be taken back …")
        taken = await self.outcomes.survive(row, change.deadline, made())
        if isinstance(taken, ToolFailed):
            return f"The safety net could not be made: {taken}"
        async with self._stores.database.transaction() as tx:
            kept, back = await self._keep(tx, row, change, taken)
            await self._stores.journal.made(tx, row.id, self.outcomes.said(taken.words), kept, **back)
        # That may have taken its time: a stop, and whatever moved meanwhile, still come before the change.
        if held := self._guard.held(row.run):
            return held
        seen = await self.outcomes.survive(row, LOOK_SECONDS, self.outcomes.look(row, change, 0.0))
        now = None if isinstance(seen, ToolFailed) else seen.facts
        if now is None or results.moved(row.before, results.stored_facts(now)):
            return "What it is for has changed meanwhile." if now else "What it is for can no longer be seen."
        return ""

    async def _write(self, row: CallRow, change: Change[Any]) -> Done | CallRow:
        """Done, or the row with the task that now goes on by itself: it is kept before anything else is done."""
        client, database = await self._clients.get(row.service, Access.WRITE), self._stores.database
        doing = change.do(client)
        if isinstance(doing, AsyncIterator):
            await self._steps(row, doing)
            return Done()
        begun = await doing
        point("answered")
        if not isinstance(begun, Task):
            return Done()
        until = database.steady() + begun.lasts
        async with database.transaction() as tx:
            await self._stores.journal.begun(tx, row.id, begun.ref, until)
        return replace(row, task={"ref": begun.ref, "until": until})

    async def _steps(self, row: CallRow, steps: AsyncIterator[str]) -> None:
        """Let it go on from step to step; whoever finds it after a crash reads which one was the last to begin."""
        async for step in steps:
            await self.outcomes.told(row, self.outcomes.said(step))
            point("stepped")


def _touched(row: CallRow) -> set[tuple[str, str]]:
    """What a call acts on; a name, or what tells it from its namesakes, may be another one by now."""
    return {(row.service, target["id"]) for target in row.targets.values()}
