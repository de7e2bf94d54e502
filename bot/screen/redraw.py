"""What was drawn and is true no more is drawn again, wherever it stands."""

from memory.database import Transaction
from memory.models import CallState, Run
from memory.stores import Stores


async def redraw_cards(stores: Stores, tx: Transaction, conversation: str, calls: list[str], event: str) -> None:
    """Draw the cards of these calls again: what their buttons offer has changed."""
    approvals = [await stores.approvals.latest(call) for call in calls]
    for card in {approval.card for approval in approvals if approval is not None}:
        await stores.outbox.add(tx, conversation, "card", f"card:{card}:{event}", card=card)


async def redraw_receipt(stores: Stores, tx: Transaction, run: Run, call: str, event: str) -> None:
    """Draw what a run has taken back again, wherever it stands: its Undo goes, or comes back."""
    outbox, approval = stores.outbox, await stores.approvals.latest(call)
    if approval is not None:
        await outbox.add(tx, run.conversation, "card", f"card:{approval.card}:{event}:{run.id}", card=approval.card)
    message = await outbox.message_of(f"receipt:{call}:{CallState.DONE}")
    if message is not None:
        key = f"receipt:{call}:{event}:{run.id}"
        await outbox.add(tx, run.conversation, "receipt", key, message=message, call=call)
