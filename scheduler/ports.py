"""What the scheduler needs from outside; main.py plugs it in."""

from typing import Protocol

from memory.database import Transaction
from memory.models import Digest, Role


class Readers(Protocol):
    """Who may see what."""

    def role(self, actor: str, service: str) -> Role:
        """A person's role for a service."""

    def overall(self, actor: str) -> Role:
        """A person's role for what concerns every service at once."""


class Notifier(Protocol):
    """Says things to people."""

    async def digest(self, tx: Transaction, conversation: str, digest: Digest, key: str) -> None:
        """Send a digest, once per key, as part of the caller's transaction."""
