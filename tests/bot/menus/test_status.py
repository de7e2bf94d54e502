"""/status and the digest over the simulated homelab: who is needed, what is off on purpose, and what nobody knows."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.menus.desk import Request
from bot.screen.press import PAGE, Press
from bot.settings.people import console_actor
from scheduler.digests import Digests
from tests import rack
from tests.bot.menus.test_commands import Counter, a_counter
from tests.fakes import use
from tests.house import ADMIN, House, plain
from tests.memory.test_audit import tamper
from tests.place import Place
from tools.docker.troubles import SETTLED
from tools.gate.past import MONTH
from tools.kit import Glance, Unreachable

OTHERS = "🟢 2 of 2 Pi-holes block"
"""What is well beside Docker all the while."""


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    """A homelab of containers alone, in which nothing is wrong."""
    async with Place(tmp_path, PIHOLE_URL="", PORTAINER_URL="", PROXMOX_URL="", PBS_URL="", UPS_URL="") as place:
        culprit, world = place.lab.world.story.culprit, place.lab.world
        world.hosts[culprit.host].traits.clear()
        world.hosts[culprit.host].restart(culprit.name)
        world.hosts["nas"].remove("borg-backup")
        yield a_counter(place)


def place_of(counter: Counter) -> Place:
    assert isinstance(counter.house, Place)
    return counter.house


async def lines(counter: Counter, command: str, mark: str) -> list[str]:
    return [line for line in (await counter.says(command)).splitlines() if line.startswith(mark)]


async def stop_through_the_bot(counter: Counter, name: str, undo: bool = False) -> None:
    place = place_of(counter)
    await place.ask(use("docker_stop_container", container=name))
    await place.approve()
    if undo:
        await place.undo(await place.call())


async def test_all_is_well_is_green_and_says_how_much(counter: Counter) -> None:
    for command in ("/status", "/digest"):
        said = await counter.says(command)
        assert "All well" in said and "🟢 21 containers running, 1 stopped · 2 hosts" in said
        assert "🔴" not in said and "⚪" not in said


async def test_what_was_done_behind_its_back_is_named_and_what_a_person_stopped_here_is_listed(
    counter: Counter,
) -> None:
    nas = place_of(counter).lab.world.hosts["nas"]
    await stop_through_the_bot(counter, "gitea")
    for command in ("/status", "/digest"):
        said = await counter.says(command)
        assert "All well" in said and "🟢 20 containers running, 2 stopped · 2 hosts" in said
        [line] = await lines(counter, command, "⚪")
        assert line.startswith(f"⚪ gitea · nas · stopped by {ADMIN.name}, ") and line[-3] == ":"
    nas.kill("postgres")
    nas.stop("nextcloud")
    nas.pause("watchtower")
    for command in ("/status", "/digest"):
        said = await counter.says(command)
        assert "3 need you" in said and "🟢" not in said.replace(OTHERS, "")
        assert "⚪ 17 containers running, 1 paused, 4 stopped · 2 hosts" in said
        reds = [line.rpartition(", ")[0] for line in await lines(counter, command, "🔴")]
        assert reds == ["🔴 nextcloud · nas · stopped", "🔴 postgres · nas · killed (exit code 137)"]
        assert await lines(counter, command, "🟡") == ["🟡 watchtower · nas · paused"]
    listed = await lines(counter, "/containers", "🔴")
    assert listed[1].startswith("🔴 postgres · nas · killed (exit code 137) · ")
    assert "17 running, 1 paused, 4 stopped" in await counter.says("/containers")


async def test_what_was_taken_back_is_not_meant_any_more(counter: Counter) -> None:
    await stop_through_the_bot(counter, "gitea", undo=True)
    assert "All well" in await counter.says("/status") and not await lines(counter, "/status", "⚪")
    place_of(counter).lab.world.hosts["nas"].stop("gitea")
    assert "1 needs you" in await counter.says("/status")


def test_a_stop_is_remembered_for_as_long_as_it_matters() -> None:
    """Or what a person stopped here would turn red one day."""
    assert SETTLED.total_seconds() < MONTH


async def test_the_page_of_a_container_says_why(counter: Counter) -> None:
    nas = place_of(counter).lab.world.hosts["nas"]
    nas.get("redis").host_config["RestartPolicy"]["Name"] = "no"
    nas.crash("redis", out_of_memory=True)
    nas.pause("watchtower")
    pages = {}
    for name in ("redis", "watchtower"):
        at = f"0::nas/{nas.get(name).id[:12]}"
        view = (await counter.commands.page(Request(1, ADMIN, ADMIN.id), Press(PAGE, "containers", at)))[0]
        pages[name] = view
    assert plain(pages["redis"]).startswith("🔴 redis · nas\nout of memory · ")
    assert [button.text for button in pages["watchtower"].buttons[0]] == ["Restart", "Stop"], "a start wakes nothing"


async def test_an_outage_makes_nothing_green_and_nothing_gone(counter: Counter) -> None:
    place = place_of(counter)
    core = place.core
    digests = Digests(core.stores, core.proposals, core.access, console_actor())
    _, items = await digests.gather()
    async with place.stores.database.transaction() as tx:
        await place.stores.snapshots.save(tx, items)
    place.lab.traffic.fault("docker:mini", drop=True, times=None)
    place.lab.world.hosts["nas"].stop("gitea")
    digest, seen = await digests.gather()
    assert digest.changed == ["nas/gitea: running → exited"] and seen == {**items, "nas/gitea": "exited"}
    place.lab.traffic.fault("docker:nas", drop=True, times=None)
    for command in ("/status", "/digest"):
        said = await counter.says(command)
        assert "🟢" not in said.replace(OTHERS, "") and "All well" not in said and "no host answers" in said


async def test_a_service_that_fails_hides_what_is_gone_and_not_what_has_changed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def racks(_: Any) -> Glance:
        return Glance("1 thing in the rack", (), {"lair": "on"})

    async def notes(_: Any) -> Glance:
        raise Unreachable("The notes cannot be reached.")

    monkeypatch.setattr(rack.service, "look", racks)
    monkeypatch.setattr(rack.own, "look", notes)
    stores, core = house.stores, house.core
    async with stores.database.transaction() as tx:
        await stores.snapshots.save(tx, {"lair": "off", "diary": "open"})
    digest, items = await Digests(stores, core.proposals, core.access, console_actor()).gather()
    assert digest.changed == ["lair: off → on"] and items == {"lair": "on", "diary": "open"}


@pytest.mark.parametrize("what", ["a card waits", "an outcome is unknown", "all is halted", "the log was edited"])
async def test_what_needs_somebody_keeps_all_from_being_well(counter: Counter, what: str) -> None:
    place = place_of(counter)
    if what == "all is halted":
        await counter.says("/stop all")
        assert "1 needs you" in await counter.says("/status")
        return
    await place.ask(use("docker_stop_container", container="gitea"))
    if what == "an outcome is unknown":
        place.lab.world.lie.add("stop")
        place.lab.traffic.fault("docker:nas", method="POST", drop_after=True)
        await place.approve()
    if what == "the log was edited":
        await place.tap("n")
        tamper(place.settings.data_dir, "UPDATE audit SET actor = 'tg:9' WHERE seq = 1")
        assert "audit log" in await counter.says("/digest")
    said = await counter.says("/digest")
    assert "1 needs you" in said and "All well" not in said, said


async def test_while_somebody_is_asked_still_all_is_not_well_yet(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "All well" in await counter.says("/status")
    monkeypatch.setattr("bot.menus.soon.SOON", 0.0)
    monkeypatch.setattr("tools.gate.reads.GRACE", 30.0)
    place_of(counter).lab.traffic.fault("docker", delay=0.5, times=None)
    view = await counter.send("/status")
    assert view is not None and view.rest is not None
    said = plain(view)
    assert said.startswith("So far all is well\n⏳ nas · docker · is asked still\n⏳ mini")
    assert "no host answers yet" in said and "🔴" not in said and "🟢" not in said
    place_of(counter).lab.traffic.clear()
    whole = await view.rest()
    assert "All well" in plain(whole) and "⏳" not in plain(whole) and whole.rest is None
