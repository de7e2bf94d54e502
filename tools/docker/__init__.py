"""Docker: containers, images, networks and volumes on one or several hosts."""

from tools.docker import changes, glance, images, inventory, logs, pages, prune, pull, reads, recreate, removal
from tools.docker.hosts import service

__all__ = ["service"]
TOOL_MODULES = (reads, glance, pages, inventory, logs, changes, pull, recreate, removal, images, prune)
"""Importing them registers their tools and pages."""
