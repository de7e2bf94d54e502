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
    Guest(100, "vm", "opnsense", "pve1"),
    Guest(101, "ct", "pihole", "pve1"),
    Guest(102, "ct", "unifi", "pve1"),
    Guest(103, "vm", "homeassistant", "pve2"),
    Guest(104, "vm", "media", "pve2"),
    Guest(105, "ct", "paperless", "pve2"),
    Guest(106, "ct", "immich", "pve2"),
    Guest(107, "vm", "win11", "pve2"),
    Guest(108, "ct", "vault", "pve3"),
    Guest(109, "vm", "k3s", "pve3", running=False),
    Guest(110, "ct", "test", "pve1", running=False),
    Guest(111, "ct", "test", "pve3"),
    Guest(112, "vm", "mirror", "pve3"),
    Guest(113, "ct", "grafana", "pve1"),
    Guest(900, "vm", "debian-12", "pve1", running=False, template=True),
)
