"""Proxmox Backup Server: what the generated tests need to know of it, and what is special about it."""

from typing import Any

from lab.services.pbs import UNVERIFIED, BackupServer
from tests.generated.stages import Args, Move, Stage
from tests.place import Place

GIT, FILES = "pbs/main/ct/112", "pbs/main/vm/102"


def twin(place: Place) -> BackupServer:
    found = place.lab.twins["pbs"]
    assert isinstance(found, BackupServer)
    return found


def rows(place: Place, id_: int) -> list[dict[str, Any]]:
    found = twin(place).snapshots.where(**{"backup-id": str(id_)})
    return sorted(found, key=lambda row: -row["backup-time"])


def proved(id_: int, state: str, number: int = 0) -> Move:
    def move(place: Place) -> Any:
        row = rows(place, id_)[number]
        upid = twin(place).server.begin("pbs", "verify", "main", 0)
        twin(place).snapshots.change(row["key"], verification={"state": state, "upid": upid})

    return move


def one_more(id_: int, kind: str, **how: Any) -> Move:
    return lambda place: twin(place).snapped("main", "", kind, str(id_), int(twin(place).now()) - 60, **how)


def job(kind: str, id_: str, **values: Any) -> Move:
    return lambda place: twin(place).jobs[kind].change(id_, **values)


def collected(**values: Any) -> Move:
    return lambda place: twin(place).gc.change("main", **values)


async def oldest(place: Place) -> dict[str, Any]:
    return {"backup": f"{FILES}/{stamp(rows(place, 102)[-1])}"}


def stamp(row: dict[str, Any]) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(row["backup-time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def oldest_is(**values: Any) -> Move:
    return lambda place: twin(place).snapshots.change(rows(place, 102)[-1]["key"], **values)


ONE: dict[str, Move] = {
    "proof": proved(102, "failed", -1),
    "gb": oldest_is(size=10**9),
    "left": one_more(102, "vm"),
    "newest_good_left": one_more(102, "vm"),
    "prune_job": job("prune", "p-daily", **{"keep-daily": 1}),
    "protected": oldest_is(protected=True),
}
STAGES: dict[str, Stage | Args] = {
    "pbs_start_verify": Stage(
        {"of": "git"},
        {
            "backups": one_more(112, "ct"),
            "never_verified": proved(UNVERIFIED, "ok"),
            "broken": proved(UNVERIFIED, "failed"),
        },
    ),
    "pbs_start_gc": Stage(
        {"datastore": "main"},
        {
            "last_run": collected(**{"last-run-endtime": 1_700_000_000}),
            "frees_gb": collected(**{"pending-bytes": 9**12}),
        },
    ),
    "pbs_start_sync_job": Stage(
        {"job": "s-cellar"},
        {
            "source": job("sync", "s-cellar", ns="lan"),
            "to": job("sync", "s-cellar", **{"remote-store": "attic"}),
            "removes": job("sync", "s-cellar", **{"remove-vanished": True}),
            "last_run": job("sync", "s-cellar", **{"last-run-endtime": 1_700_000_000}),
        },
    ),
    "pbs_forget_snapshot": Stage(oldest, ONE),
    "pbs_protect_snapshot": Stage(oldest, ONE),
    "pbs_list_snapshots": {"of": "vault"},
}
