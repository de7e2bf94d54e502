"""What is done to guests: tasks that take their time and then have happened."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lab.kit import Asked, Json, Refusal
from lab.kit.proxmox import sent, yes
from lab.services.proxmox.stock import backup, guest

if TYPE_CHECKING:
    from lab.services.proxmox.cluster import Cluster

Handler = Callable[[Asked], Any]
FRESH = {"lock": "", "tags": "", "at": "", "template": 0, "cpu": 0.01, "status": "stopped", "since": 0.0}


class Deeds:
    """Every change of a guest."""

    def __init__(self, cluster: "Cluster") -> None:
        self.cluster = cluster

    def routes(self) -> dict[str, Handler]:
        """Its handlers, for both kinds of guests."""
        found: dict[str, Handler] = {"POST /nodes/{node}/vzdump": self.dump}
        for kind in ("qemu", "lxc"):
            one = f"/nodes/{{node}}/{kind}/{{vmid}}"
            for action in ("start", "stop", "shutdown", "reboot"):
                found[f"POST {one}/status/{action}"] = self.power
            found |= {
                f"POST {one}/snapshot": self.snapshot,
                f"DELETE {one}/snapshot/{{name}}": self.forget,
                f"POST {one}/snapshot/{{name}}/rollback": self.rollback,
                f"DELETE {one}": self.destroy,
                f"POST /nodes/{{node}}/{kind}": self.create,
            }
        return found

    def ready(self, asked: Asked, *privileges: str) -> Json:
        """A guest that may be changed now. Raises Refusal."""
        row = self.cluster.the(asked, *privileges)
        self.quorate()
        if row["lock"]:
            raise Refusal(500, f"{'VM' if row['type'] == 'qemu' else 'CT'} is locked ({row['lock']})")
        return row

    def quorate(self) -> None:
        """Raises Refusal while the cluster has no majority."""
        if not self.cluster.quorate:
            raise Refusal(500, "cluster not ready - no quorum?")

    def task(
        self, asked: Asked, row: Json, kind: str, seconds: float, effect: Callable[[], object], **more: Any
    ) -> str:
        """A task on the guest's node: `qmstart`, or `vzstart` for a container."""
        kind = f"{'qm' if row['type'] == 'qemu' else 'vz'}{kind}"
        return self.cluster.begin(row["node"], kind, str(row["vmid"]), seconds, effect, asked=asked, **more)

    def power(self, asked: Asked) -> str:
        """On or off."""
        row, action = self.ready(asked, "VM.PowerMgmt"), asked.url.rpartition("/")[2]
        if action == "start" and row["status"] == "running":
            raise Refusal(500, f"VM {row['vmid']} already running")
        if action == "reboot" and row["status"] != "running":
            raise Refusal(500, f"VM {row['vmid']} not running")
        status = "running" if action in ("start", "reboot") else "stopped"

        def effect() -> None:
            self.cluster.guests.change(row["id"], status=status, since=self.cluster.now())

        deaf = action == "shutdown" and row["id"] in self.cluster.deaf
        fails = "VM quit/powerdown failed - got timeout" if deaf else ""
        return self.task(asked, row, action, 2.0 if action in ("start", "stop") else 5.0, effect, fails=fails)

    def snapshot(self, asked: Asked) -> str:
        """Keep the present state."""
        row, said = self.ready(asked, "VM.Snapshot"), sent(asked)
        name = said["snapname"]
        if (row["id"], name) in self.cluster.snapshots:
            raise Refusal(500, f"snapshot name '{name}' already used")

        def effect() -> None:
            self.cluster.snapshots.put(self.cluster.kept(row["id"], name))
            self.cluster.guests.change(row["id"], at=name)

        return self.task(asked, row, "snapshot", 3.0, effect)

    def _named(self, asked: Asked, row: Json) -> Json:
        found = self.cluster.snapshots.get((row["id"], asked.path["name"]))
        if found is None:
            raise Refusal(500, f"snapshot '{asked.path['name']}' does not exist")
        return found

    def forget(self, asked: Asked) -> str:
        """Delete a snapshot; what came from it comes from its parent."""
        row = self.ready(asked, "VM.Snapshot")
        gone = self._named(asked, row)

        def effect() -> None:
            self.cluster.snapshots.remove(gone["key"])
            for each in self.cluster.snapshots.where(parent=gone["name"]):
                if each["key"][0] == row["id"]:
                    self.cluster.snapshots.change(each["key"], parent=gone["parent"])
            if row["at"] == gone["name"]:
                self.cluster.guests.change(row["id"], at=gone["parent"])

        return self.task(asked, row, "delsnapshot", 3.0, effect)

    def rollback(self, asked: Asked) -> str:
        """Back to a snapshot; what ran is off, unless it is to be started."""
        row = self.ready(asked, "VM.Snapshot.Rollback", "VM.Snapshot")
        kept, start = self._named(asked, row), yes(sent(asked).get("start", 0))

        def effect() -> None:
            status = "running" if start else "stopped"
            self.cluster.guests.change(
                row["id"], config=dict(kept["kept"]["config"]), at=kept["name"], status=status,
                since=self.cluster.now(),
            )  # fmt: skip

        return self.task(asked, row, "rollback", 4.0, effect)

    def destroy(self, asked: Asked) -> str:
        """Gone with its snapshots, and with what names it."""
        row = self.ready(asked, "VM.Allocate")
        if str(row["config"].get("protection")) == "1":
            raise Refusal(500, f"can't remove VM {row['vmid']} - protection mode enabled")
        if row["status"] == "running":
            raise Refusal(500, f"VM {row['vmid']} is running - destroy failed")

        def effect() -> None:
            self.cluster.guests.remove(row["id"])
            for each in self.cluster.snapshots:
                if each["key"][0] == row["id"]:
                    self.cluster.snapshots.remove(each["key"])

        return self.task(asked, row, "destroy", 3.0, effect)

    def dump(self, asked: Asked) -> str:
        """A backup of one guest; on a full storage it fails on the way."""
        said = sent(asked)
        row = self.cluster.one(int(said["vmid"]))
        self.cluster.server.need(asked, f"/vms/{row['vmid']}", "VM.Backup")
        self.cluster.server.need(asked, f"/storage/{said['storage']}", "Datastore.AllocateSpace")
        self.quorate()
        fails = "job errors" if row["lock"] or self.cluster.full else ""
        begun = self.cluster.now()

        def effect() -> None:
            notes = said.get("notes-template", "").replace("{{guestname}}", row["name"])
            self.cluster.backups.put(backup(row, begun, said["storage"], notes))

        log = [f"INFO: starting new backup job: vzdump {row['vmid']}", "INFO:  42% (1.3 GiB of 3.0 GiB) in 4s"]
        return self.cluster.begin(
            row["node"], "vzdump", str(row["vmid"]), 8.0, effect, asked=asked, fails=fails, log=log
        )

    def create(self, asked: Asked) -> str:
        """A new guest, from a backup or a template."""
        said, node = sent(asked), asked.path["node"]
        kind = "qemu" if asked.url.endswith("/qemu") else "lxc"
        number = int(said["vmid"])
        self.cluster.server.need(asked, f"/vms/{number}", "VM.Allocate")
        self.quorate()
        there = next((row for row in self.cluster.guests if row["vmid"] == number), None)
        if there is not None and not yes(said.get("force", 0)):
            raise Refusal(500, f"unable to create VM {number} - VM {number} already exists on node '{there['node']}'")
        volume = said.get("archive") or said.get("ostemplate", "")
        made = self.cluster.backups.get(volume)
        restores = made is not None and (kind == "qemu" or yes(said.get("restore", 0)))
        if made is None and "vzdump" in volume:
            raise Refusal(500, f"volume '{volume}' does not exist")
        row = {**(made or {}).get("kept", {}), **FRESH} if restores else self._new(number, said)
        if restores and made:
            row |= {"tags": made["kept"]["tags"], "cpu": made["kept"]["cpu"]}
        status = "running" if yes(said.get("start", 0)) else "stopped"
        row |= {"id": f"{kind}/{number}", "vmid": number, "type": kind, "node": node, "status": status}

        def effect() -> None:
            self.cluster.guests.put({**row, "since": self.cluster.now()})

        return self.task(asked, row, "restore" if restores else "create", 6.0, effect)

    def _new(self, number: int, said: Json) -> Json:
        size = int(str(said.get("rootfs", "x:8")).rpartition(":")[2])
        memory, cores = int(said.get("memory", 512)) / 1024, int(said.get("cores", 1))
        return guest(number, "lxc", said.get("hostname", f"CT{number}"), "", cores, memory, size)
