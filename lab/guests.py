"""The guests of the simulated homelab: Proxmox VE runs them, Proxmox Backup Server keeps their backups."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Guest:
    """One virtual machine or container."""

    id: int
    kind: Literal["vm", "ct"]
    name: str
    node: str
    running: bool = True
    template: bool = False


NODES = ("pve1", "pve2", "pve3")
GUESTS = (
    Guest(100, "vm", "router", "pve1"),
    Guest(101, "vm", "vault", "pve1"),
    Guest(102, "vm", "files", "pve1"),
    Guest(103, "vm", "homeassistant", "pve2"),
    Guest(104, "vm", "mail", "pve2"),
    Guest(105, "vm", "windows", "pve3", running=False),
    Guest(110, "ct", "dns", "pve1"),
    Guest(111, "ct", "proxy", "pve1"),
    Guest(112, "ct", "git", "pve2"),
    Guest(113, "ct", "wiki", "pve2"),
    Guest(114, "ct", "media", "pve3"),
    Guest(115, "ct", "monitor", "pve3"),
    Guest(116, "ct", "scratch", "pve3", running=False),
    Guest(900, "vm", "debian-12", "pve1", running=False, template=True),
)
