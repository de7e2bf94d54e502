"""Containers with everything set, and whether one that was made again is the same: for the twin and a real engine."""

from typing import Any

Json = dict[str, Any]

SUBNETS = {"one": "10.213.77.0/24", "two": "10.213.78.0/24"}
SECOND = {"IPAMConfig": {"IPv4Address": "10.213.78.7"}, "Aliases": ["deux", "zwei"]}
EVERYTHING: Json = {
    "Cmd": ["sleep", "3000"],
    "Entrypoint": ["/bin/busybox"],
    "Env": ["SECRET_KEY=geheim-99-geheim", "EMPTY=", "PATH=/bin", "ODD=a=b 'c' \"d\" $E"],
    "Labels": {"com.docker.compose.project": "media", "odd key": "v=1"},
    "Hostname": "precious", "Domainname": "lan", "User": "0:0", "WorkingDir": "/bin",
    "StopSignal": "SIGINT", "StopTimeout": 3, "OpenStdin": True, "Tty": True,
    "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "Volumes": {"/unnamed": {}},
    "MacAddress": "02:42:0a:d5:4d:99",
    "Healthcheck": {
        "Test": ["CMD", "true"], "Interval": 5_000_000_000, "Timeout": 2_000_000_000, "Retries": 2,
        "StartPeriod": 1_000_000_000,
    },
    "HostConfig": {
        "NetworkMode": "one",
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}]},
        "Binds": ["named:/data:ro", "/usr/share:/share:ro", "other:/plain:nocopy"],
        "Mounts": [
            {"Type": "volume", "Target": "/mounted", "VolumeOptions": {"Labels": {"k": "v"}}},
            {"Type": "bind", "Source": "/usr/share", "Target": "/bound", "ReadOnly": True},
            {"Type": "tmpfs", "Target": "/memory", "TmpfsOptions": {"SizeBytes": 1048576}},
        ],
        "Tmpfs": {"/run": "rw,size=65536k"}, "ShmSize": 33554432,
        "CapAdd": ["NET_ADMIN"], "CapDrop": ["MKNOD"], "GroupAdd": ["44"], "SecurityOpt": ["no-new-privileges"],
        "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nix", "CgroupPermissions": "rwm"}],
        "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}, {"Name": "nproc", "Soft": 2048, "Hard": 4096}],
        "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
        "ExtraHosts": ["db:10.0.0.1"], "Dns": ["9.9.9.9"], "DnsSearch": ["lan"], "DnsOptions": ["ndots:1"],
        "Init": True, "IpcMode": "shareable", "OomScoreAdj": 100,
        "Memory": 67108864, "NanoCpus": 500000000, "PidsLimit": 50, "CpuShares": 512,
    },
    "NetworkingConfig": {
        "EndpointsConfig": {"one": {"IPAMConfig": {"IPv4Address": "10.213.77.9"}, "Aliases": ["web", "api"]}}
    },
}  # fmt: skip

SLEEP = ["/bin/busybox", "sleep", "3000"]
PLAIN: Json = {"Cmd": SLEEP, "HostConfig": {"NetworkMode": "none"}}
CASES: dict[str, Json] = {
    "everything": EVERYTHING,
    "places end in a slash": {
        "Cmd": SLEEP,
        "Volumes": {"/unnamed/": {}},
        "HostConfig": {
            "NetworkMode": "none",
            "Binds": ["named:/data/"],
            "Mounts": [{"Type": "volume", "Target": "/mounted/"}],
        },
    },
    "a name of its own on the host's network": {**PLAIN, "Hostname": "plex", "HostConfig": {"NetworkMode": "host"}},
    "the host's own name": {**PLAIN, "HostConfig": {"NetworkMode": "host", "UTSMode": "host"}},
    "a domain without a name": {**PLAIN, "Domainname": "lan"},
    "no health check": {**PLAIN, "Healthcheck": {"Test": ["NONE"]}},
    "an entry point cleared": {**PLAIN, "Entrypoint": [""]},
    "an address of its own, never started": {
        "Cmd": SLEEP,
        "MacAddress": "02:42:0a:d5:4d:98",
        "HostConfig": {"NetworkMode": "one"},
    },
    "no address chosen": {"Cmd": SLEEP, "HostConfig": {"NetworkMode": "one"}},
}
NEVER_STARTED = {"an address of its own, never started"}
GIVEN_UP = ("Id", "SandboxID", "SandboxKey", "EndpointID", "NetworkID", "Created", "State", "GraphDriver", "LogPath")
"""What a new container cannot have in common with the old one."""


def body(case: str, image: str) -> Json:
    """The create request of one case."""
    return {**CASES[case], "Image": image}


def differences(before: Json, after: Json) -> list[str]:
    """Where two inspections differ although the containers should be the same."""
    return sorted(_differing(_comparable(before), _comparable(after), ""))


def _comparable(inspected: Json) -> Json:
    own, podman = inspected["Id"][:12], inspected["HostConfig"].get("Runtime") == "oci"
    config, settings = dict(inspected["Config"]), dict(inspected["HostConfig"])
    config["Env"] = sorted(config["Env"]) if podman else config["Env"]  # in any order, each time it is asked
    given_up = (*GIVEN_UP, "IPAddress") if podman else GIVEN_UP
    if config["Hostname"] == own:
        config["Hostname"] = "made up"
    # Unnamed volumes get their names into the request: that is how the old data is mounted again. `Mounts` tells.
    del settings["Binds"], config["Image"]
    settings["Mounts"] = [{**mount, "Source": ""} for mount in settings.get("Mounts") or []]
    keys = ("Type", "Name", "Source", "Destination", "RW", "Propagation")
    return {
        **{key: inspected[key] for key in ("Name", "Path", "Args", "Image", "Driver", "Platform")},
        "Config": config,
        "HostConfig": settings,
        "Mounts": {mount["Destination"]: {key: mount.get(key) for key in keys} for mount in inspected["Mounts"]},
        "Ports": inspected["NetworkSettings"]["Ports"],
        "Networks": {
            name: {key: value for key, value in given.items() if key not in given_up and key != "DNSNames"}
            | {"Aliases": sorted({*(given["Aliases"] or ())} - {own, config["Hostname"]})}
            for name, given in inspected["NetworkSettings"]["Networks"].items()
        },
    }


def _differing(before: Any, after: Any, place: str) -> list[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in {*before, *after}:
            found += _differing(before.get(key, "absent"), after.get(key, "absent"), f"{place}.{key}")
        return found
    return [] if before == after else [f"{place[1:]}: {before!r} → {after!r}"]
