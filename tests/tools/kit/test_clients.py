"""Clients: one that reads and one that writes for each service, opened when needed, closed together."""

import asyncio
from typing import Any

import pytest

from tools.kit import Access, Area, CircuitOpen, Link, Service, ServiceSettings, ToolFailed, Unreachable
from tools.kit.breaker import Breaker
from tools.kit.clients import Clients


class On(ServiceSettings):
    """Settings of a service that is on."""

    url: str = "http://on"


class Off(ServiceSettings):
    """Settings of a service that is off."""

    url: str = ""


class Client:
    def __init__(self, link: Link) -> None:
        self.link, self.closed = link, False


class Closing(Client):
    async def close(self) -> None:
        self.closed = True


def services(opened: list[str], slow: asyncio.Event | None = None) -> Clients:
    async def connect(link: Link) -> Client:
        opened.append(link.access)
        await asyncio.sleep(0)
        return Closing(link)

    async def hanging(link: Link) -> Client:
        await slow.wait()
        return Client(link)

    made: list[Service[Any]] = [
        Service("on", area=Area.NETWORK, settings=On, connect=connect),
        Service("off", area=Area.NETWORK, settings=Off, connect=connect),
        Service("own", area=Area.NETWORK, settings=Off, connect=connect, own=True),
        Service("slow", area=Area.NETWORK, settings=On, connect=hanging),
    ]
    settings = {service.name: service.settings() for service in made}
    return Clients(made, settings, stores="the stores")


async def test_a_client_is_opened_once_for_each_access() -> None:
    opened: list[str] = []
    clients = services(opened)
    first, *same = await asyncio.gather(*(clients.get("on", Access.READ) for _ in range(5)))
    assert all(client is first for client in same) and opened == ["read"]
    writer = await clients.get("on", Access.WRITE)
    assert writer is not first and writer.link.access is Access.WRITE and writer.link.stores == "the stores"


async def test_a_service_that_is_off_says_how_to_turn_it_on() -> None:
    clients = services([])
    assert [clients.configured(name) for name in ("on", "off", "own")] == [True, False, True]
    with pytest.raises(ToolFailed, match=r"\.env\.example"):
        await clients.get("off", Access.READ)


async def test_one_that_is_slow_to_open_holds_up_nobody_else() -> None:
    slow = asyncio.Event()
    clients = services([], slow)
    waiting = asyncio.create_task(clients.get("slow", Access.READ))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await clients.get("on", Access.READ)
    slow.set()
    await waiting
    await clients.close()


async def test_the_hosts_of_one_service_have_a_breaker_each() -> None:
    links: list[Link] = []

    async def connect(link: Link) -> Client:
        links.append(link)
        return Client(link)

    several = Service[Any]("rack", area=Area.NETWORK, settings=On, connect=connect, hosts=True)
    clients = Clients([several], {"rack": On()})
    for access in Access:
        await clients.get("rack", access)
    left, right = (links[0].breaker(name) for name in ("left", "right"))
    assert links[1].breaker("left") is left is not right
    for _ in range(3):
        with pytest.raises(Unreachable):
            async with clients.asking("rack"), left.asking_host():
                raise Unreachable("Left cannot be reached.")
    assert clients.health()["rack/left"].startswith("Left cannot be reached.") and clients.health()["rack/right"] == ""
    async with clients.asking("rack"):
        with pytest.raises(CircuitOpen) as refused:
            async with left.asking_host():
                raise AssertionError("asked all the same")
        async with right.asking_host(), right.asking_host():
            pass
    assert refused.value.why == "Left cannot be reached."
    async with clients.asking("rack", insist=True), left.asking_host():
        pass
    assert clients.health()["rack/left"] == ""


async def test_nothing_is_noted_of_a_host_while_nobody_watches() -> None:
    breaker = Breaker("left")
    for _ in range(4):
        with pytest.raises(Unreachable):
            async with breaker.asking_host():
                raise Unreachable("Left cannot be reached.")
    assert breaker.trouble == ""


async def test_everything_is_closed_together() -> None:
    clients = services([])
    opened = [await clients.get("on", access) for access in Access]
    await clients.close()
    assert all(client.closed for client in opened)
    assert await clients.get("on", Access.READ) is not opened[0]
