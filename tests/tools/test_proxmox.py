"""Proxmox VE: what the generated tests need to know of it, and what is special about it."""

from typing import Any

import pytest

from lab.services.proxmox.cluster import READING, Cluster
from lab.services.proxmox.stock import GIB, JOB, backup
from memory.models import CallRow
from tests.bot.menus.pressing import Menus, labels, lines
from tests.bot.menus.test_commands import a_counter
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


def given(**config: Any) -> Move:
    return lambda place: put(104, config={**cluster(place).one(104)["config"], **config})(place)


def newer_template(place: Place) -> Any:
    cluster(place).templates.append("local:vztmpl/debian-13-standard_13.1-1_amd64.tar.zst")


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
    "proxmox_migrate_guest": Stage(MEDIA | {"node": "pve3"}, RUNNING | {"node": put(104, node="pve1")}, guards=LOCK),
    "proxmox_clone_guest": Stage(
        {"guest": "110", "name": "copy", "vmid": 150}, OFF, guards=LOCK, fixed=frozenset({"taken_by"})
    ),
    "proxmox_set_guest_resources": Stage(
        MEDIA | {"cores": 2, "memory_mib": 4096},
        RUNNING | {"cores": given(cores=3), "memory_mib": given(memory="5000")},
        guards=LOCK,
    ),
    "proxmox_resize_disk": Stage(
        MEDIA | {"disk": "scsi0", "gib": 80}, RUNNING | {"size_gib": given(scsi0="local-zfs:x,size=70G")}, guards=LOCK
    ),
    "proxmox_create_lxc": Stage(
        {"name": "fresh", "vmid": 150},
        {"template": newer_template},
        guards=LOCK | {"free_gib"},
        fixed=frozenset({"taken_by", "state", "storage", "node"}),
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


async def changed(place: Place, tool: str, **args: Any) -> CallRow:
    await place.ask(use(f"proxmox_{tool}", **args))
    await place.approve()
    return await place.call()


@pytest.mark.parametrize(
    ("tool", "guest", "why"),
    [
        ("shutdown_vm", "win11", "locked (backup)"),
        ("stop_vm", "vault", "vault"),
        ("delete_vm", "opnsense", "protected"),
    ],
)
async def test_what_is_locked_or_forbidden_or_protected_is_left_alone(
    place: Place, tool: str, guest: str, why: str
) -> None:
    run = await place.ask(use(f"proxmox_{tool}", guest=guest))
    [block] = await place.results(run)
    assert why in block["content"] and not await place.has_card() and place.writes() == []


async def test_a_guest_that_goes_between_card_and_tap_is_not_touched(place: Place) -> None:
    run = await place.ask(use("proxmox_shutdown_vm", guest="media"))
    cluster(place).guests.remove("qemu/104")
    await place.approve()
    [row] = await place.calls(run)
    assert row.state == "not started" and place.writes() == []


async def test_a_guest_that_does_not_heed_is_a_failure_in_its_words(place: Place) -> None:
    cluster(place).deaf.add("qemu/104")
    row = await changed(place, "shutdown_vm", guest="media")
    assert row.state == "failed" and "got timeout" in row.detail and cluster(place).one(104)["status"] == "running"


async def test_without_a_quorum_nothing_is_done_and_it_is_said(place: Place) -> None:
    cluster(place).quorate = False
    row = await changed(place, "start_vm", guest="k3s")
    assert row.state == "failed" and "no quorum" in row.detail
    assert '"quorate":false' in await place.read("proxmox_get_cluster_resources")


async def test_a_lost_task_is_unknown_with_what_is_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = cluster(place).server.begin

    def lost(*args: Any, **more: Any) -> str:
        upid = begun(*args, **more)
        cluster(place).tasks.lose(upid)
        return upid

    monkeypatch.setattr(cluster(place).server, "begin", lost)
    row = await changed(place, "start_vm", guest="k3s")
    assert row.state == "unknown" and row.after["shown"]["state"] == "stopped"


async def test_a_task_that_never_ends_is_unknown(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster(place).pace = 1e6
    monkeypatch.setattr("tools.proxmox.power.LASTS", 0.3)
    row = await changed(place, "start_vm", guest="k3s")
    assert row.state == "unknown" and "longer than it should" in row.detail


async def test_a_full_storage_takes_no_backup_and_a_deletion_says_so(place: Place) -> None:
    cluster(place).full = True
    run = await place.ask(use("proxmox_create_backup", guest="media"))
    assert "room" in (await place.results(run))[0]["content"]
    await place.ask(use("proxmox_delete_vm", guest="110"))
    assert "There is no undo" in (await place.view()).text


async def test_a_backup_that_fails_keeps_the_guest(place: Place) -> None:
    await place.ask(use("proxmox_delete_vm", guest="110"))
    begin = cluster(place).server.begin
    cluster(place).server.begin = lambda *args, **more: begin(*args, **more | {"fails": "job errors"})  # type: ignore[method-assign]
    await place.approve()
    row = await place.call()
    assert row.state == "failed" and "The backup failed" in row.detail and "lxc/110" in cluster(place).guests


async def test_the_next_node_answers_while_the_first_is_down(place: Place) -> None:
    place.lab.traffic.fault("proxmox:pve1", drop=True, times=None)
    assert '"vmid":104' in await place.read("proxmox_list_vms")


async def test_a_page_instead_of_the_api_is_said(place: Place) -> None:
    for node in ("pve1", "pve2"):
        place.lab.traffic.fault(f"proxmox:{node}", status=200, body="<html>Welcome to nginx", times=None)
    assert "Welcome to nginx" in await place.read("proxmox_list_vms")


async def test_a_certificate_that_nobody_pinned_is_not_trusted(place: Place) -> None:
    await place.again(PROXMOX_FINGERPRINT="")
    assert "certificate is not trusted" in await place.read("proxmox_list_vms")


@pytest.mark.parametrize("name", ["media\u202egpj", "$(reboot)", "a/../../b", "; rm -rf /"])
async def test_a_hostile_name_is_text_and_nothing_else(place: Place, name: str) -> None:
    cluster(place).guests.change("qemu/104", name=name)
    await place.ask(use("proxmox_shutdown_vm", guest="104"))
    assert "\u202e" not in (await place.view()).text
    await place.approve()
    assert (await place.call()).verified


async def test_the_pages_show_guests_and_nodes_and_what_may_be_done(place: Place) -> None:
    menus = Menus(**vars(a_counter(place)))
    assert "3 of 3 nodes up" in lines(await menus.send("/nodes"))[0]
    view = await menus.send("/vms")
    assert "12 of 14 guests running" in lines(view)[0]
    opened = await menus.press(await menus.send("/vms media"), "media")
    assert {"Shutdown", "Reboot", "Snapshot", "Backup", "Stop"} <= labels(opened), labels(opened)


async def test_a_disk_does_not_shrink_and_a_number_is_not_taken_twice(place: Place) -> None:
    for tool, args, why in (
        ("resize_disk", {"guest": "media", "disk": "scsi0", "gib": 8}, "cannot shrink"),
        ("clone_guest", {"guest": "k3s", "name": "copy", "vmid": 109}, "taken by k3s"),
    ):
        run = await place.ask(use(f"proxmox_{tool}", **args))
        assert why in (await place.results(run))[0]["content"] and not await place.has_card()


async def test_a_configuration_that_somebody_else_has_just_changed_is_left_alone(place: Place) -> None:
    await place.ask(use("proxmox_set_guest_resources", guest="media", cores=2))
    given(description="mine")(place)
    sent = place.lab.twins["proxmox"].guests.rows["qemu/104"]["config"]
    place.lab.traffic.fault(
        "proxmox:pve1", method="PUT", status=500, body='{"message": "detected modified configuration"}'
    )
    await place.approve()
    assert (await place.call()).state == "failed" and sent["cores"] == 4
