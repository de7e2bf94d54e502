"""Proxmox Backup Server: what the generated tests need to know of it, and what is special about it."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.services.pbs import READS, TOKEN, UNVERIFIED, BackupServer
from memory.models import CallRow
from tests.bot.menus.pressing import Menus, lines
from tests.bot.menus.test_commands import a_counter
from tests.fakes import use
from tests.generated.stages import Args, Move, Stage
from tests.house import ADMIN
from tests.place import Place
from tools.kit import Glance, Risk
from tools.pbs import service


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
    return {"backup": f"pbs/main/vm/104/{stamp(rows(place, 104)[-1])}"}


def stamp(row: dict[str, Any]) -> str:
    return datetime.fromtimestamp(row["backup-time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def oldest_is(**values: Any) -> Move:
    return lambda place: twin(place).snapshots.change(rows(place, 104)[-1]["key"], **values)


ONE: dict[str, Move] = {
    "proof": proved(104, "failed", -1),
    "gb": oldest_is(size=10**9),
    "left": one_more(104, "vm"),
    "newest_good_left": one_more(104, "vm"),
    "prune_job": job("prune", "p-daily", **{"keep-daily": 1}),
    "protected": oldest_is(protected=True),
}
STAGES: dict[str, Stage | Args] = {
    "pbs_start_verify": Stage(
        {"of": "paperless"},
        {
            "backups": one_more(105, "ct"),
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


async def checked(place: Place) -> dict[str, Any]:
    told = await place.read("house_check_backups")
    found: dict[str, Any] = json.loads(re.search(r"^{.*}$", told, re.M)[0])  # type: ignore[index]
    return found


async def changed(place: Place, tool: str, **args: Any) -> CallRow:
    await place.ask(use(f"pbs_{tool}", **args))
    await place.approve()
    return await place.call()


def states(found: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["state"] for one in found["verdicts"] if one["state"] != "protected"}


async def test_no_comes_first_and_each_fault_has_its_guest(place: Place) -> None:
    found = await checked(place)
    assert found["fine"] == "no" and found["conclusion"].startswith("No: 2 without a good backup, 3 in need of")
    why = {one.get("name"): one["why"] for one in found["verdicts"]}
    attention = dict.fromkeys(("vault", "media", "paperless"), "attention")
    assert states(found) == {"immich": "unprotected", "k3s": "unprotected", **attention}
    assert why["vault"].endswith("the newest failed its verification") and why["media"].endswith("it is late")
    assert why["paperless"].endswith("none was ever verified") and "was not finished" in why["immich"]
    assert {one["name"]: one.get("offsite") for one in found["verdicts"]}["unifi"] is False


async def test_what_cannot_be_read_is_unknown_and_not_lost(place: Place) -> None:
    place.lab.traffic.fault("pbs", path="/datastore/main/snapshots", status=400, body="it is offline", times=None)
    found = await checked(place)
    assert found["fine"] == "unknown" and [one["name"] for one in found["down"]] == ["pbs/pbs/main"]
    assert "it is offline" in found["down"][0]["reason"]


async def test_a_copy_elsewhere_counts_only_while_it_works(place: Place) -> None:
    job("sync", "s-cellar", **{"last-run-state": "connection refused"})(place)
    assert not any(one.get("offsite") for one in (await checked(place))["verdicts"])
    twin(place).server.tokens[TOKEN] = (twin(place).key, {"/datastore": {"Datastore.Audit"}})
    assert all("offsite" not in one for one in (await checked(place))["verdicts"]), "who may not know says nothing"


READING = [tool.name for tool in service.tools if tool.risk is Risk.READ]


@pytest.mark.parametrize("tool", READING)
async def test_looking_needs_only_the_rights_of_the_page(place: Place, tool: str) -> None:
    twin(place).server.tokens[TOKEN] = (twin(place).key, READS)
    told = await place.read(tool, **dict(STAGES.get(tool, {})))  # type: ignore[arg-type]
    assert '"down":[]' in told and "main" in told
    page = (Path(__file__).parents[2] / "docs/services/pbs.md").read_text(encoding="utf-8")
    assert all(f"acl update {path} " in page for path in READS)


async def test_a_token_without_rights_is_told_what_to_run(place: Place) -> None:
    twin(place).server.tokens[TOKEN] = (twin(place).key, {})
    told = await place.read("pbs_list_datastores")
    assert "sees no datastore" in told and "acl update /datastore DatastoreAudit" in told


async def test_a_broken_backup_is_found_when_it_is_read_again(place: Place) -> None:
    row = await changed(place, "start_verify", of="vault")
    assert row.state == "failed" and not row.verified and "verification failed" in row.detail


async def test_a_protected_backup_is_not_forgotten(place: Place) -> None:
    oldest_is(protected=True)(place)
    run = await place.ask(use("pbs_forget_snapshot", **await oldest(place)))
    assert "is protected: lift that first" in str(await place.results(run))


async def test_the_last_good_one_is_said_to_be_the_last(place: Place) -> None:
    for row in rows(place, 104)[:-1]:
        twin(place).snapshots.remove(row["key"])
    await place.ask(use("pbs_forget_snapshot", **await oldest(place)))
    view = (await place.view()).text
    assert "It leaves no good backup" in view and "there is none" not in view


async def test_a_lost_task_is_unknown(place: Place) -> None:
    place.lab.traffic.fault("pbs", path=r"/tasks/.*/status", status=400, body="no such task", times=None)
    row = await changed(place, "start_gc", datastore="main")
    assert row.state == "unknown" and "no such task" in row.detail


async def test_the_page_has_the_worst_first_and_verifies(place: Place) -> None:
    menus = Menus(**vars(a_counter(place)))
    view = await menus.send("/backups")
    assert lines(view)[0].startswith("No: 2 without a good backup") and lines(view)[1].startswith("🔴 immich")
    assert await menus.press(await menus.press(view, "paperless"), "Verify") is None
    await place.approve()
    assert any(line.startswith("🟢 paperless") for line in lines(await menus.send("/backups paperless")))


async def test_the_glance_has_the_age_of_the_last_backup(place: Place) -> None:
    twin(place).stores.change("main", used=79 * 10**11)
    glance = (await place.core.proposals.reads.glances(ADMIN))["pbs"]
    assert isinstance(glance, Glance) and glance.summary == "10 of 14 backups fine, the last 8 h ago"
    assert {one.name: one.detail for one in glance.troubles}["main"] == "99 % full"
    assert [one.name for one in glance.troubles if one.red] == ["immich"]
