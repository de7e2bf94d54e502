"""Podman 4.3 in front of the same containers: its words in inspections, its refusals, its own inspection."""

import json
import re
from typing import Any
from zlib import crc32

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.services.docker.engine.host import Host
from lab.services.docker.engine.model import Container, Json
from lab.services.docker.engine.rules import EngineError

VERSION = "4.3.1"
LIMITS = ("NOFILE", "NPROC")
ULIMITS = {
    *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio"),
    *("rttime", "sigpending", "stack"),
}
SIGNALS = {"SIGINT": "2", "SIGTERM": "15", "SIGKILL": "9", "": "15"}

_ONE = re.compile(r"/containers/(?!(?:create|json|prune)$)([^/]+)(?:/(json|start|stop|restart))?")


class Podman:
    """Passes everything on while dockerd answers on this host."""

    def __init__(self, app: ASGIApp, host: Host) -> None:
        self.app, self.host = app, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, answer, or let dockerd answer and say it in Podman's words."""
        if scope["type"] != "http" or not self.host.podman:
            await self.app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        speaks = _Speaker(self.host, method, path, send)
        try:
            body = await _body(receive)
            if path.startswith("/libpod/"):
                await JSONResponse(self._native(path))(scope, receive, speaks)
                return
            self._check(method, path, body)
        except EngineError as error:
            await JSONResponse({"message": error.message}, error.status)(scope, receive, speaks)
            return
        given = [{"type": "http.request", "body": body, "more_body": False}]

        async def once() -> Message:
            return given.pop() if given else await receive()

        await self.app(scope, once, speaks)

    def _native(self, path: str) -> Json:
        container = self.host.get(path.split("/")[3])
        leans = [mode.partition(":")[2] for mode in _modes(container) if mode.startswith("container:")]
        return {
            "Id": container.id,
            "Name": container.name,
            "Pod": container.config.get("Pod", ""),
            "Rootfs": "",
            "Dependencies": leans,
            "Config": {"Secrets": container.config.get("Secrets")},
        }

    def _check(self, method: str, path: str, body: bytes) -> None:
        """What Podman refuses and dockerd does not."""
        if (method, path) == ("POST", "/containers/create"):
            _check_create(self.host, json.loads(body or b"{}"))
        found = _ONE.fullmatch(path)
        if method == "GET" or not found:
            return
        container = self.host.get(found[1])
        if container.status == "paused" and found[2]:
            raise EngineError(500, f"container {container.id} is running or paused: container state improper")
        leaning = [c.id for c in self.host.all.values() if f"container:{container.id}" in _modes(c)]
        if method == "DELETE" and leaning:
            words = "has dependent containers which must be removed before it"
            raise EngineError(500, f"container {container.id} {words}: {', '.join(leaning)}: container already exists")


class _Speaker:
    """Sends an answer in Podman's words."""

    def __init__(self, host: Host, method: str, path: str, send: Send) -> None:
        self.host, self.path, self.send = host, path, send
        self.changes = method != "GET"
        self.start: Message = {}
        self.kept: bytes | None = None

    async def __call__(self, message: Message) -> None:
        """Hold an answer back until it is whole when it is to be said otherwise; pass streams on as they come."""
        if message["type"] == "http.response.start":
            self.start = {**message, "headers": [*message["headers"], (b"libpod-api-version", VERSION.encode())]}
            if self.changes and message["status"] in (400, 403, 409):
                self.start["status"] = 500  # whatever it refuses
            self.kept = b"" if self._says_otherwise() else None
            if self.kept is None:
                await self.send(self.start)
        elif self.kept is None:
            await self.send(message)
        else:
            self.kept += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_whole(json.dumps(self._said(json.loads(self.kept))).encode())

    async def _send_whole(self, body: bytes) -> None:
        headers = [(name, value) for name, value in self.start["headers"] if name != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await self.send({**self.start, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    def _says_otherwise(self) -> bool:
        inspects = self.path == "/containers/json" or self.path.endswith("/json") and bool(_ONE.fullmatch(self.path))
        return self.start["status"] == 200 and (inspects or self.path == "/version")

    def _said(self, answer: Any) -> Any:
        if self.path == "/version":
            return {**answer, "Version": VERSION, "Components": [{"Name": "Podman Engine", "Version": VERSION}]}
        if self.path == "/containers/json":
            return [{key: value for key, value in row.items() if key != "HostConfig"} for row in answer]
        return inspected(answer)


def inspected(details: Json) -> Json:
    """An inspection as Podman gives it: with more than was asked for in places, and without what it keeps to itself."""
    config, settings = {**details["Config"]}, {**details["HostConfig"]}
    networks = details["NetworkSettings"]["Networks"]
    borrowed = settings["NetworkMode"].startswith("container:")
    joined = {name: each for name, each in networks.items() if name not in ("none", "host")}
    config["Env"] = ["TERM=xterm", "container=podman", f"HOSTNAME={config['Hostname']}", *(config["Env"] or [])]
    config["Env"] = list(dict.fromkeys(config["Env"]))
    config |= {"Domainname": "", "Volumes": None, "Entrypoint": config["Entrypoint"] or []}
    config["StopSignal"] = SIGNALS.get(config.get("StopSignal") or "", config.get("StopSignal"))
    config["StopTimeout"] = config.get("StopTimeout") or 0
    given = {limit["Name"].upper(): limit for limit in settings["Ulimits"] or []}
    named = {name: given.get(name, {"Soft": 1048576, "Hard": 1048576}) for name in (*LIMITS, *given)}
    if nano := settings["NanoCpus"]:
        settings |= {"CpuPeriod": 100000, "CpuQuota": nano // 10000}
    elif settings["CpuPeriod"]:
        settings["NanoCpus"] = settings["CpuQuota"] * 10**9 // settings["CpuPeriod"]
    tmpfs = [mount["Destination"] for mount in details["Mounts"] if mount["Type"] == "tmpfs"]
    settings |= {
        "Runtime": "oci", "PidMode": settings["PidMode"] or "private", "UTSMode": settings["UTSMode"] or "private",
        "IpcMode": "shareable", "CgroupnsMode": "", "Sysctls": None, "Mounts": None,
        "NetworkMode": "bridge" if joined and not borrowed else settings["NetworkMode"],
        "LogConfig": {"Type": settings["LogConfig"]["Type"], "Config": None},
        "Ulimits": [{**limit, "Name": f"RLIMIT_{name}"} for name, limit in named.items()],
        "Devices": [{**device, "CgroupPermissions": ""} for device in settings["Devices"]],
        "MemorySwappiness": -1 if settings["Memory"] else 0,
        "Tmpfs": {place: "rw,rprivate,nosuid,nodev,tmpcopyup" for place in (*(settings.get("Tmpfs") or {}), *tmpfs)},
        "Binds": [_bind(mount) for mount in details["Mounts"] if mount["Type"] != "tmpfs"],
    }  # fmt: skip
    shown = {name: {**each, "NetworkID": name, "IPAMConfig": None, "MacAddress": _mac(details, name)}
             for name, each in joined.items()}  # fmt: skip
    return {
        **details,
        "Config": {key: value for key, value in config.items() if key not in ("MacAddress", "Pod", "Secrets")},
        "HostConfig": settings,
        "State": {**details["State"], "Error": ""},
        "Mounts": [mount for mount in details["Mounts"] if mount["Type"] != "tmpfs"],
        "NetworkSettings": {**details["NetworkSettings"], "Networks": shown},
    }


def _check_create(host: Host, body: Json) -> None:
    settings = body.get("HostConfig") or {}
    for limit in settings.get("Ulimits") or []:
        if limit["Name"] not in ULIMITS:
            words = f'ulimit option "{limit["Name"]}={limit["Soft"]}:{limit["Hard"]}" requires name=SOFT:HARD'
            raise EngineError(500, f"fill out specgen: {words}, failed to be parsed: invalid ulimit type")
    if settings.get("NanoCpus") and (settings.get("CpuPeriod") or settings.get("CpuQuota")):
        raise EngineError(500, "make cli opts(): NanoCpus conflicts with CpuPeriod and CpuQuota")
    if any(not device.get("CgroupPermissions") for device in settings.get("Devices") or []):
        raise EngineError(500, "container create: invalid device mode: ")
    if settings.get("UsernsMode") == "private":
        raise EngineError(500, "container create: must provide at least one UID or GID mapping")
    for key in ("NetworkMode", "PidMode", "IpcMode"):
        kind, _, reference = str(settings.get(key)).partition(":")
        if kind == "container":
            try:
                host.get(reference)
            except EngineError as error:
                raise EngineError(500, f"container create: {error.message}: no such container") from None


def _modes(container: Container) -> list[str]:
    return [str(container.host_config[key]) for key in ("NetworkMode", "PidMode", "IpcMode")]


def _bind(mount: Json) -> str:
    rights = "rw" if mount["RW"] else "ro"
    return f"{mount.get('Name') or mount['Source']}:{mount['Destination']}:{rights},rprivate,nosuid,nodev,rbind"


def _mac(details: Json, network: str) -> str:
    """Made up anew for every start, and told like one that was chosen."""
    made = crc32(f"{details['Id']} {details['State']['StartedAt']} {network}".encode())
    return "ee:ee:" + made.to_bytes(4, "big").hex(":") if details["State"]["Running"] else ""


async def _body(receive: Receive) -> bytes:
    found, more = b"", True
    while more:
        message = await receive()
        found += message.get("body", b"")
        more = message.get("more_body", False)
    return found
