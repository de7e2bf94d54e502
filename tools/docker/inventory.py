"""Reading what surrounds the containers: engines, images, networks, volumes."""

import asyncio
from functools import partial
from itertools import chain
from urllib.parse import urlsplit

from tools.docker.disk import total
from tools.docker.hosts import DockerHosts, Engine, service
from tools.docker.models import (
    KINDS,
    HostInfo,
    ImageRow,
    Images,
    NetworkRow,
    Networks,
    Rubbish,
    SystemInfo,
    UnusedKind,
    VolumeRow,
    Volumes,
)
from tools.docker.names import Host, compose_names, list_all
from tools.docker.rows import listed_ports, name_of, short, tags_of, volume_label
from tools.docker.stock import take_stock
from tools.docker.unused import BY_ITSELF, IDLE_DAYS, Unused, unused
from tools.kit import Context, Identity, Mac, Risk, Told, at_home, listed, or_else, those_of
from tools.kit.raw import GB, MB, Raw, moment, record, records, size, text, to_second, whole


@service.identities
async def identities(ctx: Context[DockerHosts]) -> Told[Identity]:
    """Every host, whether it answers or not, and the containers of those that do."""
    found, down = await ctx.client.each(_containers)
    hosts = [Identity.of_host(name, urlsplit(engine.address).hostname) for name, engine in ctx.client.items()]
    return [*hosts, *chain(*found.values())], down


@service.tool(Risk.READ)
async def get_system_info(ctx: Context[DockerHosts], host: Host | None = None) -> SystemInfo:
    """Describe the Docker hosts: engine version, counts, memory, what takes disk, and what a clean-up would free.

    `unused` says it by kind, each taken by itself; `reclaimable_gb` is what docker_prune_system frees by default.
    """
    found, down = await ctx.client.each(partial(_info, ctx), host)
    return SystemInfo(hosts=list(found.values()), down=down)


@service.tool(Risk.READ)
async def list_images(ctx: Context[DockerHosts], host: Host | None = None) -> Images:
    """List images with size, age and whether a container uses them; use it before removing or pulling one."""
    found, down = await ctx.client.each(_images, host)
    rows, more = listed(sorted(chain(*found.values()), key=lambda row: -(row.size_mb or 0)))
    return Images(images=rows, more=more, down=down)


@service.tool(Risk.READ)
async def list_networks(ctx: Context[DockerHosts], host: Host | None = None) -> Networks:
    """List Docker networks and which containers are on them; use it when containers cannot reach each other."""
    found, down = await ctx.client.each(_networks, host)
    rows, more = listed([*chain(*found.values())])
    return Networks(networks=rows, more=more, down=down)


@service.tool(Risk.READ)
async def list_volumes(ctx: Context[DockerHosts], host: Host | None = None) -> Volumes:
    """List volumes and which containers mount them; use it to find unused data or to see where data lives."""
    found, down = await ctx.client.each(_volumes, host)
    rows, more = listed(sorted(chain(*found.values()), key=lambda row: bool(row.in_use_by)))
    return Volumes(volumes=rows, more=more, down=down)


async def _containers(engine: Engine) -> list[Identity]:
    containers, networks = await asyncio.gather(list_all(engine), engine.ask(lambda api: records(api.networks())))
    # Others can reach these; the addresses of any other network mean something on its host alone.
    outer = {text(each.get("Id")) for each in networks if each.get("Driver") in ("macvlan", "ipvlan")}
    return [_container(engine.name, item, outer) for item in containers]


def _container(host: str, item: Raw, outer: set[str]) -> Identity:
    ends = map(record, record(record(item.get("NetworkSettings")).get("Networks")).values())
    there = [end for end in ends if text(end.get("NetworkID")) in outer]
    return Identity(
        kind="container", name=name_of(item), also=list(compose_names(item)), host=host, ids=[text(item["Id"])[:12]],
        addresses=at_home(text(end.get(key)) for end in there for key in ("IPAddress", "GlobalIPv6Address")),
        macs=those_of(Mac, (text(end.get("MacAddress")) for end in there)), ports=listed_ports(item),
    )  # fmt: skip


async def _info(ctx: Context[DockerHosts], engine: Engine) -> HostInfo:
    raw, found = await asyncio.gather(
        engine.ask(lambda api: record(api.info())),
        or_else(take_stock(ctx, engine, "image", "volume", "build-cache", volumes=True), None),
    )
    disk: Raw = found.disk if found else {}
    by_itself = unused(found, BY_ITSELF, IDLE_DAYS) if found else None
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
        disk_images_gb=size(total(disk, "Image", "Images"), GB, 2),
        disk_volumes_gb=size(total(disk, "Volume", "Volumes"), GB, 2),
        disk_build_cache_gb=size(total(disk, "BuildCache", "BuildCache"), GB, 2),
        reclaimable_gb=size(by_itself.frees.bytes, GB, 2) if by_itself and by_itself.frees.exact else None,
        unused=[_unused_kind(kind, unused(found, [kind], IDLE_DAYS)) for kind in KINDS] if found else [],
    )


def _unused_kind(kind: Rubbish, found: Unused) -> UnusedKind:
    frees = size(found.frees.bytes, MB)
    return UnusedKind(
        kind=kind,
        count=None if found.cache is None else len(found.things) + len(found.cache),
        frees_mb=frees if found.frees.exact and found.cache is not None else None,
        frees_at_least_mb=None if found.frees.exact else frees or None,
        left_alone=len(found.kept),
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
