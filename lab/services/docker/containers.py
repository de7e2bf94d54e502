"""/containers: list, inspect, logs, statistics, and everything that changes one."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from math import inf
from typing import get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lab.services.docker import query, shapes, streams
from lab.services.docker.engine.images import familiar
from lab.services.docker.engine.model import Container, Json, Status
from lab.services.docker.engine.rules import EngineError
from lab.services.docker.target import Target, target

_FILTERS = {
    *("ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "label!"),
    *("name", "network", "publish", "since", "status", "volume"),
}


def routes() -> list[Route]:
    """Every path below /containers."""
    one = "/containers/{ref}"
    return [
        Route("/containers/json", list_containers, methods=["GET"]),
        Route("/containers/create", create, methods=["POST"]),
        Route("/containers/prune", prune, methods=["POST"]),
        Route(f"{one}/json", inspect, methods=["GET"]),
        Route(f"{one}/logs", logs, methods=["GET"]),
        Route(f"{one}/changes", changes, methods=["GET"]),
        Route(f"{one}/stats", stats, methods=["GET"]),
        Route(f"{one}/top", top, methods=["GET"]),
        Route(f"{one}/start", start, methods=["POST"]),
        Route(f"{one}/stop", stop, methods=["POST"]),
        Route(f"{one}/restart", restart, methods=["POST"]),
        Route(f"{one}/kill", kill, methods=["POST"]),
        Route(f"{one}/pause", pause, methods=["POST"]),
        Route(f"{one}/unpause", unpause, methods=["POST"]),
        Route(f"{one}/rename", rename, methods=["POST"]),
        Route(f"{one}/wait", wait, methods=["POST"]),
        Route(f"{one}/update", update, methods=["POST"]),
        Route(one, remove, methods=["DELETE"]),
    ]


async def list_containers(request: Request) -> Response:
    """GET /containers/json"""
    at = target(request)
    given = query.filters(request, _FILTERS)
    limit = query.integer(request, "limit", 0) or 0
    everything = query.flag(request, "all") or limit > 0 or "status" in given or "exited" in given
    passes = _matcher(at, given)
    found = [c for c in at.host.containers() if (everything or c.alive) and passes(c)]
    size = query.flag(request, "size")
    return JSONResponse([shapes.container_row(at.host, c, size) for c in found[: limit if limit > 0 else None]])


async def inspect(request: Request) -> Response:
    """GET /containers/{id}/json"""
    at = target(request)
    container = at.host.get(request.path_params["ref"])
    at.world.last_inspected = (at.host.name, container.id)
    return JSONResponse(shapes.container_details(at.host, container, query.flag(request, "size")))


async def logs(request: Request) -> Response:
    """GET /containers/{id}/logs"""
    at = target(request)
    wanted = {name for name in ("stdout", "stderr") if query.flag(request, name)}
    if not wanted:
        raise EngineError(400, "Bad parameters: you must choose at least one stream")
    since, until = query.moment(request, "since") or 0.0, query.moment(request, "until") or inf
    container, now = at.host.get(request.path_params["ref"]), at.host.rules.now()
    if not _keeps_a_log(container.host_config["LogConfig"]):
        raise EngineError(501, "configured logging driver does not support reading")
    lines = streams.select(container.log.lines, wanted, since, min(until, now))
    tail = request.query_params.get("tail", "all")
    if tail.isdigit():
        lines = lines[len(lines) - min(int(tail), len(lines)) :]
    tty, timestamps = bool(container.config["Tty"]), query.flag(request, "timestamps")

    async def flow() -> AsyncIterator[bytes]:
        for line in lines:
            yield streams.frame(line, timestamps, tty)
        if query.flag(request, "follow"):
            async for line in streams.follow(at.host, container, wanted, now):
                yield streams.frame(line, timestamps, tty)

    kind = "raw" if tty else "multiplexed"
    return StreamingResponse(flow(), media_type=f"application/vnd.docker.{kind}-stream")


def _keeps_a_log(config: Json) -> bool:
    """Whether a log can be read: of what goes elsewhere the engine keeps a copy, unless it is told not to."""
    if config["Type"] in ("json-file", "local", "journald"):
        return True
    return config["Type"] != "none" and (config.get("Config") or {}).get("cache-disabled") != "true"


async def changes(request: Request) -> Response:
    """GET /containers/{id}/changes"""
    container = target(request).host.get(request.path_params["ref"])
    if not container.size_rw:
        return JSONResponse(None)
    paths = {"/run": 0, "/run/app.pid": 1, "/etc": 0, "/etc/hosts": 0, "/var/cache/app": 2}
    return JSONResponse([{"Path": path, "Kind": kind} for path, kind in paths.items()])


async def stats(request: Request) -> Response:
    """GET /containers/{id}/stats"""
    at = target(request)
    container = at.host.get(request.path_params["ref"])
    one_shot = query.flag(request, "one-shot")
    if not query.flag(request, "stream", default=True):
        if not one_shot and container.alive:
            await asyncio.sleep(at.host.rules.latency)
        return JSONResponse(streams.stats(at.host, container, one_shot))
    if one_shot:
        raise EngineError(400, "cannot have stream=true and one-shot=true")

    async def flow() -> AsyncIterator[bytes]:
        while container.id in at.host.all:
            container.advance(at.host.rules.now())
            yield json.dumps(streams.stats(at.host, container, one_shot=False)).encode() + b"\n"
            await asyncio.sleep(1)

    return StreamingResponse(flow(), media_type="application/json")


async def top(request: Request) -> Response:
    """GET /containers/{id}/top"""
    container = target(request).host.get(request.path_params["ref"])
    if container.status == "restarting":
        raise EngineError(409, f"container {container.id} is restarting, wait until the container is running")
    if not container.alive:
        raise EngineError(409, f"container {container.id} is not running")
    pid = str(container.pid)
    row = ["root", pid, "1", "0", "00:00", "?", "00:00:01", " ".join(shapes.command(container))]
    titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    return JSONResponse({"Titles": titles, "Processes": [row]})


async def create(request: Request) -> Response:
    """POST /containers/create"""
    container = target(request).host.create(await query.body(request), request.query_params.get("name", ""))
    return JSONResponse({"Id": container.id, "Warnings": []}, 201)


async def start(request: Request) -> Response:
    """POST /containers/{id}/start"""
    return Response(status_code=204 if target(request).host.start(request.path_params["ref"]) else 304)


async def stop(request: Request) -> Response:
    """POST /containers/{id}/stop"""
    at, ref = target(request), request.path_params["ref"]
    query.integer(request, "t")
    if at.host.get(ref).alive:
        await asyncio.sleep(at.host.rules.latency)
    return Response(status_code=204 if at.host.stop(ref) else 304)


async def restart(request: Request) -> Response:
    """POST /containers/{id}/restart"""
    at, ref = target(request), request.path_params["ref"]
    query.integer(request, "t")
    at.host.get(ref)
    await asyncio.sleep(at.host.rules.latency)
    at.host.restart(ref)
    return Response(status_code=204)


async def kill(request: Request) -> Response:
    """POST /containers/{id}/kill"""
    signal = request.query_params.get("signal") or "SIGKILL"
    target(request).host.kill(request.path_params["ref"], signal)
    return Response(status_code=204)


async def pause(request: Request) -> Response:
    """POST /containers/{id}/pause"""
    target(request).host.pause(request.path_params["ref"])
    return Response(status_code=204)


async def unpause(request: Request) -> Response:
    """POST /containers/{id}/unpause"""
    target(request).host.unpause(request.path_params["ref"])
    return Response(status_code=204)


async def rename(request: Request) -> Response:
    """POST /containers/{id}/rename"""
    target(request).host.rename(request.path_params["ref"], request.query_params.get("name", ""))
    return Response(status_code=204)


async def update(request: Request) -> Response:
    """POST /containers/{id}/update"""
    target(request).host.update(request.path_params["ref"], await query.body(request))
    return JSONResponse({"Warnings": None})


async def wait(request: Request) -> Response:
    """POST /containers/{id}/wait"""
    host = target(request).host
    container = host.get(request.path_params["ref"])
    condition = request.query_params.get("condition") or "not-running"
    if condition not in ("not-running", "next-exit", "removed"):
        raise EngineError(400, f'invalid condition: "{condition}"')
    finished = container.finished_at

    def over() -> bool:
        container.advance(host.rules.now())
        gone = container.id not in host.all
        exited = not container.alive if condition == "not-running" else container.finished_at > finished
        return gone or (condition != "removed" and exited)

    async def flow() -> AsyncIterator[bytes]:
        async for _ in streams.ticks():
            if over():
                break
        yield json.dumps({"StatusCode": container.exit_code}).encode()

    return StreamingResponse(flow(), media_type="application/json")


async def remove(request: Request) -> Response:
    """DELETE /containers/{id}"""
    force, volumes = query.flag(request, "force"), query.flag(request, "v")
    target(request).host.remove(request.path_params["ref"], force, volumes)
    return Response(status_code=204)


async def prune(request: Request) -> Response:
    """POST /containers/prune"""
    host = target(request).host
    given = query.filters(request, ("until", "label", "label!"))
    passes, old = query.labelled(given), query.before_until(given, host.rules.now())
    deleted, freed = host.prune(lambda container: passes(container.labels) and old(container.created))
    return JSONResponse({"ContainersDeleted": deleted or None, "SpaceReclaimed": freed})


def _matcher(at: Target, given: query.Filters) -> Callable[[Container], bool]:
    host = at.host
    if unknown := [value for value in given.get("status", []) if value not in (*get_args(Status), "removing", "dead")]:
        raise EngineError(400, f"invalid filter 'status={unknown[0]}'")
    before = [host.get(ref).created for ref in given.get("before", [])]
    since = [host.get(ref).created for ref in given.get("since", [])]
    passes = query.labelled(given)
    tests: dict[str, Callable[[Container, str], bool]] = {
        "id": lambda c, value: c.id.startswith(value),
        "name": lambda c, value: any(re.search(value, name) for name in (c.name, f"/{c.name}")),
        "status": lambda c, value: c.status == value,
        "exited": lambda c, value: c.status == "exited" and str(c.exit_code) == value,
        "health": lambda c, value: (host.health(c) or "none") == value,
        "ancestor": lambda c, value: _descends(at, c, value),
        "volume": lambda c, value: any(value in (m.get("Name"), m["Destination"]) for m in c.mounts),
        "network": lambda c, value: _attached(shapes.endpoints(host, c), value),
    }

    def matches(container: Container) -> bool:
        return (
            passes(container.labels)
            and all(container.created < limit for limit in before)
            and all(container.created > limit for limit in since)
            and all(
                any(test(container, value) for value in given[name]) for name, test in tests.items() if name in given
            )
        )

    return matches


def _descends(at: Target, container: Container, value: str) -> bool:
    image = at.host.images.all.get(container.image_id)
    plain = container.image_id.removeprefix("sha256:").startswith(value.removeprefix("sha256:"))
    return plain or (image is not None and familiar(value) in (*image.tags, *image.digests))


def _attached(networks: Json, value: str) -> bool:
    return value in networks or any(mine["NetworkID"].startswith(value) for mine in networks.values())
