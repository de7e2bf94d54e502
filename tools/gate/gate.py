"""The gate: the one place every call passes, from the model's wish to the receipt."""

import asyncio
from dataclasses import dataclass

from memory.approvals import EXPIRY_SECONDS, Ask
from memory.database import Transaction
from memory.keys import digest
from memory.models import Approval, Block, CallRow, CallState, Message, Run, Use, canonical
from memory.points import point
from memory.stores import Stores
from tools.gate import results, taint
from tools.gate.execution import Execution, Moved
from tools.gate.policy import POLICY_VERSION, Verdict
from tools.gate.ports import People, Watch
from tools.gate.proposals import MOST_SHOWN, Answer, Proposal, Proposals, card_of
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
        self, stores: Stores, proposals: Proposals, execution: Execution, people: People, watch: Watch
    ) -> None:
        self._stores, self._proposals, self._execution = stores, proposals, execution
        self._people, self._watch = people, watch

    async def settle(self, run: Run, uses: list[Use], messages: list[Message]) -> Settled | None:
        """The calls' results, or None while a card is on the table. Safe to call again at any point."""
        ids = {call_id(run, messages, use.id): use for use in uses}
        rows = [row for row in await self._stores.journal.of_run(run.id) if row.id in ids]
        tainted = False
        if not rows:
            answers, tainted = await self._first_look(run, uses, messages)
            if answers is not None:
                return Settled(_message(uses, answers), tainted, True)
        await self._carry_on(run, [row.id for row in await self._stores.journal.of_run(run.id) if row.id in ids])
        rows = [row for row in await self._stores.journal.of_run(run.id) if row.id in ids]
        if not all(row.settled for row in rows):
            return None
        blocks = {ids[row.id].id: results.settled(ids[row.id].id, row, self._proposals.redact) for row in rows}
        held = await self._stores.held.of_run(run.id)
        for call in held.keys() & ids.keys():
            blocks[ids[call].id] = {**held[call]["block"], "tool_use_id": ids[call].id}
            tainted = tainted or held[call]["tainted"]
        tainted = tainted or any(results.outside(row) for row in rows)
        worth_a_thought = any(row.state in (CallState.DONE, CallState.FAILED) for row in rows)
        return Settled(_message(uses, blocks), tainted, worth_a_thought)

    async def _first_look(
        self, run: Run, uses: list[Use], messages: list[Message]
    ) -> tuple[dict[str, Block] | None, bool]:
        """Reads run together; changes become journal rows. Blocks by use, or None when there are rows."""
        looked, beyond = uses[:MOST_CALLS], uses[MOST_CALLS:]
        self._watch.doing(run.id, f"Looking: {', '.join(use.tool.replace('_', ' ')[:40] for use in looked[:4])} …")
        point("looking")
        prepared = await asyncio.gather(*(self._proposals.prepare(run, use) for use in looked))
        answers = {
            use.id: results.block(use.id, f"Too many calls at once: at most {MOST_CALLS}.", error=True)
            for use in beyond
        }
        proposals, tainted = [], False
        for item in prepared:
            if isinstance(item, Answer):
                answers[item.block["tool_use_id"]] = item.block
                tainted = tainted or item.tainted
            elif item.decision.verdict is Verdict.REFUSE:
                answers[item.use.id] = await self._refused(run, item)
                tainted = tainted or taint.taints(item.change.facts)
            else:
                proposals.append(item)
        if not proposals:
            return answers, tainted
        await self._table(run, proposals, answers, tainted, messages)
        return None, tainted

    async def _refused(self, run: Run, proposal: Proposal) -> Block:
        async with self._stores.database.transaction() as tx:
            await self._stores.audit.record(
                tx, "refused", run.actor.id,
                run=run.id, tool=proposal.tool.name, args=proposal.args, reason=proposal.decision.reason,
            )  # fmt: skip
        change, reason = proposal.change, proposal.decision.reason
        return results.outcome(proposal.use.id, "refused", change.title, reason, change.facts, error=True)

    async def _table(
        self, run: Run, proposals: list[Proposal], answers: dict[str, Block], tainted: bool, messages: list[Message]
    ) -> None:
        """Journal the proposals and put one card for those that ask, all in one commit."""
        stores = self._stores
        preapproved = await self._preapproved(run, proposals)
        async with stores.database.transaction() as tx:
            epoch = await stores.approvals.epoch(tx)
            asks: list[tuple[Proposal, Ask]] = []
            for position, proposal in enumerate(proposals):
                call = call_id(run, messages, proposal.use.id)
                # An Undo is somebody's: the tap on it is its approval, or it asks, whatever else may run by itself.
                needs_tap = proposal.decision.verdict is Verdict.ASK or run.undo_of is not None
                card, hashed = card_of(proposal, run, messages), _args_hash(proposal)
                before = results.stored_facts(proposal.change.facts)
                await stores.journal.propose(
                    tx, id=call, run=run.id, position=position, tool=proposal.tool.name, risk=int(proposal.risk),
                    args=proposal.args, args_hash=hashed, card=card, before=before, needs_tap=int(needs_tap),
                    targets={n: {"id": t.id, "name": t.name, "detail": t.detail} for n, t in proposal.targets.items()},
                    tainted=int(run.tainted), proposed=stores.database.now(), epoch=epoch,
                )  # fmt: skip
                await stores.audit.record(
                    tx, "proposed", run.actor.id, call=call, run=run.id, tool=proposal.tool.name, args=proposal.args
                )
                if needs_tap:
                    await stores.journal.waiting(tx, call)
                    asks.append((proposal, Ask(call, hashed, shown_hash(before["shown"], card))))
            if asks and preapproved:
                await stores.approvals.grant(
                    tx, run.id, run.conversation, asks[0][1], actor=run.actor.id, policy=POLICY_VERSION
                )
                await stores.audit.record(
                    tx, "approved", run.actor.id, calls=[ask.call for _, ask in asks], undo_of=run.undo_of
                )
            elif asks and sum(len(canonical(card_of(p, run, messages))) for p, _ in asks) < MOST_SHOWN:
                await self._ask(tx, run, [ask for _, ask in asks], max(p.risk for p, _ in asks), asks[0][0])
            kept = {call_id(run, messages, use): {"block": block, "tainted": tainted} for use, block in answers.items()}
            await stores.held.keep(tx, run.id, kept)
            point("asking")
        point("asked")

    async def _preapproved(self, run: Run, proposals: list[Proposal]) -> bool:
        """Whether the tap on Undo still covers this: the state is what the receipt left behind."""
        if run.undo_of is None or len(proposals) != 1:
            return False
        origin = await self._stores.journal.get(run.undo_of)
        left = origin.after["shown"] if origin is not None and origin.after is not None else {}
        now = proposals[0].change.facts.shown()
        known = left.keys() & now.keys()
        destroys = proposals[0].risk is Risk.DESTROY
        return bool(known) and not destroys and all(left[name] == now[name] for name in known)

    async def _ask(self, tx: Transaction, run: Run, asks: list[Ask], risk: Risk, sample: Proposal) -> None:
        stores = self._stores
        allowed = self._people.approvers(run.conversation, run.actor, risk, sample.tool.service.name)
        card = await stores.approvals.request(
            tx, run.id, run.conversation, asks, allowed=allowed, policy=POLICY_VERSION
        )
        await stores.outbox.add(tx, run.conversation, "card", f"card:{card}", card=card)

    async def _carry_on(self, run: Run, calls: list[str]) -> None:
        """Execute what is approved, in the model's order; stop at the first that waits or goes wrong."""
        for call in calls:
            row = await self._stores.journal.get(call)
            assert row is not None, "calls come from the journal"
            if not row.settled:
                approval = await self._stores.approvals.latest(call) if row.needs_tap else None
                if not await self._one(run, row, approval):
                    return
                row = await self._stores.journal.get(call)
            if row is not None and row.state is not CallState.DONE:
                await self._rest_not_started(calls[calls.index(call) + 1 :], row)
                return

    async def _one(self, run: Run, row: CallRow, approval: Approval | None) -> bool:
        """Carry one call to its end; False while it waits for a person."""
        if row.state is CallState.STARTED:
            await self._execution.close(row, CallState.UNKNOWN, "Interrupted while it ran.")
        elif row.needs_tap and approval is not None and approval.state in ("denied", "expired"):
            await self._execution.close(row, CallState(approval.state))
        elif row.needs_tap and (approval is None or approval.state == "superseded" or self._stale(approval)):
            await self._ask_alone(run, row, None)
            return False
        elif row.needs_tap and approval is not None and approval.state == "pending":
            return False
        else:
            return await self._execute(run, row, approval)
        return True

    def _stale(self, approval: Approval) -> bool:
        """Whether an approval has waited for an earlier call for so long that it must be given again."""
        age = self._stores.database.now() - (approval.decided or 0.0)
        return approval.state == "approved" and age > EXPIRY_SECONDS

    async def _execute(self, run: Run, row: CallRow, approval: Approval | None) -> bool:
        try:
            await self._execution.run(run, row, approval.decided_by if approval else None)
        except Moved as moved:
            await self._ask_alone(run, row, moved)
            return False
        return True

    async def _ask_alone(self, run: Run, row: CallRow, moved: Moved | None) -> None:
        """A card for this call alone: asked one by one, or again because the target has changed."""
        stores, card, before = self._stores, dict(row.card), row.before
        if moved is not None:
            card["moved"] = moved.facts
            before = results.stored_facts(moved.proposal.change.facts)
        service = row.tool.partition("_")[0]
        async with stores.database.transaction() as tx:
            old = await stores.approvals.latest(row.id)
            if row.state is CallState.PROPOSED:
                # Nothing that starts by itself survives a surprise: the person decides.
                await tx.run("UPDATE calls SET needs_tap = 1 WHERE id = ?", row.id)
                await stores.journal.waiting(tx, row.id)
            await stores.journal.update_facts(tx, row.id, before, card)
            ask = Ask(row.id, row.args_hash, shown_hash(before["shown"], card))
            allowed = self._people.approvers(run.conversation, run.actor, Risk(row.risk), service)
            new = await stores.approvals.request(
                tx, run.id, run.conversation, [ask], allowed=allowed, policy=POLICY_VERSION
            )
            if moved is not None:
                await stores.audit.record(tx, "moved", "gate", call=row.id, facts=moved.facts)
            if old is not None:
                key = f"card:{old.card}:{row.id}:superseded:{new}"
                await stores.outbox.add(tx, run.conversation, "card", key, card=old.card)
            await stores.outbox.add(tx, run.conversation, "card", f"card:{new}", card=new)

    async def _rest_not_started(self, calls: list[str], after: CallRow) -> None:
        for call in calls:
            row = await self._stores.journal.get(call)
            if row is not None and not row.settled:
                await self._execution.close(
                    row, CallState.NOT_STARTED, f"{after.title} came first and was {after.state}."
                )


def call_id(run: Run, messages: list[Message], use: str) -> str:
    """The journal's id of a tool_use in the last message: models have been seen to repeat theirs."""
    return f"{run.id}:{len(messages)}:{use}"


def shown_hash(shown: dict[str, object], card: dict[str, object]) -> str:
    """The fingerprint of what the person was shown."""
    return digest(canonical([shown, card]))


def _args_hash(proposal: Proposal) -> str:
    return digest(canonical({"tool": proposal.tool.name, "args": proposal.args}))


def _message(uses: list[Use], blocks: dict[str, Block]) -> Message:
    return {"role": "user", "content": [blocks[use.id] for use in uses]}
