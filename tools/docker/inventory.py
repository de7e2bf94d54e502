"""Reading what surrounds the containers: engines, images, networks, volumes."""

import asyncio
from typing import Any

from tools.docker.clean import GB, MB, moment, number, record, records, short, size, text, texts, to_second, whole
from tools.docker.hosts import DockerHosts, Engine, service
from tools.docker.models import (
    HostInfo,
    ImageRow,
    Images,
    NetworkRow,
    Networks,
    SystemInfo,
    VolumeRow,
    Volumes,
)
from tools.docker.names import Host, list_all
from tools.docker.rows import STOPPED, name_of, volume_label
from tools.kit import Context, Risk, ToolFailed

MOST_ROWS = 200
NO_TAG = "<none>:<none>"

Raw = dict[str, Any]


@service.tool(Risk.READ)
async def get_system_info(ctx: Context[DockerHosts], host: Host | None = None) -> SystemInfo:
    """Describe the Docker hosts: engine version, counts, memory, and what images, volumes and build cache take."""
    found, down = await ctx.client.each(ctx.client.pick(host), _info)
    return SystemInfo(hosts=[info for _, info in found], hosts_down=down)


@service.tool(Risk.READ)
async def list_images(ctx: Context[DockerHosts], host: Host | None = None) -> Images:
    """List images with size, age and whether a container uses them; use it before removing or pulling one."""
    found, down = await ctx.client.each(ctx.client.pick(host), _images)
    rows = sorted((row for _, rows in found for row in rows), key=lambda row: -(row.size_mb or 0))
    return Images(images=rows[:MOST_ROWS], more=_rest(rows), hosts_down=down)


@service.tool(Risk.READ)
async def list_networks(ctx: Context[DockerHosts], host: Host | None = None) -> Networks:
    """List Docker networks and which containers are on them; use it when containers cannot reach each other."""
    found, down = await ctx.client.each(ctx.client.pick(host), _networks)
    rows = [row for _, rows in found for row in rows]
    return Networks(networks=rows[:MOST_ROWS], more=_rest(rows), hosts_down=down)


@service.tool(Risk.READ)
async def list_volumes(ctx: Context[DockerHosts], host: Host | None = None) -> Volumes:
    """List volumes and which containers mount them; use it to find unused data or to see where data lives."""
    found, down = await ctx.client.each(ctx.client.pick(host), _volumes)
    rows = sorted((row for _, rows in found for row in rows), key=lambda row: bool(row.in_use_by))
    return Volumes(volumes=rows[:MOST_ROWS], more=_rest(rows), hosts_down=down)


def tags_of(image: Raw) -> list[str]:
    """An image's names, without the placeholder of a dangling one."""
    return [tag for tag in texts(image.get("RepoTags")) if tag != NO_TAG]


def usage(disk: Raw, kind: str, old: str) -> Raw:
    """Bytes of one kind of thing, `{total, reclaimable}`: from the summary of API 1.52, or added up before that."""
    if summary := record(disk.get(f"{kind}Usage")):
        return {"total": number(summary.get("TotalSize")), "reclaimable": number(summary.get("Reclaimable"))}
    if not isinstance(disk.get(old), list):
        return {"total": None, "reclaimable": None}
    total, free = 0.0, 0.0
    for item in records(disk[old]):
        data = record(item.get("UsageData"))
        taken = number(data.get("Size") if data else item.get("Size", item.get("SizeRw"))) or 0.0
        total += taken
        free += taken if _is_unused(item, data, old) else 0.0
    layers = number(disk.get("LayersSize")) if kind == "Image" else None
    return {"total": total if layers is None else layers, "reclaimable": free if layers is None else min(free, layers)}


def _is_unused(item: Raw, data: Raw, old: str) -> bool:
    match old:
        case "Images":
            return whole(item.get("Containers")) == 0
        case "Volumes":
            return whole(data.get("RefCount")) == 0
        case "BuildCache":
            return item.get("InUse") is False
    return item.get("State") in STOPPED


async def _info(engine: Engine) -> HostInfo:
    raw = record(await engine.ask(lambda api: api.info()))
    try:
        disk: Raw = await engine.ask(lambda api: api.disk_usage())
    except ToolFailed:
        disk = {}  # measuring a large disk may take longer than we wait: the rest still helps
    images, containers = usage(disk, "Image", "Images"), usage(disk, "Container", "Containers")
    volumes, cache = usage(disk, "Volume", "Volumes"), usage(disk, "BuildCache", "BuildCache")
    free = [part["reclaimable"] for part in (images, containers, volumes, cache) if part["reclaimable"] is not None]
    return HostInfo(
        host=engine.name,
        engine=text(raw.get("ServerVersion")).partition("+")[0] or None,  # `+` begins a packager's suffix
        containers=whole(raw.get("Containers")),
        running=whole(raw.get("ContainersRunning")),
        paused=whole(raw.get("ContainersPaused")),
        stopped=whole(raw.get("ContainersStopped")),
        images=whole(raw.get("Images")),
        cpus=whole(raw.get("NCPU")),
        memory_gb=size(raw.get("MemTotal"), 2**30),
        storage_driver=text(raw.get("Driver")) or None,
        disk_images_gb=size(images["total"], GB, 2),
        disk_volumes_gb=size(volumes["total"], GB, 2),
        disk_build_cache_gb=size(cache["total"], GB, 2),
        reclaimable_gb=size(sum(free), GB, 2) if free else None,
    )


async def _images(engine: Engine) -> list[ImageRow]:
    images, containers = await asyncio.gather(engine.ask(lambda api: api.images()), list_all(engine))
    used = {text(item.get("ImageID")) for item in containers}
    return [
        ImageRow(
            host=engine.name,
            id=short(text(image.get("Id"))),
            tags=tags_of(image),
            size_mb=size(image.get("Size"), MB),
            created=to_second(moment(image.get("Created"))),
            in_use=text(image.get("Id")) in used,
            dangling=not tags_of(image),
        )
        for image in records(images)
    ]


async def _networks(engine: Engine) -> list[NetworkRow]:
    networks, containers = await asyncio.gather(engine.ask(lambda api: api.networks()), list_all(engine))
    members: dict[str, list[str]] = {}
    for item in containers:
        for name, endpoint in record(record(item.get("NetworkSettings")).get("Networks")).items():
            members.setdefault(text(record(endpoint).get("NetworkID")) or name, []).append(name_of(item))
    return [
        NetworkRow(
            host=engine.name,
            name=text(item.get("Name")) or short(text(item.get("Id"))),
            driver=text(item.get("Driver")) or "unknown",
            containers=sorted(members.get(text(item.get("Id")), []) + members.get(text(item.get("Name")), [])),
        )
        for item in sorted(records(networks), key=lambda item: text(item.get("Name")))
    ]


async def _volumes(engine: Engine) -> list[VolumeRow]:
    raw, containers = await asyncio.gather(engine.ask(lambda api: api.volumes()), list_all(engine))
    users: dict[str, list[str]] = {}
    for item in containers:
        for mount in records(item.get("Mounts")):
            users.setdefault(text(mount.get("Name")), []).append(name_of(item))
    return [
        VolumeRow(
            host=engine.name,
            name=volume_label(text(volume.get("Name"))),
            driver=text(volume.get("Driver")) or "unknown",
            in_use_by=sorted(users.get(text(volume.get("Name")), [])),
            created=to_second(moment(volume.get("CreatedAt"))),
        )
        for volume in sorted(records(record(raw).get("Volumes")), key=lambda item: text(item.get("Name")))
    ]


def _rest(rows: list[Any]) -> int | None:
    return len(rows) - MOST_ROWS if len(rows) > MOST_ROWS else None
