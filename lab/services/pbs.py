"""A simulated Proxmox Backup Server: two datastores, the backups of the guests, jobs, and tasks that take time."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import ASGIApp

from lab.guests import GUESTS
from lab.kit import Asked, Json, Refusal, Store, Twin
from lab.kit.proxmox import Proxmox, Rights, sent, yes

HOUR, DAY, TB = 3600, 86_400, 10**12
NODE, TOKEN = "pbs", "rackhand@pbs!bot"
READS: Rights = {
    "/datastore": {"Datastore.Audit"},
    "/remote": {"Remote.Audit"},
    "/system/tasks": {"Sys.Audit"},
}
"""What looking needs, as docs/services/pbs.md says."""
CHANGES: Rights = {
    **READS,
    "/datastore": {"Datastore.Audit", "Datastore.Modify", "Datastore.Verify", "Datastore.Prune", "Datastore.Read",
                   "Datastore.Backup"},
    "/remote": {"Remote.Audit", "Remote.Read"},
}  # fmt: skip
STALE, FAILED, UNVERIFIED, NONE, GIVEN_UP = 104, 108, 105, 109, 106
"""Guests: the last backup is old; the newest is broken; none was ever verified; none at all; its only one broke off."""
STAMPS = frozenset({"backup-time", "upid", "last-run-upid", "last-run-endtime", "next-run", "key"})
STORE = ("store", "comment", "mount-status")
FIGURES = {"disk-bytes": 5 * TB, "disk-chunks": 2_000_000, "index-data-bytes": 40 * TB, "index-file-count": 70,
           "pending-bytes": 10**9, "pending-chunks": 400, "removed-bad": 0, "removed-bytes": 3 * 10**10,
           "removed-chunks": 12_000, "still-bad": 1}  # fmt: skip
JOBS = ("sync", "verify", "prune")


class BackupServer(Twin):
    """One server, called pbs."""

    name = "pbs"

    def __init__(self, seed: int = 1, **more: Any) -> None:
        super().__init__(seed, **more)
        self.server = Proxmox(self, "PBS", lambda: [NODE])
        self.key = self.server.token(TOKEN, CHANGES)
        self.began = int(self.now())
        self.stores = Store(self, "store", [
            {"store": "main", "comment": "ten disks", "total": 8 * TB, "used": 5 * TB, "mount-status": "nonremovable"},
            {"store": "archive", "comment": None, "total": 4 * TB, "used": TB // 2, "mount-status": "nonremovable"},
        ])  # fmt: skip
        self.snapshots = Store(self, "key", hidden=STAMPS)
        for guest in GUESTS:
            if not guest.template and guest.id != NONE:
                self._kept(guest.kind, guest.id, guest.name)
        self.snapped("main", "", "host", "pve1", self.began - 9 * HOUR, comment=None, state="ok")
        self.jobs = {kind: Store(self, "id", hidden=STAMPS) for kind in JOBS}
        self.gc = Store(self, "store", hidden=STAMPS)
        self._scheduled()

    # -- what it keeps --------------------------------------------------------------------------------------------

    def _kept(self, kind: str, id_: int, name: str) -> None:
        newest = 12 * DAY if id_ == STALE else 8 * HOUR
        if id_ == GIVEN_UP:
            self.snapped("main", "", kind, str(id_), self.began - newest, comment=name, done=False)
            return
        for number in range(5):
            state = None if id_ == UNVERIFIED else "failed" if id_ == FAILED and number == 0 else "ok"
            self.snapped("main", "", kind, str(id_), self.began - newest - number * DAY, comment=name, state=state)

    def snapped(
        self, store: str, ns: str, kind: str, id_: str, at: int, *, comment: str | None = None,
        state: str | None = None, done: bool = True, protected: bool = False,
    ) -> Json:  # fmt: skip
        """A backup, verified unless `state` is None."""
        files = ["client.log.blob"] + ["index.json.blob"] * done + [f"{'root.pxar' if kind == 'ct' else 'drive'}.didx"]
        row = {
            "key": (store, ns, kind, id_, at), "backup-type": kind, "backup-id": id_, "backup-time": at, "files": files,
            "protected": protected, "owner": "pve@pbs!pve", "comment": comment, "size": 32 * 10**9 if done else None,
        }  # fmt: skip
        if state:
            upid = self.server.begin(
                NODE, "verificationjob", f"{store}:v-nightly", 900, ago=max(0, self.now() - at - HOUR)
            )
            row["verification"] = {"state": state, "upid": upid}
        return self.snapshots.put(row)

    def _scheduled(self) -> None:
        usual = {"store": "main", "ns": "", "schedule": "daily", "next-run": self.began + 14 * HOUR}
        ended = {"last-run-endtime": self.began - 6 * HOUR, "last-run-state": "OK"}
        sync = {"remote": "cellar", "remote-store": "main", "sync-direction": "push", "group-filter": ["type:vm"]}
        for kind, id_, more in (("sync", "s-cellar", sync), ("verify", "v-nightly", {"ignore-verified": True}),
                                ("prune", "p-daily", {"keep-daily": 7, "keep-weekly": 4})):  # fmt: skip
            upid = self.server.begin(NODE, f"{kind}job", f"main:{id_}", 600, ago=6 * HOUR + 600)
            self.jobs[kind].put({"id": id_, **usual, **more, **ended, "last-run-upid": upid})
        self.server.begin(NODE, "backup", f"main:vm/{STALE}", 40, ago=9 * HOUR, fails="connection error",
                          log=["backup failed: connection error"])  # fmt: skip
        for store in ("main", "archive"):
            upid = self.server.begin(NODE, "garbage_collection", store, 1800, ago=30 * HOUR)
            row = {"store": store, **FIGURES, "schedule": "daily", "next-run": self.began + 9 * HOUR, "duration": 1800,
                   "last-run-state": "OK", "last-run-endtime": self.began - 29 * HOUR, "upid": upid}  # fmt: skip
            self.gc.put(row)

    # -- what it answers ------------------------------------------------------------------------------------------

    def need(self, asked: Asked, *privileges: str) -> str:
        """The datastore that is meant. Raises Refusal."""
        store = asked.path["store"]
        self.server.need(asked, f"/datastore/{store}", *privileges)
        if store not in self.stores:
            raise Refusal(404, f"no such datastore '{store}'")
        return store

    def audited(self, asked: Asked, rows: Any) -> list[Json]:
        """Those whose datastore may be looked at: of the others nobody hears."""
        return [row for row in rows if self.server.may(asked, f"/datastore/{row['store']}", "Datastore.Audit")]

    def listed(self, asked: Asked) -> list[Json]:
        """The datastores."""
        return [{"backend-type": "filesystem", **_only(row, STORE)} for row in self.audited(asked, self.stores)]

    def usage(self, asked: Asked) -> list[Json]:
        """How full they are."""
        full = {"backend-type": "filesystem", "estimated-full-date": self.began + 90 * DAY}
        return [
            {**full, **_only(row, ("store", "mount-status", "used", "total")), "avail": row["total"] - row["used"],
             "gc-status": _only(self.gc.get(row["store"]) or {}, FIGURES)}
            for row in self.audited(asked, self.stores)
        ]  # fmt: skip

    def meant(self, store: str, said: Json) -> list[Json]:
        """The backups in a namespace, or of one thing there; without a namespace, all of the datastore."""
        wanted = {name: said[name] for name in ("backup-type", "backup-id") if name in said}
        rows = (
            row for row in self.snapshots if row["key"][0] == store and said.get("ns", row["key"][1]) == row["key"][1]
        )
        return [row for row in rows if all(row[name] == value for name, value in wanted.items())]

    def found(self, asked: Asked) -> list[Json]:
        """The backups that the query asks for, in the root unless it says where."""
        return [_shown(row) for row in self.meant(self.need(asked, "Datastore.Audit"), {"ns": "", **sent(asked)})]

    def namespaces(self, asked: Asked) -> list[Json]:
        """Every namespace, the root as an empty name."""
        store = self.need(asked, "Datastore.Audit")
        return [{"ns": ns} for ns in sorted({"", *(row["key"][1] for row in self.snapshots if row["key"][0] == store)})]

    def forget(self, asked: Asked) -> None:
        """Remove one backup, unless it is protected."""
        store, said = self.need(asked, "Datastore.Modify"), sent(asked)
        key = store, said.get("ns", ""), said["backup-type"], said["backup-id"], int(said["backup-time"])
        row = self.snapshots.get(key)
        if row is None:
            raise Refusal(400, "removing backup snapshot failed - no such snapshot")
        if row["protected"]:
            raise Refusal(400, "cannot remove protected snapshot")
        self.snapshots.remove(key)

    def protect(self, asked: Asked) -> None:
        """Keep one backup from being removed, or no longer."""
        store, said = self.need(asked, "Datastore.Modify"), sent(asked)
        rows = [row for row in self.meant(store, {"ns": "", **said}) if row["backup-time"] == int(said["backup-time"])]
        if not rows:
            raise Refusal(400, "no such snapshot")
        self.snapshots.change(rows[0]["key"], protected=yes(said["protected"]))

    def prune(self, asked: Asked) -> list[Json]:
        """What would be kept and what would go, the newest first; here it is only ever tried."""
        store, said = self.need(asked, "Datastore.Modify", "Datastore.Prune", "Datastore.Audit"), sent(asked)
        if not yes(said.get("dry-run")):
            raise Refusal(400, "the twin prunes nothing")
        keep, days = {name: int(value) for name, value in said.items() if name.startswith("keep-")}, set[int]()
        rows = [
            row
            for row in self.snapshots
            if row["key"][:4] == (store, said.get("ns", ""), said["backup-type"], said["backup-id"])
        ]
        shown = []
        for at, row in enumerate(sorted(rows, key=lambda row: -row["backup-time"])):
            day = row["backup-time"] // DAY
            fresh = day not in days and len(days) < keep.get("keep-daily", 0)
            days |= {day} if fresh else set()
            kept = not keep or fresh or at < keep.get("keep-last", 0) or row["protected"]
            shown.append({name: row[name] for name in ("backup-type", "backup-id", "backup-time")} | {"keep": kept})
        return shown

    def verify(self, asked: Asked) -> str:
        """Read a datastore, a group or one backup, and say which are whole."""
        store, said = self.need(asked, "Datastore.Verify"), sent(asked)
        rows = [row for row in self.meant(store, said) if row["size"] is not None]
        if yes(said.get("ignore-verified", True)):
            rows = [row for row in rows if "verification" not in row]
        broken = [row for row in rows if row.get("verification", {}).get("state") == "failed"]
        fails = "verification failed - please check the log for details" if broken else ""
        upid = self.server.begin(NODE, "verify", store, 20, lambda: proved(), asked=asked, fails=fails)

        def proved() -> None:
            for row in rows:
                self.snapshots.change(row["key"], verification={"state": "ok", "upid": upid})

        return upid

    def collect(self, asked: Asked) -> str:
        """Free what no backup needs any more."""
        store = self.need(asked, "Datastore.Modify")

        def freed() -> None:
            self.gc.change(store, **{"last-run-endtime": int(self.now()) + 1, "last-run-state": "OK", "upid": upid})

        upid = self.server.begin(NODE, "garbage_collection", store, 30, freed, asked=asked)
        return upid

    def listed_jobs(self, kind: str) -> Any:
        """The jobs of a kind that may be looked at."""

        def answer(asked: Asked) -> list[Json]:
            rows = self.audited(asked, self.jobs[kind])
            return [
                row
                for row in rows
                if kind != "sync" or self.server.may(asked, f"/remote/{row['remote']}", "Remote.Audit")
            ]

        return answer

    def run_job(self, asked: Asked) -> str:
        """Copy now what is copied on schedule."""
        job = self.jobs["sync"].get(asked.path["id"])
        if job is None:
            raise Refusal(400, "no such job")
        self.server.need(asked, f"/datastore/{job['store']}", "Datastore.Backup")

        def copied() -> None:
            ended = {"last-run-endtime": int(self.now()) + 1, "last-run-state": "OK", "last-run-upid": upid}
            self.jobs["sync"].change(job["id"], **ended)

        upid = self.server.begin(NODE, "syncjob", f"{job['store']}:{job['id']}", 40, copied, asked=asked)
        return upid

    def apps(self) -> Mapping[str, ASGIApp]:
        """Its only server."""
        at = "/admin/datastore/{store}"
        routes = {
            "GET /admin/datastore": self.listed,
            "GET /status/datastore-usage": self.usage,
            f"GET {at}/namespace": self.namespaces,
            f"GET {at}/snapshots": self.found,
            f"DELETE {at}/snapshots": self.forget,
            f"PUT {at}/protected": self.protect,
            f"POST {at}/prune": self.prune,
            f"POST {at}/verify": self.verify,
            f"POST {at}/gc": self.collect,
            "GET /admin/gc": lambda asked: self.audited(asked, self.gc),
            "POST /admin/sync/{id}/run": self.run_job,
            **{f"GET /admin/{kind}": self.listed_jobs(kind) for kind in JOBS},
        }
        return {"pbs": self.server.app(routes, version={"release": "1", "repoid": "lab", "version": "4.1"})}

    def tls(self, host: str) -> Any:
        """It has signed its certificate itself."""
        return self.server.context

    def changes(self, method: str, path: str) -> bool:
        """Nothing is changed by a prune that is only tried, and here it is never more."""
        return super().changes(method, path) and not path.endswith("/prune")

    def environment(self, urls: Mapping[str, str]) -> Mapping[str, str]:
        """Where it is, its token and its certificate."""
        return {
            "PBS_URL": json.dumps(dict(urls)), "PBS_TOKEN_ID": TOKEN, "PBS_TOKEN_SECRET": self.key,
            "PBS_FINGERPRINT": self.server.fingerprint,
        }  # fmt: skip

    def dump(self) -> Json:
        """What it keeps."""
        return super().dump() | {kind: store.dump() for kind, store in self.jobs.items()}

    def rows(self) -> list[Json]:
        """A row for each datastore."""
        return [
            {"name": row["store"], "dot": "good", "state": f"{100 * row['used'] // row['total']} % full",
             "detail": f"{sum(each['key'][0] == row['store'] for each in self.snapshots)} backups"}
            for row in self.stores
        ]  # fmt: skip

    def suggestions(self) -> list[str]:
        """What to ask of it."""
        return ["are my backups fine?"]


def _only(row: Json, names: Iterable[str]) -> Json:
    return {name: row[name] for name in names}


def _shown(row: Json) -> Json:
    return {name: value for name, value in row.items() if name != "key" and value is not None}


twin = BackupServer
