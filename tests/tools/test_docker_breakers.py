"""One breaker per Docker host: a dead one is left alone, the others go on, and a change always goes through."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.fakes import Clock
from tests.tools.conftest import TOOLS, Rack
from tools.docker import service
from tools.docker.facts import container_facts
from tools.docker.hosts import DockerHosts
from tools.docker.settings import Settings
from tools.kit import Access, CircuitOpen, Context, NoAnswer, OutcomeUnknown, Unreachable
from tools.kit.clients import Clients

LOST = "mini: The connection was lost: check that Docker listens there, and whether it wants TLS (https://)."
REFUSED = "cannot be reached (connection refused): check that it runs and that its port is right."


@pytest.fixture
async def clients(rack: Rack, clock: Clock) -> AsyncIterator[Clients]:
    addresses = {name: engine.address for name, engine in rack.reader.items()}
    made = Clients([service], {"docker": Settings(docker_hosts=addresses)}, clock=clock)
    yield made
    await made.close()


def spoil(rack: Rack, host: str = "mini") -> None:
    rack.traffic.fault(f"docker:{host}", drop=True, times=None)


def heal(rack: Rack) -> None:
    rack.traffic._faults.clear()


async def listed(
    clients: Clients, tool: str = "list_containers", *, insist: bool = False
) -> tuple[set[str], list[str]]:
    """The hosts that answered a listing, and why the others did not."""
    async with clients.asking("docker", insist=insist):
        hosts: DockerHosts = await clients.get("docker", Access.READ)
        result = await TOOLS[tool].run(Context(hosts))
    rows = {"list_containers": "containers", "get_system_info": "hosts"}.get(tool, tool.partition("_")[2])
    return {row.host for row in getattr(result, rows)}, [f"{down.name}: {down.reason}" for down in result.down]


def asked(rack: Rack, host: str) -> int:
    return sum(request.service == f"docker:{host}" for request in rack.traffic.requests)


async def test_a_dead_host_is_left_alone_and_the_other_answers(rack: Rack, clients: Clients) -> None:
    spoil(rack)
    for _ in range(3):
        assert await listed(clients) == ({"nas"}, [LOST])
    before = asked(rack, "mini")
    for _ in range(5):
        assert await listed(clients) == ({"nas"}, [LOST])
    assert asked(rack, "mini") == before, "it was asked while it is given a pause"
    health = clients.health()
    assert list(health) == ["docker/nas", "docker/mini"] and health["docker/nas"] == ""
    assert health["docker/mini"].startswith("The connection to Docker on mini was lost")
    assert "tried again in 5 s" in health["docker/mini"]


async def test_a_target_on_the_live_host_is_found_however_often_the_dead_one_was_asked(
    rack: Rack, clients: Clients
) -> None:
    spoil(rack)
    hosts: DockerHosts = await clients.get("docker", Access.READ)
    for _ in range(4):
        with pytest.raises(Unreachable, match="may be on mini"):
            async with clients.asking("docker"):
                await TOOLS["get_container_details"].resolved["container"].find(hosts, "no-such-thing")
    async with clients.asking("docker"):
        [target] = await TOOLS["get_container_details"].resolved["container"].find(hosts, "jellyfin")
        assert (await TOOLS["get_container_details"].run(Context(hosts), container=target.id)).name == "jellyfin"


@pytest.mark.parametrize("tool", ["list_containers", "list_images", "list_networks", "list_volumes", "get_system_info"])
async def test_after_the_pause_one_question_tries_and_counts_in_full(
    rack: Rack, clients: Clients, clock: Clock, tool: str
) -> None:
    spoil(rack)
    for _ in range(3):
        await listed(clients)
    clock.now += 5
    before = asked(rack, "mini")
    assert (await listed(clients, tool))[0] == {"nas"}
    assert asked(rack, "mini") > before
    before = 0
    # What was asked beside the one that failed is still under way, and tried again.
    while before != (before := asked(rack, "mini")):  # noqa: ASYNC110
        await asyncio.sleep(0.3)
    await listed(clients)
    assert asked(rack, "mini") == before, "the pause begins again, longer"
    heal(rack)
    clock.now += 10
    assert await listed(clients, tool) == ({"nas", "mini"}, []), "what asks twice at once is one trial"
    assert clients.health()["docker/mini"] == ""


async def test_whoever_insists_goes_through(rack: Rack, clients: Clients) -> None:
    spoil(rack)
    for _ in range(3):
        await listed(clients)
    heal(rack)
    assert (await listed(clients))[0] == {"nas"}
    assert (await listed(clients, insist=True))[0] == {"nas", "mini"}
    assert (await listed(clients))[0] == {"nas", "mini"}, "what was seen while insisting counts"


async def test_a_change_and_the_look_after_it_are_never_held_up(rack: Rack, clients: Clients) -> None:
    target = await rack.id("mini/pihole")
    hosts: DockerHosts = await clients.get("docker", Access.READ)
    async with clients.asking("docker", insist=True):
        change = await TOOLS["restart_container"].run(Context(hosts), container=target)
    spoil(rack)
    for _ in range(3):
        await listed(clients)
    heal(rack)
    rack.traffic.fault("docker:mini", method="POST", drop=True)
    with pytest.raises(OutcomeUnknown):
        await change.do(await clients.get("docker", Access.WRITE))
    await change.do(await clients.get("docker", Access.WRITE))
    assert (await change.facts.again(hosts)).state == "running"
    async with clients.asking("docker"):
        with pytest.raises(CircuitOpen, match="mini was not asked: The connection to Docker on mini was lost"):
            await container_facts(hosts, target)


async def test_a_host_that_is_off_says_so_while_it_rests(rack: Rack, clock: Clock) -> None:
    addresses = {"nas": rack.reader["nas"].address, "attic": "tcp://127.0.0.1:1"}
    clients = Clients([service], {"docker": Settings(docker_hosts=addresses)}, clock=clock)
    for _ in range(5):
        assert await listed(clients) == ({"nas"}, [f"attic: {REFUSED}"])
    async with clients.asking("docker"):
        glance = await service.look(Context(await clients.get("docker", Access.READ)))  # type: ignore[misc]
    assert [(t.name, t.where, t.detail, t.red) for t in glance.troubles][0] == ("attic", "docker", REFUSED, True)
    await clients.close()


async def test_a_host_that_only_hangs_is_no_answer_and_then_costs_no_time(rack: Rack, clients: Clients) -> None:
    rack.traffic.fault("docker:mini", stall=True, times=None)
    hosts: DockerHosts = await clients.get("docker", Access.READ)
    for _ in range(3):
        async with clients.asking("docker"):
            with pytest.raises(NoAnswer, match="in time"):
                await hosts["mini"].ask(lambda api: api.containers(), patience=0.3)
    before = asked(rack, "mini")
    assert await listed(clients) == ({"nas"}, ["mini: did not answer in time: try again in a moment."])
    assert asked(rack, "mini") == before and "in time" in clients.health()["docker/mini"]
