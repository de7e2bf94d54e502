"""Pi-hole (v6): DNS blocking for the network, on one Pi-hole or on several that work as one."""

from tools.pihole import changes, glance, identities, pages, reads
from tools.pihole.client import service

__all__ = ["service"]
TOOL_MODULES = (changes, glance, identities, pages, reads)
"""Importing them registers their tools."""
