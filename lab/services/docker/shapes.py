"""How dockerd writes its objects down."""

from typing import Any

from lab.services.docker.engine.host import Host, shown_image
from lab.services.docker.engine.model import Container, Image, Json, Network, Volume
from lab.services.docker.engine.text import status_line, timestamp

ROOT = "/var/lib/docker"


def container_row(host: Host, container: Container, size: bool) -> Json:
    """One row of the container list."""
    image = host.images.all.get(container.image_id)
    row: Json = {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": shown_image(host, container),
        "ImageID": container.image_id,
        "Command": " ".join(command(container)),
        "Created": int(container.created),
        "Ports": _port_rows(container),
        "Labels": container.labels,
        "State": container.status,
        "Status": status_line(container, host.rules.now(), host.health(container)),
        "HostConfig": {"NetworkMode": container.host_config["NetworkMode"]},
        "NetworkSettings": {"Networks": endpoints(host, container)},
        "Mounts": container.mounts,
    }
    if size:
        row |= {"SizeRw": container.size_rw, "SizeRootFs": container.size_rw + (image.size if image else 0)}
    return row


def container_details(host: Host, container: Container, size: bool) -> Json:
    """The answer to an inspect."""
    words = command(container)
    place = f"{ROOT}/containers/{container.id}"
    image = host.images.all.get(container.image_id)
    details: Json = {
        "Id": container.id,
        "Created": timestamp(container.created),
        "Path": words[0],
        "Args": words[1:],
        "State": _state(host, container),
        "Image": container.image_id,
        "ResolvConfPath": f"{place}/resolv.conf",
        "HostnamePath": f"{place}/hostname",
        "HostsPath": f"{place}/hosts",
        "LogPath": f"{place}/{container.id}-json.log",
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "docker-default" if container.alive else "",
        "ExecIDs": None,
        "HostConfig": container.host_config,
        "GraphDriver": _graph_driver(container.id),
        "Mounts": container.mounts,
        "Config": container.config,
        "NetworkSettings": _network_settings(host, container),
    }
    if size:
        details |= {"SizeRw": container.size_rw, "SizeRootFs": container.size_rw + (image.size if image else 0)}
    return details


def command(container: Container) -> list[str]:
    """Entry point and command in one list."""
    return [*(container.config["Entrypoint"] or []), *(container.config["Cmd"] or [])]


def endpoints(host: Host, container: Container) -> Json:
    """The networks of a container, with addresses while it runs."""
    return {name: _endpoint(host, container, name, mine) for name, mine in container.endpoints.items()}


def image_row(host: Host, image: Image, counted: bool) -> Json:
    """One row of the image list; -1: that was not counted."""
    return {
        "Containers": len(host.images.users(image)) if counted else -1,
        "Created": int(image.created),
        "Id": image.id,
        "Labels": image.config.get("Labels"),
        "ParentId": "",
        "RepoDigests": image.digests,
        "RepoTags": image.tags,
        "SharedSize": host.images.shared_bytes(image) if counted else -1,
        "Size": image.size,
    }


def image_details(image: Image) -> Json:
    """The answer to an image inspect."""
    return {
        "Id": image.id,
        "RepoTags": image.tags,
        "RepoDigests": image.digests,
        "Parent": "",
        "Comment": "buildkit.dockerfile.v0",
        "Created": timestamp(image.created),
        "DockerVersion": "",
        "Author": "",
        "Config": image.config,
        "Architecture": "amd64",
        "Os": "linux",
        "Size": image.size,
        "GraphDriver": _graph_driver(image.id[7:]),
        "RootFS": {"Type": "layers", "Layers": image.layers},
        "Metadata": {"LastTagTime": timestamp(image.tagged)},
    }


def volume(item: Volume, users: int | None = None) -> Json:
    """A volume; with `users` also how much it holds, as `docker system df` says."""
    shape: Json = {
        "CreatedAt": timestamp(item.created)[:19] + "Z",
        "Driver": item.driver,
        "Labels": item.labels,
        "Mountpoint": f"{ROOT}/volumes/{item.name}/_data",
        "Name": item.name,
        "Options": item.options,
        "Scope": "local",
    }
    if users is not None:
        shape["UsageData"] = {"RefCount": users, "Size": item.size}
    return shape


def network(host: Host, item: Network, members: bool) -> Json:
    """A network; with `members` also the running containers in it."""
    gateway = {"Subnet": item.subnet, "Gateway": item.subnet.rsplit(".", 1)[0] + ".1"}
    inside = host.networks.users(item, running=True) if members else []
    return {
        "Name": item.name,
        "Id": item.id,
        "Created": timestamp(item.created),
        "Scope": "local",
        "Driver": item.driver,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": [gateway] if item.subnet else []},
        "Internal": item.internal,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {container.id: _member(container, item) for container in inside},
        "Options": item.options,
        "Labels": item.labels,
    }


def _member(container: Container, item: Network) -> Json:
    mine = container.endpoints[item.name]
    return {
        "Name": container.name,
        "EndpointID": mine["EndpointID"],
        "MacAddress": mine["MacAddress"],
        "IPv4Address": f"{mine['IPAddress']}/16" if mine["IPAddress"] else "",
        "IPv6Address": "",
    }


def _state(host: Host, container: Container) -> Json:
    state: Json = {
        "Status": container.status,
        "Running": container.alive,
        "Paused": container.status == "paused",
        "Restarting": container.status == "restarting",
        "OOMKilled": container.out_of_memory,
        "Dead": False,
        "Pid": container.pid,
        "ExitCode": container.exit_code,
        "Error": container.error,
        "StartedAt": timestamp(container.started_at),
        "FinishedAt": timestamp(container.finished_at),
    }
    health = host.health(container)
    if health:
        state["Health"] = {"Status": health, "FailingStreak": 0, "Log": _health_log(host, container, health)}
    return state


def _health_log(host: Host, container: Container, health: str) -> list[Json]:
    if health != "healthy":
        return []
    passed = container.started_at + host.rules.health_after
    latest = passed + (host.rules.now() - passed) // 30 * 30
    started, ended = timestamp(latest - 0.08), timestamp(latest)
    return [{"Start": started, "End": ended, "ExitCode": 0, "Output": "ok\n"}]


def _graph_driver(name: str) -> Json:
    place = f"{ROOT}/overlay2/{name}"
    paths = {"LowerDir": f"{place}-init/diff", "MergedDir": f"{place}/merged"}
    return {"Data": paths | {"UpperDir": f"{place}/diff", "WorkDir": f"{place}/work"}, "Name": "overlay2"}


def _network_settings(host: Host, container: Container) -> Json:
    networks = endpoints(host, container)
    bridge = networks.get("bridge", {})
    return {
        "Bridge": "",
        "SandboxID": container.id if container.pid else "",
        "SandboxKey": f"/var/run/docker/netns/{container.id[:12]}" if container.pid else "",
        "Ports": _port_map(container),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": bridge.get("EndpointID", ""),
        "Gateway": bridge.get("Gateway", ""),
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": bridge.get("IPAddress", ""),
        "IPPrefixLen": bridge.get("IPPrefixLen", 0),
        "IPv6Gateway": "",
        "MacAddress": bridge.get("MacAddress", ""),
        "Networks": networks,
    }


def _endpoint(host: Host, container: Container, name: str, mine: Json) -> Json:
    found = next((n for n in host.networks.all.values() if n.name == name), None)
    up = container.pid > 0 and bool(mine["IPAddress"])
    gateway = found.subnet.rsplit(".", 1)[0] + ".1" if up and found else ""
    return {
        "IPAMConfig": mine["IPAMConfig"],
        "Links": mine["Links"],
        "Aliases": mine["Aliases"],
        "MacAddress": mine["MacAddress"] if up else "",
        "DriverOpts": mine["DriverOpts"],
        "NetworkID": mine.get("NetworkID") or (found.id if found else ""),
        "EndpointID": mine["EndpointID"] if container.pid else "",
        "Gateway": gateway,
        "IPAddress": mine["IPAddress"] if up else "",
        "IPPrefixLen": 16 if up else 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": [*(mine["Aliases"] or []), container.id[:12]] if found and not found.predefined else None,
    }


def _port_map(container: Container) -> Json:
    if not container.pid:
        return {}
    ports: dict[str, Any] = dict.fromkeys(container.config["ExposedPorts"] or {})
    for port, bindings in container.host_config["PortBindings"].items():
        ports[port] = [
            {"HostIp": address, "HostPort": binding.get("HostPort") or "32768"}
            for binding in bindings or []
            for address in ([binding["HostIp"]] if binding.get("HostIp") else ["0.0.0.0", "::"])
        ]
    return ports


def _port_rows(container: Container) -> list[Json]:
    rows: list[Json] = []
    for port, bindings in _port_map(container).items():
        number, _, kind = port.partition("/")
        private: Json = {"PrivatePort": int(number), "Type": kind or "tcp"}
        rows += [{"IP": b["HostIp"], **private, "PublicPort": int(b["HostPort"])} for b in bindings or []] or [private]
    return rows
