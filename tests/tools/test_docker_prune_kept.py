"""What a clean-up leaves alone, though nothing uses it."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.services.docker.engine.model import CacheRecord, Container
from tests.fakes import use
from tests.place import Place
from tests.tools.conftest import TOOLS, Rack
from tests.tools.rubbish import DAY, EVERYTHING, MB, card, dangling, ended, names, nas, swept
from tools.kit import Deed


def stopped_a_minute_ago(container: Container) -> None:
    container.finished_at += 30 * DAY - 60


def failed(container: Container) -> None:
    container.exit_code = 1


def killed(container: Container) -> None:
    container.exit_code = 137


def out_of_memory(container: Container) -> None:
    container.out_of_memory = True


def never_came_up(container: Container) -> None:
    container.status, container.error, container.exit_code = "created", "no such file", 127


def forbidden(container: Container) -> None:
    container.config["Labels"]["rackhand.forbid"] = "true"


def a_lifeline(container: Container) -> None:
    container.host_config["PortBindings"] = {"53/udp": [{"HostPort": "53"}]}
    container.pid = 1  # the list has the ports, as it may for one that has just died


def stopped_behind_the_bots_back(container: Container) -> None:
    container.finished_at += 20 * DAY


def of_a_swarm(container: Container) -> None:
    container.config["Labels"]["com.docker.swarm.task.id"] = "x"


STAYS = {
    stopped_behind_the_bots_back: "should run", of_a_swarm: "orchestrated",
    stopped_a_minute_ago: "recent", failed: "failed", killed: "failed", out_of_memory: "failed",
    never_came_up: "failed", forbidden: "forbidden", a_lifeline: "protected",
}  # fmt: skip


@pytest.mark.parametrize("happens", STAYS)
async def test_a_stopped_container_stays(rack: Rack, happens: Any) -> None:
    container = ended(rack, "gitea")
    assert "gitea" in names((await card(rack, "stopped_containers")).facts.stopped_containers)
    happens(container)
    change = await card(rack, *EVERYTHING)
    assert "gitea" not in names(change.facts.stopped_containers)
    assert "forge_default" not in names(change.facts.unused_networks)
    assert f"gitea ({STAYS[happens]})" in change.notes[-1]
    await swept(rack, change)
    assert nas(rack).get("gitea") is container


@pytest.mark.parametrize(("undoable", "why"), [(True, "can still be undone"), (False, "recent")])
async def test_a_container_that_somebody_here_has_just_dealt_with_stays(rack: Rack, undoable: bool, why: str) -> None:
    container = ended(rack, "gitea")
    deed = Deed(
        "docker_stop_container", f"nas/{container.id}", "Ada", datetime.fromtimestamp(time.time(), UTC), undoable
    )
    change = await card(rack, "stopped_containers", deeds=[deed])
    assert names(change.facts.stopped_containers) == ["immich-import"] and f"gitea ({why})" in change.notes[-1]
    old = replace(deed, at=datetime.fromtimestamp(time.time() - 20 * DAY, UTC), undoable=False)
    assert "gitea" in names((await card(rack, "stopped_containers", deeds=[old])).facts.stopped_containers)


async def test_a_container_that_lends_another_its_network_is_in_use(rack: Rack) -> None:
    container = ended(rack, "gitea")
    nas(rack).get("sonarr").host_config["NetworkMode"] = f"container:{container.id}"
    assert "gitea" not in names((await card(rack, "stopped_containers")).facts.stopped_containers)


async def test_what_was_pulled_lately_stays_and_so_does_what_it_replaced(rack: Rack) -> None:
    place = rack.world.story.update
    host, container = rack.at(f"{place.host}/{place.name}")
    tag, old = container.config["Image"], host.images.all[container.image_id]
    host.images.pull(tag)
    container.image_id = host.images.get(tag).id  # made anew
    change = await TOOLS["prune_system"].run(rack.ctx, host=place.host, kinds=("unused_images",))
    assert not any(old.id[7:19] in name for name in names(change.facts.dangling_images))
    assert f"{old.id[7:19]} (recent)" in change.notes[-1]
    host.images.get(tag).tagged -= 8 * DAY
    change = await TOOLS["prune_system"].run(rack.ctx, host=place.host)
    assert f"{tag.rpartition(':')[0]}@{old.id[7:19]}" in names(change.facts.dangling_images)
    change = await TOOLS["prune_system"].run(rack.ctx, host=place.host, idle_days=10)
    assert not any(old.id[7:19] in name for name in names(change.facts.dangling_images)), "the person's own span"


async def test_labelled_and_new_things_stay(rack: Rack) -> None:
    host = nas(rack)
    for image in host.images.all.values():
        if not image.tags:
            image.config["Labels"] = {"rackhand.forbid": "1"}
    host.networks.get("nas-old_default").labels["rackhand.forbid"] = "1"
    host.networks.create({"Name": "brand-new"})
    host.volumes.create("brand-new")
    host.volumes.get("cloud_nextcloud-old").labels = {"rackhand.forbid": "1"}
    facts = (await card(rack, *EVERYTHING, volumes=True)).facts
    assert facts.dangling_images == () and facts.unused_networks == ()
    assert not {"brand-new", "cloud_nextcloud-old"} & set(names(facts.unused_volumes))


async def test_build_cache_in_use_or_young_stays_with_all_it_builds_on(rack: Rack) -> None:
    old, host = rack.world.now() - 30 * DAY, nas(rack)
    host.images.cache = [
        CacheRecord("base", "", 100 * MB, old),
        CacheRecord("young", "", 10 * MB, rack.world.now() - DAY, parents=("base",)),
        CacheRecord("busy", "", 10 * MB, old, in_use=True),
        CacheRecord("frontend", "", 10 * MB, old, kind="frontend"),
        CacheRecord("layer", "", 500 * MB, old, shared=True),
        CacheRecord("step", "", 30 * MB, old),
        CacheRecord("on top", "", 7 * MB, old, parents=("step",)),
    ]
    change = await card(rack, "build_cache")
    assert change.facts.build_cache_mb == change.facts.frees_mb == 37.0
    await swept(rack, change)
    assert {record.id for record in host.images.cache} == {"base", "young", "busy", "frontend", "layer"}


async def test_build_cache_that_was_used_since_the_card_stays(rack: Rack) -> None:
    change = await card(rack, "build_cache")
    first, second = (record for record in nas(rack).images.cache if not record.in_use)
    first.used = rack.world.now()
    outcome = await rack.carry_out(change)
    assert outcome.verified and first in nas(rack).images.cache and second not in nas(rack).images.cache
    assert outcome.after.freed_mb == round(second.size / MB, 1), "as the engine says, not as was promised"


async def test_a_layer_that_lives_on_in_the_build_cache_is_not_promised(rack: Rack) -> None:
    dangling(rack, 400 * MB, rack.world.digest(), base=300 * MB)
    sizes = sum(each.size for each in nas(rack).images.all.values() if not each.tags)
    old, young = rack.world.now() - 30 * DAY, rack.world.now()
    for used, kinds, held in (
        (young, ("dangling_images", "build_cache"), True),
        (old, ("dangling_images",), True),
        (old, ("dangling_images", "build_cache"), False),  # it goes when the image is gone
    ):
        nas(rack).images.cache = [
            CacheRecord("layer", "", 300 * MB, used, shared=True), CacheRecord("other", "", 77, young, shared=True)
        ]  # fmt: skip
        facts = (await card(rack, *kinds)).facts
        assert facts.frees_mb == (None if held else round(sizes / MB, 1))
        assert facts.frees_at_least_mb == (round(sizes / MB - 300, 1) if held else None)


async def test_what_an_undo_needs_stays(tmp_path: Path) -> None:
    async with Place(tmp_path) as place:
        host = place.lab.world.hosts["nas"]
        before = await place.dump()
        await place.ask(use("docker_remove_container", container="nas/gitea"))
        await place.approve()
        removed = await place.call()
        kinds = ["unused_images", "stopped_containers", "unused_networks"]
        await place.ask(use("docker_prune_system", host="nas", kinds=kinds, volumes=True))
        text = await place.text()
        assert "gitea/gitea:1.22.2 (an undo needs it)" in text.replace("\\", "")
        await place.approve()
        assert "forge_default" in {network.name for network in host.networks.all.values()}
        assert await place.undo(removed) == "Taking it back."
        if await place.has_card():
            await place.approve()
        after = await place.dump()
        assert after["nas"]["containers"]["gitea"] == before["nas"]["containers"]["gitea"]


async def test_a_container_stopped_a_minute_ago_and_a_failed_backup_stay(tmp_path: Path) -> None:
    async with Place(tmp_path) as place:
        await place.ask(use("docker_stop_container", container="nas/gitea"))
        await place.approve()
        await place.ask(use("docker_prune_system", host="nas", kinds=["stopped_containers"]))
        text = (await place.text()).replace("\\", "")
        assert "gitea (can still be undone)" in text and "borg-backup (failed)" in text
        await place.approve()
        left = {container.name for container in place.lab.world.hosts["nas"].all.values()}
        assert {"gitea", "borg-backup"} <= left and "immich-import" not in left
        text, _ = await place.receipt()
        assert "stopped containers: immich-import 3.5 MB → none" in text and "3.5 MB" in text.partition("freed")[2]
