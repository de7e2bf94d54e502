"""The one HTTP client, judged by what a real server on loopback received and by what came out."""

import asyncio
import email.utils
import json
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from tests.tools.kit.conftest import SECRET, Bench, failure
from tools.kit import (
    Access,
    Api,
    BadAnswer,
    Conflict,
    Gone,
    NoAnswer,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ToolFailed,
    Unauthorised,
    Unreachable,
)


async def test_a_segment_stays_one_segment(bench: Bench) -> None:
    hostile = "a/b?c=1#d%2e é{}"
    found = await bench.api().get_json(
        "/nodes/{}/qemu/{}", hostile, 104, params={"x": "1&y=2", "all": True, "no": None}
    )
    assert found["raw"].startswith("/api/nodes/") and found["raw"].endswith("/qemu/104")
    assert found["raw"].count("/") == 5 and unquote(found["raw"].split("/")[3]) == hostile
    assert found["query"] == "x=1%26y%3D2&all=true"


@pytest.mark.parametrize("segment", ["", ".", ".."])
async def test_a_segment_cannot_climb(bench: Bench, segment: str) -> None:
    assert type(await failure(bench.api().get_json("/nodes/{}", segment))) is Refused
    assert bench.asked() == []


async def test_a_path_without_its_segments_is_a_mistake(bench: Bench) -> None:
    with pytest.raises(ValueError):
        await bench.api().get_json("/nodes/{}")


async def test_text_and_changes(bench: Bench) -> None:
    bench.service.bodies = {"/api/log": [b"one\n", b"tw\xff"], "/api/nothing": []}
    api = bench.api(Access.WRITE, headers={"X-Key": SECRET})
    assert await api.get_text("/log") == "one\ntw\ufffd"
    assert await api.send("DELETE", "/nothing") is None
    assert (await api.send("PUT", "/thing", json={"on": True}))["raw"] == "/api/thing"
    sent = bench.traffic.requests[-1]
    assert json.loads(sent.body) == {"on": True} and sent.headers["x-key"] == SECRET


async def test_headers_of_an_answer_can_be_read_and_sent_back(bench: Bench) -> None:
    bench.service.headers = {"ETag": '"7"'}
    api = bench.api(Access.WRITE)
    tag = (await api.request("GET", "/acl")).headers["ETag"]
    await api.request("POST", "/acl", content="// a comment\n{}", headers={"If-Match": tag})
    assert bench.traffic.requests[-1].headers["if-match"] == '"7"'
    assert bench.traffic.requests[-1].body == b"// a comment\n{}"


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Refused), (401, Unauthorised), (403, Unauthorised), (404, Gone), (409, Conflict), (422, Refused),
     (429, RateLimited), (307, Refused)],
)  # fmt: skip
async def test_refusals_are_final_for_a_write(bench: Bench, status: int, error: type[ToolFailed]) -> None:
    body = f'{{"message": "no: https://u:{SECRET}@x/ token={SECRET}"}}'
    bench.fault(status=status, body=body, times=None)
    url = bench.server.url.replace("://", f"://admin:{SECRET}@")
    found = await failure(bench.api(Access.WRITE, url=url, headers={"X-Key": SECRET}).send("POST", "/x"))
    assert type(found) is error and not found.sent and str(found).startswith("Pi-hole ")
    assert SECRET not in str(found) and "admin" not in str(found)
    assert len(bench.asked()) == 1


@pytest.mark.parametrize(
    ("fault", "when_reading"),
    [
        ({"status": 500}, ToolFailed),
        ({"status": 502}, NoAnswer),
        ({"drop": True}, NoAnswer),
        ({"drop_after": True}, NoAnswer),
        ({"truncate": 5}, NoAnswer),
        ({"stall": True}, NoAnswer),
        ({"status": 200, "body": "<html>"}, BadAnswer),
        ({"status": 200, "body": "x", "headers": {"Content-Encoding": "gzip"}}, BadAnswer),
    ],
    ids=str,
)
async def test_a_write_without_a_proper_answer_is_unknown_and_never_repeated(
    bench: Bench, fault: dict[str, Any], when_reading: type[ToolFailed]
) -> None:
    bench.fault(**fault, times=None)
    found = await failure(bench.api(Access.WRITE, deadline=0.5).send("POST", "/x", json={}))
    assert type(found) is OutcomeUnknown and found.sent
    assert bench.asked() == ["POST /api/x"]
    found = await failure(bench.api(deadline=0.5).get_json("/x"))
    assert type(found) is when_reading and not found.sent


@pytest.mark.parametrize("access", Access)
async def test_nobody_there_is_unreachable(bench: Bench, access: Access) -> None:
    await bench.server.stop()
    found = await failure(bench.api(access).request("GET" if access is Access.READ else "PUT", "/x"))
    assert type(found) is Unreachable and "refused" in str(found)
    assert len(bench.pauses) == (2 if access is Access.READ else 0)


async def test_an_unknown_name_is_unreachable(bench: Bench) -> None:
    found = await failure(bench.api(Access.WRITE, url="http://nowhere.invalid").send("POST", "/x"))
    assert type(found) is Unreachable and not found.sent


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_read_is_repeated_twice_at_most(bench: Bench, status: int) -> None:
    bench.fault(status=status, times=2)
    assert (await bench.api().get_json("/x"))["raw"] == "/api/x"
    bench.fault(status=status, times=None)
    found = await failure(bench.api().get_json("/y"))
    assert type(found) is (RateLimited if status == 429 else NoAnswer)
    assert bench.asked() == ["GET /api/x"] * 3 + ["GET /api/y"] * 3
    assert len(set(bench.pauses)) > 1, "without jitter all clients come back together"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500])
async def test_a_read_that_was_answered_is_not_repeated(bench: Bench, status: int) -> None:
    bench.fault(status=status, times=None)
    await failure(bench.api().get_json("/x"))
    assert len(bench.asked()) == 1


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [
        ("3", 3, 3),
        ("1000000000", 5, 5),
        ("-5", 0, 1),
        ("9" * 400, 0, 1),
        ("soon", 0, 1),
        (lambda: email.utils.formatdate(time.time() + 86_400, usegmt=True), 5, 5),
        (lambda: email.utils.formatdate(time.time() - 86_400, usegmt=True), 0, 1),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 0, 5),
    ],
)
async def test_the_asked_pause_is_kept_within_reason(
    bench: Bench, given: str | Callable[[], str], least: float, most: float
) -> None:
    value = given if isinstance(given, str) else given()
    bench.fault(status=429, headers={"Retry-After": value})
    await bench.api().get_json("/x")
    assert least <= bench.pauses[0] <= most


async def test_a_pause_beyond_the_deadline_is_not_begun(bench: Bench) -> None:
    bench.fault(status=429, headers={"Retry-After": "4"}, times=None)
    found = await failure(bench.api(deadline=3).get_json("/x"))
    assert type(found) is RateLimited and "in 4 s" in str(found)
    assert bench.pauses == [] and len(bench.asked()) == 1


async def test_a_cancelled_call_is_cancelled(bench: Bench) -> None:
    bench.fault(stall=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await bench.api().get_json("/x")
    assert len(bench.asked()) == 1


async def test_a_login_that_is_lost_on_the_way_to_a_write_changed_nothing(bench: Bench) -> None:
    class Login(httpx.Auth):
        async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
            yield httpx.Request("POST", bench.server.url + "/api/graphql")
            yield request

    bench.fault(method="POST", drop=True)
    found = await failure(bench.api(Access.WRITE, auth=Login()).send("DELETE", "/x"))
    assert type(found) is NoAnswer and not found.sent
    assert bench.asked() == ["POST /api/graphql"]


@pytest.mark.parametrize(
    "url", ["", "pi.hole", "ftp://pi.hole", "https://", "http://x:y:z/", "http://pi.hole/?a=1", "http://pi.hole/#a"]
)
async def test_an_address_that_is_none_is_said_at_once(url: str) -> None:
    with pytest.raises(ToolFailed, match="address of Pi-hole"):
        Api("Pi-hole", url, access=Access.READ)


async def test_a_credential_that_no_header_can_carry(bench: Bench) -> None:
    with pytest.raises(ToolFailed) as caught:
        bench.api(headers={"X-Key": f"{SECRET}ü"})
    assert SECRET not in str(caught.value)
    found = await failure(bench.api(Access.WRITE, headers={"X-Key": f"{SECRET}\r\nHost: evil"}).send("POST", "/x"))
    assert type(found) is Refused and SECRET not in str(found) and bench.asked() == []
