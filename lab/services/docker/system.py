"""/_ping, /version, /info, /system/df and /events."""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from lab.services.docker import query, shapes, streams
from lab.services.docker.engine.model import CacheRecord, Json
from lab.services.docker.engine.rules import EngineError
from lab.services.docker.engine.text import timestamp
from lab.services.docker.target import target

API, OLDEST_API, ENGINE, KERNEL = 47, 24, "27.5.1", "6.1.0-32-amd64"


def routes() -> list[Route]:
    """The paths about the daemon itself."""
    return [
        Route("/_ping", ping, methods=["GET", "HEAD"]),
        Route("/version", version, methods=["GET"]),
        Route("/info", info, methods=["GET"]),
        Route("/system/df", disk_usage, methods=["GET"]),
        Route("/events", events, methods=["GET"]),
    ]


async def ping(request: Request) -> Response:
    """GET /_ping"""
    caching = {"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache"}
    return PlainTextResponse("" if request.method == "HEAD" else "OK", headers=caching)


async def version(request: Request) -> Response:
    """GET /version"""
    details = {
        "ApiVersion": f"1.{API}",
        "Arch": "amd64",
        "BuildTime": "2025-01-22T13:41:25.000000000+00:00",
        "Experimental": "false",
        "GitCommit": "4c9b3b0",
        "GoVersion": "go1.22.11",
        "KernelVersion": KERNEL,
        "MinAPIVersion": f"1.{OLDEST_API}",
        "Os": "linux",
    }
    return JSONResponse(
        {
            "Platform": {"Name": "Docker Engine - Community"},
            "Components": [{"Name": "Engine", "Version": ENGINE, "Details": details}],
            "Version": ENGINE,
            **{key: value for key, value in details.items() if key != "Experimental"},
        }
    )


async def info(request: Request) -> Response:
    """GET /info"""
    host = target(request).host
    containers = host.containers()
    paused = sum(c.status == "paused" for c in containers)
    running = sum(c.status == "running" for c in containers)
    return JSONResponse(
        {
            "ID": host.engine_id[:8] + "-" + host.engine_id[8:12],
            "Containers": len(containers),
            "ContainersRunning": running,
            "ContainersPaused": paused,
            "ContainersStopped": len(containers) - running - paused,
            "Images": len(host.images.all),
            "Driver": "overlay2",
            "DriverStatus": [["Backing Filesystem", "extfs"]],
            "DockerRootDir": shapes.ROOT,
            "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "null"], "Log": ["json-file"]},
            "MemoryLimit": True,
            "SwapLimit": True,
            "CpuCfsPeriod": True,
            "CpuCfsQuota": True,
            "PidsLimit": True,
            "Debug": False,
            "SystemTime": timestamp(host.rules.now()),
            "LoggingDriver": "json-file",
            "CgroupDriver": "systemd",
            "CgroupVersion": "2",
            "KernelVersion": KERNEL,
            "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
            "OSVersion": "12",
            "OSType": "linux",
            "Architecture": "x86_64",
            "NCPU": host.cpus,
            "MemTotal": host.memory,
            "Name": host.name,
            "Labels": ["rackhand.simulated=true"],
            "ExperimentalBuild": False,
            "ServerVersion": ENGINE,
            "Runtimes": {"runc": {"path": "runc"}},
            "DefaultRuntime": "runc",
            "Swarm": {"NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": False},
            "LiveRestoreEnabled": False,
            "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
            "Warnings": None,
        }
    )


async def disk_usage(request: Request) -> Response:
    """GET /system/df"""
    host = target(request).host
    kinds = request.query_params.getlist("type")
    if unknown := [kind for kind in kinds if kind not in ("container", "image", "volume", "build-cache")]:
        raise EngineError(400, f"unknown object type: {unknown[0]}")
    usage: Json = {}
    if not kinds or "image" in kinds:
        images = host.images.all.values()
        usage["LayersSize"] = host.images.bytes_of(images)
        usage["Images"] = [shapes.image_row(host, image, counted=True) for image in images]
    if not kinds or "container" in kinds:
        usage["Containers"] = [shapes.container_row(host, c, size=True) for c in host.containers()]
    if not kinds or "volume" in kinds:
        volumes = host.volumes
        usage["Volumes"] = [shapes.volume(v, len(volumes.users(v.name))) for v in volumes.all.values()]
    if not kinds or "build-cache" in kinds:
        usage["BuildCache"] = [_cache(record) for record in host.images.cache]
    return JSONResponse(usage)


async def events(request: Request) -> Response:
    """GET /events"""
    since, until = query.moment(request, "since"), query.moment(request, "until")
    given = query.filters(request, ("container", "event", "type", "image", "label", "network", "volume", "daemon"))
    flow = streams.events(target(request).host, since, until, given)
    return StreamingResponse(flow, media_type="application/json")


def _cache(record: CacheRecord) -> Json:
    return {
        "ID": record.id,
        "Parents": list(record.parents),
        "Type": record.kind,
        "Description": record.description,
        "InUse": record.in_use,
        "Shared": record.shared,
        "Size": record.size,
        "CreatedAt": timestamp(record.used),
        "LastUsedAt": timestamp(record.used),
        "UsageCount": 1,
    }
