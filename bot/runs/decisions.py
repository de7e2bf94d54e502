"""Button taps that decide something: bound to the card, the person, the chat, the message and the moment."""

from collections import defaultdict, deque
from dataclasses import dataclass
from enum import Enum, auto

from bot.runs.opener import Opener
from bot.runs.runner import Runner
from bot.screen.redraw import redraw_receipt
from bot.settings.people import Roster
from memory.database import Transaction
from memory.keys import digest
from memory.models import Actor, Approval, CallRow, CallState, Card, Role
from memory.points import point
from memory.stores import Stores
from tools.gate.policy import NEEDED
from tools.gate.standing import REVOKED, WHY, Standing, may_ask_again
from tools.kit.service import Risk

LATE = "This card is no longer open."
TOO_LATE = "Too late: this card has expired. Tap Ask again."
USED = "Already decided."
STRANGER = "This card is not yours to decide."
ONCE_MORE = "Tap once more to confirm."
OLDER = "There is a newer message for this; use that one."
MOST_NOTED_A_MINUTE = 10
"""Rejected taps of one person that reach the audit log."""
CLOCK_SECONDS = 30.0
"""By how much longer a card may live when the wall clock is set back and the power fails; noting costs an fsync."""


@dataclass(frozen=True)
class Tap:
    """One press of a button."""

    update: int
    actor: Actor
    conversation: str
    message: int | None


class Came(Enum):
    """What came of a yes or a no."""

    DECIDED = auto()
    ARMED = auto()
    LATE = auto()
    """The card has expired, or somebody was faster."""


class Decisions:
    """Decides approvals, Undo and unknown outcomes. Each answer is the toast to show."""

    def __init__(self, stores: Stores, opener: Opener, runner: Runner, access: Roster, standing: Standing) -> None:
        self._stores, self._opener, self._runner = stores, opener, runner
        self._access, self._standing = access, standing
        self._noted: defaultdict[str, deque[float]] = defaultdict(deque)

    async def card(self, tap: Tap, key: str, verb: str) -> str:
        """Approve, deny, arm, take one by one, or ask again."""
        card = await self._stores.approvals.by_key(key)
        if card is None or card.conversation != tap.conversation:
            return await self._rejected(tap, "forged or foreign card", LATE)
        if await self._standing.review(card):
            self._runner.advance(card.run)
        if tap.actor.id not in card.allowed:
            return await self._rejected(tap, "not allowed", STRANGER)
        if card.message != tap.message:
            return await self._rejected(tap, "other message", OLDER)
        asked = await self._stores.approvals.of_card(card.id)
        if verb == "s":
            return await self._ask_again(tap, asked)
        if any(approval.state != "pending" for approval in asked):
            return await self._rejected(tap, asked[0].reason or "not pending", self._why_closed(asked))
        if card.expires <= self._stores.database.steady():
            await self.sweep()
            return await self._rejected(tap, "expired", TOO_LATE)
        return await self._on_pending(tap, card, [approval.call for approval in asked], verb)

    async def _on_pending(self, tap: Tap, card: Card, calls: list[str], verb: str) -> str:
        rows = [row for call in calls if (row := await self._stores.journal.get(call))]
        if not all(self._may(tap.actor, row) for row in rows):
            return await self._rejected(tap, "role", STRANGER)
        if verb == "d":
            return await self._arm(tap, card)
        if verb == "o":
            return await self._one_by_one(tap, card)
        if verb in ("y", "n"):
            return await self._decide(tap, card, calls, verb == "y")
        return await self._rejected(tap, "unknown verb", LATE)

    def _may(self, actor: Actor, row: CallRow) -> bool:
        return self._access.role(actor.id, row.service) >= NEEDED[Risk(row.risk)]

    async def _decide(self, tap: Tap, card: Card, calls: list[str], approve: bool) -> str:
        async with self._stores.database.transaction() as tx:
            came = await self.decide(tx, card, calls, approve, tap.actor)
            await self._stores.inbox.done(tx, tap.update)
            point("deciding")
        point("decided")
        if came is Came.LATE:
            await self.sweep()
            return LATE
        if came is Came.ARMED:
            return ONCE_MORE
        more = not approve and await self._asks_on(card.run, calls)
        self._runner.advance(card.run)
        if more:
            return "Dropped. The next one comes."
        return "Approved." if approve else "Dropped. Tell me what you want instead."

    async def _asks_on(self, run: str, after: list[str]) -> bool:
        """Whether further calls of the run will be asked, each on a card of its own."""
        rows = [row for row in await self._stores.journal.of_run(run) if row.id not in after and not row.settled]
        return any([await self._standing.asked_alone(row) for row in rows])

    async def _arm(self, tap: Tap, card: Card) -> str:
        async with self._stores.database.transaction() as tx:
            armed = await self.arm(tx, card, tap.actor)
            await self._stores.inbox.done(tx, tap.update)
        return ONCE_MORE if armed else USED

    async def _one_by_one(self, tap: Tap, card: Card) -> str:
        async with self._stores.database.transaction() as tx:
            if parted := await self._stores.approvals.supersede(tx, card.id):
                await self._stores.audit.record(tx, "one by one", tap.actor.id, card=card.id)
                await self._redraw(tx, card)
            await self._stores.inbox.done(tx, tap.update)
        if not parted:
            return USED
        self._runner.advance(card.run)
        return "One by one."

    async def _ask_again(self, tap: Tap, asked: list[Approval]) -> str:
        """The same stored calls with fresh facts on one new card, once; no model is asked."""
        lapsed = [approval.call for approval in asked if may_ask_again(approval)]
        rows = [row for call in lapsed if (row := await self._stores.journal.get(call))]
        if not rows:
            return await self._rejected(tap, "nothing to ask again", LATE)
        if not all(row.settled for row in rows):
            return await self._rejected(tap, "not closed yet", "A moment, please; then tap again.")
        return await self._again(tap, rows)

    async def _again(self, tap: Tap, rows: list[CallRow]) -> str:
        trigger = f"again:{rows[0].id}:{tap.update}"
        opened = await self._opener.again(tap.conversation, tap.actor, rows, trigger=trigger, update=tap.update)
        return "Asked again below." if opened else "This has been asked again already."

    async def undo(self, tap: Tap, key: str) -> str:
        """Take a change back: the tap is the approval, unless the state has moved since."""
        row = await self._stores.journal.by_undo_key(digest(key))
        run = await self._stores.runs.get(row.run) if row else None
        if row is None or run is None or run.conversation != tap.conversation:
            return await self._rejected(tap, "forged or foreign undo", LATE)
        return await self.undo_row(tap, row)

    async def undo_row(self, tap: Tap, row: CallRow) -> str:
        """Open the run that takes this change back."""
        if self._access.role(tap.actor.id, row.service) < Role.OPERATOR:
            return await self._rejected(tap, "role", STRANGER)
        if row.undo is None or row.undone_by is not None:
            await self._stores.inbox.handled(tap.update)
            return "Already undone."
        opened = await self._opener.direct(
            tap.conversation, tap.actor, f"Undo: {row.title}", row.undo["tool"], row.undo["args"],
            trigger=f"undo:{row.id}:{tap.update}", opened_by="undo", update=tap.update, undo_of=row,
        )  # fmt: skip
        return "Taking it back." if opened else "This Undo has been used or has lapsed."

    async def known(self, tap: Tap, key: str, verb: str) -> str:
        """A person says what came of an unknown outcome."""
        rows = await self._stores.journal.in_state(CallState.UNKNOWN)
        row = next((row for row in rows if digest(self._stores.keys.button("known", row.id)) == digest(key)), None)
        run = await self._stores.runs.get(row.run) if row else None
        if row is None or run is None or run.conversation != tap.conversation:
            return await self._rejected(tap, "nothing unknown", USED)
        if not self._may(tap.actor, row):
            return await self._rejected(tap, "role", STRANGER)
        if verb == "r":
            return await self._again(tap, [row])
        if verb not in ("y", "n"):
            return await self._rejected(tap, "unknown verb", LATE)
        state = CallState.DONE if verb == "y" else CallState.FAILED
        words = f"{tap.actor.name} says that it {'happened' if verb == 'y' else 'did not happen'}."
        async with self._stores.database.transaction() as tx:
            await self._stores.inbox.done(tx, tap.update)
            if not await self._stores.journal.finish(tx, row.id, state, detail=words, verified=False):
                return USED
            await self._stores.audit.record(tx, "settled by a person", tap.actor.id, call=row.id, state=str(state))
            if state is CallState.FAILED and run.undo_of:
                await self._stores.journal.release_undo(tx, run.undo_of, run.id)
                await redraw_receipt(self._stores, tx, run, run.undo_of)
            await self._stores.outbox.draw(tx, tap.conversation, "receipt", row.id)
        return "Noted."

    async def stranger(self, tap: Tap) -> str:
        """Somebody whom nobody has named pressed something: noted, and nothing else."""
        return await self._rejected(tap, "stranger", "This is not for you.")

    async def sweep(self, *, everything: bool = False) -> None:
        """Expire overdue cards, show it, and carry their runs on."""
        stores = self._stores
        cards = {card.id: card for card in await stores.approvals.open_cards()}
        steady = stores.database.steady
        overdue = any(card.expires <= steady() for card in cards.values())
        if not everything and not overdue and steady.lag < CLOCK_SECONDS:
            return  # at rest nothing is written
        async with stores.database.transaction() as tx:
            runs = await stores.approvals.expire(tx, everything=everything)
            if runs:
                await stores.audit.record(tx, "expired", "clock", runs=runs)
            for card in cards.values():
                if card.run in runs:
                    await self._redraw(tx, card)
        for run in runs:
            self._runner.advance(run)

    async def decide(self, tx: Transaction, card: Card, calls: list[str], approve: bool, actor: Actor) -> Came:
        """Decide these calls of a card, from whichever door: the first yes to what destroys only arms it."""
        if approve and not card.armed and await self._destroys(calls):
            return Came.ARMED if await self.arm(tx, card, actor) else Came.LATE
        if not await self._stores.approvals.decide(tx, card, calls, approve, actor.id):
            return Came.LATE
        word = "approved" if approve else "denied"
        await self._stores.audit.record(tx, word, actor.id, card=card.id, calls=calls)
        await self._redraw(tx, card)
        return Came.DECIDED

    async def _destroys(self, calls: list[str]) -> bool:
        rows = [await self._stores.journal.get(call) for call in calls]
        return any(row is not None and row.risk == Risk.DESTROY for row in rows)

    async def arm(self, tx: Transaction, card: Card, actor: Actor) -> bool:
        """The first yes to what destroys; False when somebody has decided meanwhile."""
        armed = await self._stores.approvals.arm(tx, card.id)
        if armed:
            await self._stores.audit.record(tx, "armed", actor.id, card=card.id)
            await self._redraw(tx, card)
        return armed

    async def _redraw(self, tx: Transaction, card: Card) -> None:
        await self._stores.outbox.draw(tx, card.conversation, "card", card.id)

    async def _rejected(self, tap: Tap, reason: str, toast: str) -> str:
        async with self._stores.database.transaction() as tx:
            if self._worth_noting(tap.actor):
                await self._stores.audit.record(tx, "tap rejected", tap.actor.id, reason=reason, chat=tap.conversation)
            await self._stores.inbox.done(tx, tap.update)
        return toast

    def _worth_noting(self, actor: Actor) -> bool:
        """Whether the audit log has room for one more: it is not for whoever taps fastest to fill it."""
        now, noted = self._stores.database.steady(), self._noted[actor.id]
        while noted and noted[0] < now - 60:
            noted.popleft()
        if len(noted) >= MOST_NOTED_A_MINUTE:
            return False
        noted.append(now)
        return True

    def _why_closed(self, asked: list[Approval]) -> str:
        reason = next((approval.reason for approval in asked if approval.reason), "")
        if reason:
            return STRANGER if reason == REVOKED else WHY[reason]
        expired = any(approval.state == "expired" for approval in asked)
        return TOO_LATE if expired else USED
