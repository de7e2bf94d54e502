"""Proxmox VE: virtual machines, containers, snapshots, backups and nodes of one cluster."""

from tools.proxmox import backups, create, glance, health, identities, pages, power, reads, shape, snapshots
from tools.proxmox.client import service

__all__ = ["service"]
TOOL_MODULES = (backups, create, glance, health, identities, pages, power, reads, shape, snapshots)
"""Importing them registers their tools."""
