"""A number is decoration: what cannot be measured is called unknown, and the clean-up goes on."""

from typing import Any

import pytest

from tests.tools.conftest import Rack
from tests.tools.rubbish import EVERYTHING, card, ended, names, nas
from tools.kit import BadAnswer, ToolFailed
from tools.kit.breaker import asking


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.docker.disk.MEASURING", 0.3)
    monkeypatch.setattr("tools.docker.stock.MEASURING", 0.3)


@pytest.mark.usefixtures("hurried")
async def test_an_engine_that_measures_for_ever_is_cleaned_up_all_the_same(rack: Rack) -> None:
    rack.traffic.fault("docker:nas", path="/system/df$", delay=45, times=None)
    change = await card(rack, *EVERYTHING, volumes=True)
    facts = change.facts
    assert facts.frees_mb is None and facts.build_cache_mb is None
    assert "Build cache stays: nas did not say in time what is in it." in change.notes
    assert {piece.size_mb for piece in facts.unused_volumes} == {"size unknown"}
    assert names(facts.dangling_images) and names(facts.unused_volumes) and names(facts.stopped_containers)
    cache = list(nas(rack).images.cache)
    outcome = await rack.carry_out(change)
    assert outcome.error is None and outcome.verified
    assert nas(rack).images.cache == cache and "media_plex-config" not in nas(rack).volumes.all
    assert outcome.after.freed_at_least_mb > 0


@pytest.mark.usefixtures("hurried")
async def test_one_slow_kind_does_not_hide_the_others(rack: Rack) -> None:
    rack.traffic.fault("docker:nas", path="/system/df$", query="type=volume", delay=45, times=None)
    facts = (await card(rack, volumes=True)).facts
    assert facts.build_cache_mb > 0 and {piece.size_mb for piece in facts.unused_volumes} == {"size unknown"}


@pytest.mark.usefixtures("hurried")
async def test_an_old_engine_measures_once_at_a_time(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.services.docker.system.API", 41)
    facts = (await card(rack, volumes=True)).facts
    assert facts.build_cache_mb > 0 and facts.frees_mb > 0
    assert len([request for request in rack.traffic.requests if request.path.endswith("/system/df")]) == 1


@pytest.mark.parametrize("answer", [{"status": 500}, {"status": 200, "body": "[]"}, {"drop": True}])
async def test_one_size_that_cannot_be_read_spoils_no_other(rack: Rack, answer: dict[str, Any]) -> None:
    container = ended(rack, "gitea")
    rack.traffic.fault("docker:nas", path="/containers/json$", query=f"size=1.*{container.id}", times=None, **answer)
    change = await card(rack, "stopped_containers")
    assert {piece.name: piece.size_mb for piece in change.facts.stopped_containers} == {
        "immich-import": 3.5,
        "gitea": "size unknown",
    }
    assert change.facts.frees_mb is None and change.facts.frees_at_least_mb == 3.5
    assert (await rack.carry_out(change)).verified


async def test_one_state_that_cannot_be_read_leaves_that_one_alone(rack: Rack) -> None:
    container = ended(rack, "gitea")
    rack.traffic.fault("docker:nas", path=f"/containers/{container.id}/json$", status=500, times=None)
    change = await card(rack, "stopped_containers")
    assert names(change.facts.stopped_containers) == ["immich-import"] and "gitea (unreadable)" in change.notes[-1]


async def test_one_image_that_cannot_be_read_makes_no_sum_a_lie(rack: Rack) -> None:
    used = nas(rack).images.get("redis:7.4-alpine")
    rack.traffic.fault("docker:nas", path=f"/images/{used.id}/json$", status=500, times=None)
    change = await card(rack, "dangling_images")
    assert {piece.size_mb for piece in change.facts.dangling_images} == {"size unknown"}
    assert change.facts.frees_mb is None and "How much this frees is not known." in change.notes
    outcome = await rack.carry_out(change)
    assert outcome.verified and outcome.after.freed_mb > 0, "the engine has named the layers that went"


async def test_what_cannot_be_looked_at_again_is_not_called_done(rack: Rack) -> None:
    change = await card(rack)
    rack.traffic.fault("docker:nas", path="/system/df$", status=500, times=None)
    outcome = await rack.carry_out(change, within=0.2)
    assert not outcome.verified and outcome.after.freed_mb == change.facts.frees_mb


async def test_nothing_is_said_of_a_build_cache_that_nobody_has_seen(rack: Rack) -> None:
    rack.traffic.fault("docker:nas", path="/system/df$", status=500, times=None)
    with pytest.raises(ToolFailed, match="does not say in time what its build cache holds"):
        await card(rack, "build_cache")


async def test_numbers_that_do_not_come_open_no_circuit(rack: Rack) -> None:
    rack.traffic.fault("docker:nas", path="/system/df$|/history$", status=500, times=None)
    rack.traffic.fault("docker:nas", path="/containers/json$", query="size=1", status=500, times=None)
    async with asking(insist=False):
        for _ in range(3):
            await card(rack, *EVERYTHING, volumes=True)
            await rack.read("get_system_info", host="nas")
            assert (await rack.read("list_images", host="nas")).down == []


async def test_an_engine_without_build_cache_has_none(rack: Rack) -> None:
    for body in ("{}", '{"BuildCache": null}', '{"BuildCache": []}'):
        rack.traffic.clear()
        rack.traffic.fault("docker:nas", path="/system/df$", body=body, status=200, times=None)
        change = await card(rack)
        assert change.facts.build_cache_mb is None and names(change.facts.dangling_images)
        assert any("Build cache stays" in note for note in change.notes) is (body == "{}")
    assert (await rack.carry_out(change)).verified


async def test_a_host_that_lists_nothing_is_a_failure(rack: Rack) -> None:
    rack.traffic.fault("docker:nas", path="/images/json$", status=200, body="?", times=None)
    with pytest.raises(BadAnswer):
        await card(rack)


@pytest.mark.parametrize("answer", [{"status": 500}, {"status": 200, "body": "[]"}, {"delay": 45}, {"drop": True}])
@pytest.mark.parametrize("name", ["borg-backup", "jellyfin"])
async def test_a_container_whose_size_cannot_be_read_is_removed_all_the_same(
    rack: Rack, monkeypatch: pytest.MonkeyPatch, name: str, answer: dict[str, Any]
) -> None:
    monkeypatch.setattr("tools.docker.removal.MEASURING", 0.3)
    rack.traffic.fault("docker:nas", path="/containers/json$", query="size=1", times=None, **answer)
    change = await rack.read("remove_container", container=await rack.id(name))
    assert "Lost: what it wrote outside of volumes, and its log." in change.notes
    assert (await rack.carry_out(change)).verified


RECORD = '{"ID": "a", "Type": "regular", "InUse": false, "Shared": false, "Size": %s, "LastUsedAt": %s}'


@pytest.mark.parametrize(
    "body",
    [
        "[]", "7", '{"BuildCache": 7, "BuildCacheUsage": "x", "Volumes": {}}', '{"BuildCache": [7, {}, null]}',
        '{"BuildCache": [%s]}' % (RECORD % ("-1", "7")), '{"BuildCache": [%s]}' % (RECORD % ('"9"', '"?"')),
        '{"BuildCacheUsage": {"Items": [%s]}}' % (RECORD % ("1e400", "null")),
        '{"BuildCache": [{"ID": "a", "InUse": false, "Size": 9, "Parents": ["a", 7, "b"]}]}',
    ],
)  # fmt: skip
async def test_an_engine_that_talks_nonsense_about_its_disk_is_cleaned_up(rack: Rack, body: str) -> None:
    rack.traffic.fault("docker:nas", path="/system/df$", status=200, body=body, times=None)
    change = await card(rack, *EVERYTHING, volumes=True)
    assert names(change.facts.stopped_containers) == ["immich-import"]
    assert (await rack.read("get_system_info", host="nas")).hosts[0].engine
    await rack.carry_out(change, within=0.1)
    assert "immich-import" not in rack.world.dump()["nas"]["containers"]
