"""The scripted brain: it sees one request of the Messages API and nothing else."""

from lab.claude.brain.think import think

__all__ = ["think"]
