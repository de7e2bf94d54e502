"""Which cards may be put on the table, and which may stay there."""

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Literal

from memory.approvals import SETTINGS
from memory.database import Transaction
from memory.models import Approval, CallRow, CallState, Card, Run, service_of
from memory.stores import Stores
from tools.gate.policy import POLICY_VERSION
from tools.gate.ports import People
from tools.gate.proposals import Proposals
from tools.kit.service import Risk

MOST_OPEN = 5
"""Cards that may wait in one chat: about what two screens of a phone show, and what can still be told apart."""
MOST_AN_HOUR = 30
"""New cards within an hour that nobody has asked for by hand, in one chat and for one person. One every two minutes is
more than anybody reads with care; a model in a loop or a flood of alerts makes hundreds."""
HOUR = 3600.0
FULL = f"{MOST_OPEN} cards already wait; decide those first: /pending"

REVOKED, TOOL_CHANGED, RULES_CHANGED, UNSEEN = "revoked", "tool changed", "rules changed", "unseen"
WHY = {
    REVOKED: "Revoked: whoever was asked may no longer decide this.",
    TOOL_CHANGED: "This tool changed with an update; look again.",
    RULES_CHANGED: "The rules for approvals changed with an update; look again.",
    UNSEEN: "Telegram did not take this card, so nobody could decide it.",
}


def ending(approval: Approval) -> CallState | None:
    """What becomes of a call whose approval has ended without a yes; None when it has not, or is asked otherwise."""
    if approval.state in ("denied", "expired"):
        return CallState(approval.state)
    return CallState.NOT_STARTED if approval.state == "superseded" and approval.reason else None


def may_ask_again(approval: Approval) -> bool:
    """Whether a question has lapsed without anybody's word, so that it can be put once more."""
    return approval.state == "expired" or approval.reason in (TOOL_CHANGED, RULES_CHANGED)


class Standing:
    """Judges cards by the people, the tools and the rules as they are now."""

    def __init__(self, stores: Stores, proposals: Proposals, people: People, zone: tzinfo = UTC) -> None:
        self._stores, self._proposals, self._people, self._zone = stores, proposals, people, zone

    def deciders(self, conversation: str, calls: Iterable[tuple[str, Risk]]) -> list[str]:
        """Who may decide every one of these calls (tool and risk) here."""
        able = [self._people.approvers(conversation, risk, service_of(tool)) for tool, risk in calls]
        return [person for person in able[0] if all(person in others for others in able)] if able else []

    async def crowded(self, tx: Transaction, run: Run) -> str:
        """Why no further card may be put on this run's table, or an empty string."""
        approvals, now = self._stores.approvals, self._stores.database.steady()
        if await approvals.waiting(tx, run.conversation) >= MOST_OPEN:
            return FULL
        if run.by_hand:
            return ""  # whoever presses a button reads what comes of it
        came = await approvals.proposed(tx, run.conversation, run.actor.id, now - HOUR)
        lifted = max((times[-MOST_AN_HOUR] + HOUR for times in came if len(times) >= MOST_AN_HOUR), default=now)
        return self._too_many(lifted - now) if lifted > now else ""

    def _too_many(self, seconds: float) -> str:
        """That the limit of an hour is reached, and until when."""
        again = datetime.fromtimestamp(self._stores.database.now() + seconds + 59, self._zone)  # never too early
        return (
            f"{MOST_AN_HOUR} cards within an hour are more than anybody can read with care: again from {again:%H:%M}."
            " Your own buttons work all the same."
        )

    async def asked_alone(self, row: CallRow) -> bool:
        """Whether a person decides a call by itself, on a card of its own, which may still be to come."""
        approval = await self._stores.approvals.latest(row.id) if row.needs_tap else None
        if approval is None:
            return row.needs_tap
        put_aside = approval.state == "superseded" and not approval.reason
        return put_aside or len(await self._stores.approvals.of_card(approval.card)) == 1

    def changed(self, approval: Approval, row: CallRow) -> bool:
        """Whether the tool is no longer what it was when this was asked."""
        current = self._proposals.schema_version(row.tool)
        return not current or approval.schema_version != current

    async def review(self, card: Card) -> str:
        """Close an open card that no longer stands; returns why, or an empty string. Its run is then to be advanced."""
        stores = self._stores
        asked = [a for a in await stores.approvals.of_card(card.id) if a.state == "pending"]
        reason = await self._fault(card, asked) if asked else ""
        if not reason:
            return ""
        state: Literal["denied", "superseded"] = "denied" if reason == REVOKED else "superseded"
        async with stores.database.transaction() as tx:
            if not await stores.approvals.close(tx, card.id, state, reason):
                return ""
            calls = [approval.call for approval in asked]
            await stores.audit.record(tx, state, SETTINGS, card=card.id, calls=calls, reason=reason)
            await stores.outbox.draw(tx, card.conversation, "card", card.id)
        return reason

    async def _fault(self, card: Card, asked: list[Approval]) -> str:
        rows = [row for approval in asked if (row := await self._stores.journal.get(approval.call))]
        able = self.deciders(card.conversation, [(row.tool, Risk(row.risk)) for row in rows])
        if not set(able) & set(card.allowed):
            return REVOKED
        if card.policy != POLICY_VERSION:
            return RULES_CHANGED
        if any(self.changed(approval, row) for approval, row in zip(asked, rows, strict=True)):
            return TOOL_CHANGED
        return ""
