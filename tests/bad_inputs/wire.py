"""B23–B38: what can go wrong between us and a service."""

import asyncio
import json
import re
import time
from typing import Any

from starlette.types import Receive, Scope, Send

from lab.server import serve
from lab.services.docker.app import docker_app
from lab.traffic import Traffic
from lab.world import World
from memory.models import CallRow, CallState
from tests.bad_inputs.rows import Bench, row
from tests.fakes import use
from tests.place import Place
from tools.docker import hosts
from tools.kit import Access, Api, ToolFailed, Unreachable

LISTING, INSPECTION, STOP = "/containers/json$", "/containers/[0-9a-f]{64}/json$", "/stop$"
STOP_JELLYFIN = {"container": "nas/jellyfin"}


async def looking(place: Place, **fault: Any) -> str:
    """What a look at a container comes to when its engine misbehaves all the time."""
    place.lab.traffic.fault("docker:nas", path=INSPECTION, times=None, **fault)
    place.begin()
    run = await place.ask(use("docker_get_container_details", **STOP_JELLYFIN))
    [block] = await place.results(run)
    place.lab.traffic.clear()
    assert block["is_error"]
    return str(block["content"])


async def stopping(place: Place, **fault: Any) -> CallRow:
    """A stop that was approved while the engine misbehaves with it."""
    place.begin()
    run = await place.ask(use("docker_stop_container", **STOP_JELLYFIN))
    place.lab.traffic.fault("docker:nas", method="POST", path=STOP, times=None, **fault)
    await place.approve()
    place.lab.traffic.clear()
    [row] = await place.calls(run)
    return row


def asked(place: Place) -> int:
    return sum(re.search(INSPECTION, request.path) is not None for request in place.requests())


@row("B23", "401 from a service", "the credential is named, nothing is tried again, /status is red, no change runs")
async def unauthorised(bench: Bench) -> None:
    live = await bench.live()
    told = await looking(live, status=401, body='{"message": "token rackhand-secret-42 has expired"}')
    assert "rejected the credential" in told and asked(live) == 1
    live.lab.traffic.fault("docker:nas", status=401, times=None)
    status = await live.write("/status", "need")
    assert "🔴" in status.text and "nas" in status.text
    assert live.writes() == []


@row("B24", "403 from a service", "what is not permitted is said; nothing is tried again")
async def forbidden(bench: Bench) -> None:
    place = await bench.place()
    told = await looking(place, status=403, body='{"message": "endpoint is not allowed by the proxy"}')
    assert "does not permit this" in told and "not allowed by the proxy" in told and asked(place) == 1
    row = await stopping(place, status=403)
    assert row.state is CallState.FAILED and "does not permit" in row.detail and len(place.writes()) == 1


@row("B25", "a target that is gone between card and tap, or in between", "nothing runs, and it is said")
async def gone(bench: Bench) -> None:
    place = await bench.place()
    run = await place.ask(use("docker_restart_container", **STOP_JELLYFIN))
    host = place.lab.world.hosts["nas"]
    del host.all[host.get("jellyfin").id]
    await place.approve()
    [row] = await place.calls(run)
    assert not place.writes() and row.state is CallState.NOT_STARTED and "jellyfin is gone" in row.detail
    row = await stopping_gone(place)
    assert row.state is CallState.FAILED and "does not have this" in row.detail


async def stopping_gone(place: Place) -> CallRow:
    """A target that vanishes in the very moment of the change: the engine says so."""
    run = await place.ask(use("docker_stop_container", container="nas/radarr"))
    place.lab.traffic.fault("docker:nas", method="POST", path=STOP, status=404, body='{"message": "No such container"}')
    await place.approve()
    return (await place.calls(run))[0]


@row("B26", "409, the target is locked", "said, not tried again")
async def conflict(bench: Bench) -> None:
    place = await bench.place()
    row = await stopping(place, status=409, body='{"message": "removal of container is already in progress"}')
    assert row.state is CallState.FAILED and "already in progress" in row.detail and len(place.writes()) == 1


@row("B27", "429 with a Retry-After in seconds, as a date, absurd, negative", "nothing is tried again by itself")
async def slow_down(bench: Bench) -> None:
    place = await bench.place()
    for pause in ("2", "1000000000", "-5", "Wed, 21 Oct 2099 07:28:00 GMT", "soon", "9" * 400):
        row = await stopping(place, status=429, headers={"retry-after": pause})
        assert row.state is CallState.FAILED and "slow down" in row.detail and len(place.writes()) == 1
        await place.ask(use("docker_list_containers"))


@row("B28", "500 to 504 on a read", "at most two more tries, then said")
async def broken_reads(bench: Bench) -> None:
    place = await bench.place()
    for status in (500, 502, 503, 504):
        told = await looking(place, status=status, body="<html>Bad gateway</html>")
        assert f"HTTP {status}" in told
        assert 1 <= asked(place) <= 3


@row("B30", "no connection, no answer, an answer drop by drop", "ends at the deadline of the whole call")
async def slow(bench: Bench) -> None:
    bench.patch.setattr(hosts, "READ_PATIENCE", 0.3)
    bench.patch.setattr(hosts, "WRITE_PATIENCE", 0.3)
    place = await bench.place()
    began = time.monotonic()
    assert "did not answer" in await looking(place, stall=True)
    place.lab.world.hosts["nas"].get("jellyfin").config["StopTimeout"] = 0
    row = await stopping(place, stall=True)
    assert row.state is CallState.UNKNOWN and len(place.writes()) == 1

    async def dripping(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(200):
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b""})

    server = await serve(dripping)
    bench.stack.push_async_callback(server.stop)
    api = Api("Pi-hole", server.url, access=Access.READ, deadline=0.4)
    assert "did not answer" in str(await failing(api.get_json("/")))
    await api.close()
    assert isinstance(
        await failing(Api("Pi-hole", "http://127.0.0.1:1", access=Access.READ).get_json("/")), Unreachable
    )
    assert time.monotonic() - began < 9, "a drip would have lasted ten seconds by itself"


async def failing(call: Any) -> ToolFailed:
    """The error that a call ends with."""
    try:
        found = await call
    except ToolFailed as error:
        return error
    raise AssertionError(f"went through: {found}")


@row("B33", "200 with the login page of a portal", "told as not JSON")
async def login_page(bench: Bench) -> None:
    page = "<html><title>Hotel WiFi</title><form action='http://evil'><input name=password></html>"
    assert "JSON" in await looking(await bench.place(), status=200, body=page)


@row("B34", "JSON that is cut, in UTF-16, or of another type", "an error result; a byte order mark does no harm")
async def odd_json(bench: Bench) -> None:
    place = await bench.place()
    for body in (b'[{"Id": "a', '[{"Id": "a"}]'.encode("utf-16"), b"\x00\x01\x02", b"", b"null,"):
        assert "JSON" in await looking(place, status=200, body=body, headers={"content-type": "text/html"})
    place.lab.traffic.fault("docker:nas", path=LISTING, status=200, body=b"\xef\xbb\xbf[]")
    assert '"down":[]' in await place.read("docker_list_containers")


@row("B35", "301, 302, 307, 308 to another host", "not followed; no credential goes there")
async def redirected(bench: Bench) -> None:
    place, traffic = await bench.place(), Traffic()
    elsewhere = await serve(traffic.wrap("elsewhere", docker_app(World(1), "nas")))
    bench.stack.push_async_callback(elsewhere.stop)
    for status in (301, 302, 303, 307, 308):
        there = {"location": f"{elsewhere.url}/v1.47/containers/json"}
        assert "redirect" in await looking(place, status=status, headers=there)
        row = await stopping(place, status=status, headers=there)
        assert row.state in (CallState.FAILED, CallState.UNKNOWN) and len(place.writes()) == 1
        server = await serve(place.lab.traffic.wrap("svc", docker_app(World(1), "nas")))
        place.lab.traffic.fault("svc", status=status, headers=there)
        api = Api("UniFi", server.url, access=Access.READ, headers={"X-API-KEY": "secret-key-1234"})
        assert "redirect" in str(await failing(api.get_json("/")))
        await api.close()
        await server.stop()
        if row.state is CallState.UNKNOWN:
            await place.known(row, "n", who=place.admin)
    assert traffic.requests == []


@row("B35", "a redirect from Claude's address to another host", "not followed; neither the key nor a word goes there")
async def claude_redirected(bench: Bench) -> None:
    bench.patch.setattr("bot.agent.claude._wait", lambda state: 0.0)
    place, traffic = await bench.place(model=None), Traffic()
    elsewhere = await serve(traffic.wrap("elsewhere", docker_app(World(1), "nas")))
    bench.stack.push_async_callback(elsewhere.stop)
    for status in (301, 302, 303, 307, 308):
        there = {"location": f"{elsewhere.url}/v1/messages"}
        place.lab.traffic.fault("claude", path="/v1/messages$", status=status, headers=there, times=None)
        found = await place.run(await place.say("stop jellyfin"))
        place.lab.traffic.clear()
        assert found.state == "failed" and "can't think" in str(found.error)
    assert traffic.requests == []


@row("B37", "a body that ends too early", "an error; for a change, an unknown outcome")
async def cut_bodies(bench: Bench) -> None:
    place = await bench.place()
    told = await looking(place, truncate=20)
    assert "JSON" in told or "lost" in told or "unreadable" in told
    row = await stopping(place, drop_after=True)
    assert row.state is CallState.UNKNOWN and len(place.writes()) == 1
    assert not place.lab.world.hosts["nas"].get("jellyfin").alive, "it had happened, and nobody claims that it had not"


@row("B38", "200 and a failure in the body (Docker's pull; others with their services)", "failed, not done")
async def success_in_name_only(bench: Bench) -> None:
    place = await bench.place()
    body = '{"status": "Pulling"}\n{"errorDetail": {"message": "toomanyrequests"}, "error": "toomanyrequests"}\n'
    at = place.lab.world.story.update
    image = place.lab.world.hosts[at.host].get(at.name).config["Image"]
    place.lab.traffic.fault(f"docker:{at.host}", method="POST", path="/images/create$", status=200, body=body)
    run = await place.ask(use("docker_pull_image", image=image, host=at.host))
    await place.approve()
    [row] = await place.calls(run)
    assert row.state is CallState.FAILED and "toomanyrequests" in row.detail
    assert "✓" not in (await place.cards.receipt(row.id)).text  # type: ignore[union-attr]
    assert json.dumps(row.args)
