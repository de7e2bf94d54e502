"""Cleaning up: the card lists what goes and says what that frees, and that is what happens."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes import use
from tests.place import Place
from tests.tools.conftest import Rack
from tests.tools.rubbish import DAY, EVERYTHING, MB, card, dangling, ended, names, nas, swept
from tools.docker.models import KINDS
from tools.kit import OutcomeUnknown

# -- what goes, and what that frees -----------------------------------------------------------------------------------


async def test_by_itself_it_removes_what_comes_again_by_itself(rack: Rack) -> None:
    host = nas(rack)
    before = rack.world.dump()["nas"]
    unnamed = {image.id[7:19]: image for image in host.images.all.values() if not image.tags}
    change = await card(rack)
    facts = change.facts
    assert set(names(facts.dangling_images)) == set(unnamed) and len(unnamed) == 2
    cache = sum(record.size for record in host.images.cache if not record.in_use)
    assert facts.build_cache_mb == round(cache / MB, 1) > 0
    assert facts.frees_mb == round((cache + sum(image.size for image in unnamed.values())) / MB, 1)
    assert "No undo." in change.notes and change.undo is None
    outcome = await swept(rack, change)
    assert outcome.after.freed_mb == facts.frees_mb and outcome.after.frees_mb is None
    after = rack.world.dump()["nas"]
    assert {**after, "images": before["images"]} == before
    assert set(before["images"]) - set(after["images"]) == {image.id for image in unnamed.values()}
    again = await card(rack)
    assert again.expect(again.facts, again.facts), "nothing is left to do"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("unused_images", {"homelab/dashboard:local", "alpine:3.19"}),
        ("stopped_containers", {"immich-import"}),
        ("unused_networks", {"nas-old_default"}),
        ("unused_volumes", {"cloud_nextcloud-old", "media_plex-config"}),
    ],
)
async def test_other_kinds_go_when_they_are_asked_for(rack: Rack, kind: str, expected: set[str]) -> None:
    args: dict[str, Any] = {"volumes": True, "kinds": ()} if kind == "unused_volumes" else {"kinds": (kind,)}
    change = await card(rack, **args)
    assert expected <= set(names(getattr(change.facts, kind)))
    others = {other for other in KINDS if other not in (kind, "build_cache")} - {"dangling_images"}
    assert not any(getattr(change.facts, other) for other in others)
    assert bool(change.facts.dangling_images) is (kind == "unused_images"), "unused ones are the dangling ones, too"
    await swept(rack, change)


async def test_a_network_of_a_stopped_container_is_in_use_unless_that_goes_as_well(rack: Rack) -> None:
    ended(rack, "gitea")
    assert names((await card(rack, "unused_networks")).facts.unused_networks) == ["nas-old_default"]
    change = await card(rack, "unused_networks", "stopped_containers")
    assert "forge_default" in names(change.facts.unused_networks) and "gitea" in names(change.facts.stopped_containers)


async def test_layers_that_images_share_count_once_and_only_when_the_last_goes(rack: Rack) -> None:
    mine, theirs = rack.world.digest(), rack.world.digest()
    dangling(rack, 400 * MB, mine, base=300 * MB)
    dangling(rack, 350 * MB, mine, base=300 * MB)
    dangling(rack, 700 * MB, theirs, base=600 * MB)
    used = nas(rack).images.get("redis:7.4-alpine")
    used.layers, used.base, used.size = [theirs, *used.layers], 600 * MB, 620 * MB
    plain = sum(image.size for image in nas(rack).images.all.values() if not image.tags) - 1450 * MB
    change = await card(rack, "dangling_images")
    assert change.facts.frees_mb == round(plain / MB + 400 + 50 + 100, 1)
    outcome = await swept(rack, change)
    assert outcome.after.freed_mb == change.facts.frees_mb


async def test_what_the_overview_calls_reclaimable_is_what_the_card_frees(rack: Rack) -> None:
    dangling(rack, 400 * MB, nas(rack).images.get("jellyfin/jellyfin:10.9.11").layers[0], base=78 * 1024 * 1024)
    [info] = (await rack.read("get_system_info", host="nas")).hosts
    by_kind = {each.kind: each for each in info.unused}
    assert set(by_kind) == set(KINDS)
    assert round((await card(rack)).facts.frees_mb / 1000, 2) == info.reclaimable_gb
    for kind in EVERYTHING:
        facts = (await card(rack, kind)).facts
        assert facts.frees_mb == by_kind[kind].frees_mb, kind
        assert facts.left == by_kind[kind].count - (max(0, by_kind[kind].count - 1) if kind == "build_cache" else 0)
    assert by_kind["stopped_containers"].left_alone == 1, "the backup that failed"


async def test_an_image_with_several_names_loses_them_all(rack: Rack) -> None:
    images = nas(rack).images
    images.tag("alpine:3.19", "mine/alpine:1")
    images.get("alpine:3.19").tagged -= 30 * DAY
    change = await card(rack, "unused_images")
    assert {"alpine:3.19", "mine/alpine:1"} <= set(names(change.facts.unused_images))
    await swept(rack, change)
    assert not any(image.app.name == "alpine" for image in images.all.values())


# -- between card and tap, and afterwards -----------------------------------------------------------------------------


async def test_what_came_into_use_is_left(rack: Rack) -> None:
    host = nas(rack)
    host.images.tag("alpine:3.19", "mine/alpine:1")
    host.images.get("alpine:3.19").tagged -= 30 * DAY
    change = await card(rack, *EVERYTHING, volumes=True)
    host.start("immich-import")
    sleeper = host.create({"Image": "alpine:3.19", "Cmd": ["sleep", "1"]}, "sleeper")
    sleeper.mounts.append({"Type": "volume", "Name": "media_plex-config", "Destination": "/x"})
    host.networks.connect("nas-old_default", host.get("redis"), {})
    outcome = await rack.carry_out(change)
    assert outcome.error is None and outcome.verified
    assert {"immich-import", "sleeper"} <= {container.name for container in host.all.values()}
    assert host.images.get("alpine:3.19").tags == ["alpine:3.19", "mine/alpine:1"]
    assert "media_plex-config" in host.volumes.all and host.networks.get("nas-old_default")
    assert outcome.after.freed_mb < change.facts.frees_mb
    assert outcome.after.stopped_containers == () and "cloud_nextcloud-old" not in host.volumes.all


async def test_a_namesake_is_another(rack: Rack) -> None:
    first = await card(rack, "stopped_containers")
    container = nas(rack).get("immich-import")
    del nas(rack).all[container.id]
    container.id = "a" * 64
    nas(rack).all[container.id] = container
    again = await card(rack, "stopped_containers")
    assert first.facts.stopped_containers == again.facts.stopped_containers and first.facts != again.facts


@pytest.mark.parametrize("lie", [{"remove"}, {"remove_image"}, {"prune"}, {"remove_network"}, {"remove_volume"}])
async def test_a_lie_is_found_out(rack: Rack, lie: set[str]) -> None:
    change = await card(rack, *EVERYTHING, volumes=True)
    rack.world.lie |= lie
    outcome = await rack.carry_out(change, within=0.2)
    assert outcome.error is None and not outcome.verified


async def test_a_failure_on_the_way_is_an_unknown_outcome(rack: Rack) -> None:
    change = await card(rack, *EVERYTHING)
    rack.traffic.fault("docker:nas", method="DELETE", path="/images/", status=500)
    outcome = await rack.carry_out(change, within=0.1)
    assert isinstance(outcome.error, OutcomeUnknown) and "Only a part" in str(outcome.error)
    assert outcome.after.stopped_containers == () and outcome.after.dangling_images


# -- on the card ------------------------------------------------------------------------------------------------------


async def test_a_long_list_is_cut_on_the_card_and_not_in_what_the_tap_binds(tmp_path: Path) -> None:
    async with Place(tmp_path) as place:
        host = place.lab.world.hosts["nas"]
        old = place.lab.world.now() - 30 * DAY
        for number in range(140):
            container = host.create(
                {"Image": host.get("redis").config["Image"]}, f"old-build-agent-runner-number-{number:04d}"
            )
            container.created, container.size_rw = old, number * MB
        args = {"host": "nas", "kinds": ["stopped_containers"]}
        run = await place.ask(use("docker_prune_system", **args))
        text = await place.text()
        assert "old-build-agent-runner-number-0139 139 MB" in text and "137 more" in text and "0100" not in text
        smallest = host.get("old-build-agent-runner-number-0000")
        smallest.config["Labels"]["rackhand.forbid"] = "true"
        host.create({"Image": smallest.config["Image"]}, "another").created = old
        place.begin()
        await place.approve()
        assert place.writes() == [] and (await place.calls(run))[0].card["moved"]
