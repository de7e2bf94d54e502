"""What people say to the cluster, for the stand-in."""

from lab.kit import Intent, Json
from lab.kit.telling import figure, moment, table


def _guests(data: Json) -> str:
    rows = [(g["vmid"], g["name"], g["node"], g["status"], figure(g["cpu_percent"], "%")) for g in data["guests"]]
    return table("guest", "id name node state CPU", rows)


def _status(data: Json) -> str:
    guest, live = data["guest"], data["live"]
    state = "paused" if live["qmp"] == "paused" else live["status"]
    begun = "Yes, it is running" if state == "running" else f"No, it is {state}"
    return f"{begun}. **{guest['name']}** ({guest['vmid']}) on {guest['node']}, CPU {figure(live['cpu_percent'], '%')}."


def _node(data: Json) -> str:
    return "\n".join(
        [f"On **{data['node']}**:", *(f"- {g['vmid']} {g['name']}: {g['status']}" for g in data["guests"])]
    )


def _snapshots(data: Json) -> str:
    return "\n".join(f"- {one['name']}" for one in data["snapshots"]) or "It has none."


def _kept(data: Json) -> str:
    newest = [(rows[0]["vmid"], rows[0]["made"]) for rows in data["storages"].values() if rows]
    bare = f" No job covers {', '.join(data['without'])}." if data["without"] else ""
    return f"The newest is of {moment(newest[0][1])}.{bare}" if newest else f"There are no backups.{bare}"


def _stores(data: Json) -> str:
    rows = [(r["storage"], r["node"], f"{r['used_gib']:.0f} of {r['total_gib']:.0f} GiB") for r in data["storages"]]
    return table("storage", "name node used", rows)


NODES = {"node": ("pve1", "pve2", "pve3")}
INTENTS = (
    Intent("proxmox_list_vms", ("list vms", "which vms run", "which guests are there", "alle VMs", "qué máquinas"),
           _guests),
    Intent("proxmox_get_vm_status", ("is vm {guest} running", "how is vm {guest}", "läuft VM {guest}",
           "está la vm {guest}"), _status),
    Intent("proxmox_get_node_status", ("what is on {node}", "how is {node}", "was läuft auf {node}", "qué hay {node}"),
           _node, words=NODES),
    Intent("proxmox_list_backups", ("list backups {guest}", "which backups of {guest}"), _kept),
    Intent("proxmox_list_storage", ("list storages", "how full are storages", "Speicher voll"), _stores),
    Intent("proxmox_start_vm", ("start vm {guest}", "boot vm {guest}", "starte VM {guest}", "arranca la vm {guest}")),
    Intent("proxmox_shutdown_vm", ("shut down vm {guest}", "fahre VM {guest} herunter", "apaga la vm {guest}")),
    Intent("proxmox_reboot_vm", ("reboot vm {guest}",)),
    Intent("proxmox_create_snapshot", ("snapshot vm {guest}", "take snapshot vm {guest}")),
    Intent("proxmox_list_snapshots", ("snapshots vm {guest}", "list snapshots {guest}"), _snapshots),
)  # fmt: skip
