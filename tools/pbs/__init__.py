"""Proxmox Backup Server: whether the backups are there, whole and fresh, and what keeps them so."""

from tools.pbs import changes, pages, reads
from tools.pbs.client import service

__all__ = ["service"]
TOOL_MODULES = (changes, pages, reads)
"""Importing them registers their tools."""
