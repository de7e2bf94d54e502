"""An engine that keeps sending a little, for ever: every thread is free again at its deadline, whatever comes."""

import asyncio
import contextlib
import sys
import threading
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.tools.far import far_side
from tools.docker.hosts import DockerHosts, Engine
from tools.kit import Access, NoAnswer, OutcomeUnknown, ToolFailed

PATIENCE = 0.6
SLACK = 10.0
"""Seconds that a busy machine may add: whatever is held up here is held up for ever."""
WORKERS = 4
VERSION = b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"ApiVersion":"1.47"}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DRIPS: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "status line": (b"HTTP/1.1 ", b"2"),
    "headers": (HEAD, b"X-Drop: 1\r\n"),
    "one header": (HEAD + b"X-Drop: ", b"a"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body until the end": (HEAD + b"\r\n", b" "),
    "body with a length": (HEAD + b"Content-Length: 1000000\r\n\r\n", b" "),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "one chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n", b" "),
    "the size of a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "trailers": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: 1\r\n"),
    "the body of a redirect": (b"HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n", b" "),
    "the body of a refusal": (b"HTTP/1.1 500 Oops\r\n\r\n", b" "),
}
Streams = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def dripping(kind: str, *, pause: float = 0.05, version: bool = False) -> Streams:
    """A server that answers like this for ever; with `version`, properly when it is asked for that."""
    first, drop = DRIPS[kind]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if version:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(VERSION)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(pause)

    return serve


@asynccontextmanager
async def serving(serve: Streams, path: Path | None = None) -> AsyncIterator[str]:
    """The address of such a server, on TCP or a unix socket."""
    under_way: set[asyncio.Task[Any]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way.add(asyncio.current_task())  # type: ignore[arg-type]
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    if path is None:
        server = await asyncio.start_server(one, "127.0.0.1")
        address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    else:
        server, address = await asyncio.start_unix_server(one, path), f"unix://{path}"
    try:
        yield address
    finally:
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way)


@asynccontextmanager
async def engine_at(serve: Streams, access: Access, *, path: Path | None = None) -> AsyncIterator[Engine]:
    """A client of such a server."""
    async with serving(serve, path) as address:
        engine = Engine("nas", address, access)
        try:
            yield engine
        finally:
            engine.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("READ_PATIENCE", "WRITE_PATIENCE"):
        monkeypatch.setattr(f"tools.docker.hosts.{name}", PATIENCE)


async def refused(engine: Engine, call: Callable[[Any], Any] = lambda api: api.containers()) -> ToolFailed:
    with pytest.raises(ToolFailed) as caught:
        await engine.ask(call)
    return caught.value


async def all_free(engine: Engine, within: float = SLACK) -> None:
    """Every thread of the host takes new work; with one that is held this breaks."""
    meeting = threading.Barrier(WORKERS)
    await asyncio.gather(*(engine._threads.run(meeting.wait, within) for _ in range(WORKERS)))


async def held_up(engine: Engine, requests: int) -> list[ToolFailed]:
    """So many requests at once, all of which end in time, and so do their threads."""
    began = time.monotonic()
    found = await asyncio.gather(*(refused(engine) for _ in range(requests)))
    await all_free(engine)
    rounds = -(-requests // WORKERS)
    assert time.monotonic() - began < rounds * PATIENCE + SLACK, "it waited for longer than it has patience"
    return found


@pytest.mark.parametrize("kind", DRIPS)
async def test_no_answer_holds_a_thread_beyond_its_deadline(kind: str) -> None:
    async with engine_at(dripping(kind), Access.READ) as engine:
        for error in await held_up(engine, WORKERS):
            assert type(error) is NoAnswer and "in time" in str(error)


async def test_nor_over_a_unix_socket(tmp_path: Path) -> None:
    async with engine_at(dripping("headers"), Access.READ, path=tmp_path / "d.sock") as engine:
        assert {type(error) for error in await held_up(engine, 2 * WORKERS)} == {NoAnswer}


async def test_nor_does_a_flood_of_interim_answers() -> None:
    async with engine_at(dripping("100 Continue", pause=0.0), Access.READ) as engine:
        assert {type(error) for error in await held_up(engine, 2)} == {NoAnswer}


async def test_a_change_whose_answer_drips_is_unknown() -> None:
    async with engine_at(dripping("one chunk", version=True), Access.WRITE) as engine:
        assert type(await refused(engine, lambda api: api.start("x"))) is OutcomeUnknown
        await all_free(engine)


async def test_an_engine_that_does_not_take_the_request() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(VERSION)
        while await reader.read(1):  # noqa: ASYNC110 - a byte now and then makes room for the next
            await asyncio.sleep(0.05)

    async with engine_at(deaf, Access.WRITE) as engine:
        large = {"Image": "x" * (16 << 20)}
        assert type(await refused(engine, lambda api: api.create(large, "x"))) is OutcomeUnknown
        await all_free(engine)


async def test_a_log_that_drips_ends_at_its_time_with_what_came() -> None:
    async with engine_at(dripping("chunks"), Access.READ) as engine:

        def read(api: Any) -> bytes:
            return b"".join(api.pieces(api.log_stream("x", 10, None), 1 << 20, time.monotonic() + PATIENCE / 2))

        engine._patience, began = 100.0, time.monotonic()
        session = engine._session(engine._patience)
        session._negotiated = True
        assert set(await engine.ask(read)) == set(b" ") and time.monotonic() - began < PATIENCE / 2 + SLACK


async def test_no_more_is_read_of_a_redirect_than_of_any_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself requests reads all of it, to look for the next address."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 209715200\r\n\r\n")
        while sent < 200 << 20:
            writer.write(b" " * (1 << 20))
            await writer.drain()
            sent += 1 << 20

    monkeypatch.setattr("tools.kit.session.LARGEST_ANSWER", 1 << 20)
    async with engine_at(flood, Access.READ) as engine:
        engine._patience = 20.0
        await refused(engine)
    assert sent < 50 << 20


async def test_headers_that_end_in_the_middle_are_no_answer() -> None:
    """http.client would take the end of the connection for the end of the headers, and 204 for a success."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(VERSION)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nServer: x")

    async with engine_at(cut, Access.WRITE) as engine:
        assert type(await refused(engine, lambda api: api.start("x"))) is OutcomeUnknown


async def test_the_process_ends_at_once(tmp_path: Path) -> None:
    """The interpreter waits for its threads: with a patience of minutes a held one would delay the end by minutes."""
    program = """
import asyncio, sys
from tests.tools.far import far_side
from tools.docker.hosts import DockerHosts
from tools.kit import Access, ToolFailed

async def ask(hosts):
    try:
        await hosts["nas"].ask(lambda api: api.containers(), patience=100.0)
    except ToolFailed as error:
        print(type(error).__name__)

async def main():
    hosts = DockerHosts({"nas": sys.argv[1]}, Access.READ)
    hosts["nas"]._threads._deadline = 100.0  # they do not give up by themselves before the test does
    asked = [asyncio.create_task(ask(hosts)) for _ in range(4)]
    await asyncio.to_thread(sys.stdin.readline)
    print("closing", flush=True)
    await hosts.close()
    for task in asked:
        task.cancel()

asyncio.run(main())
"""
    asked = asyncio.Barrier(WORKERS + 1)
    serve = dripping("100 Continue")

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked.wait()
        await serve(reader, writer)

    async with serving(counted) as address, asyncio.timeout(60):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, address, cwd=Path(__file__).parents[2], stdin=PIPE, stdout=PIPE
        )
        await asked.wait()
        assert (await process.communicate(b"\n"))[0].startswith(b"closing\n") and process.returncode == 0


@pytest.mark.parametrize("answers", [True, False], ids=["headers drip", "no word about the command"])
async def test_nor_over_ssh(answers: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def drip(channel: Any) -> None:
        channel.sendall(HEAD)
        while not far.ended.wait(0.05):
            channel.sendall(b"X-Drop: 1\r\n")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tools.docker.hosts.READ_PATIENCE", 2.0)
    with far_side(tmp_path, drip) as far:
        far.answers = answers
        hosts = DockerHosts({"nas": far.address}, Access.READ)
        [engine] = hosts.values()
        engine._threads._deadline = 5.0
        began = time.monotonic()
        for error in await asyncio.gather(*(refused(engine) for _ in range(WORKERS))):
            assert type(error) is NoAnswer
        await all_free(engine)
        assert time.monotonic() - began < 5.0 + 2 * SLACK
        await hosts.close()
