"""A real engine with an image of its own; everything a test makes carries a label and is removed at the end."""

import io
import shutil
import tarfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from lab.traffic import Traffic
from tests.tools.conftest import Rack
from tools.docker import service
from tools.docker.hosts import DockerHosts
from tools.docker.settings import Settings
from tools.kit import Access, Conflict, Gone, OutcomeUnknown

BUSYBOX = shutil.which("busybox")
COUNT = "i=0; while true; do echo line $i $SECRET_KEY; i=$((i+1)); sleep 0.2; done"


class Bench(Rack):
    """The engine as `local`."""

    mark: str
    image: str
    podman: bool

    async def create(self, name: str, body: dict[str, Any]) -> str:
        """A container with the mark of this test, not started; its id."""
        body = {"StopTimeout": 1, **body, "Labels": {"rackhand.test": self.mark, **body.get("Labels", {})}}
        made = await self.writer.one("local").ask(lambda api: api.create(body, f"{name}-{self.mark}"))
        return str(made["Id"])

    async def make(self, name: str, command: str = COUNT, start: bool = True, **more: Any) -> str:
        """One like those that people have, running unless told otherwise; its target."""
        body = {
            "Image": self.image,
            "Cmd": ["/bin/busybox", "sh", "-c", command],
            "Env": ["SECRET_KEY=geheim-99-geheim", "PATH=/bin"],
            "HostConfig": {"NetworkMode": "none", "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
        } | more
        made = await self.create(name, body)
        if start:
            await self.writer.one("local").ask(lambda api: api.start(made))
        return f"local/{made}"

    async def inspect(self, target: str) -> dict[str, Any]:
        """A container by its target or its name."""
        reference = target.rpartition("/")[2]
        found: dict[str, Any] = await self.reader.one("local").ask(lambda api: api.inspect_container(reference))
        return found

    async def clear(self) -> None:
        """Remove every container of this test, with the volumes that only it can have mounted."""
        engine, mine = self.writer.one("local"), {"label": f"rackhand.test={self.mark}"}
        listed = await engine.ask(lambda api: api.containers(all=True, filters=mine))
        for item in (*listed, *listed):  # Podman removes what others lean on only after them
            with suppress(Gone, OutcomeUnknown):
                await engine.ask(lambda api, i=item["Id"]: api.remove_container(i, force=True, v=True))
        assert await engine.ask(lambda api: api.containers(all=True, filters=mine)) == []
        for name in {mount["Name"] for item in listed for mount in item["Mounts"] if mount["Type"] == "volume"}:
            with suppress(Gone, Conflict):
                await engine.ask(lambda api, n=name: api.remove_volume(n))


@asynccontextmanager
async def open_bench(address: str) -> AsyncIterator[Bench]:
    """A bench on the engine at this address."""
    settings = Settings(docker_hosts={"local": address})
    reader: DockerHosts = await service.open(settings, Access.READ)
    writer: DockerHosts = await service.open(settings, Access.WRITE)
    bench = Bench(None, Traffic(), reader, writer)  # type: ignore[arg-type]
    bench.mark = uuid.uuid4().hex[:8]
    bench.image = f"rackhand-test-{bench.mark}:latest"
    engine = writer.one("local")
    await engine.ask(lambda api: api.import_image_from_data(root(), repository=bench.image.partition(":")[0]))
    bench.podman = await engine.ask(lambda api: api.podman)
    try:
        yield bench
    finally:
        await bench.clear()
        for image in (bench.image, f"entry-{bench.mark}:latest"):
            with suppress(Gone, Conflict):
                await engine.ask(lambda api, i=image: api.remove_image(i))
        await reader.close()
        await writer.close()


def root() -> bytes:
    """A file system with nothing but busybox."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        assert BUSYBOX is not None
        tar.add(Path(BUSYBOX).resolve(), "bin/busybox")
    return file.getvalue()
