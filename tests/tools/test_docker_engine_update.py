"""Changing places on real engines: the new image's container in the old one's place, and back."""

import pytest

from tests.tools.bench import Bench, root
from tools.docker.recreate import way_back
from tools.docker.replace import for_image, place, prepare, take_back

pytestmark = pytest.mark.engine


async def test_they_change_places_and_back(bench: Bench) -> None:
    name, engine = f"tenant-{bench.mark}", bench.writer.one("local")
    target = await bench.make("tenant", Volumes={"/data": {}})
    old, before = target.rpartition("/")[2], await bench.inspect(target)
    defaults = (await bench.reader.one("local").image(bench.image) or {})["Config"]
    kept, obstacle = await way_back(bench.reader, target)
    assert kept is not None, obstacle
    await engine.ask(
        lambda api: api.import_image_from_data(root() + bytes(1024), repository=bench.image.partition(":")[0])
    )
    await prepare(engine, for_image(kept, bench.image, defaults or {}), name, old)
    assert len([step async for step in place(engine, name, old, 1)]) == 6
    after = await bench.inspect(name)
    assert after["Id"] != old and after["State"]["Status"] == "running"
    assert [each["Name"] for each in after["Mounts"]] == [each["Name"] for each in before["Mounts"]]
    assert (await bench.inspect(target))["State"]["Status"] == "exited"
    await take_back(engine, name, old)
    again = await bench.inspect(name)
    assert again["Id"] == old and again["State"]["Status"] == "running"
    assert again["HostConfig"]["RestartPolicy"] == before["HostConfig"]["RestartPolicy"]
