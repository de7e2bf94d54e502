"""A REST service on loopback that answers what a test lays out, and clients to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from lab.server import Server, serve
from lab.traffic import Traffic
from tools.kit import Access, Api, ToolFailed
from tools.kit.http import USUAL_PAUSE

SECRET = "geheim-1234567890"
POST_READS = frozenset({"/graphql", "/sites/{}/query"})


@dataclass
class Service:
    """A server that answers what the test lays out, in pieces, and otherwise echoes what it was asked."""

    bodies: dict[str, list[bytes]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope["raw_path"].decode()
        echo = json.dumps({"raw": raw, "query": scope["query_string"].decode()}).encode()
        pieces = self.bodies.get(scope["path"], [echo])
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": encoded})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(self.pause)
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Bench:
    """The server, its log, and clients to it; every pause between attempts is noted instead of taken."""

    service: Service
    traffic: Traffic
    server: Server
    pauses: list[float] = field(default_factory=list)
    opened: list[Api] = field(default_factory=list)

    def api(self, access: Access = Access.READ, base: str = "/api", **options: Any) -> Api:
        async def noted(seconds: float) -> None:
            self.pauses.append(seconds)

        url = options.pop("url", self.server.url + base)
        made = Api("Pi-hole", url, access=access, post_reads=POST_READS, sleep=noted, **options)
        self.opened.append(made)
        return made

    def asked(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.traffic.requests]

    def fault(self, **what: Any) -> None:
        self.traffic.fault("svc", **what)


@pytest.fixture(autouse=True)
def pauses(hurry: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here they are noted, and must be as they are."""
    monkeypatch.setattr("tools.kit.http.USUAL_PAUSE", USUAL_PAUSE)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    service, traffic = Service(), Traffic()
    server = await serve(traffic.wrap("svc", service))
    made = Bench(service, traffic, server)
    yield made
    for api in made.opened:
        await api.close()
    await server.stop()


async def failure(call: Any) -> ToolFailed:
    """The error that a call ends with."""
    with pytest.raises(ToolFailed) as caught:
        await call
    return caught.value
