"""Changing containers: what is proposed, what happens, what proves it, what takes it back."""

import asyncio

import pytest

from tests.tools.conftest import TOOLS, Rack
from tools.docker.facts import container_facts
from tools.kit import Conflict


async def test_stop_and_undo(rack: Rack) -> None:
    container = await rack.id("jellyfin")
    stopped = await rack.carry_out(await rack.read("stop_container", container=container))
    assert stopped.verified and stopped.after.state == "exited"
    again = await rack.read("stop_container", container=container)
    assert again.expect(again.facts, again.facts), "stopping what is stopped needs no card"
    assert again.undo(again.facts, "") is None
    started = await rack.undo(stopped)
    assert started.verified and started.after.state == "running"
    assert started.change.undo(started.before, "").tool == "docker_stop_container"


async def test_a_start_that_dies_is_not_a_start(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.docker.facts.STEADY_SECONDS", 1.0)
    culprit = rack.world.story.culprit
    change = await rack.read("restart_container", container=await rack.id(f"{culprit.host}/{culprit.name}"))
    assert change.facts.state == "restarting" and change.facts.since is None
    outcome = await rack.carry_out(change, within=2.0)
    assert outcome.error is None and not outcome.verified


@pytest.mark.parametrize("ahead", [0.0, 3600.0])
async def test_what_has_just_started_says_when_its_start_can_be_judged(rack: Rack, ahead: float) -> None:
    """Be it by a clock that differs from the engine's."""
    target, (_, container) = await rack.id("jellyfin"), rack.at("nas/jellyfin")
    container.started_at = rack.world.now() + ahead
    young = await container_facts(rack.reader, target)
    assert not young.steady and young.settles == pytest.approx(0.1, abs=0.05)
    container.started_at = rack.world.now() - 0.1
    old = await container_facts(rack.reader, target)
    assert old.steady and old.settles is None


async def test_a_crash_loop_has_facts_that_stand_still(rack: Rack) -> None:
    culprit = rack.world.story.culprit
    target = await rack.id(f"{culprit.host}/{culprit.name}")
    _, container = rack.at(f"{culprit.host}/{culprit.name}")
    seen = set()
    for _ in range(8):
        seen.add(
            (await container_facts(rack.reader, target)).model_dump_json(include={"state", "health", "since", "image"})
        )
        container.next_change = rack.world.now()  # the next crash, or the next start
        await asyncio.sleep(0.01)
    assert len(seen) == 1


async def test_gone_is_a_fact(rack: Rack) -> None:
    target = await rack.id("jellyfin")
    host, container = rack.at("nas/jellyfin")
    del host.all[container.id]
    for tool in ("start", "stop", "restart", "remove"):
        change = await rack.read(f"{tool}_container", container=target)
        assert change.facts.state == "gone" and "It does not exist any more." in change.notes
        assert change.expect(change.facts, change.facts) is (tool == "remove")


async def test_a_paused_container_is_not_started(rack: Rack) -> None:
    rack.at("nas/redis")[1].status = "paused"
    with pytest.raises(Conflict, match="restart it instead"):
        await rack.read("start_container", container=await rack.id("redis"))


async def test_the_card_says_what_depends_on_it(rack: Rack) -> None:
    _, gitea = rack.at("nas/gitea")
    rack.at("nas/sonarr")[1].host_config["NetworkMode"] = f"container:{gitea.id}"
    change = await rack.read("stop_container", container=await rack.id("gitea"))
    assert any(note.startswith("Needed by") and "sonarr" in note for note in change.notes)
    change = await rack.read("stop_container", container=await rack.id("postgres"))
    assert any("immich" in note and "nextcloud" in note for note in change.notes)
    change = await rack.read("stop_container", container=await rack.id("jellyfin"))
    assert change.notes == ()


async def test_the_card_says_when_nothing_brings_it_back(rack: Rack, monkeypatch: pytest.MonkeyPatch) -> None:
    _, container = rack.at("nas/jellyfin")
    container.host_config["RestartPolicy"]["Name"] = "no"
    monkeypatch.setattr("tools.docker.names.own_container_id", lambda: container.id[:12])
    change = await rack.read("stop_container", container=await rack.id("jellyfin"))
    assert "not even after a reboot" in " ".join(change.notes)
    assert "This bot runs in it" in " ".join(change.notes)


async def test_a_registry_nobody_uses_is_not_asked_beforehand(rack: Rack) -> None:
    change = await rack.read("pull_image", image="registry.example/stolen:secret", host="nas")
    assert change.facts.registry == "unknown"
    assert not [request for request in rack.traffic.requests if "distribution" in request.path]
    outcome = await rack.carry_out(change, within=0.2)
    assert outcome.error is not None and not outcome.verified


async def test_pull_without_a_registry_to_ask_is_proved_by_its_report(rack: Rack) -> None:
    rack.traffic.fault("docker:nas", path="/distribution/", status=500, times=None)
    place = rack.world.story.update
    image = rack.at(f"{place.host}/{place.name}")[1].config["Image"]
    rack.traffic.fault(f"docker:{place.host}", path="/distribution/", status=500, times=None)
    change = await rack.read("pull_image", image=image, host=place.host)
    assert change.facts.registry == "unknown" and not change.expect(change.facts, change.facts)
    assert (await rack.carry_out(change)).verified


def test_image_names_are_checked() -> None:
    arguments = TOOLS["pull_image"].parameters
    for name in ("nginx", "nginx:1.27", "ghcr.io/a/b_c/d:v1", "host:5000/x/y:z", f"x@sha256:{'a' * 64}"):
        assert arguments.model_validate({"image": name})
    for name in ("", "-rf", "a b", "a;b", "a\n", "../x", "é", "a:b:c:d", "http://a/b", "a?b"):
        with pytest.raises(ValueError):
            arguments.model_validate({"image": name})
