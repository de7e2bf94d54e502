"""The house: what the services know of one thing together. It reads what they contribute, and knows none of them."""

from typing import Annotated, Literal

from tools import kit


class Settings(kit.ServiceSettings, env_prefix="HOUSE_"):
    """There is nothing to set: it looks across whatever is set up."""


async def connect(link: kit.Link) -> None:
    """There is nothing to connect to."""


service = kit.Service("house", area=kit.Area.INFRASTRUCTURE, settings=Settings, connect=connect, own=True)

Name = Annotated[str, kit.Field(description="A name, an address, a MAC address or an id.", max_length=253)]
Why = Literal["called so", "of the same name", "the host of it", "at the same address"]


class Said(kit.Result):
    """One thing in the words of one service."""

    service: kit.Ident
    thing: kit.Identity


class Related(Said):
    """The same, and what it has to do with what was asked."""

    why: Why


class Explained(kit.Listing):
    """What the services say of a name, the closest first; nothing, and nobody down: none of them knows it."""

    said: list[Related]


class Dispute(kit.Result):
    """An address for which two services have no name in common."""

    address: kit.Ip
    said: list[Said]


class Inventories(kit.Result):
    """What one inventory says against another."""

    asked: list[kit.Ident]
    """Whose inventories they are; with one alone there is nothing to compare."""
    lost_names: list[kit.Identity] | None = None
    """Local DNS names that point where nobody knows anything; absent where somebody's silence would speak."""
    nameless_hosts: list[kit.Ident] | None = None
    """Hosts of containers that no local DNS name points to; absent like those."""
    disputes: list[Dispute]
    down: list[kit.Down] = []


@service.tool(kit.Risk.READ)
async def explain(ctx: kit.Context[None], name: Name) -> Explained:
    """What a name, address or id stands for, across all services: container, host, device or local DNS name.

    Use it for "what is NAME?". Several things may be called the same: their hosts tell them apart.
    """
    told, text = await ctx.contributed(kit.Identity), name.strip().casefold()
    spelled = {text, *kit.those_of(kit.Ip, [text]), *kit.those_of(kit.Mac, [text])}
    meant = [thing for _, thing in told.things if spelled & thing.spellings]
    # Compose calls half the containers `db` or `server`: a name of one says nothing of others.
    names = {label for thing in meant if thing.kind != "container" for label in thing.labels}
    hosts = {thing.host for thing in meant if thing.host}
    spots = {spot for thing in meant for spot in (*thing.addresses, *thing.macs)}

    def why(thing: kit.Identity) -> Why | None:
        if spelled & thing.spellings:
            return "called so"
        if names & thing.labels:
            return "of the same name"
        if thing.kind == "host" and thing.name in hosts:
            return "the host of it"
        return "at the same address" if spots & {*thing.addresses, *thing.macs} else None

    said = [Related(service=who, thing=thing, why=reason) for who, thing in told.things if (reason := why(thing))]
    rows, more = kit.listed(sorted(said, key=lambda one: one.why != "called so"))
    return Explained(said=rows, more=more, down=told.down)


@service.tool(kit.Risk.READ)
async def compare_inventories(ctx: kit.Context[None]) -> Inventories:
    """How services disagree: local DNS names that lead nowhere, hosts without one, disputed addresses."""
    told = await ctx.contributed(kit.Identity)
    names = [thing for _, thing in told.things if thing.kind == "local DNS name"]
    others = [thing for _, thing in told.things if thing.kind != "local DNS name"]
    homes = {thing.host for thing in others if thing.kind == "container"}
    hosts = [thing for thing in others if thing.kind == "host" and thing.name in homes]
    found = Inventories(asked=list(told.found), disputes=_disputes(told.things), down=told.down)
    if told.down or len(told.found) < 2 or not names:
        return found
    lost = [name for name in names if not any(name.leads_to(thing) for thing in others)]
    nameless = [str(host.name) for host in hosts if not any(name.leads_to(host) for name in names)]
    return found.model_copy(update={"lost_names": lost, "nameless_hosts": nameless})


@service.tool(kit.Risk.READ, often=True)
async def check_backups(ctx: kit.Context[None]) -> kit.Judged:
    """Whether the backups are fine: the last good one of each guest, its age, verified, offsite; guests with none.

    Use it for "are my backups fine?". Say yes or no first: protected, attention, unprotected and unknown are four
    answers, and what is unknown is neither fine nor lost.
    """
    return kit.judged(await ctx.contributed(kit.Guest), await ctx.contributed(kit.Backup))


def _disputes(things: list[tuple[str, kit.Identity]]) -> list[Dispute]:
    by_address: dict[str, list[Said]] = {}
    for who, thing in things:
        for address in thing.addresses if thing.labels else []:
            by_address.setdefault(address, []).append(Said(service=who, thing=thing))
    return [Dispute(address=address, said=said) for address, said in by_address.items() if _differ(said)]


def _differ(said: list[Said]) -> bool:
    """Whether two services have no name in common."""
    called: dict[str, set[str]] = {}
    for one in said:
        called.setdefault(one.service, set()).update(one.thing.labels)
    return any(not one & other for one in called.values() for other in called.values())
