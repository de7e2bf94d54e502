"""Docker engines that need a given time for each request, in a process of their own on a core of its own.

What the lab's engine answers is kept and given again, so that an engine costs next to nothing beside its delay. One
more may be broken: it hangs (takes the connection, never answers), swallows (takes no connection), or refuses.
"""

import argparse
import asyncio
import contextlib
import json
import socket

import httpx

from lab.services.docker.app import docker_app
from lab.world import World
from tests.bench.clients.task import pin
from tests.bench.double import Connection

STOPPED = 20
"""Every so-manieth container is off."""
BREAKS = ("hangs", "swallows", "refuses")


class Engine:
    """One host: its answers, by what was asked."""

    def __init__(self, seed: int, delay: float) -> None:
        self.world, self.delay = World(seed), delay
        self.world.latency = self.world.health_after = 0.0
        self._known: dict[str, tuple[int, str, bytes]] = {}
        app = httpx.ASGITransport(docker_app(self.world, "nas"))
        self._client = httpx.AsyncClient(transport=app, base_url="http://nas")

    async def fill(self, number: int) -> None:
        """Make it a host with so many containers."""
        host = self.world.hosts["nas"]
        image = next(iter(host.containers())).config["Image"]
        host.all.clear()
        for index in range(number):
            made = await self._client.post(f"/containers/create?name=thing-{index:03}", json={"Image": image})
            if index % STOPPED:
                await self._client.post(f"/containers/{made.json()['Id']}/start")

    async def answer(self, path: str) -> tuple[int, str, bytes]:
        """What it says to a GET, at once."""
        if path not in self._known:
            said = await self._client.get(path)
            self._known[path] = said.status_code, said.headers.get("content-type", "text/plain"), said.content
        return self._known[path]


class EngineConnection(Connection):
    """Answers after the engine's delay."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._engine, self._tasks = engine, set[asyncio.Task[None]]()

    def asked(self, target: str, body: bytes) -> None:
        task = asyncio.create_task(self._later(target))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, target: str) -> None:
        await asyncio.sleep(self._engine.delay)
        self.write(*await self._engine.answer(target))


def broken(how: str, kept: contextlib.ExitStack) -> str:
    """The address of an engine that is broken like this."""
    taken = kept.enter_context(socket.socket())
    taken.bind(("127.0.0.1", 0))
    if how != "refuses":
        taken.listen(0 if how == "swallows" else 100)
    if how == "swallows":  # fill the queue: the kernel drops whatever knocks then
        for _ in range(4):
            waiting = kept.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(taken.getsockname())
    return f"tcp://127.0.0.1:{taken.getsockname()[1]}"


async def run(hosts: int, containers: int, delay: float, how: str) -> None:
    """Serve until the process is ended; the hosts' addresses are the line that it prints."""
    addresses, loop = {}, asyncio.get_running_loop()
    with contextlib.ExitStack() as kept:
        for number in range(hosts - bool(how)):
            engine = Engine(number + 1, delay)
            await engine.fill(containers)
            server = await loop.create_server(lambda engine=engine: EngineConnection(engine), "127.0.0.1", 0)
            addresses[f"host{number}"] = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        if how:
            addresses["broken"] = broken(how, kept)
        print(json.dumps(addresses), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--containers", type=int, required=True)
    parser.add_argument("--delay", type=float, required=True)
    parser.add_argument("--broken", default="")
    options = parser.parse_args()
    pin(0)
    asyncio.run(run(options.hosts, options.containers, options.delay, options.broken))
