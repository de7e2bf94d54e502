"""What people say to the cluster, for the stand-in."""

from lab.kit import Intent, Json
from lab.kit.telling import figure, table


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


NODES = {"node": ("pve1", "pve2", "pve3")}
INTENTS = (
    Intent("proxmox_list_vms", ("list vms", "which vms run", "which guests are there", "alle VMs", "qué máquinas"),
           _guests),
    Intent("proxmox_get_vm_status", ("is vm {guest} running", "how is vm {guest}", "läuft VM {guest}",
           "está la vm {guest}"), _status),
    Intent("proxmox_get_node_status", ("what is on {node}", "how is {node}", "was läuft auf {node}", "qué hay {node}"),
           _node, words=NODES),
    Intent("proxmox_list_snapshots", ("snapshots vm {guest}", "list snapshots {guest}"), _snapshots),
)  # fmt: skip
