"""B09–B22: what an engine can answer: too much, broken, absurd, ambiguous."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

from starlette.types import Receive, Scope, Send

from lab.server import serve
from lab.services.docker.app import docker_app
from lab.world import World
from tests.bad_inputs.rows import Bench, row
from tests.bad_inputs.text import logs_of
from tests.place import Place
from tools.docker import logs
from tools.gate.results import CAP
from tools.kit import session

CONTAINERS = "/containers/json$"
JELLYFIN = {"container": "nas/jellyfin"}
SPOILT = 30
"""Answers of the engine that are spoilt in one place each, of all that could be."""


async def log_of(place: Place, body: bytes, **args: Any) -> tuple[str, dict[str, Any]]:
    """What the model is told of a log, and the result in it."""
    logs_of(place, body)
    told = await place.read("docker_get_container_logs", **JELLYFIN, **args)
    assert len(told) <= CAP + 200
    return told, json.loads(told.splitlines()[1])


async def says(place: Place, body: bytes | str, *, path: str = CONTAINERS, **more: Any) -> str:
    """What a listing comes to when one engine answers this."""
    place.lab.traffic.fault("docker:nas", path=path, status=200, body=body, times=None, **more)
    told = await place.read("docker_list_containers")
    place.lab.traffic.clear()
    return told


@row("B09", "a log of 5 MB", "its newest lines within the cap, marked as cut")
async def large_log(bench: Bench) -> None:
    body = b"".join(b"line %07d of the log\n" % number for number in range(240_000))
    assert len(body) > 5_000_000
    _, found = await log_of(await bench.place(), body, lines=2000)
    assert found["truncated"] and 10 < found["shown"] < 2000 and "larger" in found["note"]


@row("B10", "a binary log; broken frames", "decoded with replacement, or told as binary with its size")
async def broken_frames(bench: Bench) -> None:
    place = await bench.place()
    frame = b"\x01\x00\x00\x00\x00\x00\x00\x06hello\n"
    for body, expected in (
        (frame + b"\x01\x00\x00\x00\xff\xff\xff\xffcut off\n", "cut off"),
        (frame + b"no header any more\n", "no header any more"),
        (frame + b"\x02\x00\x00", "hello"),
        (frame + b"\x01\x00\x00\x00\x00\x00\x00\x00", "hello"),
        (bytes(Random(1).randbytes(20_000)).replace(b"\n", b"\x01"), "binary, 20000 bytes"),
    ):
        told, _ = await log_of(place, body)
        assert expected in told


@row("B11", "one line of 5 MB", "cut, with its true size")
async def endless_line(bench: Bench) -> None:
    bench.patch.setattr(logs, "LARGEST_READ", 8 * 2**20)
    _, found = await log_of(await bench.place(), b"x" * 5_000_000)
    assert len(found["lines"]) == 1 and len(found["lines"][0]) < 1100 and "bytes)" in found["lines"][0]


@row("B12", "a log that never ends", "ends at its time, with what came")
async def endless_log(bench: Bench) -> None:
    honest, ended = docker_app(World(1), "nas"), asyncio.Event()

    async def chatty(scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].endswith("/logs"):
            await honest(scope, receive, send)
            return
        await receive()
        gone = asyncio.create_task(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": b"again and again\n" * 64, "more_body": True})
            await asyncio.sleep(0)
        ended.set()
        await send({"type": "http.response.body", "body": b""})

    bench.patch.setattr(logs, "LONGEST_READ_SECONDS", 0.1)
    server = await serve(chatty)
    bench.stack.push_async_callback(server.stop)
    place = await bench.place(DOCKER_HOSTS=json.dumps({"nas": server.url.replace("http", "tcp")}))
    told = await place.read("docker_get_container_logs", **JELLYFIN)
    assert "again and again" in told and len(told) < CAP + 200
    await asyncio.wait_for(ended.wait(), 5)


@row("B13", "a small compressed body that becomes very large", "stopped at the cap")
async def compressed_bomb(bench: Bench) -> None:
    bench.patch.setattr(session, "LARGEST_ANSWER", 2**20)
    place = await bench.place()
    told = await says(place, gzip.compress(b"[" + b" " * (64 * 2**20) + b"]"), headers={"content-encoding": "gzip"})
    assert '"name":"nas","reason":"answered with something unreadable' in told and "mini" in told
    bench.patch.setattr(session, "LARGEST_ANSWER", 2**30)
    told = await says(place, gzip.compress(b"[]"), headers={"content-encoding": "gzip"})
    assert '"name":"nas","reason":"answered with something unreadable' in told, (
        "what nobody asked to be compressed is not inflated at all"
    )


@row("B14", "100 000 nested lists, from a service and as arguments", "an error result")
async def deep_json(bench: Bench) -> None:
    place = await bench.place()
    assert "did not answer with JSON" in await says(place, "[" * 100_000)
    assert "did not answer with JSON" in await says(place, "[" * 100_000 + "]" * 100_000)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    answer = await place.prepare("docker_list_containers", {"host": deep})
    assert answer.block["is_error"] and "plain JSON" in answer.block["content"]  # type: ignore[union-attr]
    while deep:  # taken apart by hand: freeing it at once would recurse as deeply
        deep = deep.pop()


@row("B15", "a number of 5000 digits", "an error result")
async def long_number(bench: Bench) -> None:
    place = await bench.place()
    assert "did not answer with JSON" in await says(place, f'[{{"Id": "{"a" * 64}", "Created": {"9" * 5000}}}]')
    assert (await place.prepare("docker_get_container_logs", {**JELLYFIN, "lines": 10**4999})).block["is_error"]  # type: ignore[union-attr]
    assert not place.writes()


@row("B16", "NaN and Infinity, from a service and as arguments", "absent, never a number; refused as an argument")
async def not_a_number(bench: Bench) -> None:
    place = await bench.place()
    body = '{"cpu_stats": {"cpu_usage": {"total_usage": NaN}}, "memory_stats": {"usage": Infinity, "limit": -Infinity}}'
    place.lab.traffic.fault("docker:nas", path="/stats$", status=200, body=body)
    told = await place.read("docker_get_container_stats", **JELLYFIN)
    assert not [word for word in ("nan", "infinity", "inf,") if word in told.lower()] and '"state"' in told
    for number in (float("nan"), float("inf")):
        answer = await place.prepare("docker_get_container_logs", {**JELLYFIN, "lines": number})
        assert answer.block["is_error"] and "plain JSON" in answer.block["content"]  # type: ignore[union-attr]


async def every_read(place: Place) -> list[str]:
    """What each read says now."""
    reads = ("list_containers", "get_system_info", "list_images", "list_networks", "list_volumes")
    told = [await place.read(f"docker_{name}") for name in reads]
    for name in ("get_container_details", "get_container_logs", "get_container_stats"):
        told.append(await place.read(f"docker_{name}", **JELLYFIN))
    return told


def spoilt(value: Any) -> Iterator[Any]:
    """The value with one part missing, empty or of another kind, each in its turn."""
    yield from (None, "", [], {}, -1, "text", 10**30, True)
    if isinstance(value, dict):
        for key in value:
            yield {name: item for name, item in value.items() if name != key}
            for worse in spoilt(value[key]):
                yield {**value, key: worse}
    elif isinstance(value, list) and value:
        for worse in spoilt(value[0]):
            yield [worse, *value[1:]]


@row("B18", "ids that are no text, ports in no digits of ours", "left out; the rest is told")
async def odd_ids(bench: Bench) -> None:
    place = await bench.place()
    assert '"running":1' in await says(
        place, json.dumps([{"Id": {"a": 1}}, {"Id": 5}, {"Id": "a" * 64, "State": "running"}])
    )
    ports = {"²/tcp": None, "9" * 5000 + "/tcp": None, "80/tcp": [{"HostPort": "٣"}], "22/tcp": None}
    raw = json.dumps({"Id": "a" * 64, "NetworkSettings": {"Ports": ports}})
    place.lab.traffic.fault("docker:nas", path="/containers/[^/]+/json$", status=200, body=raw)
    assert '"ports":["80/tcp","22/tcp"]' in await place.read("docker_get_container_details", **JELLYFIN)


@row("B18", "fields of every answer missing, empty or of another kind", "absent; no surprise, and the rest is told")
async def missing_fields(bench: Bench) -> None:
    place = await bench.place()
    await every_read(place)
    whole: dict[str, Any] = {}
    for request in place.requests():
        if request.service == "docker:nas" and not request.path.endswith(("/logs", "/stats", "/version")):
            whole[request.path] = None
    for path in whole:
        whole[path] = await answer_of(place, path)
    pairs = [(path, bad) for path, value in whole.items() for bad in spoilt(deepcopy(value))]
    assert len(whole) >= 6 and len(pairs) > 500
    for path, bad in Random(7).sample(pairs, SPOILT):
        place.lab.traffic.fault("docker:nas", path=f"{path}$", status=200, body=json.dumps(bad), times=None)
        assert all(told and "broke" not in told for told in await every_read(place))
        place.lab.traffic.clear()


async def answer_of(place: Place, path: str) -> Any:
    """What the honest engine says at a path."""
    import httpx

    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(place.lab.docker_hosts["nas"].replace("tcp", "http") + path)).json()


@row("B19", "times that are negative, huge, zero or from another world", "absent")
async def absurd_times(bench: Bench) -> None:
    place = await bench.place()
    for moment in (
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "soon",
        "",
        -1,
        10**20,
        None,
    ):
        state = {"Status": "running", "StartedAt": moment, "FinishedAt": moment}
        body = json.dumps({"Id": "a" * 64, "Name": "/x", "State": state, "RestartCount": -3, "Config": {}})
        place.lab.traffic.fault("docker:nas", path="/containers/[^/]+/json$", status=200, body=body)
        told = json.loads((await place.read("docker_get_container_details", **JELLYFIN)).splitlines()[-1])
        assert "since" not in told and "finished" not in told and "restarts" not in told


@row("B20", "limits and differences of zero", "absent, not divided by")
async def zero_division(bench: Bench) -> None:
    place = await bench.place()
    zero = {"cpu_usage": {"total_usage": 0}, "system_cpu_usage": 0, "online_cpus": 0}
    body = json.dumps({"cpu_stats": zero, "precpu_stats": zero, "memory_stats": {"usage": 0, "limit": 0}})
    place.lab.traffic.fault("docker:nas", path="/stats$", status=200, body=body)
    told = json.loads(await place.read("docker_get_container_stats", **JELLYFIN))
    assert "memory_percent" not in told and told.get("cpu_percent") in (None, 0)


@row("B21", "10 000 containers", "a bounded answer that says how many there are; a page still turns")
async def very_many(bench: Bench) -> None:
    live = await bench.live()
    row_ = await answer_of(live, "/v1.47/containers/json?all=1")
    many = [{**row_[0], "Id": f"{n:064x}", "Names": [f"/c{n}"]} for n in range(10_000)]
    bench.patch.setattr("tools.docker.survey.MOST_INSPECTED", 0)
    live.lab.traffic.fault("docker:nas", path=CONTAINERS, status=200, body=json.dumps(many), times=None)
    told = await live.read("docker_list_containers")
    assert len(told) <= CAP and ("left_out" in told or "left out" in told) and "100" in told
    page = await live.write("/containers", "page 1 of")
    assert len(page.buttons) < 20
