"""What a backup server tells, as typed results: where each field stands in its answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from tools.kit import Backup, Down, Ident, Listing, Outside, Result, at
from tools.kit.backups import Kind, Proof

LastRun = Annotated[datetime | None, at("last-run-endtime")]
LastState = Annotated[Outside | None, at("last-run-state")]
"""OK, or why the last run failed."""


def within(ns: str, above: str | None) -> bool:
    """Whether a namespace is this one or below it; everything is below the root."""
    return not above or f"{ns}/".startswith(f"{above}/")


class Store(Result):
    """A datastore, and where it was asked for, how full it is in bytes."""

    id: Annotated[Ident, at("store")]
    comment: Outside | None = None
    mount: Annotated[Ident | None, at("mount-status")] = None
    total: int | None = None
    used: int | None = None
    full_on: Annotated[datetime | None, at("estimated-full-date")] = None
    """When it will be full, if it goes on as in the last month."""
    before_deduplication: Annotated[int | None, at("gc-status", "index-data-bytes")] = None
    error: Outside | None = None


class Namespace(Result):
    """A part of a datastore; the root has an empty name."""

    ns: Ident


class Seen(Result):
    """One backup as the server lists it."""

    kind: Annotated[Kind, at("backup-type")]
    of: Annotated[Ident, at("backup-id")]
    at: Annotated[datetime, at("backup-time")]
    size: int | None = None
    """Absent while it is not finished, or where it broke off."""
    protected: bool = False
    comment: Ident | None = None
    """By Proxmox VE, the guest's name."""
    state: Annotated[Literal["ok", "failed"] | None, at("verification", "state")] = None
    upid: Annotated[Ident | None, at("verification", "upid")] = None

    @property
    def proof(self) -> Proof:
        """What is known of its wholeness."""
        if self.size is None:
            return "not finished"
        return "never verified" if self.state is None else "whole" if self.state == "ok" else "broken"

    @property
    def stamp(self) -> str:
        """Its time as the server spells it in names."""
        return self.at.strftime("%Y-%m-%dT%H:%M:%SZ")


class SyncJob(Result):
    """What copies a datastore to another server, or from it."""

    id: Ident
    store: Ident
    ns: Ident | None = None
    remote: Ident | None = None
    remote_store: Annotated[Ident, at("remote-store")]
    direction: Annotated[Literal["pull", "push"] | None, at("sync-direction")] = None
    removes: Annotated[bool | None, at("remove-vanished")] = None
    filters: Annotated[list[Outside] | None, at("group-filter")] = None
    last_run: LastRun = None
    last_state: LastState = None

    def takes(self, store: str, ns: str, kind: str, of: str) -> bool | None:
        """Whether these backups are on both servers by its last run; None where only a pattern says it."""
        if not self.remote or self.store != store or not within(ns, self.ns) or self.last_state != "OK":
            return False
        rules = [text.removeprefix("include:") for text in self.filters or []]
        if any("regex:" in rule for rule in rules):
            return None
        this, wanted = {f"type:{kind}", f"group:{kind}/{of}"}, {rule for rule in rules if rule[:8] != "exclude:"}
        return (not wanted or bool(this & wanted)) and not any(f"exclude:{rule}" in rules for rule in this)

    @staticmethod
    def offsite(jobs: list["SyncJob"] | None, *of: str) -> bool | None:
        """Whether any of them takes these backups; None where nobody can tell."""
        taken = {None} if jobs is None else {job.takes(*of) for job in jobs}
        return True if True in taken else None if None in taken else False


@dataclass(frozen=True)
class Group:
    """All backups of one thing in one namespace of a datastore, the newest first."""

    store: str
    """With its server: `pbs/main`."""
    ns: str
    rows: list[Seen]
    offsite: bool | None

    @property
    def id(self) -> str:
        """`pbs/main/vm/101`, with the namespace behind the datastore where there is one."""
        return "/".join(filter(None, (self.store, self.ns, self.rows[0].kind, self.rows[0].of)))

    @property
    def name(self) -> str:
        """What the guest is called, by the newest backup that says it, or its number."""
        return next((row.comment for row in self.rows if row.comment), self.rows[0].of)

    def backup(self) -> Backup:
        """It for those who judge."""
        newest, copies = self.rows[0], [(row.at, row.proof) for row in self.rows]
        what = {"kind": newest.kind, "id": newest.of, "name": self.name, "offsite": self.offsite}
        return Backup.of(copies, where="/".join(filter(None, (self.store, self.ns))), target=self.id, **what)


class Snapshot(Seen):
    """One backup, by its id."""

    id: Ident
    known: Proof


class Snapshots(Listing):
    """Backups, the newest first."""

    backups: list[Snapshot]


class Job(Result):
    """Something that runs by itself; garbage collection has no id of its own."""

    id: Ident = ""
    store: Ident
    ns: Ident | None = None
    schedule: Outside | None = None
    last_run: LastRun = None
    last_state: LastState = None
    next_run: Annotated[datetime | None, at("next-run")] = None


class Jobs(Result):
    """The jobs of one server."""

    sync: list[SyncJob]
    verify: list[Job]
    prune: list[Job]
    gc: list[Job]


class Collected(Result):
    """A datastore's garbage collection; sizes in bytes."""

    id: Annotated[Ident, at("store")]
    last_run: LastRun = None
    last_state: LastState = None
    removed: Annotated[int | None, at("removed-bytes")] = None
    pending: Annotated[int | None, at("pending-bytes")] = None
    broken_chunks: Annotated[int | None, at("still-bad")] = None


class Proved(Result):
    """What is known of the backups in a datastore."""

    whole: int
    broken: list[Ident]
    never_verified: int
    not_finished: list[Ident]


class TaskRow(Result):
    """A task, under way while nothing is said of its end."""

    id: Annotated[Ident, at("upid")]
    kind: Annotated[Ident, at("worker_type")]
    about: Annotated[Ident | None, at("worker_id")] = None
    started: Annotated[datetime, at("starttime")]
    outcome: Annotated[Outside | None, at("status")] = None


class Tasks(Result):
    """Tasks by server, the newest first; of one that was asked for, how it stands and its last lines."""

    tasks: dict[Ident, list[TaskRow]] = {}
    status: Literal["running", "stopped"] | None = None
    outcome: Outside | None = None
    log: list[Outside] = []
    down: list[Down] = []
