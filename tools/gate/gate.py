"""The gate: the one place every call passes, from the model's wish to the receipt."""

import asyncio
from collections.abc import Container
from dataclasses import dataclass

from memory.approvals import EXPIRY_SECONDS, Ask
from memory.database import Transaction
from memory.keys import digest
from memory.models import Approval, Block, CallRow, CallState, Message, Run, Use, canonical
from memory.points import point
from memory.stores import Stores
from tools.gate import results, taint
from tools.gate.card import card_of, targets_of, words_of
from tools.gate.execution import Execution, MustAsk
from tools.gate.policy import POLICY_VERSION, Verdict
from tools.gate.ports import Listener
from tools.gate.proposals import Answer, Proposal, Proposals
from tools.gate.refusals import Refusals, Refused
from tools.gate.room import MOST_SHOWN, room
from tools.gate.standing import TOOL_CHANGED, WHY, Standing, ending
from tools.kit.service import Risk

MOST_CALLS = 10
"""Calls of one reply that are looked at; a reply with more is told to ask for less."""


@dataclass(frozen=True)
class Settled:
    """Every call of a reply has ended."""

    message: Message
    tainted: bool
    go_on: bool
    """False when nobody needs to think about it: changes were asked for and none of them ran."""


class Gate:
    """Settles a reply's calls: reads at once, changes through cards."""

    def __init__(
        self, stores: Stores, proposals: Proposals, execution: Execution, standing: Standing, listener: Listener
    ) -> None:
        self._stores, self._proposals, self._execution = stores, proposals, execution
        self._standing, self._listener = standing, listener
        self._refusals = Refusals(stores, proposals.redact)

    async def settle(self, run: Run, uses: list[Use], messages: list[Message]) -> Settled | None:
        """The calls' results, or None while a card is on the table or a task goes on. Safe to repeat at any point."""
        ids = {call_id(run, messages, use.id): use for use in uses}
        if not await self._rows(run, ids):
            answers, tainted = await self._first_look(run, uses, messages)
            if answers is not None:
                return Settled(_message(uses, answers), tainted, True)
        await self._carry_on(run, [row.id for row in await self._rows(run, ids)])
        rows = await self._rows(run, ids)
        return await self._results(run, uses, ids, rows) if all(row.settled for row in rows) else None

    async def _rows(self, run: Run, ids: Container[str]) -> list[CallRow]:
        return [row for row in await self._stores.journal.of_run(run.id) if row.id in ids]

    async def _results(self, run: Run, uses: list[Use], ids: dict[str, Use], rows: list[CallRow]) -> Settled:
        """What the journal says of each call, and the answers that were held until it could say so."""
        blocks = {ids[row.id].id: results.settled(ids[row.id].id, row, self._proposals.redact) for row in rows}
        tainted = any(results.outside(row) for row in rows)
        held = await self._stores.held.of_run(run.id)
        for call in held.keys() & ids.keys():
            blocks[ids[call].id] = {**held[call]["block"], "tool_use_id": ids[call].id}
            tainted = tainted or held[call]["tainted"]
        worth_a_thought = any(row.state in (CallState.DONE, CallState.FAILED) for row in rows)
        return Settled(_message(uses, blocks), tainted, worth_a_thought)

    async def _first_look(
        self, run: Run, uses: list[Use], messages: list[Message]
    ) -> tuple[dict[str, Block] | None, bool]:
        """Reads run together; changes become journal rows. Blocks by use, or None when there are rows."""
        looked, beyond = uses[:MOST_CALLS], uses[MOST_CALLS:]
        self._listener.doing(run.id, f"Looking: {', '.join(use.tool.replace('_', ' ')[:40] for use in looked[:4])} …")
        point("looking")
        told = await self._proposals.told(run, messages, looked)
        prepared = await asyncio.gather(*(self._proposals.prepare(run, use, told=told) for use in looked))
        answers = {
            use.id: results.block(use.id, f"Too many calls at once: at most {MOST_CALLS}.", error=True)
            for use in beyond
        }
        proposals: list[Proposal] = []
        refused: list[Refused] = []
        tainted = False
        for item in prepared:
            if isinstance(item, Answer):
                answers[item.block["tool_use_id"]] = item.block
                tainted = tainted or item.tainted
            elif item.decision.verdict is Verdict.REFUSE:
                refused.append((item, item.decision.reason))
            else:
                proposals.append(item)
        if not proposals and not refused:
            return answers, tainted
        async with self._stores.database.transaction() as tx:
            preapproved = await self._preapproved(tx, run, proposals)
            proposals, not_asked = await self._askable(tx, run, proposals, preapproved)
            refused += not_asked
            for block in await self._refusals.tell(tx, run, refused, messages, told):
                answers[block["tool_use_id"]] = block
            tainted = tainted or any(taint.taints(proposal.change.facts) for proposal, _ in refused)
            if proposals:
                await self._table(tx, run, proposals, answers, tainted, messages, preapproved, told)
        if proposals:
            point("asked")
        return None if proposals else answers, tainted

    async def _askable(
        self, tx: Transaction, run: Run, proposals: list[Proposal], preapproved: bool
    ) -> tuple[list[Proposal], list[Refused]]:
        """The proposals that may go on, and those that nobody is asked about, with the reason, which is also said."""
        reason = self._execution.barred(run.id)
        asking = [] if preapproved else [proposal for proposal in proposals if _needs_tap(run, proposal)]
        asking = proposals if reason else asking  # nor could those begin that need no tap
        if asking and not reason:
            reason = await self._standing.crowded(tx, run)
        if not asking or not reason:
            return proposals, []
        await self._refusals.not_asked(tx, run, reason)
        return [p for p in proposals if p not in asking], [(proposal, reason) for proposal in asking]

    async def _table(
        self, tx: Transaction, run: Run, proposals: list[Proposal], answers: dict[str, Block], tainted: bool,
        messages: list[Message], preapproved: bool, told: taint.Told,
    ) -> None:  # fmt: skip
        """Journal the proposals and put one card for those that ask, all in one commit."""
        stores = self._stores
        epoch = await stores.approvals.epoch(tx)
        # Asked once more, a call says what it said of its arguments: where they came from is not to be seen any more.
        again = [] if run.thinks else await stores.journal.asked_again_by(run.id)
        earlier = {row.args_hash: row.card["args"] for row in again}
        asks: list[tuple[Proposal, Ask]] = []
        for position, proposal in enumerate(proposals):
            call = call_id(run, messages, proposal.use.id)
            needs_tap = _needs_tap(run, proposal)
            card, hashed = card_of(proposal, run, messages, told), _args_hash(proposal)
            card |= {"args": earlier.get(hashed, card["args"])}
            before = results.stored_facts(proposal.change.facts)
            await stores.journal.propose(
                tx, id=call, run=run.id, position=position, tool=proposal.tool.name, risk=int(proposal.risk),
                args=proposal.args, args_hash=hashed, card=card, before=before, needs_tap=int(needs_tap),
                targets=targets_of(proposal),
                tainted=int(run.tainted), proposed=stores.database.now(), epoch=epoch,
            )  # fmt: skip
            await stores.audit.record(
                tx, "proposed", run.actor.id, call=call, run=run.id, tool=proposal.tool.name, args=proposal.args
            )
            if needs_tap:
                await stores.journal.waiting(tx, call)
                version = self._proposals.schema_version(proposal.tool.name)
                asks.append((proposal, Ask(call, hashed, shown_hash(before["shown"], card), version)))
        if asks and preapproved:
            await stores.approvals.grant(
                tx, run.id, run.conversation, asks[0][1], actor=run.actor.id, policy=POLICY_VERSION
            )
            await stores.audit.record(
                tx, "approved", run.actor.id, calls=[ask.call for _, ask in asks], undo_of=run.undo_of
            )
        elif asks and sum(room(p, run) for p, _ in asks) <= MOST_SHOWN:
            await self._ask(tx, run, asks)
        kept = {call_id(run, messages, use): {"block": block, "tainted": tainted} for use, block in answers.items()}
        await stores.held.keep(tx, run.id, kept)
        point("asking")

    async def _preapproved(self, tx: Transaction, run: Run, proposals: list[Proposal]) -> bool:
        """Whether the tap on Undo still covers this: the state is what the receipt left behind."""
        if run.undo_of is None or len(proposals) != 1:
            return False
        origin = await self._stores.journal.get(run.undo_of)
        if origin is None or origin.epoch != await self._stores.approvals.epoch(tx):
            return False  # a backup was restored since: this Undo may have been used before
        if origin.after is None or proposals[0].risk is Risk.DESTROY:
            return False
        now = results.stored_facts(proposals[0].change.facts)
        known = origin.after["shown"].keys() & now["shown"].keys()
        return bool(known) and not known & results.moved(origin.after, now).keys()

    async def _ask(self, tx: Transaction, run: Run, asks: list[tuple[Proposal, Ask]]) -> None:
        """One card for all of them; none where nobody may decide them all: they are then asked one by one."""
        stores = self._stores
        calls = [(proposal.tool.name, proposal.risk) for proposal, _ in asks]
        allowed = self._standing.deciders(run.conversation, calls)
        if not allowed:
            return
        card = await stores.approvals.request(
            tx, run.id, run.conversation, [ask for _, ask in asks], allowed=allowed, policy=POLICY_VERSION
        )
        await stores.outbox.draw(tx, run.conversation, "card", card)

    async def _carry_on(self, run: Run, calls: list[str]) -> None:
        """Execute what is approved, in the model's order; stop at the first that waits or goes wrong.

        A person's no is about that call alone: those that have a card of their own, or will have one, are still asked.
        """
        dropped: CallRow | None = None
        for call in calls:
            row = await self._row(call)
            if dropped is not None and not await self._standing.asked_alone(row):
                await self._not_started(row, dropped)
                continue
            if not row.settled:
                approval = await self._stores.approvals.latest(call) if row.needs_tap else None
                if not await self._one(run, row, approval):
                    return
                row = await self._row(call)
            if row.state is not CallState.DONE:
                dropped = dropped or row
                if row.state is not CallState.DENIED or row.detail:  # the detail says why no person was asked
                    for rest in calls[calls.index(call) + 1 :]:
                        await self._not_started(await self._row(rest), row)
                    return

    async def _row(self, call: str) -> CallRow:
        row = await self._stores.journal.get(call)
        assert row is not None, "calls come from the journal"
        return row

    async def _one(self, run: Run, row: CallRow, approval: Approval | None) -> bool:
        """Carry one call to its end; False while it waits for a person, or for what it has begun."""
        if row.state is CallState.STARTED and self._execution.following.has(run.id):
            return False
        if row.state is CallState.STARTED:
            await self._execution.outcomes.close(row, CallState.UNKNOWN, "Interrupted while it ran.")
            return True
        if not row.needs_tap:
            return await self._execute(run, row, None)
        if approval is not None and (ended := ending(approval)):
            await self._execution.outcomes.close(row, ended, WHY.get(approval.reason, ""))
            return True
        if approval is None or approval.state == "superseded" or await self._stale(approval):
            await self._ask_alone(run, row, None)
            return False
        return approval.state != "pending" and await self._approved(run, row, approval)

    async def _approved(self, run: Run, row: CallRow, approval: Approval) -> bool:
        if self._standing.changed(approval, row):
            await self._execution.outcomes.close(row, CallState.NOT_STARTED, WHY[TOOL_CHANGED])
            return True
        return await self._execute(run, row, approval)

    async def _stale(self, approval: Approval) -> bool:
        """Whether an approval has waited for an earlier call for so long that it must be given again."""
        database, card = self._stores.database, await self._stores.approvals.card(approval.card)
        assert card is not None, "an approval belongs to a card"
        age = database.now() - (approval.decided or 0.0)
        # A clock that was set back makes it look younger than it is; the card's own time only moves on.
        old = age > EXPIRY_SECONDS or database.steady() > card.expires + EXPIRY_SECONDS
        return approval.state == "approved" and old

    async def _execute(self, run: Run, row: CallRow, approval: Approval | None) -> bool:
        try:
            await self._execution.run(run, row, approval.decided_by if approval else None)
        except MustAsk as moved:
            await self._ask_alone(run, row, moved)
            return False
        return not self._execution.following.has(run.id)

    async def _ask_alone(self, run: Run, row: CallRow, moved: MustAsk | None) -> None:
        """A card for this call alone: asked one by one, or again because the target has changed."""
        stores, card, before = self._stores, dict(row.card), row.before
        if moved is not None:
            card |= {"moved": moved.facts, **words_of(moved.proposal)}
            before = results.stored_facts(moved.proposal.change.facts)
        async with stores.database.transaction() as tx:
            old = await stores.approvals.latest(row.id)
            if row.state is CallState.PROPOSED:
                # Nothing that starts by itself survives a surprise: the person decides.
                await stores.journal.needs_tap(tx, row.id)
                await stores.journal.waiting(tx, row.id)
            await stores.journal.update_facts(tx, row.id, before, card)
            version = self._proposals.schema_version(row.tool)
            ask = Ask(row.id, row.args_hash, shown_hash(before["shown"], card), version)
            allowed = self._standing.deciders(run.conversation, [(row.tool, Risk(row.risk))])
            new = await stores.approvals.request(
                tx, run.id, run.conversation, [ask], allowed=allowed, policy=POLICY_VERSION
            )
            if moved is not None:
                await stores.audit.record(tx, "moved", "gate", call=row.id, facts=moved.facts)
            if old is not None:
                await stores.outbox.draw(tx, run.conversation, "card", old.card)
            await stores.outbox.draw(tx, run.conversation, "card", new)

    async def _not_started(self, row: CallRow, after: CallRow) -> None:
        if not row.settled:
            await self._execution.outcomes.close(
                row, CallState.NOT_STARTED, f"{after.title} came first: {after.state}."
            )


def call_id(run: Run, messages: list[Message], use: str) -> str:
    """The journal's id of a tool_use in the last message: models have been seen to repeat theirs."""
    return f"{run.id}:{len(messages)}:{use}"


def shown_hash(shown: dict[str, object], card: dict[str, object]) -> str:
    """The fingerprint of what the person was shown."""
    return digest(canonical([shown, card]))


def _needs_tap(run: Run, proposal: Proposal) -> bool:
    """An Undo is somebody's: the tap on it is its approval, or it asks, whatever else may run by itself."""
    return proposal.decision.verdict is Verdict.ASK or run.undo_of is not None


def _args_hash(proposal: Proposal) -> str:
    return digest(canonical({"tool": proposal.tool.name, "args": proposal.args}))


def _message(uses: list[Use], blocks: dict[str, Block]) -> Message:
    return {"role": "user", "content": [blocks[use.id] for use in uses]}
