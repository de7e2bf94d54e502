"""A strict double of the Claude Messages API, with a scripted brain behind it."""

from lab.claude.api import claude_app
from lab.claude.double import Claude
from lab.claude.reply import Reply

__all__ = ["Claude", "Reply", "claude_app"]
