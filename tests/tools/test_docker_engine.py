"""The Docker tools against real engines, dockerd and Podman.

And the simulated engine beside dockerd: where the two differ, the simulated one is wrong.
"""

import asyncio
import fcntl
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from lab.server import serve
from lab.services.docker.app import docker_app
from lab.traffic import Traffic
from lab.world import World
from tests.tools import recreated
from tests.tools.bench import Bench, root
from tools.docker import service
from tools.docker.hosts import DockerHosts
from tools.docker.podman import LEFT_OUT
from tools.docker.settings import Settings
from tools.kit import Access, Conflict, Deed, Gone, Refused
from tools.kit.types import outside_text

pytestmark = pytest.mark.engine
on_docker = pytest.mark.parametrize("bench", ["docker"], indirect=True)
"""For what compares dockerd with its twin, or is said by dockerd alone."""

PLAIN = {"Cmd": ["/bin/busybox", "sleep", "1000"], "HostConfig": {"NetworkMode": "none"}}
IN_ONE = {
    "Cmd": ["/bin/busybox", "sleep", "1000"],
    "HostConfig": {"NetworkMode": "one"},
    "NetworkingConfig": {"EndpointsConfig": {"one": {"IPAMConfig": {"IPv4Address": "10.213.77.77"}}}},
}


def status_of(method: str, path: str, body: Any) -> Callable[[Any], int]:
    """A question to a session: the status of the answer to this request."""

    def ask(api: Any) -> int:
        more = {} if body is None else {"json": body}
        answer = api.request(method, f"{api.base_url}/v{api.api_version}{path}", timeout=20, **more)
        return int(answer.status_code)

    return ask


async def test_reads(bench: Bench) -> None:
    target = await bench.make("reader")
    listing = await bench.read("list_containers")
    [row] = [row for row in listing.containers if row.name == f"reader-{bench.mark}"]
    assert (row.state, row.restarts, row.health) == ("running", 0, "none") and row.since is not None
    assert await bench.id(row.name) == await bench.id(row.id) == target
    details = await bench.read("get_container_details", container=target)
    assert "geheim" not in details.model_dump_json() and "SECRET_KEY" in details.env
    assert details.restart_policy == "on-failure" and details.networks in (["none"], [])
    stats = await bench.read("get_container_stats", container=target)
    assert stats.pids >= 1 and (stats.cpu_percent is None) is bench.podman  # which knows no share of a moment
    for tool in ("get_system_info", "list_images", "list_networks", "list_volumes"):
        result = await bench.read(tool)
        assert result.down == [] and list(outside_text(result)) == [], tool
    logs = await bench.read("get_container_logs", container=target, lines=3)
    assert logs.lines and all(line.startswith("line ") and line.endswith(" •••") for line in logs.lines)


async def test_stop_start_restart(bench: Bench) -> None:
    target = await bench.make("worker")
    restarted = await bench.carry_out(await bench.read("restart_container", container=target), within=15)
    assert restarted.verified and restarted.after.since >= restarted.before.since
    stopped = await bench.carry_out(await bench.read("stop_container", container=target), within=15)
    assert stopped.verified and stopped.after.state == "exited"
    started = await bench.undo(stopped)
    assert started.error is None and started.after.state == "running"


async def test_a_container_that_dies_at_once_is_not_started(bench: Bench) -> None:
    target = await bench.make("dying", "echo no; exit 3", start=False, HostConfig={"NetworkMode": "none"})
    outcome = await bench.carry_out(await bench.read("start_container", container=target), within=3)
    assert not outcome.verified and outcome.after.state == "exited"


async def test_remove_and_make_again(bench: Bench) -> None:
    target = await bench.make("precious", Volumes={"/data": {}}, Hostname="precious", User="0", WorkingDir="/bin")
    before = await bench.inspect(target)
    change = await bench.read("remove_container", container=target)
    assert len(change.facts.unnamed_volumes) == 1 and "geheim" not in change.facts.model_dump_json()
    removed = await bench.carry_out(change, within=15)
    assert removed.verified and removed.after.state == "gone"
    again = await bench.undo(removed)
    assert again.error is None and again.after.state == "running"
    after = await bench.inspect(f"precious-{bench.mark}")
    for key in ("Cmd", "Labels", "Hostname", "User", "WorkingDir", "Image", "StopTimeout"):
        assert after["Config"][key] == before["Config"][key], key
    assert {*after["Config"]["Env"]} == {*before["Config"]["Env"]}
    for key in ("RestartPolicy", "NetworkMode"):
        assert after["HostConfig"][key] == before["HostConfig"][key], key
    assert after["Image"] == before["Image"] and after["Id"] != before["Id"]
    assert [mount["Name"] for mount in after["Mounts"]] == [mount["Name"] for mount in before["Mounts"]]


@pytest.fixture
async def networks(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    """The two networks that the cases name; one engine can hold them once, so one worker has them at a time."""
    engine = bench.writer.one("local")
    shared = tmp_path_factory.getbasetemp().parent  # of all workers
    with (shared / "networks.lock").open("w") as turn:
        await asyncio.to_thread(fcntl.flock, turn, fcntl.LOCK_EX)
        for name, subnet in recreated.SUBNETS.items():
            with suppress(Gone):  # left by a run that was killed
                await engine.ask(lambda api, n=name: api.remove_network(n))
            await engine.ask(lambda api, n=name, s=subnet: api.create_network(n, ipam={"Config": [{"Subnet": s}]}))
        yield
        await bench.clear()
        for name in recreated.SUBNETS:
            with suppress(Gone):
                await engine.ask(lambda api, n=name: api.remove_network(n))


@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize("case", recreated.CASES)
async def test_it_comes_back_as_it_was(bench: Bench, case: str) -> None:
    engine = bench.writer.one("local")
    body = recreated.body(case, bench.image)
    if case == "an entry point cleared":
        entry = 'ENTRYPOINT ["/bin/busybox", "false"]'
        await engine.ask(
            lambda api: api.import_image_from_data(root(), repository=f"entry-{bench.mark}", changes=[entry])
        )
        body["Image"] = f"entry-{bench.mark}:latest"
    made = await bench.create("precious", body)
    if case == "everything":
        await engine.ask(lambda api: api.join_network("two", made, recreated.SECOND))
    if case not in recreated.NEVER_STARTED:
        await engine.ask(lambda api: api.start(made))
    before = await bench.inspect(made)
    change = await bench.read("remove_container", container=f"local/{made}")
    assert (LEFT_OUT in change.notes) is bench.podman
    removed = await bench.carry_out(change, within=15)
    assert removed.verified and removed.error is None
    again = await bench.undo(removed)
    assert again.error is None and again.verified
    after = await bench.inspect(f"precious-{bench.mark}")
    assert after["Id"] != before["Id"] and after["State"]["Status"] == before["State"]["Status"]
    assert recreated.differences(before, after) == []


ANSWERS = (
    # Method, path, body; the status the twin gives for it is the one the engine gives.
    ("GET", "/containers/none/json", None), ("POST", "/containers/none/start", None),
    ("POST", "/containers/none/stop", None), ("POST", "/containers/none/restart", None),
    ("DELETE", "/containers/none", None), ("GET", "/containers/none/logs?stdout=1", None),
    ("GET", "/images/none/json", None), ("DELETE", "/images/none", None), ("DELETE", "/networks/none", None),
    ("DELETE", "/networks/host", None), ("DELETE", "/volumes/none", None),
    ("POST", "/containers/create?name=-x", PLAIN), ("POST", "/containers/create?name=xx", {"Image": "none:1"}),
    ("POST", "/containers/create?name=xx", PLAIN | {"HostConfig": {"RestartPolicy": {"Name": "often"}}}),
    ("POST", "/containers/create?name=xx",
     PLAIN | {"HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}}),
    ("POST", "/containers/create?name=xx", PLAIN | {"HostConfig": {"Binds": ["aa:/x", "bb:/x/"]}}),
    ("POST", "/containers/create?name=xx", PLAIN | {"HostConfig": {"PidMode": "container:none"}}),
    ("POST", "/containers/create?name=xx", PLAIN | {"HostConfig": {"IpcMode": "container:none"}}),
    ("POST", "/containers/create?name=xx", PLAIN | {"HostConfig": {"VolumesFrom": ["none"]}}),
    ("POST", "/containers/create?name=xx",
     PLAIN | {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/no/such", "Target": "/x"}]}}),
    ("POST", "/containers/create?name=xx", PLAIN | {"HostConfig": {"VolumeDriver": "none", "Binds": ["v:/x"]}}),
    ("POST", "/containers/create?name=ww", PLAIN | {"HostConfig": {"NetworkMode": "container:none"}}),
    ("POST", "/containers/ww/start", None), ("POST", "/containers/ww/restart", None),
    ("DELETE", "/containers/ww", None),
    ("POST", "/containers/create?name=vv", PLAIN),
    ("POST", "/containers/create?name=ww", PLAIN | {"HostConfig": {"NetworkMode": "container:vv"}}),
    ("POST", "/containers/ww/start", None), ("POST", "/containers/vv/start", None),
    ("POST", "/containers/ww/start", None),
    ("DELETE", "/containers/vv?force=1", None), ("POST", "/containers/ww/restart?t=0", None),
    ("DELETE", "/containers/ww", None),
    ("POST", "/containers/create?name=uu",
     PLAIN | {"HostConfig": {"Devices": [{"PathOnHost": "/no/such", "PathInContainer": "/x"}]}}),
    ("POST", "/containers/uu/start", None), ("DELETE", "/containers/uu", None),
    ("POST", "/containers/create?name=xx", PLAIN), ("POST", "/containers/create?name=xx", PLAIN),
    ("POST", "/containers/xx/stop", None), ("POST", "/containers/xx/pause", None), ("GET", "/containers/xx/top", None),
    ("GET", "/containers/xx/logs", None), ("GET", "/containers/xx/logs?stdout=1", None),
    ("GET", "/containers/xx/stats?stream=0", None),
    ("POST", "/containers/xx/start", None), ("POST", "/containers/xx/start", None), ("DELETE", "/containers/xx", None),
    ("POST", "/containers/xx/pause", None), ("POST", "/containers/xx/start", None),
    ("POST", "/containers/xx/pause", None), ("DELETE", "/containers/xx", None),
    ("POST", "/containers/xx/unpause", None), ("POST", "/containers/xx/unpause", None),
    ("DELETE", "/images/IMAGE", None), ("POST", "/networks/one/connect", {"Container": "xx"}),
    ("POST", "/containers/xx/stop?t=0", None), ("POST", "/containers/xx/stop?t=0", None),
    ("GET", "/containers/xx/stats?stream=0", None), ("POST", "/containers/xx/kill", None),
    ("GET", "/containers/json?filters={%22zz%22:[%22x%22]}", None), ("DELETE", "/containers/xx", None),
    ("POST", "/containers/create?name=yy", IN_ONE), ("POST", "/containers/yy/start", None),
    ("POST", "/containers/create?name=zz", IN_ONE), ("POST", "/containers/zz/start", None),
    ("POST", "/networks/one/connect", {"Container": "yy"}), ("DELETE", "/networks/one", None),
    ("POST", "/containers/prune?filters={%22label%22:[%22no%22]}", None),
    ("POST", "/networks/prune?filters={%22label%22:[%22no%22]}", None), ("DELETE", "/containers/yy?force=1", None),
    ("DELETE", "/containers/zz?force=1", None), ("POST", "/containers/create?name=yy", IN_ONE),
    ("POST", "/containers/yy/start", None), ("POST", "/containers/yy/stop?t=0", None),
    ("DELETE", "/networks/one", None), ("POST", "/containers/yy/start", None),
    ("POST", "/containers/yy/restart", None), ("DELETE", "/containers/yy", None),
)  # fmt: skip


@on_docker
@pytest.mark.usefixtures("networks")
async def test_the_twin_answers_as_the_engine_does(bench: Bench) -> None:
    world, traffic = World(3), Traffic()
    world.latency = 0.0
    world.hosts["nas"].networks.create({"Name": "one", "IPAM": {"Config": [{"Subnet": recreated.SUBNETS["one"]}]}})
    world.hosts["nas"].missing_paths.add("/no/such")
    server = await serve(traffic.wrap("docker:nas", docker_app(world, "nas")))
    twin: DockerHosts = await service.open(Settings(docker_host=f"tcp://127.0.0.1:{server.port}"), Access.WRITE)
    [double] = twin.values()
    real = bench.writer.one("local")
    for method, path, body in ANSWERS:
        said = []
        for engine, image in ((real, bench.image), (double, "redis:7.4-alpine")):
            asked = None
            if body is not None:
                asked = {"Image": image, "Labels": {"rackhand.test": bench.mark}, **body}
            said.append(await engine.ask(status_of(method, path.replace("IMAGE", image), asked)))
        assert said[0] == said[1], f"{method} {path}: the engine says {said[0]}, the twin {said[1]}"
    await twin.close()
    await server.stop()


@pytest.mark.parametrize("tty", [False, True])
async def test_logs_of_both_streams(bench: Bench, tty: bool) -> None:
    target = await bench.make("writer", "echo out; echo err >&2; echo $SECRET_KEY; sleep 100", Tty=tty)
    await asyncio.sleep(0.5)
    logs = await bench.read("get_container_logs", container=target)
    assert sorted(logs.lines) == ["err", "out", "•••"]
    assert (await bench.read("get_container_logs", container=target, contains="OUT")).lines == ["out"]


async def test_a_log_that_nobody_keeps(bench: Bench) -> None:
    elsewhere = {"syslog-address": "udp://127.0.0.1:1514", "cache-disabled": "true"}
    drivers = (("none", {}), ("syslog", elsewhere))[: 1 if bench.podman else 2]  # Podman has no other that keeps none
    for number, (driver, options) in enumerate(drivers):
        settings = {"NetworkMode": "none", "LogConfig": {"Type": driver, "Config": options}}
        target = await bench.make(f"silent{number}", HostConfig=settings)
        with pytest.raises(Refused, match=f"log driver is {driver}:"):
            await bench.read("get_container_logs", container=target)


@on_docker
async def test_the_events_of_a_restart_are_the_twins(bench: Bench) -> None:
    target = await bench.make("worker")
    begun = int(time.time()) - 1
    engine, reference = bench.writer.at(target)
    await asyncio.sleep(1.1)
    await bench.carry_out(await bench.read("restart_container", container=target), within=15)

    def events(api: Any) -> list[str]:
        query = {"since": begun, "until": int(time.time()) + 1, "filters": json.dumps({"container": [reference]})}
        answer = api._asked("GET", "/events", params=query)
        return [json.loads(line)["Action"] for line in answer.text.splitlines()]

    seen = await engine.ask(events)
    seen = seen[seen.index("start") + 1 :]
    assert list(dict.fromkeys(seen)) == ["kill", "die", "stop", "start", "restart"]


async def test_a_start_that_fails_says_why(bench: Bench) -> None:
    target = await bench.make("broken", start=False, Cmd=["/no/such/program"])
    outcome = await bench.carry_out(await bench.read("start_container", container=target), within=1)
    assert outcome.error is not None and not outcome.verified
    assert "no/such/program" in str(outcome.error)
    details = await bench.read("get_container_details", container=target)
    if bench.podman:  # it keeps no reason, and exits nowhere
        return
    assert details.error and "no/such/program" in details.error and details.exit_code


async def test_why_one_does_not_run_is_what_the_engine_says(bench: Bench) -> None:
    engine, always = bench.writer.one("local"), {"NetworkMode": "none", "RestartPolicy": {"Name": "always"}}
    killed, paused, done = [await bench.make(name) for name in ("killed", "paused", "done")]
    broken = await bench.make("broken", start=False, Cmd=["/no/such/program"])
    await bench.make("looping", "exit 3", HostConfig=always)
    await engine.ask(lambda api: api.kill(killed.partition("/")[2]))
    await engine.ask(lambda api: api.pause(paused.partition("/")[2]))
    await bench.carry_out(await bench.read("stop_container", container=done), within=15)
    await bench.carry_out(await bench.read("start_container", container=broken), within=0.1)
    bench.deeds = [Deed("docker_stop_container", done, "Ana", datetime.now(UTC), True)]
    glance = await bench.glance()
    notes = [note for note in (*glance.troubles, *glance.quiet) if bench.mark in note.name]
    said = {note.name.partition("-")[0]: f"{note.dot} {note.detail}" for note in notes}
    assert said.pop("looping").startswith("🔴 restarting again and again")
    why = "🔴 could not be started: its command is not there"
    assert said == {
        "killed": "🔴 killed (exit code 137)",
        "paused": "🟡 paused",
        "done": "⚪ stopped by Ana",
        **({} if bench.podman else {"broken": why}),  # Podman keeps no reason, and calls it created
    }
    await engine.ask(lambda api: api.unpause(paused.partition("/")[2]))


async def test_out_of_memory_is_what_the_engine_says(bench: Bench) -> None:
    engine, limits = bench.writer.one("local"), {"NetworkMode": "none", "Memory": 12 * 2**20}
    info = await engine.ask(lambda api: api.info())
    if not info["MemoryLimit"]:
        return  # this kernel limits nothing: it would eat the machine's memory instead
    hungry = await bench.make("hungry", "tail /dev/zero", HostConfig=limits)
    await engine.ask(lambda api: api.wait(hungry.partition("/")[2], timeout=20))
    details = await bench.read("get_container_details", container=hungry)
    if bench.podman and info["CgroupVersion"] == "1":  # there it does not learn what killed it
        assert (details.why, details.oom_killed, details.exit_code) == ("killed", False, 137)
        return
    [line] = [str(trouble) for trouble in (await bench.glance()).troubles if bench.mark in trouble.name]
    assert line == f"🔴 hungry-{bench.mark} · local · out of memory"
    assert (details.why, details.oom_killed, details.exit_code) == ("out of memory", True, 137)


async def test_remove_leaves_named_and_unnamed_volumes(bench: Bench) -> None:
    settings = {"NetworkMode": "none", "Binds": [f"kept-{bench.mark}:/kept"]}
    target = await bench.make("holder", Volumes={"/unnamed": {}}, HostConfig=settings)
    change = await bench.read("remove_container", container=target)
    assert change.facts.named_volumes == (f"kept-{bench.mark}",) and len(change.facts.unnamed_volumes) == 1
    assert (await bench.carry_out(change, within=15)).verified
    names = [row.name for row in (await bench.read("list_volumes")).volumes if not row.in_use_by]
    assert {f"kept-{bench.mark}", *change.facts.unnamed_volumes} <= set(names)
    for bind in change.net["body"]["HostConfig"]["Binds"]:
        await bench.writer.one("local").ask(lambda api, b=bind: api.remove_volume(b.partition(":")[0]))


async def test_remove_image(bench: Bench) -> None:
    rest, done = await bench.make("rest", "true"), await bench.make("done", "true")
    for target in (rest, done):
        await bench.writer.one("local").ask(lambda api, t=target: api.wait(t.partition("/")[2], timeout=20))
    with pytest.raises(Conflict, match="keeps this image for"):
        await bench.read("remove_image", image=bench.image, host="local")
    for target in (rest, done):
        assert (await bench.carry_out(await bench.read("remove_container", container=target), within=10)).verified
    removal = await bench.read("remove_image", image=bench.image, host="local")
    assert removal.facts.used_by == () and any("No undo" in note for note in removal.notes)
    assert (await bench.carry_out(removal, within=10)).verified
