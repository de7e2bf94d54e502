"""What the scheduler needs from outside; main.py plugs it in."""

from typing import Protocol

from memory.database import Transaction
from memory.models import Digest


class Notifier(Protocol):
    """Says things to people."""

    async def digest(self, tx: Transaction, conversation: str, digest: Digest, key: str) -> None:
        """Send a digest, once per key, as part of the caller's transaction."""
