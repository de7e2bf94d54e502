"""Docker: containers, images, networks and volumes on one or several hosts."""

from tools.docker import (
    changes,
    events,
    glance,
    images,
    inventory,
    logs,
    pages,
    projects,
    prune,
    pull,
    reads,
    recreate,
    removal,
    renewal,
    updates,
)
from tools.docker.hosts import service

__all__ = ["service"]
TOOL_MODULES = (
    reads, glance, pages, inventory, logs, changes, pull, recreate, removal, images, prune, updates, projects, events,
    renewal,
)  # fmt: skip
"""Importing them registers their tools and pages."""
