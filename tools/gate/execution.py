"""Doing it: propose again, compare, commit `started`, do, read again, write the receipt."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from loguru import logger

from memory.models import RAN, Approval, CallRow, CallState, Run, Use
from memory.nets import KEEP_SECONDS
from memory.points import point
from memory.stores import Stores
from memory.text import escaped, short_ids
from tools.gate import results
from tools.gate.following import Telling, ended
from tools.gate.policy import Verdict
from tools.gate.ports import CLOSING, Guard, Listener, People
from tools.gate.proposals import TOO_LARGE, Answer, Proposal, Proposals, gone
from tools.gate.room import MOST_SHOWN, room
from tools.kit.change import Broken, Change, Done, Facts, Taken, Task
from tools.kit.clients import Clients
from tools.kit.context import Access
from tools.kit.errors import CircuitOpen, OutcomeUnknown, ToolFailed, Unreachable
from tools.kit.service import Risk

T = TypeVar("T")
Seen = tuple[Facts | None, bool]
"""The target as it is now, and whether it is as the change wants it."""
Look = Callable[[float], Awaitable[Seen]]
"""Looks at the target, waiting up to so many seconds for what the change wants."""

UNDO_SECONDS = KEEP_SECONDS
"""How long a change can be taken back: as long as what that may need is kept."""
LOUD_AFTER = 30.0
"""Seconds after the tap from which an outcome comes as a message of its own, with sound."""
LOOK_SECONDS = 5.0
"""Seconds that one look at the target may take."""
SETTLE_SECONDS = 2.0
"""How long an interrupted change is given to come to rest before it is judged."""
POLL = (0.1, 0.2, 0.4, 0.8, 1.0)
"""Seconds between looks at the target while the expectation does not hold yet."""


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
        self._followed: dict[str, tuple[CallRow, asyncio.Task[None]]] = {}
        self.onward: Callable[[str], object] = lambda run: None
        """Carries a run on when what it has waited for has ended."""

    async def run(self, run: Run, row: CallRow, decided_by: str | None) -> None:
        """Carry the call to its outcome. Raises MustAsk when it has to be asked again first."""
        use = Use(row.id, row.tool, row.args)
        proposal = await self._proposals.prepare(run, use, insist=True)
        if not isinstance(proposal, Proposal):
            why = f"{gone(row)}: nothing was changed." if proposal.gone else proposal.detail
            await self.close(row, CallState.NOT_STARTED, why, outside=proposal.tainted)
            return
        if proposal.is_for_another(row):
            await self.close(row, CallState.NOT_STARTED, f"{gone(row)}: nothing was changed.")
            return
        if refusal := self._refusal(run, row, proposal, decided_by):
            await self.close(row, CallState.NOT_STARTED, refusal)
            return
        facts = results.moved(row.before["shown"], proposal.change.facts.shown())
        if facts or (proposal.decision.verdict is Verdict.ASK and not row.needs_tap):
            if room(proposal, run, facts) > MOST_SHOWN:
                await self.close(row, CallState.NOT_STARTED, f"It has changed meanwhile. {TOO_LARGE}")
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
        followers = [task for _, task in self._followed.values()]
        for task in followers:
            task.cancel()
        await asyncio.gather(*followers, return_exceptions=True)

    def follows(self, run: str) -> bool:
        """Whether something that this run has begun goes on and is followed."""
        return any(row.run == run for row, _ in self._followed.values())

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
            await self.close(row, CallState.NOT_STARTED, why or "Another instance has taken over.")
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
        others = [*self._doing, *(followed for followed, _ in self._followed.values())]
        first = next((other for other in others if _touched(other) & _touched(row)), None)
        return f"{first.title} was still under way: ask again when it is done." if first else ""

    async def _read(self, row: CallRow, change: Change[Any]) -> None:
        """A read that a person has let out: its answer is kept for the model, and is all there is to verify."""
        client = await self._clients.get(row.service, Access.READ)
        answer = await self._survive(row, change.deadline, change.do(client))
        came, stores = isinstance(answer, Answer), self._stores
        state = CallState.DONE if came else CallState.FAILED
        async with stores.database.transaction() as tx:
            if isinstance(answer, Answer):
                await stores.held.keep(tx, row.run, {row.id: {"block": answer.block, "tainted": answer.tainted}})
            await stores.journal.finish(tx, row.id, state, detail="" if came else self._said(answer), verified=came)
            await stores.audit.record(tx, str(state), "gate", call=row.id, tool=row.tool, verified=came)
            await self._announce(tx, row, state, came)

    async def _do(self, row: CallRow, change: Change[Any]) -> None:
        def look(within: float) -> Awaitable[Seen]:
            return self._look(row, change, within)

        if why := await self._unsafe(row, change):
            await self.close(row, CallState.FAILED, f"{why} Nothing was changed.")
            return
        came = await self._survive(row, change.deadline, self._write(row, change))
        if isinstance(came, CallRow):
            self.follow(came, look, change.within)
        else:
            await self._finish(row, came, look, change.within)

    async def _unsafe(self, row: CallRow, change: Change[Any]) -> str:
        """Make the safety net; why the change must not begin then, or an empty string."""
        if change.safety_net is None:
            return ""
        net = change.safety_net

        async def made() -> Taken:
            return await net(await self._clients.get(row.service, Access.WRITE))

        self._listener.doing(row.run, f"{row.title}: making sure that it can be taken back …")
        taken = await self._survive(row, change.deadline, made())
        if isinstance(taken, ToolFailed):
            return f"The safety net could not be made: {taken}"
        async with self._stores.database.transaction() as tx:
            kept, back = await self._keep(tx, row, change, taken)
            await self._stores.journal.made(tx, row.id, self._said(taken.words), kept, **back)
        # That may have taken its time: a stop, and whatever moved meanwhile, still come before the change.
        if held := self._guard.held(row.run):
            return held
        seen = await self._survive(row, LOOK_SECONDS, self._look(row, change, 0.0))
        now = None if isinstance(seen, ToolFailed) else seen[0]
        if now is None or results.moved(row.before["shown"], now.shown()):
            return "What it is for has changed meanwhile." if now else "What it is for can no longer be seen."
        return ""

    async def _write(self, row: CallRow, change: Change[Any]) -> Done | CallRow:
        """Done, or the row with the task that now goes on by itself: it is kept before anything else is done."""
        client, database = await self._clients.get(row.service, Access.WRITE), self._stores.database
        begun = await change.do(client)
        point("answered")
        if not isinstance(begun, Task):
            return Done()
        until = database.steady() + begun.lasts
        async with database.transaction() as tx:
            await self._stores.journal.begun(tx, row.id, begun.ref, until)
        return replace(row, task={"ref": begun.ref, "until": until})

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
        run = await self._stores.runs.get(row.run)
        assert run is not None and row.task is not None, "a call belongs to a run, and this one has begun something"
        left = max(0.0, row.task["until"] - self._stores.database.steady())
        telling = Telling(self._stores, row.id, run.conversation, self._said)
        came = await self._survive(row, left + LOOK_SECONDS, self._ended(row, row.task["ref"], left, telling))
        if isinstance(came, ToolFailed) and not came.sent:  # it had begun, whatever keeps us from seeing its end
            came = OutcomeUnknown(f"I can follow it no more: {came}")
        await self._finish(row, came, look, within)
        run = await self._stores.runs.get(row.run)
        self._followed.pop(row.id, None)
        if run is not None and run.state in ("working", "waiting"):
            self.onward(row.run)

    async def _ended(self, row: CallRow, ref: str, seconds: float, telling: Telling) -> Done | Broken:
        if (follow := self._clients.follower(row.service)) is None:
            raise OutcomeUnknown(f"{row.service} does not say how to follow what it has begun.")
        return await ended(follow, await self._clients.get(row.service, Access.READ), ref, seconds, telling)

    async def _survive(self, row: CallRow, seconds: float, work: Awaitable[T]) -> T | ToolFailed:
        """What a tool's own code comes to, or why it came to nothing."""
        try:
            async with asyncio.timeout(seconds):
                return await work
        except ToolFailed as error:
            return error
        except TimeoutError:
            return OutcomeUnknown(f"No answer within {seconds:.0f} s.")
        except Exception as error:  # one of the three places that must survive anything: a tool call
            logger.opt(exception=error).error("tool {} broke while changing something", row.tool)
            return OutcomeUnknown(f"The tool broke ({type(error).__name__}); the log has the details.")

    async def _finish(self, row: CallRow, came: Done | Broken | ToolFailed, look: Look, within: float) -> None:
        """The outcome of what was tried: whatever the service has said of it, the target has the last word."""
        done, unknown = isinstance(came, Done), isinstance(came, ToolFailed) and came.sent
        detail = came.note if isinstance(came, Done) else came.words if isinstance(came, Broken) else str(came)
        after, held = None, False
        if not isinstance(came, Unreachable | CircuitOpen):  # of those not a byte has left
            # A lost answer is not waited for: one look is the evidence, and a person decides.
            waited = within if done else 0.0
            seen = await self._survive(row, 2 * waited + LOOK_SECONDS, look(waited))
            after, held = (None, False) if isinstance(seen, ToolFailed) else seen
            if not done and not unknown:
                detail, done = f"{detail} {_seen(row, after, held)}", held
        state = CallState.UNKNOWN if unknown else CallState.DONE if done else CallState.FAILED
        stores, verified = self._stores, done and held
        async with stores.database.transaction() as tx:
            if done and detail:  # in the service's words
                await stores.journal.update_facts(tx, row.id, {**row.before, "outside": True}, row.card)
            await stores.journal.finish(
                tx, row.id, state,
                detail=self._said(detail),
                after=results.stored_facts(after, fits=held) if after is not None else None,
                verified=held if done else None,
            )  # fmt: skip
            await stores.audit.record(tx, str(state), "gate", call=row.id, tool=row.tool, verified=verified)
            await self._announce(tx, row, state, verified)
            run = await stores.runs.get(row.run)
            if verified and run is not None and run.undo_of:
                await stores.nets.drop(tx, run.undo_of)  # it may hold secrets, and is of no more use
            point("finishing")
        point("finished")

    async def _look(self, row: CallRow, change: Change[Any], within: float) -> Seen:
        """The target as it is now, waiting up to `within` seconds for the expectation."""
        client = await self._clients.get(row.service, Access.READ)
        clock = asyncio.get_running_loop().time
        deadline, waits, seen = clock() + within, iter(POLL), None
        while True:
            try:
                async with asyncio.timeout(max(LOOK_SECONDS, within)):
                    seen = await change.facts.again(client)
            except (ToolFailed, TimeoutError):
                pass  # the last thing seen, if anything, is what is reported: it is not called verified
            else:
                if change.expect(change.facts, seen):
                    return seen, True
            if clock() >= deadline:
                return seen, False
            await asyncio.sleep(next(waits, POLL[-1]))

    async def came_of(self, row: CallRow, change: Change[Any]) -> tuple[Facts, bool]:
        """What is there after a change that was begun from a row's facts, and whether it is as that wants it."""

        async def judged() -> tuple[Facts, bool]:
            before, seen = type(change.facts).model_validate_json(json.dumps(row.before["all"])), change.facts
            moving = seen.model_dump() != before.model_dump()
            if moving and not change.expect(before, seen):  # it may be on its way: a start takes a moment
                await asyncio.sleep(SETTLE_SECONDS)
                seen = await seen.again(await self._clients.get(row.service, Access.READ))
            return seen, change.expect(before, seen)

        found = await self._survive(row, SETTLE_SECONDS + 1.0, judged())
        return (change.facts, False) if isinstance(found, ToolFailed) else found

    async def close(
        self, row: CallRow, state: CallState, detail: str = "", *, outside: bool = False,
        after: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """An outcome without a single byte sent; `outside` when the detail quotes a service, `after` what is seen."""
        detail = self._said(detail)
        async with self._stores.database.transaction() as tx:
            if outside:
                await self._stores.journal.update_facts(tx, row.id, {**row.before, "outside": True}, row.card)
            if await self._stores.journal.finish(tx, row.id, state, detail=detail, after=after):
                await self._stores.approvals.withdraw(tx, row.id)
                await self._stores.audit.record(tx, str(state), "gate", call=row.id, tool=row.tool, detail=detail)
                await self._announce(tx, row, state, False)

    def _said(self, words: object) -> str:
        """Why something came to nothing, as it may be stored and shown: a service's own words are in it."""
        return escaped(short_ids(self._proposals.redact(str(words))))

    async def _announce(self, tx: Any, row: CallRow, state: CallState, verified: bool) -> None:
        stores = self._stores
        run = await stores.runs.get(row.run)
        approval = await stores.approvals.latest(row.id)
        assert run is not None, "a call belongs to a run"
        if approval is not None:
            await stores.outbox.draw(tx, run.conversation, "card", approval.card)
        if approval is None or is_loud(state, verified, approval, stores.database.now()):
            await stores.outbox.draw(tx, run.conversation, "receipt", row.id)


def _seen(row: CallRow, now: Facts | None, held: bool) -> str:
    """What a look has shown after a no, in words."""
    if now is None:
        return "What is there now cannot be seen."
    if held:
        return "But it is as was wanted."
    moved = results.moved(row.before["all"], now.model_dump(mode="json"))
    return "And it is not as it was before." if moved else "It is as it was before."


def _touched(row: CallRow) -> set[tuple[str, str]]:
    """What a call acts on; a name, or what tells it from its namesakes, may be another one by now."""
    return {(row.service, target["id"]) for target in row.targets.values()}


def is_loud(state: CallState, verified: bool | None, approval: Approval, ended: float) -> bool:
    """Whether an outcome comes as a message of its own, with sound: it is late, or not verified."""
    late = ended - (approval.decided or 0.0) > LOUD_AFTER
    return state in RAN and (late or not verified)
