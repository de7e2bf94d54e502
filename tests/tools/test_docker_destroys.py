"""Removing things: what would be lost is said before, and what can come back does."""

from typing import Any

import pytest

from tests.tools.conftest import TOOLS, Rack
from tools.kit import Conflict, Context, Gone, OutcomeUnknown, ToolFailed
from tools.kit.types import outside_text


@pytest.mark.parametrize(
    "name", ["jellyfin", "nas/node-exporter", "postgres", "borg-backup", "mini/pihole", "mini/traefik"]
)
async def test_every_kind_of_container_comes_back(rack: Rack, name: str) -> None:
    before = rack.world.dump()
    removed = await rack.carry_out(await rack.read("remove_container", container=await rack.id(name)))
    assert removed.verified and rack.world.dump() != before
    assert (await rack.undo(removed)).verified
    assert rack.world.dump() == before


async def test_unnamed_volumes_are_mounted_again(rack: Rack) -> None:
    host, redis = rack.at("nas/redis")
    made = host.create({"Image": redis.config["Image"], "Volumes": {"/data": {}, "/more": {}}}, "scratch")
    host.start("scratch")
    places = {mount["Destination"]: mount["Name"] for mount in made.mounts}
    change = await rack.read("remove_container", container=await rack.id("scratch"))
    assert change.facts.unnamed_volumes == tuple(sorted(name[:12] for name in places.values()))
    assert any("mounted again by Undo" in note for note in change.notes)
    await rack.undo(await rack.carry_out(change))
    assert {mount["Destination"]: mount["Name"] for mount in host.get("scratch").mounts} == places


async def test_the_net_holds_the_secrets_and_nothing_else_does(rack: Rack) -> None:
    change = await rack.read("remove_container", container=await rack.id("paperless"))
    kept = str(change.net)
    assert sum(secret in kept for secret in rack.world.canaries) == 2
    said = f"{change.facts.model_dump_json()} {change.title} {change.notes}"
    assert not [secret for secret in rack.world.canaries if secret in said]
    assert list(outside_text(change.facts)) == []


async def test_the_card_says_how_a_running_one_is_removed(rack: Rack) -> None:
    change = await rack.read("remove_container", container=await rack.id("jellyfin"))
    assert any("stopped, then removed" in note for note in change.notes)
    assert any("outside of volumes" in note for note in change.notes)
    still = await rack.read("remove_container", container=await rack.id("borg-backup"))
    assert not any("force" in note for note in still.notes)
    assert any("48.2 MB" in note for note in still.notes) and "Restart policy is no." in still.notes


async def test_a_stopped_one_that_was_started_meanwhile_is_not_forced(rack: Rack) -> None:
    change = await rack.read("remove_container", container=await rack.id("borg-backup"))
    host, container = rack.at("nas/borg-backup")
    host.start(container.id)
    outcome = await rack.carry_out(change, within=0.2)
    assert isinstance(outcome.error, Conflict) and container.id in host.all


@pytest.mark.parametrize("fault", [{"status": 409}, {"status": 403}, {"status": 500}, {"drop": True}])
async def test_stopped_but_not_removed_is_an_unknown_outcome(rack: Rack, fault: dict[str, Any]) -> None:
    change = await rack.read("remove_container", container=await rack.id("gitea"))
    rack.traffic.fault("docker:nas", method="DELETE", **fault)
    outcome = await rack.carry_out(change, within=0.1)
    assert isinstance(outcome.error, OutcomeUnknown) and "It was stopped" in str(outcome.error)
    assert outcome.after.state == "exited", "saying that it failed would hide this"


async def test_a_half_made_container_is_an_unknown_outcome(rack: Rack) -> None:
    removed = await rack.carry_out(await rack.read("remove_container", container=await rack.id("gitea")))
    rack.traffic.fault("docker:nas", method="POST", path="/start$", status=500, body='{"message": "port is taken"}')
    rack.nets.all["n"] = removed.change.net
    change = await rack.read("recreate_container", net="n")
    assert change.facts.state == "gone" and change.facts.image_present
    again = await rack.carry_out(change, within=0.3)
    assert isinstance(again.error, OutcomeUnknown) and not again.verified
    assert "exists again, but is not complete" in str(again.error)


async def test_recreate_says_when_the_image_is_gone(rack: Rack) -> None:
    host, container = rack.at("nas/gitea")
    removed = await rack.carry_out(await rack.read("remove_container", container=await rack.id("gitea")))
    del host.images.all[container.image_id]
    rack.nets.all["n"] = removed.change.net
    change = await rack.read("recreate_container", net="n")
    assert not change.facts.image_present and any("pull it first" in note for note in change.notes)
    assert isinstance((await rack.carry_out(change, within=0.1)).error, Gone)


async def test_recreate_uses_the_very_image_after_the_tag_moved(rack: Rack) -> None:
    place = rack.world.story.update
    host, container = rack.at(f"{place.host}/{place.name}")
    target = await rack.id(f"{place.host}/{place.name}")
    removed = await rack.carry_out(await rack.read("remove_container", container=target))
    host.images.pull(container.config["Image"])
    again = await rack.undo(removed)
    assert again.verified and host.get(place.name).image_id == container.image_id


async def test_recreate_needs_a_net(rack: Rack) -> None:
    with pytest.raises(ToolFailed, match="Nothing was kept"):
        await TOOLS["recreate_container"].run(Context(rack.reader), net="n")


async def test_remove_image_and_pull_it_again(rack: Rack) -> None:
    change = await rack.read("remove_image", image="alpine:3.19", host="nas")
    assert change.facts.state == "present" and change.facts.used_by == () and change.facts.size_mb > 0
    removed = await rack.carry_out(change)
    assert removed.verified and removed.after.state == "gone"
    assert (await rack.undo(removed)).verified


async def test_no_card_offers_to_remove_an_image_that_the_engine_keeps(rack: Rack) -> None:
    with pytest.raises(Conflict, match="keeps this image for postgres"):
        await rack.read("remove_image", image="postgres:16.4", host="nas")
    rack.at("nas/postgres")[0].images.tag("postgres:16.4", "mine/postgres:1")
    outcome = await rack.carry_out(await rack.read("remove_image", image="mine/postgres:1", host="nas"))
    assert outcome.error is None and "no space is freed" in " ".join(outcome.change.notes)
    assert rack.at("nas/postgres")[0].images.get("postgres:16.4").tags == ["postgres:16.4"]


async def test_an_image_with_several_tags_is_removed_by_one_of_them(rack: Rack) -> None:
    images = rack.at("nas/redis")[0].images
    images.tag("alpine:3.19", "mine/alpine:1")
    with pytest.raises(Conflict, match="say which one of alpine:3.19, mine/alpine:1"):
        await rack.read("remove_image", image=images.get("alpine:3.19").id[7:19], host="nas")


async def test_the_card_says_what_of_an_image_others_keep(rack: Rack) -> None:
    images = rack.at("nas/redis")[0].images
    alpine, jellyfin = images.get("alpine:3.19"), images.get("jellyfin/jellyfin:10.9.11")
    change = await rack.read("remove_image", image="alpine:3.19", host="nas")
    assert not any("Frees" in note for note in change.notes), "the size says it"
    alpine.layers[0], alpine.base, alpine.size = jellyfin.layers[0], jellyfin.base, jellyfin.base + 5_000_000
    change = await rack.read("remove_image", image="alpine:3.19", host="nas")
    assert "Frees 5.0 MB: other images keep the layers they share." in change.notes
    rack.traffic.fault("docker:nas", path="/history$", status=500, times=None)
    change = await rack.read("remove_image", image="alpine:3.19", host="nas")
    assert "Frees an unknown part: other images keep the layers they share." in change.notes
    assert (await rack.carry_out(change)).verified


async def test_an_image_on_two_hosts_is_asked_about(rack: Rack) -> None:
    image = rack.at("nas/node-exporter")[1].config["Image"]
    with pytest.raises(ToolFailed, match="say which one of nas, mini"):
        await rack.read("remove_image", image=image)
    with pytest.raises(Gone):
        await rack.read("remove_image", image="nobody/has-this:1")
    rack.at("nas/redis")[0].images.tag("alpine:3.19", "only/here:1")
    assert (await rack.read("remove_image", image="only/here:1")).facts.host == "nas"
