"""The recorder and fault injector, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from lab.server import serve
from lab.traffic import Traffic


class Counter:
    """A service with one effect, so that a test can see whether a request was handled."""

    def __init__(self) -> None:
        self.handled = 0

    def app(self) -> Starlette:
        """Routes that count and echo, stream for ever, and wait for ever."""
        return Starlette(
            routes=[
                Route("/echo", self.echo, methods=["GET", "POST"]),
                Route("/stream", self.stream),
                Route("/wait", self.wait),
            ]
        )

    async def echo(self, request: Request) -> Response:
        self.handled += 1
        return PlainTextResponse(b"echo:" + await request.body())

    async def stream(self, request: Request) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            yield b"first\n"
            await asyncio.Event().wait()

        return StreamingResponse(lines())

    async def wait(self, request: Request) -> Response:
        await asyncio.Event().wait()
        return Response()


@asynccontextmanager
async def running(traffic: Traffic, counter: Counter) -> AsyncIterator[httpx.AsyncClient]:
    server = await serve(traffic.wrap("counter", counter.app()))
    async with httpx.AsyncClient(base_url=server.url, timeout=5) as client:
        yield client
    await server.stop()


@pytest.mark.parametrize(("kind", "handled"), [("drop", 0), ("drop_after", 1)])
async def test_a_dropped_request_is_handled_only_when_asked(kind: str, handled: int) -> None:
    traffic, counter = Traffic(), Counter()
    traffic.fault("counter", method="POST", drop=kind == "drop", drop_after=kind == "drop_after")
    async with running(traffic, counter) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/echo")
        assert counter.handled == handled
        assert (await client.post("/echo")).status_code == 200


async def test_truncate_cuts_the_body_and_delay_alone_does_not() -> None:
    traffic, counter = Traffic(), Counter()
    traffic.fault("counter", truncate=3)
    traffic.fault("counter", delay=0.001)
    async with running(traffic, counter) as client:
        received = b""
        with pytest.raises(httpx.RemoteProtocolError):
            async with client.stream("POST", "/echo", content=b"hello") as answer:
                async for chunk in answer.aiter_raw():
                    received += chunk
        assert received == b"ech"
        assert (await client.post("/echo", content=b"hello")).text == "echo:hello"


async def test_stall_never_answers_and_clear_ends_it() -> None:
    traffic, counter = Traffic(), Counter()
    traffic.fault("counter", stall=True, times=None)
    async with running(traffic, counter) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/echo", timeout=0.05)
        traffic.clear("another")
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/echo", timeout=0.05)
        traffic.clear("counter")
        assert (await client.get("/echo")).status_code == 200
    assert counter.handled == 1


async def test_a_fault_of_a_kind_of_service_meets_each_of_them() -> None:
    traffic, counter = Traffic(), Counter()
    traffic.fault("docker:nas", path="echo", status=502)
    traffic.fault("docker", status=503, times=2)
    statuses = []
    for host in ("pve2", "nas", "nas", "nas"):
        server = await serve(traffic.wrap(f"docker:{host}", counter.app()))
        async with httpx.AsyncClient(base_url=server.url) as client:
            statuses.append((await client.get("/echo")).status_code)
        await server.stop()
    assert statuses == [503, 502, 503, 200]


async def test_stop_ends_open_requests_and_streams() -> None:
    server = await serve(Counter().app())
    async with httpx.AsyncClient(base_url=server.url, timeout=5) as client:
        waiting = asyncio.create_task(client.get("/wait"))
        async with client.stream("GET", "/stream") as stream:
            lines = stream.aiter_raw()
            assert await anext(lines) == b"first\n"
            await server.stop()
            with pytest.raises(httpx.RemoteProtocolError):
                await anext(lines)
        with pytest.raises(httpx.RemoteProtocolError):
            await waiting
        with pytest.raises(httpx.ConnectError):
            await client.get("/echo")


async def test_a_fault_may_be_meant_for_one_query() -> None:
    traffic, counter = Traffic(), Counter()
    async with running(traffic, counter) as http:
        traffic.fault("counter", path="/echo", query='"id": "a b"', status=500)
        for asked in ("", '{"id": "a"}'):
            assert (await http.get("/echo", params={"filters": asked})).status_code == 200
        assert (await http.get("/echo", params={"filters": '{"id": "a b"}'})).status_code == 500
