"""From the body of a create request to the configuration dockerd stores."""

import re
from collections.abc import Callable
from posixpath import normpath
from typing import Any

from lab.services.docker.engine.model import Image, Json
from lab.services.docker.engine.rules import EngineError

RESTART_POLICIES = ("", "no", "always", "on-failure", "unless-stopped")

_MASKED = "asound acpi interrupts kcore keys latency_stats timer_list timer_stats sched_debug scsi"
_LISTS = "CapAdd CapDrop ExtraHosts GroupAdd Links SecurityOpt VolumesFrom DeviceCgroupRules DeviceRequests"
_EMPTY_LISTS = "Dns DnsOptions DnsSearch Devices Ulimits BlkioWeightDevice BlkioDeviceReadBps"
_EMPTY_LISTS += " BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps"
_ZEROS = "OomScoreAdj CpuShares Memory NanoCpus BlkioWeight CpuPeriod CpuQuota CpuRealtimePeriod"
_ZEROS += " CpuRealtimeRuntime MemoryReservation MemorySwap CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth"
_FLAGS = "AutoRemove Privileged PublishAllPorts ReadonlyRootfs OomKillDisable"
_WORDS = "ContainerIDFile VolumeDriver Cgroup PidMode UTSMode UsernsMode CgroupParent CpusetCpus CpusetMems"
_WORDS += " Isolation"

_SHAPES: dict[str, tuple[type, ...]] = {
    "Env": (list,),
    "Cmd": (list, str),
    "Entrypoint": (list, str),
    "Labels": (dict,),
    "Volumes": (dict,),
    "ExposedPorts": (dict,),
    "HostConfig": (dict,),
    "NetworkingConfig": (dict,),
    "Image": (str,),
}


def check_shapes(body: Json) -> None:
    """Refuse a body whose fields have the wrong JSON type."""
    for name, types in _SHAPES.items():
        value = body.get(name)
        if value is not None and not isinstance(value, types):
            kind = type(value).__name__
            raise EngineError(400, f"invalid JSON: json: cannot unmarshal {kind} into Go struct field .{name}")


def container_config(body: Json, image: Image, container_id: str) -> Json:
    """The Config of a new container: the request over the image's own defaults."""
    base = image.config
    given: Json = {key: body[key] for key in body if key not in ("HostConfig", "NetworkingConfig", "name")}
    config: Json = {
        "Hostname": container_id[:12],
        "Domainname": "",
        "User": base.get("User", ""),
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "ExposedPorts": None,
        "Tty": False,
        "OpenStdin": False,
        "StdinOnce": False,
        "Env": None,
        "Cmd": None,
        "Image": "",
        "Volumes": None,
        "WorkingDir": base.get("WorkingDir", ""),
        "Entrypoint": None,
        "OnBuild": None,
        "Labels": {},
    }
    config |= {key: value for key, value in given.items() if value not in (None, "")}
    config["Env"] = _merged_env(base.get("Env") or [], given.get("Env") or [])
    config["Labels"] = {**(base.get("Labels") or {}), **(given.get("Labels") or {})}
    for key in ("ExposedPorts", "Volumes"):
        config[key] = {**(base.get(key) or {}), **(given.get(key) or {})} or None
    config["Entrypoint"], config["Cmd"] = _command(base, given)
    if not config["Entrypoint"] and not config["Cmd"]:
        raise EngineError(400, "no command specified")
    check = given.get("Healthcheck") or base.get("Healthcheck")
    if check:
        config["Healthcheck"] = check
    return config


def host_config(given: Json) -> Json:
    """The complete HostConfig of a new container."""
    policy = given.get("RestartPolicy") or {}
    check_restart_policy(policy)
    config: Json = {
        **dict.fromkeys(_LISTS.split()),
        **{name: [] for name in _EMPTY_LISTS.split()},
        **dict.fromkeys(_ZEROS.split(), 0),
        **dict.fromkeys(_FLAGS.split(), False),
        **dict.fromkeys(_WORDS.split(), ""),
        "Binds": None,
        "LogConfig": {"Type": "json-file", "Config": {}},
        "PortBindings": {},
        "ConsoleSize": [0, 0],
        "CgroupnsMode": "private",
        "IpcMode": "private",
        "ShmSize": 67108864,
        "Runtime": "runc",
        "MemorySwappiness": None,
        "PidsLimit": None,
        "MaskedPaths": [f"/proc/{name}" for name in _MASKED.split()] + ["/sys/firmware"],
        "ReadonlyPaths": [f"/proc/{name}" for name in ("bus", "fs", "irq", "sys", "sysrq-trigger")],
    }
    config |= {key: value for key, value in given.items() if value is not None}
    config["RestartPolicy"] = {
        "Name": policy.get("Name") or "no",
        "MaximumRetryCount": policy.get("MaximumRetryCount", 0),
    }
    mode = given.get("NetworkMode") or "default"
    config["NetworkMode"] = "bridge" if mode == "default" else mode
    if config["AutoRemove"] and config["RestartPolicy"]["Name"] != "no":
        raise EngineError(400, "can't create 'AutoRemove' container with restart policy")
    return config


def check_restart_policy(policy: Json) -> None:
    """Refuse a restart policy dockerd does not know."""
    name = policy.get("Name", "")
    if name not in RESTART_POLICIES:
        known = "'no', 'always', 'on-failure', or 'unless-stopped'"
        raise EngineError(400, f"invalid restart policy: unknown policy '{name}'; use one of {known}")


def mount_points(config: Json, host: Json, volume: Callable[[str], str]) -> list[Json]:
    """The Mounts of a new container; `volume` makes sure a volume exists and returns its name."""
    mounts = [_bind(spec, volume) for spec in host["Binds"] or []]
    mounts += [_mount(spec, volume) for spec in host.get("Mounts") or []]
    taken = {mount["Destination"] for mount in mounts}
    if len(taken) < len(mounts):
        raise EngineError(400, "Duplicate mount point")
    for destination in map(normpath, config["Volumes"] or {}):
        if destination not in taken:
            mounts.append(_volume_mount(volume(""), destination, "", True))
    return mounts


def _bind(spec: str, volume: Callable[[str], str]) -> Json:
    source, _, rest = spec.partition(":")
    destination, _, mode = rest.partition(":")
    if not source or not destination.startswith("/"):
        raise EngineError(400, f"invalid volume specification: '{spec}'")
    destination = normpath(destination)
    writable = "ro" not in mode.split(",")
    if not source.startswith("/"):
        return _volume_mount(volume(source), destination, mode or "z", writable)
    return _bind_mount(source, destination, mode, writable)


def _mount(spec: Json, volume: Callable[[str], str]) -> Json:
    writable, target = not spec.get("ReadOnly", False), normpath(spec["Target"])
    match spec.get("Type"):
        case "volume":
            return _volume_mount(volume(spec.get("Source") or ""), target, "z", writable)
        case "bind":
            return _bind_mount(spec["Source"], target, "", writable)
        case "tmpfs":
            return {"Type": "tmpfs", "Source": "", "Destination": target} | _access("", writable, "")
    raise EngineError(400, f'invalid mount config: mount type unknown: "{spec.get("Type")}"')


def _volume_mount(name: str, destination: str, mode: str, writable: bool) -> Json:
    source = f"/var/lib/docker/volumes/{name}/_data"
    place = {"Type": "volume", "Name": name, "Source": source, "Destination": destination, "Driver": "local"}
    return place | _access(mode, writable, "")


def _bind_mount(source: str, destination: str, mode: str, writable: bool) -> Json:
    place = {"Type": "bind", "Source": source, "Destination": destination}
    return place | _access(mode, writable, "rprivate")


def _access(mode: str, writable: bool, propagation: str) -> Json:
    return {"Mode": mode, "RW": writable, "Propagation": propagation}


def _merged_env(base: list[str], given: list[str]) -> list[str]:
    names = {item.partition("=")[0] for item in given}
    return [*given, *(item for item in base if item.partition("=")[0] not in names)]


def _command(base: Json, given: Json) -> tuple[list[str] | None, list[str] | None]:
    entrypoint, command = _words(given.get("Entrypoint")), _words(given.get("Cmd"))
    if entrypoint is None:
        entrypoint = base.get("Entrypoint")
        command = base.get("Cmd") if command is None else command
    elif entrypoint == [""]:
        entrypoint = None  # cleared, not taken from the image
    return entrypoint or None, command or None


def _words(value: Any) -> list[str] | None:
    return re.split(r"\s+", value.strip()) if isinstance(value, str) else value
