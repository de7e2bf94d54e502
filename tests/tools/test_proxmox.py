"""Proxmox VE: what the generated tests need to know of it, and what is special about it."""

from typing import Any

import pytest

from lab.services.proxmox.cluster import READING, Cluster
from lab.services.proxmox.stock import GIB, JOB, backup
from tests.fakes import use
from tests.generated.stages import Args, Move, Stage, read_args, set_up
from tests.place import Place
from tools.kit import Risk
from tools.kit.registry import catalogue, discover

MEDIA = {"guest": "media"}


def put(number: int, **fields: Any) -> Move:
    """Somebody else does that to a guest."""

    def move(place: Place) -> Any:
        row = cluster(place).one(number)
        fields_now = {name: value(row) if callable(value) else value for name, value in fields.items()}
        cluster(place).guests.change(row["id"], **fields_now)

    return move


def earlier(row: Any) -> float:
    return float(row["since"] - 3600)


def snapped(number: int, name: str = "another") -> Move:
    def move(place: Place) -> Any:
        row = cluster(place).one(number)
        cluster(place).snapshots.put(cluster(place).kept(row["id"], name))

    return move


def older(place: Place) -> Any:
    for row in cluster(place).backups:
        cluster(place).backups.change(row["volid"], ctime=row["ctime"] - 3600)


def backed_up(number: int) -> Move:
    def move(place: Place) -> Any:
        row = backup(cluster(place).one(number), cluster(place).now() - 60)
        cluster(place).backups.put(row)

    return move


def larger(place: Place) -> Any:
    for row in cluster(place).backups:
        cluster(place).backups.change(row["volid"], size=5 * GIB)


def another_job(place: Place) -> Any:
    cluster(place).jobs.put({**JOB, "id": "weekly", "vmid": "110"})


async def deleted(place: Place) -> dict[str, Any]:
    await place.ask(use("proxmox_delete_vm", guest="110"))
    await place.approve()
    return {"net": (await place.call()).net}


def put_back(place: Place) -> Any:
    """Somebody else has made the guest again."""
    row = next(row for row in cluster(place).backups if row["vmid"] == 113)
    cluster(place).guests.put({**row["kept"], "lock": "", "status": "stopped", "since": 0.0})


def put_back_110(place: Place) -> Any:
    row = next(row for row in cluster(place).backups if row["vmid"] == 110)
    cluster(place).guests.put({**row["kept"], "lock": "", "since": 0.0})


def grown(place: Place) -> Any:
    config = cluster(place).one(110)["config"]
    put(110, config={**config, "mp0": "local-zfs:subvol-110-disk-1,size=8G"})(place)


async def removed(place: Place) -> dict[str, Any]:
    """A backup of a guest that is there no more."""
    cluster(place).guests.remove("lxc/113")
    return {"backup": "113"}


RUNNING: dict[str, Move] = {"state": put(104, status="stopped"), "node": put(104, node="pve3"),
                            "up_since": put(104, since=earlier)}  # fmt: skip
OFF: dict[str, Move] = {"state": put(110, status="running"), "node": put(110, node="pve3")}
SNAPPED = RUNNING | {"snapshots": snapped(104), "comes_from": put(104, at="fresh")}
LOCK, STOPPED = frozenset({"lock"}), frozenset({"up_since"})
GUARDS = LOCK | {"protected"}
STAGES: dict[str, Stage | Args] = {
    "proxmox_start_vm": Stage({"guest": "110"}, OFF, guards=LOCK, fixed=STOPPED),
    "proxmox_shutdown_vm": Stage(MEDIA, RUNNING, guards=LOCK),
    "proxmox_reboot_vm": Stage(MEDIA, RUNNING, guards=LOCK),
    "proxmox_stop_vm": Stage(MEDIA, RUNNING, guards=LOCK),
    "proxmox_create_snapshot": Stage(MEDIA, SNAPPED, guards=LOCK),
    "proxmox_rollback_snapshot": Stage(MEDIA | {"snapshot": "fresh"}, SNAPPED, guards=LOCK),
    "proxmox_delete_snapshot": Stage(MEDIA | {"snapshot": "fresh"}, SNAPPED, guards=LOCK),
    "proxmox_create_backup": Stage(MEDIA, RUNNING | {"newest": backed_up(104)}, guards=LOCK),
    "proxmox_restore_backup": Stage(
        removed, {"replaces": put_back, "state": put_back, "size_gib": larger, "made": older}, guards=GUARDS
    ),
    "proxmox_delete_vm": Stage(
        {"guest": "110"},
        OFF | {"disks": grown, "snapshots": snapped(110), "needed_by": another_job},
        guards=GUARDS,
        fixed=STOPPED,
    ),
    "proxmox_bring_back": Stage(
        deleted,
        {"state": put_back_110, "node": put_back_110},
        fixed=STOPPED,
    ),
    "proxmox_get_vm_status": MEDIA,
    "proxmox_get_node_status": {"node": "pve2"},
    "proxmox_list_snapshots": MEDIA,
    "proxmox_get_metrics": MEDIA,
    "proxmox_get_node_metrics": {"node": "pve1"},
    "proxmox_get_task_log": {"node": "pve1"},
}
READS = [tool for tool in catalogue(discover()).values() if tool.service.name == "proxmox" and tool.risk is Risk.READ]


def cluster(place: Place) -> Cluster:
    found = place.lab.twins["proxmox"]
    assert isinstance(found, Cluster)
    return found


def granted(place: Place, rights: Any) -> None:
    server = cluster(place).server
    server.tokens = {name: (secret, rights) for name, (secret, _) in server.tokens.items()}


@pytest.mark.parametrize("tool", READS, ids=lambda tool: tool.name)
async def test_every_read_works_with_the_least_privileges(place: Place, tool: Any) -> None:
    granted(place, {"/": READING})
    run = await set_up(place, read_args(tool.name, tool.input_schema))
    told = await place.read(tool.name, **run)
    assert "does not permit" not in told and '"down":[{' not in told and "cannot see" not in told


async def test_a_token_that_sees_nothing_is_told_what_to_run(place: Place) -> None:
    granted(place, {})
    told = await place.read("proxmox_list_vms")
    assert "cannot see guests" in told and "pveum acl modify /vms --tokens 'rackhand@pve!bot'" in told
    assert "VM.Monitor" not in told


async def test_no_guests_at_all_are_no_guests(place: Place) -> None:
    cluster(place).guests.rows.clear()
    assert '"guests":[]' in await place.read("proxmox_list_vms")


@pytest.mark.parametrize("said", ["104", "vm 104", "media", "Media", "pve2/media", "qemu/104"])
async def test_a_guest_is_found_by_number_and_name(place: Place, said: str) -> None:
    assert '"vmid":104' in await place.read("proxmox_get_vm_status", guest=said)


async def test_the_same_name_twice_asks(place: Place) -> None:
    told = await place.read("proxmox_get_vm_status", guest="test")
    assert "110" in told and "111" in told
