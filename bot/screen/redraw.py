"""What was drawn and is true no more is drawn again, wherever it stands."""

from memory.database import Transaction
from memory.models import Run
from memory.stores import Stores


async def redraw_cards(stores: Stores, tx: Transaction, conversation: str, calls: list[str]) -> None:
    """Draw the cards of these calls again: what their buttons offer has changed."""
    approvals = [await stores.approvals.latest(call) for call in calls]
    for card in {approval.card for approval in approvals if approval is not None}:
        await stores.outbox.draw(tx, conversation, "card", card)


async def redraw_receipt(stores: Stores, tx: Transaction, run: Run, call: str) -> None:
    """Draw what a run has taken back again, wherever it stands: its Undo goes, or comes back."""
    if approval := await stores.approvals.latest(call):
        await stores.outbox.draw(tx, run.conversation, "card", approval.card)
    await stores.outbox.redraw(tx, "receipt", call)
