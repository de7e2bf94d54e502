"""What holds for every request of the client, whatever a service file does: no writes, no redirects, no floods."""

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator, Callable

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from lab.server import serve
from lab.traffic import Traffic
from tests.tools.kit.conftest import SECRET, Bench, Service, failure
from tools.kit import Access, BadAnswer, NoAnswer, OutcomeUnknown, Refused, Unreachable
from tools.kit.http import LARGEST_ANSWER
from tools.kit.session import session
from tools.kit.transport import WriteRefused


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_reading_client_cannot_write(bench: Bench, method: str) -> None:
    with pytest.raises(WriteRefused):
        await bench.api().send(method, "/domains/{}", "graphql", json={})
    assert bench.asked() == []


async def test_an_auth_flow_cannot_write_either(bench: Bench) -> None:
    class Sneaky(httpx.Auth):
        async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
            yield httpx.Request("DELETE", request.url)

    with pytest.raises(WriteRefused):
        await bench.api(auth=Sneaky()).get_json("/x")
    assert bench.asked() == []


async def test_listed_post_reads_are_reads(bench: Bench) -> None:
    api = bench.api()
    assert (await api.send("POST", "/graphql", json={"query": "{}"}))["raw"] == "/api/graphql"
    bench.fault(status=503)
    assert (await api.send("POST", "/sites/{}/query", "a/b"))["raw"] == "/api/sites/a%2Fb/query"
    assert bench.asked() == ["POST /api/graphql", "POST /api/sites/a/b/query", "POST /api/sites/a/b/query"]
    with pytest.raises(WriteRefused):
        await api.send("POST", "/sites/{}/query/more", "a")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(bench: Bench, status: int) -> None:
    other = Traffic()
    elsewhere = await serve(other.wrap("other", Service()))
    target = f"http://u:{SECRET}@127.0.0.1:{elsewhere.port}/login?token={SECRET}"
    bench.fault(status=status, headers={"Location": target})
    found = await failure(bench.api(headers={"X-API-KEY": SECRET, "X-FTL-SID": SECRET}).get_json("/x"))
    await elsewhere.stop()
    assert type(found) is Refused and f"to http://127.0.0.1:{elsewhere.port}:" in str(found)
    assert found.outside, "the service chose the host that is named"
    assert SECRET not in str(found) and "login" not in str(found)
    assert other.requests == [] and len(bench.asked()) == 1


@pytest.mark.parametrize("location", ["/login", "http://[", "http://[::::]/", "", "\xff//x", "http://x:999999999/"])
async def test_a_redirect_to_nowhere_is_still_only_refused(bench: Bench, location: str) -> None:
    bench.fault(status=302, headers={"Location": location})
    assert type(await failure(bench.api().get_json("/x"))) is Refused


async def test_no_proxy_is_used(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert await bench.api().get_json("/x")


@pytest.mark.parametrize(
    "body",
    [
        b'{"n": NaN}', b'{"n": Infinity}', b"[-Infinity]", b"[1e999]", b'{"n": ' + b"9" * 5000 + b"}",
        b"[" + b"9" * 21 + b"]",
        b"[" * 100_000, b"[" * 65 + b"]" * 65, b'{"a":' * 65 + b"1" + b"}" * 65, b'{"cut": ', b"", b"\x00",
        b"\xef\xbb\xbf{}", '{"a": 1}'.encode("utf-16"), b'{"a": "\xff"}', b"<html><title>Sign in</title>",
    ],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
async def test_what_is_not_strict_json_is_refused(bench: Bench, body: bytes) -> None:
    bench.service.bodies = {"/api/x": [body]}
    found = await failure(bench.api().get_json("/x"))
    assert type(found) is BadAnswer and "not proper JSON" in str(found)
    assert found.outside == ('JSON: ""' not in str(found)), "it quotes how the answer begins"


async def test_honest_json_passes(bench: Bench) -> None:
    value = {"deep": json.loads("[" * 63 + "]" * 63), "big": 2**64 - 1, "small": -(2**63), "float": 1e300, "text": "é"}
    bench.service.bodies = {"/api/x": [json.dumps(value).encode()]}
    assert await bench.api().get_json("/x") == value


async def test_an_unusable_answer_is_quoted_briefly_and_escaped(bench: Bench) -> None:
    body = f"<html>\x1b[31m\n\u202e password={SECRET} " + "x" * 10_000
    bench.service.bodies = {"/api/x": [body.encode()]}
    said = str(await failure(bench.api().get_json("/x")))
    assert '"<html>\\u001b[31m \\u202e password=' in said and SECRET not in said
    assert len(said) < 200 and said.isprintable()


async def test_a_large_answer_is_cut_off(bench: Bench) -> None:
    bench.service.bodies = {
        "/api/x": [b"[" + b"1," * (LARGEST_ANSWER // 2), b"1]"],
        "/api/y": [b'"' + b"1" * 98 + b'"'],
    }
    found = await failure(bench.api().get_json("/x"))
    assert type(found) is BadAnswer and "ask for less" in str(found)
    assert len(await bench.api(largest=100).get_json("/y")) == 98
    assert type(await failure(bench.api(largest=99).get_text("/y"))) is BadAnswer


async def test_a_bomb_does_not_go_off(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    import zlib

    inflated = []
    real = zlib.decompressobj

    class Counting:
        def __init__(self, wbits: int) -> None:
            self._real = real(wbits)

        def decompress(self, data: bytes, most: int) -> bytes:
            inflated.append(len(made := self._real.decompress(data, most)))
            return made

    monkeypatch.setattr("tools.kit.transport.zlib.decompressobj", Counting)
    bench.service.headers = {"Content-Encoding": "gzip"}
    bench.service.bodies = {"/api/x": [gzip.compress(b" " * 100_000_000, 6)]}
    found = await failure(bench.api().get_text("/x"))
    assert type(found) is BadAnswer and "ask for less" in str(found)
    assert sum(inflated) == LARGEST_ANSWER + 1


@pytest.mark.parametrize(
    ("coding", "spoil", "good"),
    [
        ("gzip", lambda body: body, True),
        ("gzip", lambda body: body[:-4], False),
        ("gzip", lambda body: body + b"more", False),
        ("gzip", lambda body: b'["never compressed"]', False),
        ("br", lambda body: body, False),
        ("gzip, gzip", lambda body: body, False),
    ],
)
async def test_compressed_answers(bench: Bench, coding: str, spoil: Callable[[bytes], bytes], good: bool) -> None:
    bench.service.headers = {"Content-Encoding": coding}
    whole = spoil(gzip.compress(b'["honest"]'))
    bench.service.bodies = {"/api/x": [whole[:7], whole[7:]]}
    if good:
        assert await bench.api().get_json("/x") == ["honest"]
    else:
        assert type(await failure(bench.api().get_json("/x"))) is BadAnswer


async def test_drops_of_bytes_do_not_outlast_the_deadline(bench: Bench) -> None:
    bench.service.bodies = {"/api/x": [b" "] * 1000}
    bench.service.pause = 0.05
    clock = asyncio.get_running_loop().time
    began = clock()
    assert type(await failure(bench.api(deadline=0.3).get_json("/x"))) is NoAnswer
    whole = len(bench.service.bodies["/api/x"]) * bench.service.pause
    assert clock() - began < whole / 5
    assert type(await failure(bench.api(Access.WRITE, deadline=0.3).send("PUT", "/x"))) is OutcomeUnknown


async def test_writes_do_not_share_idle_connections(bench: Bench) -> None:
    ports = set()
    real = bench.service.__call__

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        ports.add(scope["client"][1])
        await real(scope, receive, send)

    server = await serve(noting)
    writer, reader = bench.api(Access.WRITE, url=server.url), bench.api(url=server.url)
    for _ in range(3):
        await writer.send("PUT", "/x")
    written = len(ports)
    for _ in range(3):
        await reader.get_json("/x")
    assert (written, len(ports) - written) == (3, 1)
    await reader.close()
    await server.stop()


def test_a_session_that_reads_neither_writes_nor_goes_anywhere_else() -> None:
    with session("UniFi", "http://127.0.0.1:1", access=Access.READ, patience=1.0) as made:
        with pytest.raises(WriteRefused):
            made.post("http://127.0.0.1:1/x")
        with pytest.raises(Unreachable, match="not valid"):
            made.get("http://127.0.0.1:11/x")
