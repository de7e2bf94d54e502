"""The Docker tools against a real engine: `RACKHAND_TEST_ENGINE=unix:///…` (any address of DOCKER_HOST)."""

import io
import os
import shutil
import tarfile
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lab.traffic import Traffic
from tests.tools.conftest import Rack
from tools.docker import service
from tools.docker.hosts import DockerHosts
from tools.docker.settings import Settings
from tools.kit import Access, Conflict, Gone
from tools.kit.types import outside_text

ADDRESS = os.environ.get("RACKHAND_TEST_ENGINE", "")
BUSYBOX = shutil.which("busybox")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not ADDRESS, reason="RACKHAND_TEST_ENGINE is not set"),
    pytest.mark.skipif(not BUSYBOX, reason="busybox is not installed (busybox-static)"),
]

COUNT = "i=0; while true; do echo line $i $SECRET_KEY; i=$((i+1)); sleep 0.2; done"


class Bench(Rack):
    """A real engine with an image of its own; everything it makes carries a label and is removed at the end."""

    mark: str
    image: str

    async def make(self, name: str, command: str = COUNT, start: bool = True, **more: Any) -> str:
        engine = self.writer.one("local")
        body = {
            "Image": self.image,
            "Cmd": ["/bin/busybox", "sh", "-c", command],
            "Env": ["SECRET_KEY=geheim-99-geheim", "PATH=/bin"],
            "Labels": {"rackhand.test": self.mark},
            "StopTimeout": 1,
            "HostConfig": {"NetworkMode": "none", "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
        } | more
        made = await engine.ask(lambda api: api.create(body, f"{name}-{self.mark}"))
        if start:
            await engine.ask(lambda api: api.start(made["Id"]))
        return f"local/{made['Id']}"


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    settings = Settings(docker_hosts={"local": ADDRESS})
    reader: DockerHosts = await service.open(settings, Access.READ)
    writer: DockerHosts = await service.open(settings, Access.WRITE)
    bench = Bench(None, Traffic(), reader, writer)  # type: ignore[arg-type]
    bench.mark = uuid.uuid4().hex[:8]
    bench.image = f"rackhand-test-{bench.mark}:latest"
    engine = writer.one("local")
    await engine.ask(lambda api: api.import_image_from_data(_root(), repository=bench.image.partition(":")[0]))
    yield bench
    for item in await engine.ask(
        lambda api: api.containers(all=True, filters={"label": f"rackhand.test={bench.mark}"})
    ):
        await engine.ask(lambda api, i=item["Id"]: api.remove_container(i, force=True, v=True))
    with suppress(Gone, Conflict):
        await engine.ask(lambda api: api.remove_image(bench.image))
    reader.close()
    writer.close()


def _root() -> bytes:
    """A file system with nothing but busybox."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        assert BUSYBOX is not None
        tar.add(Path(BUSYBOX).resolve(), "bin/busybox")
    return file.getvalue()


async def test_reads(bench: Bench) -> None:
    target = await bench.make("reader")
    listing = await bench.read("list_containers")
    [row] = [row for row in listing.containers if row.name == f"reader-{bench.mark}"]
    assert (row.state, row.restarts, row.health) == ("running", 0, "none") and row.since is not None
    assert await bench.id(row.name) == await bench.id(row.id) == target
    details = await bench.read("get_container_details", container=target)
    assert "geheim" not in details.model_dump_json() and "SECRET_KEY" in details.env
    assert details.restart_policy == "on-failure" and details.networks == ["none"]
    stats = await bench.read("get_container_stats", container=target)
    assert stats.pids >= 1 and stats.cpu_percent is not None
    for tool in ("get_system_info", "list_images", "list_networks", "list_volumes"):
        result = await bench.read(tool)
        assert result.hosts_down == [] and list(outside_text(result)) == [], tool
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
    before = await bench.reader.one("local").ask(lambda api: api.inspect_container(target.partition("/")[2]))
    change = await bench.read("remove_container", container=target)
    assert len(change.facts.unnamed_volumes) == 1 and "geheim" not in change.facts.model_dump_json()
    removed = await bench.carry_out(change, within=15)
    assert removed.verified and removed.after.state == "gone"
    again = await bench.undo(removed)
    assert again.error is None and again.after.state == "running"
    after = await bench.reader.one("local").ask(lambda api: api.inspect_container(f"precious-{bench.mark}"))
    for key in ("Env", "Cmd", "Labels", "Hostname", "User", "WorkingDir", "Image", "StopTimeout"):
        assert after["Config"][key] == before["Config"][key], key
    for key in ("RestartPolicy", "NetworkMode"):
        assert after["HostConfig"][key] == before["HostConfig"][key], key
    assert after["Image"] == before["Image"] and after["Id"] != before["Id"]
    assert [mount["Name"] for mount in after["Mounts"]] == [mount["Name"] for mount in before["Mounts"]]


async def test_prune_and_remove_image(bench: Bench) -> None:
    rest = await bench.make("rest", "true", Labels={"rackhand.test": bench.mark, "rackhand.forbid": "1"})
    done = await bench.make("done", "true")
    for target in (rest, done):
        await bench.writer.one("local").ask(lambda api, t=target: api.wait(t.partition("/")[2], timeout=20))
    change = await bench.read("prune_system", host="local")
    assert f"done-{bench.mark}" in change.facts.containers and f"rest-{bench.mark}" not in change.facts.containers
    busy = await bench.carry_out(await bench.read("remove_image", image=bench.image, host="local"), within=0.2)
    assert isinstance(busy.error, Conflict)
    for target in (rest, done):
        assert (await bench.carry_out(await bench.read("remove_container", container=target), within=10)).verified
    removal = await bench.read("remove_image", image=bench.image, host="local")
    assert removal.facts.used_by == () and any("No undo" in note for note in removal.notes)
    assert (await bench.carry_out(removal, within=10)).verified
