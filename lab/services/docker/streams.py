"""Answers that flow: log frames, statistics, pull progress and events."""

import asyncio
import json
import math
import struct
from collections.abc import AsyncIterator, Iterable

from lab.services.docker.engine.host import Event, Host
from lab.services.docker.engine.images import familiar
from lab.services.docker.engine.log import Line
from lab.services.docker.engine.model import Container, Json
from lab.services.docker.engine.text import NEVER, timestamp

POLL = 0.25


async def ticks() -> AsyncIterator[None]:
    """One tick now, and another every quarter of a second."""
    while True:
        yield
        await asyncio.sleep(POLL)


def frame(line: Line, timestamps: bool, tty: bool) -> bytes:
    """One log line as it goes over the wire: raw for a TTY, else behind an eight-byte header."""
    data = f"{timestamp(line.at)} ".encode() + line.data if timestamps else line.data
    if tty:
        return data.replace(b"\n", b"\r\n")
    return struct.pack(">BxxxL", 1 if line.stream == "stdout" else 2, len(data)) + data


def select(lines: Iterable[Line], streams: set[str], since: float, until: float) -> list[Line]:
    """The lines of these streams in this span of time."""
    return [line for line in lines if line.stream in streams and since <= line.at <= until]


async def follow(host: Host, container: Container, streams: set[str], start: float) -> AsyncIterator[Line]:
    """Every line printed after `start`, until the container ends or the client leaves."""
    async for _ in ticks():
        now = host.rules.now()
        container.advance(now)
        for line in select(container.log.lines, streams, start, now):
            if line.at > start:
                yield line
        start = max(start, now)
        if not container.alive or container.id not in host.all:
            return


def stats(host: Host, container: Container, one_shot: bool) -> Json:
    """A sample of what a container uses; dockerd's empty one if it does not run."""
    name = {"name": f"/{container.name}", "id": container.id}
    if container.status not in ("running", "paused"):
        nothing: Json = {"cpu_stats": _no_cpu(), "precpu_stats": _no_cpu(), "memory_stats": {}}
        blank = {"read": NEVER, "preread": NEVER, "pids_stats": {}, "blkio_stats": {"io_service_bytes_recursive": None}}
        return blank | {"num_procs": 0, "storage_stats": {}} | nothing | name
    now = host.rules.now()
    up = max(now - container.started_at, 0.001)
    sample: Json = {
        "read": timestamp(now),
        "preread": NEVER if one_shot else timestamp(now - 1),
        "pids_stats": {"current": container.app.pids, "limit": 18446744073709551615},
        "blkio_stats": {
            "io_service_bytes_recursive": [
                {"major": 259, "minor": 0, "op": "read", "value": 40_000_000 + int(up * 900)},
                {"major": 259, "minor": 0, "op": "write", "value": 9_000_000 + int(up * 2100)},
            ]
        },
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _cpu(host, container, now),
        "precpu_stats": _no_cpu() if one_shot else _cpu(host, container, now - 1),
        "memory_stats": _memory(host, container, up),
    }
    if container.endpoints and "host" not in container.endpoints:
        sample["networks"] = {"eth0": _traffic(container, up)}
    return sample | name


def pull_progress(host: Host, ref: str, was_current: bool) -> list[Json]:
    """The lines a pull prints before its digest."""
    manifest, name = host.images.manifest(ref), familiar(ref)
    tag = name.rpartition("@" if "@" in name else ":")[2]
    lines: list[Json] = [{"status": f"Pulling from {name.removesuffix(tag)[:-1]}", "id": tag}]
    for layer, total in () if was_current else zip(manifest.image.layers, manifest.image.weights.values(), strict=True):
        short = layer[7:19]
        for status, current in (("Downloading", total // 2), ("Downloading", total), ("Extracting", total)):
            detail = {"current": current, "total": total}
            lines.append({"status": status, "progressDetail": detail, "id": short})
        lines.append({"status": "Pull complete", "progressDetail": {}, "id": short})
    return lines


async def pull(host: Host, ref: str) -> AsyncIterator[bytes]:
    """Pull an image and tell how it goes; a client that leaves early cancels it."""
    was_current = host.images.is_current(ref)
    lines = pull_progress(host, ref, was_current)
    for line in lines:
        yield _json_line(line)
        await asyncio.sleep(host.rules.latency / len(lines))
    digest = host.images.manifest(ref).digest
    host.images.pull(ref)
    news = "Image is up to date" if was_current else "Downloaded newer image"
    yield _json_line({"status": f"Digest: {digest}"})
    yield _json_line({"status": f"Status: {news} for {familiar(ref)}"})


async def events(
    host: Host, since: float | None, until: float | None, given: dict[str, list[str]]
) -> AsyncIterator[bytes]:
    """What happened since a moment; without `until` it goes on for ever."""

    def wanted(event: Event) -> bool:
        found = {"container": (event.id, event.attributes["name"]), "event": (event.action,), "type": (event.kind,)}
        return all({*found.get(name, ())} & {*values} for name, values in given.items())

    seen = next((n for n, event in enumerate(host.events) if event.at >= (since or math.inf)), len(host.events))
    async for _ in ticks():
        now = host.rules.now()
        while seen < len(host.events) and host.events[seen].at <= (until or math.inf):
            if wanted(host.events[seen]):
                yield _json_line(_event(host.events[seen]))
            seen += 1
        if until is not None and until <= now:
            return


def _event(event: Event) -> Json:
    actor = {"ID": event.id, "Attributes": event.attributes}
    legacy = {"status": event.action, "id": event.id, "from": event.attributes.get("image", "")}
    times = {"time": int(event.at), "timeNano": int(event.at * 1e9)}
    return legacy | {"Type": event.kind, "Action": event.action, "Actor": actor, "scope": "local"} | times


def _json_line(value: Json) -> bytes:
    return json.dumps(value).encode() + b"\r\n"


def _no_cpu() -> Json:
    return {
        "cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0},
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }


def _cpu(host: Host, container: Container, at: float) -> Json:
    up = max(at - container.started_at, 0.0)
    wave = 10 * math.sin(up / 20)
    used = int(container.app.cpu * (up + wave * 0.5 + 5) * 1e9)
    usage = {"total_usage": used, "usage_in_kernelmode": used // 4, "usage_in_usermode": used - used // 4}
    system = {"system_cpu_usage": int((at % 10_000_000) * host.cpus * 1e9), "online_cpus": host.cpus}
    return _no_cpu() | {"cpu_usage": usage} | system


def _memory(host: Host, container: Container, up: float) -> Json:
    resident = int(container.app.memory * (0.95 + 0.05 * math.sin(up / 60)))
    cache = resident // 5
    limit = container.host_config["Memory"] or host.memory
    detail = {"anon": resident, "file": cache, "inactive_file": cache, "active_file": 0, "pgfault": int(up * 3)}
    return {"usage": min(resident + cache, limit), "stats": detail, "limit": limit}


def _traffic(container: Container, up: float) -> Json:
    received = int(up * 1200 * (1 + container.app.cpu * 10))
    zero = dict.fromkeys(("rx_errors", "rx_dropped", "tx_errors", "tx_dropped"), 0)
    return {
        "rx_bytes": received,
        "rx_packets": received // 600,
        "tx_bytes": received * 3,
        "tx_packets": received // 500,
    } | zero
