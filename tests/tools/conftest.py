"""Two simulated Docker hosts behind real HTTP, and the clients a gate would open for them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.server import serve
from lab.services.docker.app import docker_app
from lab.services.docker.engine.host import Host
from lab.services.docker.engine.model import Container
from lab.traffic import Traffic
from lab.world import World
from tests.engines import ADDRESSES
from tools.docker import service
from tools.docker.hosts import DockerHosts
from tools.docker.names import find_container
from tools.docker.settings import Settings
from tools.kit import Access, Change, Context, Deed, Facts, Glance, ToolFailed

TOOLS = {tool.name.removeprefix("docker_"): tool for tool in service.tools}


@dataclass
class Outcome:
    """A change carried to its end, as a gate would."""

    change: Change[Any]
    before: Facts
    after: Facts
    verified: bool
    error: ToolFailed | None = None


class KeptNets:
    """The nets of one test."""

    def __init__(self) -> None:
        self.all: dict[str, dict[str, Any]] = {}

    async def open(self, net: str) -> dict[str, Any]:
        return self.all[net]


@dataclass
class Rack:
    """A world, its daemons, and a reading and a writing client."""

    world: World
    traffic: Traffic
    reader: DockerHosts
    writer: DockerHosts
    nets: KeptNets = field(default_factory=KeptNets)
    deeds: list[Deed] = field(default_factory=list)
    """What was done through the bot, newest first."""
    steps: list[str] = field(default_factory=list)
    """Those of the last change that has any."""

    @property
    def ctx(self) -> Context[DockerHosts]:
        return Context(self.reader, nets=self.nets, past=self._past)

    async def _past(self) -> list[Deed]:
        return self.deeds

    async def read(self, tool: str, **args: Any) -> Any:
        return await TOOLS[tool].run(self.ctx, **args)

    async def glance(self) -> Glance:
        return await service.look(self.ctx)  # type: ignore[misc]

    async def id(self, name: str) -> str:
        [target] = await find_container(self.reader, name)
        return target.id

    def at(self, place: str) -> tuple[Host, Container]:
        host, _, name = place.partition("/")
        return self.world.hosts[host], self.world.hosts[host].get(name)

    def writes(self) -> list[str]:
        return [f"{r.method} {r.path}" for r in self.traffic.requests if r.changes]

    async def carry_out(self, change: Change[Any], within: float = 3.0) -> Outcome:
        error = None
        try:
            doing = change.do(self.writer)
            if isinstance(doing, AsyncIterator):
                self.steps = [step async for step in doing]
            else:
                await doing
        except ToolFailed as failed:
            error = failed
        clock = asyncio.get_running_loop().time
        until = clock() + within
        while True:
            after = await change.facts.again(self.reader)
            verified = change.expect(change.facts, after)
            if verified or clock() > until:
                return Outcome(change, change.facts, after, verified, error)
            await asyncio.sleep(0.05)

    async def undo(self, outcome: Outcome, within: float = 3.0) -> Outcome:
        net = "net-1" if outcome.change.net else ""
        if outcome.change.net:
            self.nets.all[net] = outcome.change.net
        call = outcome.change.undo(outcome.before, net)
        tool = TOOLS[call.tool.removeprefix("docker_")]
        args = dict(tool.parameters.model_validate(call.args))
        return await self.carry_out(await tool.run(self.ctx, **args), within)


@pytest.fixture(params=ADDRESSES)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Each real engine in turn."""
    from tests.tools.bench import BUSYBOX, open_bench

    if not (address := ADDRESSES[request.param]):
        pytest.skip(f"there is no {request.param} to test with")
    if not BUSYBOX:
        pytest.skip("busybox is not installed (busybox-static)")
    async with open_bench(address) as bench:
        yield bench


@pytest.fixture
async def rack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rack]:
    monkeypatch.setattr("tools.docker.facts.STEADY_SECONDS", 0.1)
    world, traffic = World(3), Traffic()
    world.latency = world.health_after = 0.0
    servers = {name: await serve(traffic.wrap(f"docker:{name}", docker_app(world, name))) for name in world.hosts}
    registry = servers["registry"] = await serve(traffic.wrap("registry", world.registries.app()))
    settings = Settings(
        docker_hosts={name: f"tcp://127.0.0.1:{servers[name].port}" for name in world.hosts},
        docker_registries={name: f"{registry.url}/{name}" for name in world.registries.names()},
    )
    reader = await service.open(settings, Access.READ)
    writer = await service.open(settings, Access.WRITE)
    yield Rack(world, traffic, reader, writer)
    await reader.close()
    await writer.close()
    for server in servers.values():
        await server.stop()
