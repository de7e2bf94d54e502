"""Against real engines: what a container leans on is gone, what is paused is ended, what an orchestrator owns."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.tools.bench import Bench
from tools.kit import Conflict, ToolFailed

pytestmark = pytest.mark.engine
on_docker = pytest.mark.parametrize("bench", ["docker"], indirect=True)
"""Podman removes nothing that others lean on, so there it cannot be gone."""
SLEEP = ["/bin/busybox", "sleep", "1000"]


async def sleeper(bench: Bench, name: str, **settings: Any) -> str:
    """A container with these settings, running."""
    return await bench.make(name, Cmd=SLEEP, HostConfig={"NetworkMode": "none", **settings})


@on_docker
@pytest.mark.parametrize("key", ["NetworkMode", "PidMode", "IpcMode"])
async def test_a_carrier_that_is_gone_is_named(bench: Bench, key: str) -> None:
    vpn = (await sleeper(bench, "vpn", IpcMode="shareable")).partition("/")[2]
    rider = await sleeper(bench, "rider", **{key: f"container:{vpn}"})
    engine, reference = bench.writer.at(rider)
    start = await bench.read("restart_container", container=rider)
    assert "Back by itself, nothing to undo." in start.notes
    await engine.ask(lambda api: api.remove_container(vpn, force=True))
    gone = f"from {vpn[:12]}, which is gone"
    for tool in ("restart_container", "start_container"):
        with pytest.raises(Conflict, match=gone):
            await bench.read(tool, container=rider)
        await engine.ask(lambda api: api.stop(reference, timeout=0))
    removal = await bench.read("remove_container", container=rider)
    assert removal.net is None and any(gone in note for note in removal.notes)
    late = await bench.carry_out(start, within=0.1)  # it went between the card and the call
    assert late.error is not None and vpn[:12] in str(late.error) and not late.verified


@on_docker
async def test_a_network_that_is_gone_is_named(bench: Bench) -> None:
    engine, network = bench.writer.one("local"), f"net-{bench.mark}"
    subnet = {"Config": [{"Subnet": f"10.214.{int(uuid.uuid4()) % 250}.0/24"}]}
    await engine.ask(lambda api: api.create_network(network, ipam=subnet))
    target = await sleeper(bench, "member", NetworkMode=network)
    assert (await bench.read("remove_container", container=target)).net is not None
    await engine.ask(lambda api: api.stop(target.partition("/")[2], timeout=0))
    await engine.ask(lambda api: api.remove_network(network))
    start = await bench.read("start_container", container=target)
    assert any(f"Its network {network} is gone" in note for note in start.notes)
    outcome = await bench.carry_out(start, within=0.1)
    assert isinstance(outcome.error, Conflict) and f"member-{bench.mark} cannot start: network " in str(outcome.error)
    assert (await bench.read("remove_container", container=target)).net is None


async def test_a_path_that_is_gone_is_named(bench: Bench, tmp_path: Path) -> None:
    source = tmp_path / "usb"
    source.mkdir()
    mount = {"Type": "bind", "Source": str(source), "Target": "/usb"}
    target = f"local/{await bench.create('holder', body_of(bench, Mounts=[mount]))}"
    source.rmdir()
    outcome = await bench.carry_out(await bench.read("start_container", container=target), within=0.1)
    assert outcome.error is not None and str(source) in str(outcome.error) and not outcome.verified


def body_of(bench: Bench, **settings: Any) -> dict[str, Any]:
    return {"Image": bench.image, "Cmd": SLEEP, "HostConfig": {"NetworkMode": "none", **settings}}


@pytest.mark.parametrize("tool", ["stop_container", "restart_container", "remove_container"])
async def test_a_paused_one_is_ended(bench: Bench, tool: str) -> None:
    target = await sleeper(bench, "worker")
    await bench.writer.one("local").ask(lambda api: api.pause(target.partition("/")[2]))
    change = await bench.read(tool, container=target)
    assert change.facts.state == "paused"
    outcome = await bench.carry_out(change, within=15)
    assert outcome.error is None and outcome.verified


async def test_the_carrier_of_another(bench: Bench) -> None:
    vpn = await sleeper(bench, "vpn")
    await sleeper(bench, "rider", NetworkMode=f"container:{vpn.partition('/')[2]}")
    stop = await bench.read("stop_container", container=vpn)
    assert any(note == f"Needed by rider-{bench.mark}." for note in stop.notes)
    if bench.podman:  # it would stop it and then refuse
        with pytest.raises(Conflict, match=f"only after rider-{bench.mark}"):
            await bench.read("remove_container", container=vpn)


async def test_what_a_swarm_owns(bench: Bench) -> None:
    labels = {"com.docker.swarm.service.name": "web"}
    target = f"local/{await bench.create('task', {**body_of(bench), 'Labels': labels})}"
    assert (await bench.read("get_container_details", container=target)).managed_by == "swarm/web"
    change = await bench.read("remove_container", container=target)
    assert change.net is None and any("Belongs to swarm (web)" in note for note in change.notes)


async def test_podman_says_no_to_a_new_one_with_500(bench: Bench) -> None:
    """Whatever the engine, a refusal to make it again is one, and the way back stays."""
    target = await sleeper(bench, "precious")
    removed = await bench.carry_out(await bench.read("remove_container", container=target), within=15)
    settings = removed.change.net["body"]["HostConfig"]
    settings["RestartPolicy"] = {"Name": "often"}
    refused = (await bench.undo(removed, within=0.1)).error
    assert isinstance(refused, ToolFailed) and not refused.sent and "often" in str(refused)
    settings["RestartPolicy"] = {"Name": "no"}
    assert (await bench.undo(removed)).verified
