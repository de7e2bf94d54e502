"""Everything that reaches the simulated services: recorded, and spoiled on demand."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.server import HANG_UP, Handler

KEPT = 20_000
"""Requests remembered; the oldest are forgotten first, so that a demo can run for days."""


@dataclass
class Request:
    """One request as a service received it; `status` is filled in when the answer starts."""

    service: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    at: float
    changes: bool
    """Whether it could change something in the homelab."""
    status: int | None = None
    ended: float | None = None
    """When the last byte of the answer had been handed over."""
    answer: bytes = b""
    """What was answered, where `Traffic.keeps_answers`."""


@dataclass
class Fault:
    """What goes wrong, with which requests, and how many more times."""

    service: str
    """Without a colon, all of its kind: "docker" is both "docker:nas" and "docker:mini"."""
    path: re.Pattern[str]
    """Searched in the path."""
    body: bytes
    """What `status` is answered with."""
    query: re.Pattern[str]
    """Searched in the decoded query."""
    method: str = "*"
    status: int | None = None
    """Answered without handling the request."""
    headers: dict[str, str] | None = None
    delay: float = 0.0
    """Seconds to wait first."""
    drop: bool = False
    """Close the socket before handling."""
    drop_after: bool = False
    """Handle fully, then close without an answer."""
    stall: bool = False
    """Never answer."""
    truncate: int | None = None
    """Close after this many bytes of the body."""
    times: int | None = 1
    """None: until it is cleared."""

    def matches(self, request: Request) -> bool:
        """Whether this fault is meant for the request."""
        return (
            self.service in (request.service, request.service.partition(":")[0])
            and self.method in ("*", request.method)
            and self.path.search(request.path) is not None
            and self.query.search(unquote_plus(request.query)) is not None
        )


@dataclass
class Traffic:
    """A recorder and fault injector that wraps the app of every simulated service."""

    requests: list[Request] = field(default_factory=list)
    """Everything received, oldest first."""
    keeps_answers: bool = False
    version: int = 0
    """Rises with every new request and every new status."""
    _faults: list[Fault] = field(default_factory=list)

    def fault(self, service: str, *, path: str = ".*", query: str = "", body: str | bytes = "", **how: Any) -> None:
        """Spoil the next matching requests: `how` are fields of a `Fault`; path and query are regular expressions."""
        content = body if isinstance(body, bytes) else body.encode()
        self._faults.append(Fault(service, re.compile(path), content, re.compile(query), **how))

    def clear(self, service: str | None = None) -> None:
        """Forget the faults of one service, or of all."""
        self._faults = [f for f in self._faults if service is not None and f.service != service]

    def wrap(self, service: str, app: ASGIApp, changes: Callable[[str, str], bool] | None = None) -> ASGIApp:
        """The same app, with its requests recorded and its faults injected.

        `changes` tells by method and path whether a request could change something; None: everything that is no GET.
        """

        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            request = await self._record(service, scope, receive, changes or _is_no_read)
            fault = self._take(request)
            replayed = _replay(request.body, receive)
            recorded = self._note_status(request, send)
            if fault is None:
                await app(scope, replayed, recorded)
            else:
                await _spoil(fault, app, scope, replayed, recorded)

        return wrapped

    async def _record(
        self, service: str, scope: Scope, receive: Receive, changes: Callable[[str, str], bool]
    ) -> Request:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = Request(
            service=service,
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=await _read_body(receive),
            at=time.time(),
            changes=changes(scope["method"], scope["path"]),
        )
        self.requests.append(request)
        del self.requests[:-KEPT]
        self.version += 1
        return request

    def _take(self, request: Request) -> Fault | None:
        for fault in self._faults:
            if fault.matches(request):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                return fault
        return None

    def _note_status(self, request: Request, send: Send) -> Send:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                self.version += 1
            elif self.keeps_answers and message["type"] == "http.response.body":
                request.answer += message.get("body", b"")
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                request.ended = time.time()

        return noting


def lines(
    traffic: Traffic, service: str, session: Callable[[], Callable[[str], str]], changes: Callable[[str, str], bool]
) -> Handler:
    """A server of a line protocol, recorded and spoiled like the others: a line's first word counts as the method.

    `session` begins a conversation: what answers each of its lines.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = session()
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            while line := (await reader.readline()).decode().strip():
                verb, _, rest = line.partition(" ")
                request = Request(service, verb, rest, "", {}, line.encode(), time.time(), changes(verb, rest), 200)
                traffic.requests.append(request)
                fault = traffic._take(request)
                if fault and (fault.drop or fault.stall):
                    await (reader.read() if fault.stall else asyncio.sleep(0))
                    break
                said = fault.body.decode() if fault and fault.body else answer(line)
                if fault and fault.drop_after:
                    break
                request.answer = said.encode()
                writer.write(said.encode())
                await writer.drain()

    return serve


def _is_no_read(method: str, path: str) -> bool:
    return method not in ("GET", "HEAD")


def never(method: str, path: str) -> bool:
    """For `Traffic.wrap`: what is said in a chat or thought about changes nothing in the homelab."""
    return False


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that yields the body already read, then whatever the connection says."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replaying() -> Message:
        return pending.pop() if pending else await receive()

    return replaying


async def _spoil(fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    hang_up: Callable[[], None] = scope[HANG_UP]
    await asyncio.sleep(fault.delay)
    if fault.drop:
        hang_up()
    elif fault.stall:
        await _until_disconnect(receive)
    elif fault.drop_after:
        await app(scope, receive, _discard)
        hang_up()
    else:
        if fault.truncate is not None:
            send = _cut_after(fault.truncate, send, hang_up)
        if fault.status is None:
            await app(scope, receive, send)
        else:
            await _answer(fault, fault.status, send)


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _discard(message: Message) -> None:
    """Drop the answer of a request whose effect shall happen all the same."""


def _cut_after(limit: int, send: Send, hang_up: Callable[[], None]) -> Send:
    left = limit

    async def cutting(message: Message) -> None:
        nonlocal left
        if message["type"] != "http.response.body":
            await send(message)
            return
        body = message.get("body", b"")
        if len(body) < left:
            left -= len(body)
            await send(message)
            return
        await send({"type": "http.response.body", "body": body[:left], "more_body": True})
        left = 0
        hang_up()

    return cutting


async def _answer(fault: Fault, status: int, send: Send) -> None:
    headers = {"content-length": str(len(fault.body))}
    if fault.body[:1] in (b"{", b"["):
        headers["content-type"] = "application/json"
    headers |= {name.lower(): value for name, value in (fault.headers or {}).items()}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": fault.body})
