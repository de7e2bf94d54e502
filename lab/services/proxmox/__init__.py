"""A simulated Proxmox VE cluster of three nodes: guests, snapshots, backups, and tasks that take their time."""

from lab.services.proxmox.cluster import Cluster

twin = Cluster
