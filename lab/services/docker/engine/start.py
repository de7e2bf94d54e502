"""What a start leans on: containers, networks, ports, paths and plugins that may be gone or taken by then."""

from typing import TYPE_CHECKING

from lab.services.docker.engine.model import Container, Json
from lab.services.docker.engine.rules import EngineError

if TYPE_CHECKING:
    from lab.services.docker.engine.host import Host


def check(host: "Host", container: Container) -> None:
    """Refuse a start as dockerd does when something is missing."""
    settings = container.host_config
    _check_carrier(host, settings["NetworkMode"], "{}", 404, "cannot join network of a non running container: {}", 409)
    joining = "cannot join PID of a non running container: {0}: {1}"
    _check_carrier(host, settings["PidMode"], joining, 500, "container {} is not running", 500)
    joining = "can't join IPC of container {0}: {1}"
    _check_carrier(host, settings["IpcMode"], joining, 500, "can't join IPC of container {0}: it is not running", 500)
    for name, endpoint in container.endpoints.items():
        host.networks.check_address(host.networks.get(endpoint.get("NetworkID") or name), container)
    check_mounts(host, settings)
    for device in settings["Devices"]:
        if device["PathOnHost"] in host.missing_paths:
            words = f'error gathering device information while adding custom device "{device["PathOnHost"]}"'
            raise EngineError(500, f"{words}: no such file or directory")
    _check_ports(host, container)


def check_mounts(host: "Host", settings: Json) -> None:
    """Refuse mounts whose source or driver is not there; a source among the binds is made when it is missing."""
    mounts = settings.get("Mounts") or []
    for mount in mounts:
        if mount.get("Type") == "bind" and mount["Source"] in host.missing_paths:
            words = 'invalid mount config for type "bind": bind source path does not exist'
            raise EngineError(400, f"{words}: {mount['Source']}")
    drivers = [((mount.get("VolumeOptions") or {}).get("DriverConfig") or {}).get("Name") or "" for mount in mounts]
    for driver in (settings["VolumeDriver"], *drivers):
        if driver not in host.volume_plugins:
            raise EngineError(404, f'error looking up volume plugin {driver}: plugin "{driver}" not found')


def resolve_carriers(host: "Host", settings: Json) -> None:
    """Write the carriers of a new container by their ids. A network's may be missing, the others' may not."""
    for key in ("NetworkMode", "PidMode", "IpcMode"):
        kind, _, reference = str(settings[key]).partition(":")
        if kind == "container":
            try:
                settings[key] = f"container:{host.get(reference).id}"
            except EngineError as error:
                if key != "NetworkMode":
                    raise EngineError(400, error.message) from None
    for donor in settings["VolumesFrom"] or []:
        try:
            host.get(donor.partition(":")[0])
        except EngineError as error:
            raise EngineError(400, error.message) from None


def _check_carrier(host: "Host", mode: str, gone: str, gone_status: int, down: str, down_status: int) -> None:
    kind, _, reference = str(mode).partition(":")
    if kind != "container":
        return
    try:
        carrier = host.get(reference)
    except EngineError as error:
        words = error.message if gone == "{}" else gone.format(reference, error.message)
        raise EngineError(gone_status, words) from None
    if not carrier.alive:
        raise EngineError(down_status, down.format(carrier.id))


def _check_ports(host: "Host", container: Container) -> None:
    wanted = _published(container)
    for other in host.all.values():
        if other is not container and other.alive and (taken := wanted & _published(other)):
            raise EngineError(
                500,
                f"driver failed programming external connectivity on endpoint {container.name}: "
                f"Bind for 0.0.0.0:{min(taken)[0]} failed: port is already allocated",
            )


def _published(container: Container) -> set[tuple[str, str]]:
    return {
        (binding["HostPort"], port.partition("/")[2])
        for port, bindings in container.host_config["PortBindings"].items()
        for binding in bindings or []
        if binding.get("HostPort") not in (None, "", "0")
    }
