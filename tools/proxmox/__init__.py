"""Proxmox VE: virtual machines, containers, snapshots, backups and nodes of one cluster."""

from tools.proxmox import backups, glance, health, pages, power, reads, snapshots
from tools.proxmox.client import service

__all__ = ["service"]
TOOL_MODULES = (backups, glance, health, pages, power, reads, snapshots)
"""Importing them registers their tools."""
