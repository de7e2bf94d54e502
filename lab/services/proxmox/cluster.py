"""The cluster: its state, who may see what of it, and what it answers to questions."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp

from lab.kit import Asked, Json, Refusal, Store, Twin
from lab.kit.proxmox import Proxmox
from lab.services.proxmox.deeds import Deeds
from lab.services.proxmox.sayings import INTENTS
from lab.services.proxmox.stock import (
    BACKUPS,
    DAY,
    DISKS,
    GIB,
    GUESTS,
    HA,
    JOB,
    MORE,
    NODES,
    POOL,
    SNAPSHOTS,
    STORAGES,
    TEMPLATES,
    UPDATE,
    backup,
    guest,
)

TOKEN = "rackhand@pve!bot"
READING = {"VM.Audit", "VM.Backup", "Datastore.Audit", "Datastore.AllocateSpace", "Sys.Audit", "Sys.Modify"}
CHANGING = {
    "VM.PowerMgmt", "VM.Snapshot", "VM.Snapshot.Rollback", "VM.Allocate", "VM.Clone", "VM.Migrate", "VM.Config.CPU",
    "VM.Config.Disk", "VM.Config.Memory", "VM.Config.Options", "VM.Config.Network", "Sys.Modify", "Sys.PowerMgmt",
    "SDN.Use", "Datastore.AllocateTemplate",
}  # fmt: skip
PACE = 1.0
"""How long tasks take, as a share of what they take in the demo."""


class Cluster(Twin):
    """Three nodes that know the same."""

    name = "proxmox"
    intents = INTENTS

    def __init__(self, seed: int = 1, **more: Any) -> None:
        super().__init__(seed, **more)
        self.server = Proxmox(self, "PVE", lambda: list(NODES))
        self.key = self.server.token(TOKEN, {"/": READING | CHANGING})
        self.quorate, self.full = True, False
        self.deaf: set[str] = set()
        """Guests that do not heed a shutdown."""
        self.guests = Store(self, "id", [self._begun(*row) for row in GUESTS], hidden=frozenset({"since", "cpu"}))
        rows = [self.kept(id_, name, 30 - 9 * at) for id_, names in SNAPSHOTS.items() for at, name in enumerate(names)]
        self.snapshots = Store(self, "key", rows, hidden=frozenset({"snaptime"}))
        for id_, names in SNAPSHOTS.items():
            self.guests.change(id_, at=names[-1])
        made = [backup(self.one(number), self.now() - days * DAY) for number, days in BACKUPS]
        self.backups = Store(self, "volid", made)
        self.jobs = Store(self, "id", [dict(JOB)])

    # -- what it is ---------------------------------------------------------------------------------------------------

    def _begun(self, number: int, kind: str, name: str, node: str, days: float, cores: int, memory: float, disk: int,
               cpu: float) -> Json:  # fmt: skip
        row, more = guest(number, kind, name, node, cores, memory, disk), MORE.get(number, {})
        row |= {"cpu": cpu, **more, "config": {**row["config"], **more.get("config", {})}}
        return {**row, "status": "running", "since": self.now() - days * DAY} if days else row

    def kept(self, id_: str, name: str, days: float = 0.0) -> Json:
        """A snapshot of a guest as it is now."""
        row = self.guests.rows[id_]
        kept = {"config": dict(row["config"]), "status": row["status"]}
        return {"key": (id_, name), "name": name, "parent": row["at"], "description": "", "vmstate": 0,
                "snaptime": int(self.now() - days * DAY), "kept": kept}  # fmt: skip

    def one(self, number: int) -> Json:
        """A guest by its number. Raises KeyError."""
        return next(row for row in self.guests if row["vmid"] == number)

    def the(self, asked: Asked, *privileges: str) -> Json:
        """The guest that a request is about. Raises Refusal when it is not there, or not for whoever asks."""
        kind = "qemu" if f"/qemu/{asked.path['vmid']}" in asked.url else "lxc"
        number, node = asked.path["vmid"], asked.path["node"]
        self.server.need(asked, f"/vms/{number}", *(privileges or ("VM.Audit",)))
        row = self.guests.get(f"{kind}/{number}")
        if row is None or row["node"] != node:
            folder = "qemu-server" if kind == "qemu" else "lxc"
            raise Refusal(500, f"Configuration file 'nodes/{node}/{folder}/{number}.conf' does not exist")
        return row

    def begin(self, node: str, kind: str, id_: str, seconds: float, effect: Callable[[], object], **more: Any) -> str:
        """A task at the lab's pace."""
        return self.server.begin(node, kind, id_, seconds * PACE, effect, **more)

    def dump(self) -> Json:
        """Its state, whatever is due having happened; a backup that was a safety net stays on purpose."""
        self.tasks.settle()
        found = super().dump()
        kept = [row for row in found["backups"] if row["notes"] != "rackhand: before it was deleted"]
        return {**found, "backups": kept}

    # -- what it answers ----------------------------------------------------------------------------------------------

    def resources(self, asked: Asked) -> list[Json]:
        """Guests, nodes and storages, as far as whoever asks may see them."""
        wanted, may = asked.query.get("type"), self.server.may
        rows = [self._listed(row) for row in self.guests if may(asked, f"/vms/{row['vmid']}", "VM.Audit")]
        rows += [self._node(name) for name in NODES if may(asked, f"/nodes/{name}", "Sys.Audit")]
        rows += [
            {"id": f"storage/{node}/{name}", "type": "storage", "storage": name, "node": node, "status": "available",
             "plugintype": kind, "content": content, "shared": shared, "maxdisk": total * GIB,
             "disk": (total if self.full else used) * GIB}
            for name, node, kind, content, shared, used, total in STORAGES
            if may(asked, f"/storage/{name}", "Datastore.Audit", "Datastore.AllocateSpace")
        ]  # fmt: skip
        kinds = {"vm": ("qemu", "lxc"), "node": ("node",), "storage": ("storage",)}
        return [row for row in rows if wanted is None or row["type"] in kinds[wanted]]

    def _figures(self, row: Json) -> Json:
        """How a guest is, in figures."""
        on, config = row["status"] == "running", row["config"]
        most = int(config["memory"]) * 2**20
        disk = next(str(value) for name, value in config.items() if name in ("scsi0", "rootfs"))
        size = int(disk.rpartition("size=")[2].rstrip("G")) * GIB
        locked = {"lock": row["lock"]} if row["lock"] else {}
        return {"vmid": row["vmid"], "name": row["name"], "status": row["status"], "maxmem": most, "maxdisk": size,
                "mem": int(most * (0.3 + row["cpu"])) if on else 0, "cpu": row["cpu"] if on else 0, "disk": 0,
                "uptime": max(1, int(self.now() - row["since"])) if on else 0, "tags": row["tags"],
                "template": row["template"], **locked}  # fmt: skip

    def _listed(self, row: Json) -> Json:
        return {"id": row["id"], "type": row["type"], "node": row["node"], "maxcpu": int(row["config"]["cores"]),
                **self._figures(row)}  # fmt: skip

    def _node(self, name: str) -> Json:
        _, cores, memory = NODES[name]
        on = [row for row in self.guests if row["node"] == name and row["status"] == "running"]
        used = sum(int(row["config"]["memory"]) * 2**20 * 0.5 for row in on)
        return {"id": f"node/{name}", "type": "node", "node": name, "status": "online", "maxcpu": cores,
                "cpu": min(0.9, sum(row["cpu"] for row in on) / 2), "maxmem": memory * GIB, "mem": int(used),
                "maxdisk": 94 * GIB, "disk": 21 * GIB, "uptime": 61 * DAY, "level": ""}  # fmt: skip

    def members(self, asked: Asked) -> list[Json]:
        """The cluster and its nodes."""
        whole = {"type": "cluster", "id": "cluster", "name": "home", "nodes": 3, "quorate": self.quorate, "version": 3}
        nodes = [
            {"type": "node", "id": f"node/{name}", "name": name, "ip": ip, "online": True, "local": at == 1,
             "nodeid": at, "level": ""}
            for at, (name, (ip, *_)) in enumerate(NODES.items(), 1)
        ]  # fmt: skip
        return [whole, *nodes]

    def node_status(self, asked: Asked) -> Json:
        """How a node is."""
        self.server.need(asked, f"/nodes/{asked.path['node']}", "Sys.Audit")
        row = self._node(asked.path["node"])
        root = {"total": row["maxdisk"], "used": row["disk"], "free": 73 * GIB, "avail": 73 * GIB}
        memory = {"total": row["maxmem"], "used": row["mem"], "free": row["maxmem"] - row["mem"],
                  "available": row["maxmem"] - row["mem"]}  # fmt: skip
        return {"pveversion": "pve-manager/9.1.1/42db4a6cf33dac83", "cpu": row["cpu"], "uptime": row["uptime"],
                "loadavg": ["0.42", "0.37", "0.31"], "memory": memory, "rootfs": root,
                "cpuinfo": {"model": "AMD Ryzen 7 5825U", "cpus": row["maxcpu"], "cores": row["maxcpu"], "sockets": 1},
                "current-kernel": {"sysname": "Linux", "release": "6.14.8-2-pve", "version": "#1", "machine": "x86_64"},
                "boot-info": {"mode": "efi", "secureboot": 0}}  # fmt: skip

    def current(self, asked: Asked) -> Json:
        """A guest as it is now."""
        row = self.the(asked)
        more = {"qmpstatus": row["status"]} if row["type"] == "qemu" else {}
        return {**self._figures(row), "cpus": int(row["config"]["cores"]), "ha": {"managed": 0}, **more}

    def config(self, asked: Asked) -> Json:
        """A guest's configuration with its digest."""
        row = self.the(asked)
        tags = {"tags": row["tags"]} if row["tags"] else {}
        return {**row["config"], **tags, "digest": digest(row)}

    def snapshots_of(self, asked: Asked) -> list[Json]:
        """A guest's snapshots, and where it stands now."""
        row = self.the(asked)
        rows = [each for each in self.snapshots if each["key"][0] == row["id"]]
        found = [{k: v for k, v in each.items() if k not in ("key", "kept") and v != ""} for each in rows]
        now = {"name": "current", "description": "You are here!", **({"parent": row["at"]} if row["at"] else {})}
        return [*({"description": "", **each} for each in found), now]

    def content(self, asked: Asked) -> list[Json]:
        """What lies on a storage; a backup only for whoever may back its guest up."""
        storage, kind = asked.path["storage"], asked.query.get("content")
        self.server.need(asked, f"/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace")
        if kind == "vztmpl":
            rows = [
                {"volid": name, "format": "tzst", "size": 120_000_000, "ctime": 1_760_000_000} for name in TEMPLATES
            ]
            return rows if storage == "local" else []
        may = self.server.may
        rows = [
            {name: row[name] for name in ("volid", "vmid", "ctime", "size", "format", "notes")}
            for row in self.backups.where(storage=storage)
            if may(asked, f"/storage/{storage}", "Datastore.AllocateSpace")
            and may(asked, f"/vms/{row['vmid']}", "VM.Backup")
        ]  # fmt: skip
        return [row for row in rows if asked.query.get("vmid", str(row["vmid"])) == str(row["vmid"])]

    def bare(self, asked: Asked) -> list[Json]:
        """Guests that no job backs up."""
        covered = {vmid for job in self.jobs if job["enabled"] for vmid in job["vmid"].split(",")}
        rows = [row for row in self.guests if str(row["vmid"]) not in covered and not row["template"]]
        return [{"vmid": row["vmid"], "name": row["name"], "type": row["type"]} for row in rows]

    def audited(self, rows: list[Json], privilege: str = "Sys.Audit") -> Callable[[Asked], Any]:
        """What a node tells to whoever may ask."""

        def answer(asked: Asked) -> list[Json]:
            self.server.need(asked, f"/nodes/{asked.path['node']}", privilege)
            return rows

        return answer

    def measured(self, asked: Asked, cpu: float, memory: int) -> list[Json]:
        """Seventy samples of the time that is asked for."""
        spans = {"hour": 60, "day": 1800, "week": 10_800, "month": 43_200, "year": 604_800}
        every = spans[asked.query["timeframe"]]
        last = int(self.now()) // every * every
        return [
            {"time": at, "cpu": round(cpu * (1 + 0.5 * math.sin(at / 14_000)), 4), "maxcpu": 4, "mem": memory,
             "maxmem": 2 * memory, "netin": 30_000.0, "netout": 12_000.0, "diskread": 0.0, "diskwrite": 50_000.0}
            for at in range(last - 70 * every, last, every)
        ]  # fmt: skip

    # -- its servers --------------------------------------------------------------------------------------------------

    def apps(self) -> Mapping[str, ASGIApp]:
        """A server on each node."""
        reads: dict[str, Callable[[Asked], Any]] = {
            "GET /cluster/resources": self.resources,
            "GET /cluster/status": self.members,
            "GET /cluster/backup-info/not-backed-up": self.bare,
            "GET /nodes/{node}/status": self.node_status,
            "GET /nodes/{node}/storage/{storage}/content": self.content,
            "GET /cluster/backup": lambda asked: list(self.jobs),
            "GET /cluster/ha/resources": lambda asked: [],
            "GET /cluster/ha/status/current": lambda asked: [dict(row) for row in HA],
            "GET /nodes/{node}/disks/list": self.audited([dict(row) for row in DISKS]),
            "GET /nodes/{node}/disks/zfs": self.audited([dict(POOL)]),
            "GET /nodes/{node}/apt/update": self.audited([dict(UPDATE)], "Sys.Modify"),
            "GET /nodes/{node}/rrddata": lambda asked: self.measured(asked, 0.2, 16 * GIB),
            **Deeds(self).routes(),
        }
        ofguests: dict[str, Callable[[Asked], Any]] = {
            "GET /status/current": self.current,
            "GET /config": self.config,
            "GET /snapshot": self.snapshots_of,
            "GET /rrddata": lambda asked: self.measured(asked, self.the(asked)["cpu"], 2 * GIB),
        }
        for kind in ("qemu", "lxc"):
            for line, handler in ofguests.items():
                reads[line.replace(" ", f" /nodes/{{node}}/{kind}/{{vmid}}")] = handler
        settled = {line: self._settled(handler) for line, handler in reads.items()}
        version = {"version": "9.1.1", "release": "9.1", "repoid": "42db4a6cf33dac83"}
        return {node: self.server.app(settled, version=version) for node in ("pve1", "pve2")}

    def _settled(self, handler: Callable[[Asked], Any]) -> Callable[[Asked], Any]:
        def answer(asked: Asked) -> Any:
            self.tasks.settle()
            return handler(asked)

        return answer

    def tls(self, host: str) -> Any:
        """Both show the cluster's own certificate."""
        return self.server.context

    def environment(self, urls: Mapping[str, str]) -> Mapping[str, str]:
        """Two of its nodes, and its token."""
        return {"PROXMOX_URL": json.dumps(dict(urls)), "PROXMOX_TOKEN_ID": TOKEN, "PROXMOX_TOKEN_SECRET": self.key,
                "PROXMOX_FINGERPRINT": self.server.fingerprint}  # fmt: skip

    def rows(self) -> list[Json]:
        """A row each for the page."""
        dots = {"running": "good", "stopped": "off"}
        return [
            {"name": f"{row['vmid']} {row['name']}", "dot": dots[row["status"]], "state": row["status"],
             "detail": row["node"]}
            for row in self.guests if not row["template"]
        ]  # fmt: skip

    def suggestions(self) -> list[str]:
        """What to ask of it."""
        return ["what is on pve2?"]


def digest(row: Json) -> str:
    """What tells a configuration from the one that it was."""
    return hashlib.sha1(json.dumps(row["config"], sort_keys=True).encode()).hexdigest()
