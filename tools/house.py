"""The house: what the services know of one thing together. It reads what they contribute, and knows none of them."""

from typing import Annotated, Literal

from tools.kit import (
    Area,
    Context,
    Down,
    Field,
    Ident,
    Identity,
    Ip,
    Link,
    Listing,
    Result,
    Risk,
    Service,
    ServiceSettings,
    listed,
)


class Settings(ServiceSettings, env_prefix="HOUSE_"):
    """There is nothing to set: it looks across whatever is set up."""


async def connect(link: Link) -> None:
    """There is nothing to connect to."""


service = Service("house", area=Area.INFRASTRUCTURE, settings=Settings, connect=connect, own=True)

Name = Annotated[str, Field(description="A name, an address, a MAC address or an id.", max_length=253)]
Why = Literal["called so", "at the same address", "the host of it"]


class Said(Result):
    """One thing in the words of one service, and what it has to do with what was asked."""

    service: Ident
    why: Why
    thing: Identity


class Explained(Listing):
    """What the services say of a name; nothing, and nobody down: none of them knows it."""

    said: list[Said]


class Inventories(Result):
    """What one inventory says against another."""

    asked: list[Ident]
    """Whose inventories they are; with one alone there is nothing to compare."""
    lost_names: list[Identity] | None = None
    """Local DNS names that point where nobody knows anything; absent unless everybody has answered."""
    nameless_hosts: list[Ident] | None = None
    """Hosts of containers that no local DNS name points to; absent unless everybody has answered."""
    disputes: dict[Ip, list[Said]]
    """Addresses for which two services have no name in common."""
    down: list[Down] = []


@service.tool(Risk.READ)
async def explain(ctx: Context[None], name: Name) -> Explained:
    """What a name, address or id stands for, across all services: container, host, device or local DNS name.

    Use it for "what is NAME?". Several things may be called the same: their hosts tell them apart.
    """
    told, text = await ctx.contributed(Identity), name.strip().casefold()
    meant = [thing for _, thing in told.things if text in thing.spellings]
    hosts = {thing.host for thing in meant if thing.host}
    spots = {spot for thing in meant for spot in (*thing.addresses, *thing.macs)}

    def why(thing: Identity) -> Why | None:
        if text in thing.spellings:
            return "called so"
        if thing.kind == "host" and thing.name in hosts:
            return "the host of it"
        return "at the same address" if spots & {*thing.addresses, *thing.macs} else None

    said = [Said(service=who, why=reason, thing=thing) for who, thing in told.things if (reason := why(thing))]
    rows, more = listed(sorted(said, key=lambda one: one.why != "called so"))
    return Explained(said=rows, more=more, down=told.down)


@service.tool(Risk.READ)
async def compare_inventories(ctx: Context[None]) -> Inventories:
    """How services disagree: local DNS names that lead nowhere, hosts without one, disputed addresses."""
    told = await ctx.contributed(Identity)
    every = [Said(service=who, why="called so", thing=thing) for who, thing in told.things]
    names = [one.thing for one in every if one.thing.kind == "local DNS name"]
    others = [one.thing for one in every if one.thing.kind != "local DNS name"]
    whole = not told.down and bool(names)
    homes = {thing.host for thing in others if thing.kind == "container"}
    hosts = [thing for thing in others if thing.kind == "host" and thing.name in homes]
    return Inventories(
        asked=list(told.found),
        lost_names=[name for name in names if not any(name.leads_to(thing) for thing in others)] if whole else None,
        nameless_hosts=[str(h.name) for h in hosts if not any(name.leads_to(h) for name in names)] if whole else None,
        disputes=_disputes(every),
        down=told.down,
    )


def _disputes(every: list[Said]) -> dict[str, list[Said]]:
    by_address: dict[str, list[Said]] = {}
    for one in every:
        for address in one.thing.addresses if one.thing.labels else []:
            by_address.setdefault(address, []).append(one)
    return {address: said for address, said in by_address.items() if _differ(said)}


def _differ(said: list[Said]) -> bool:
    """Whether two services have no name in common."""
    called = {who: set[str]().union(*(one.thing.labels for one in said if one.service == who))
              for who in {one.service for one in said}}  # fmt: skip
    return any(not one & other for one in called.values() for other in called.values())
