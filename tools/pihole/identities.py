"""What Pi-hole tells other services' readers: itself, local names, and whom it sees in the network."""

from typing import Annotated

from tools.kit import Api, Context, Identity, Mac, NamedOutside, Outside, Result, Told, at, at_home, those_of
from tools.pihole.client import Holes, service
from tools.pihole.models import LocalNames

EVERY = 10_000
"""Devices; unless asked for more, a Pi-hole tells of ten, and who is left out would look unknown."""


class Spot(Result):
    """An address of a device."""

    ip: Outside
    name: Outside | None = None


class Device(Result):
    """A device in the network of a Pi-hole, which has learnt its name by asking around."""

    mac: Annotated[Outside, at("hwaddr")]
    spots: Annotated[list[Spot], at("ips")] = []


class Network(Result):
    """All of them."""

    devices: list[Device]


@service.identities
async def identities(ctx: Context[Holes]) -> Told[Identity]:
    """The Pi-holes, their local names and the devices; what several of them tell alike, once."""
    found, down = await ctx.client.each(_seen)
    ours = [Identity.of_host(name, api.host) for name, api in ctx.client.items()]
    theirs = {one.model_dump_json(): one for each in found.values() for one in each}
    return [*ours, *theirs.values()], down


async def _seen(api: Api) -> list[Identity]:
    lines = [line.partition("#")[0].split() for line in (await api.read(LocalNames, "/config/dns/hosts")).hosts]
    devices = (await api.read(Network, "/network/devices", params={"max_devices": EVERY})).devices
    return [*(_named(*words) for words in lines if len(words) > 1), *map(_device, devices)]


def _named(address: str, name: str, *also: str) -> Identity:
    return NamedOutside(kind="local DNS name", name=name, also=list(also), addresses=at_home([address]))


def _device(device: Device) -> Identity:
    names = list(dict.fromkeys(spot.name for spot in device.spots if spot.name))
    addresses = at_home(spot.ip for spot in device.spots)
    macs = those_of(Mac, [device.mac])
    return NamedOutside(kind="device", name=names[0] if names else None, also=names[1:], addresses=addresses, macs=macs)
