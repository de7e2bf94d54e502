"""What the gate needs from above: who may approve, whether to hold still, and who listens to progress."""

from typing import Protocol

from memory.models import Role
from tools.kit.service import Risk


class People(Protocol):
    """Who may do what, as configured now."""

    def role(self, actor: str, service: str) -> Role:
        """A person's role for a service; NOBODY for strangers."""

    def approvers(self, conversation: str, risk: Risk, service: str) -> list[str]:
        """Who may approve a call of this risk in this conversation."""

    def highest(self, conversation: str, service: str) -> Role:
        """The highest role among those who could approve here."""


CLOSING = "I am shutting down."
"""The one reason to hold still that ends by itself: what is asked meanwhile is approved after the next start."""


class Guard(Protocol):
    """Whether changes may begin at this moment."""

    def held(self, run: str) -> str | None:
        """Why this run must not begin a change now, or None."""


class Listener(Protocol):
    """Listens to what a run is doing, for the progress line."""

    def doing(self, run: str, line: str) -> None:
        """The run has begun this."""
