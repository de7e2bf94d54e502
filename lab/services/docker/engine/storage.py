"""Volumes and networks of one host."""

from collections.abc import Callable, Collection, Iterable
from ipaddress import ip_address, ip_network

from lab.services.docker.engine.model import Container, Json, Network, Volume
from lab.services.docker.engine.rules import EngineError, Rules, is_anonymous

Containers = Callable[[], Iterable[Container]]


class Volumes:
    """The volumes of one host."""

    def __init__(self, rules: Rules, containers: Containers) -> None:
        self.rules = rules
        self.all: dict[str, Volume] = {}
        self._containers = containers

    def get(self, name: str) -> Volume:
        """The volume of this name."""
        if name not in self.all:
            raise EngineError(404, f"get {name}: no such volume")
        return self.all[name]

    def users(self, name: str) -> list[Container]:
        """The containers that mount this volume, running or not."""
        return [c for c in self._containers() if any(mount.get("Name") == name for mount in c.mounts)]

    def create(
        self, name: str = "", labels: dict[str, str] | None = None, options: dict[str, str] | None = None
    ) -> Volume:
        """The volume of this name, made now if there is none."""
        if name in self.all:
            return self.all[name]
        anonymous = not name
        name = name or self.rules.hex_id()
        if anonymous:
            labels = {"com.docker.volume.anonymous": "", **(labels or {})}
        volume = Volume(name, self.rules.now(), 0, labels, options)
        if not self.rules.lies("create_volume"):
            self.all[name] = volume
        return volume

    def remove(self, name: str, force: bool = False) -> None:
        """Delete a volume nobody mounts."""
        if name not in self.all and force:
            return
        self.get(name)
        if users := self.users(name):
            raise EngineError(409, f"remove {name}: volume is in use - [{', '.join(c.id for c in users)}]")
        if not self.rules.lies("remove_volume"):
            del self.all[name]

    def prune(self, include_named: bool, matches: Callable[[Volume], bool]) -> tuple[list[str], int]:
        """Delete unused volumes; the names and the bytes freed."""
        unused = [
            volume
            for volume in self.all.values()
            if not self.users(volume.name) and (include_named or is_anonymous(volume.name)) and matches(volume)
        ]
        if not self.rules.lies("prune"):
            for volume in unused:
                del self.all[volume.name]
        return [volume.name for volume in unused], sum(volume.size for volume in unused)


class Networks:
    """The networks of one host and the addresses in them."""

    def __init__(self, rules: Rules, containers: Containers) -> None:
        self.rules = rules
        self.all: dict[str, Network] = {}
        self._containers = containers

    def get(self, ref: str) -> Network:
        """The network of this name, id or unique id prefix."""
        named = [network for network in self.all.values() if ref in (network.name, network.id)]
        found = named or [network for network in self.all.values() if ref and network.id.startswith(ref)]
        if not found:
            raise EngineError(404, f"network {ref} not found")
        if len(found) > 1:
            raise EngineError(400, f"network {ref} is ambiguous ({len(found)} matches found based on ID prefix)")
        return found[0]

    def name_of(self, ref: str) -> str:
        """The name of a network given by name or id; `default` means the bridge."""
        known = self.all.get(ref)
        return known.name if known else "bridge" if ref == "default" else ref

    def users(self, network: Network, running: bool = False) -> list[Container]:
        """The containers attached to this network."""
        attached = [c for c in self._containers() if network.name in c.endpoints]
        return [c for c in attached if c.alive] if running else attached

    def create(self, body: Json) -> Network:
        """A new network."""
        name = body.get("Name") or ""
        if not name:
            raise EngineError(400, "network name cannot be empty")
        if name in ("bridge", "host", "none", "default"):
            raise EngineError(403, f"operation is not permitted on predefined {name} network")
        if any(network.name == name for network in self.all.values()):
            raise EngineError(409, f"network with name {name} already exists")
        given = (body.get("IPAM") or {}).get("Config") or []
        network = Network(
            id=self.rules.hex_id(),
            name=name,
            created=self.rules.now(),
            driver=body.get("Driver") or "bridge",
            subnet=given[0].get("Subnet", "") if given else self._free_subnet(),
            internal=bool(body.get("Internal")),
            labels=body.get("Labels") or {},
            options=body.get("Options") or {},
        )
        if not self.rules.lies("create_network"):
            self.all[network.id] = network
        return network

    def remove(self, ref: str) -> None:
        """Delete a network without active endpoints."""
        network = self.get(ref)
        if network.predefined:
            raise EngineError(403, f"{network.name} is a pre-defined network and cannot be removed")
        if users := self.users(network, running=True):
            names = ", ".join(f'name:"{c.name}" id:"{c.id[:12]}"' for c in users)
            raise EngineError(
                403, f"error while removing network: network {network.name} has active endpoints ({names})"
            )
        if not self.rules.lies("remove_network"):
            del self.all[network.id]

    def connect(self, ref: str, container: Container, settings: Json) -> None:
        """Attach a container."""
        network = self.get(ref)
        if network.name in container.endpoints:
            message = f"endpoint with name {container.name} already exists in network {network.name}"
            raise EngineError(403, message)
        if "none" in (network.name, *container.endpoints):
            words = "container cannot be connected to multiple networks with one of the networks in private (none) mode"
            raise EngineError(400, words)
        if not self.rules.lies("connect"):
            container.endpoints[network.name] = self.endpoint(network.name, settings)

    def disconnect(self, ref: str, container: Container) -> None:
        """Detach a container."""
        network = self.get(ref)
        if network.name not in container.endpoints:
            message = f"container {container.id} is not connected to network {network.name}"
            raise EngineError(500, message)
        if not self.rules.lies("disconnect"):
            del container.endpoints[network.name]

    def prune(self, matches: Callable[[Network], bool]) -> list[str]:
        """Delete unused networks; their names."""
        unused = [n for n in self.all.values() if not n.predefined and not self.users(n) and matches(n)]
        if not self.rules.lies("prune"):
            for network in unused:
                del self.all[network.id]
        return [network.name for network in unused]

    def endpoint(self, name: str, settings: Json) -> Json:
        """The settings of a new endpoint, with an address that is free."""
        network = next((n for n in self.all.values() if n.name == name), None)
        asked = (settings.get("IPAMConfig") or {}).get("IPv4Address")
        address = asked or (self._free_address(network) if network and network.subnet else "")
        if asked and network and ip_address(asked) not in ip_network(network.subnet or "0.0.0.0/0"):
            words = f"no configured subnet or ip-range contain the IP address {asked}"
            raise EngineError(400, f"invalid config for network {name}: invalid endpoint settings:\n{words}")
        derived = "02:42:" + ":".join(f"{int(part):02x}" for part in address.split(".")) if address else ""
        return {
            "IPAMConfig": settings.get("IPAMConfig"),
            "Links": settings.get("Links"),
            "Aliases": settings.get("Aliases"),
            "DriverOpts": settings.get("DriverOpts"),
            "IPAddress": address,
            "MacAddress": settings.get("MacAddress") or derived,
            "EndpointID": self.rules.hex_id(),
        }

    def check_address(self, network: Network, container: Container) -> None:
        """Refuse a start whose fixed address another running container has."""
        mine = (container.endpoints[network.name]["IPAMConfig"] or {}).get("IPv4Address")
        others = (c for c in self.users(network, running=True) if c is not container)
        if mine and any(other.endpoints[network.name]["IPAddress"] == mine for other in others):
            raise EngineError(403, "Address already in use")

    def _free_address(self, network: Network) -> str:
        prefix = network.subnet.rsplit(".", 1)[0]
        taken: Collection[str] = {c.endpoints[network.name]["IPAddress"] for c in self.users(network)}
        return next(f"{prefix}.{n}" for n in range(2, 255) if f"{prefix}.{n}" not in taken)

    def _free_subnet(self) -> str:
        taken = {network.subnet for network in self.all.values()}
        return next(s for n in range(18, 256) if (s := f"172.{n}.0.0/16") not in taken)
