"""What is refused: the model learns that nothing was changed, and people see the plan and what stands in its way."""

from typing import Any

from memory.database import Transaction
from memory.keys import digest
from memory.models import Block, Message, Run, canonical
from memory.secrets import Redactor
from memory.stores import Stores
from memory.text import every_text
from tools.gate import results
from tools.gate.card import card_of, targets_of
from tools.gate.policy import Verdict
from tools.gate.proposals import Proposal
from tools.gate.taint import Told

Refused = tuple[Proposal, str]
"""A plan and why it goes no further."""


class Refusals:
    """Tells of plans that become no call: they have no journal row, and no approval that anybody could give."""

    def __init__(self, stores: Stores, redact: Redactor) -> None:
        self._stores, self._redact = stores, redact

    async def tell(
        self, tx: Transaction, run: Run, refused: list[Refused], messages: list[Message], told: Told
    ) -> list[Block]:
        """The results for the model. What the rules refuse is also shown, whole: one message for each reason."""
        shown: dict[str, list[dict[str, Any]]] = {}
        for proposal, reason in refused:
            if _by_the_rules(proposal):
                shown.setdefault(reason, []).append(_plan(proposal, run, messages, told))
        for reason, plans in shown.items():
            payload = every_text({"reason": reason, "plans": plans}, self._redact)
            key = f"refused:{run.id}:{digest(canonical(payload))}"  # a model that insists is not shown again
            await self._stores.outbox.add(tx, run.conversation, "refused", key, **payload)
        return [await self._result(tx, run, proposal, reason) for proposal, reason in refused]

    async def not_asked(self, tx: Transaction, run: Run, reason: str) -> None:
        """Say once why nobody is asked; whoever has pressed a button is told so by its own answer."""
        if run.thinks:
            key, text = f"not asked:{run.id}", f"Not asked: {reason}"
            await self._stores.outbox.add(tx, run.conversation, "view", key, text=text, buttons=[])

    async def _result(self, tx: Transaction, run: Run, proposal: Proposal, reason: str) -> Block:
        change, tool = proposal.change, proposal.tool
        await self._stores.audit.record(
            tx, "refused", run.actor.id, run=run.id, tool=tool.name, args=proposal.args, reason=reason
        )
        return results.outcome(
            proposal.use.id, "refused", change.title, reason, change.facts, self._redact,
            error=True, shown=_by_the_rules(proposal), notes=change.notes, undo=proposal.way_back,
        )  # fmt: skip


def _by_the_rules(proposal: Proposal) -> bool:
    """Whether it was refused for what it is, and not for the moment at which it came."""
    return proposal.decision.verdict is Verdict.REFUSE


def _plan(proposal: Proposal, run: Run, messages: list[Message], told: Told) -> dict[str, Any]:
    """What a card would have said."""
    return {
        "tool": proposal.tool.name,
        "risk": int(proposal.risk),
        "targets": targets_of(proposal),
        "card": card_of(proposal, run, messages, told),
        "before": results.stored_facts(proposal.change.facts),
    }
