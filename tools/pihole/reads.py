"""Looking: statistics, lists, local names, and whether DNS would survive the loss of one Pi-hole."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from tools.kit import Answers, Api, Context, Count, Field, Risk, Series
from tools.pihole.client import Holes, Some, service
from tools.pihole.models import (
    SAFE,
    SAFE_IF,
    Blocked,
    Clients,
    Conclusion,
    Dhcp,
    Differences,
    DnsmasqLines,
    Lists,
    LocalNames,
    Reasons,
    Redundancy,
    Slot,
    Summary,
    Top,
    Traffic,
    Types,
    Upstreams,
)
from tools.pihole.targets import Named, entries

ADDRESS = re.compile(r"[0-9.]{7,15}|\[?[0-9a-f:]+:[0-9a-f:]*\]?", re.I)
OnlyBlocked = Annotated[bool, Field(description="Whether only what was blocked counts.")]


def _read(kind: type[Any], path: str, **params: Any) -> Callable[[Api], Awaitable[Any]]:
    return lambda api: api.read(kind, path, params=params)


@service.tool(Risk.READ, often=True)
async def get_summary(ctx: Context[Holes], piholes: Some | None = None) -> Answers[Summary]:
    """Queries, share blocked, clients and gravity size of the last 24 hours."""
    return await ctx.client.answers(_read(Summary, "/stats/summary"), piholes)


@service.tool(Risk.READ)
async def get_top_items(
    ctx: Context[Holes], blocked: OnlyBlocked = False, count: Count = 10, piholes: Some | None = None
) -> Answers[Top]:
    """The domains that were asked for, or blocked, most often in the last 24 hours."""
    return await ctx.client.answers(_read(Top, "/stats/top_domains", blocked=blocked, count=count), piholes)


@service.tool(Risk.READ)
async def get_top_clients(
    ctx: Context[Holes], blocked: OnlyBlocked = False, count: Count = 10, piholes: Some | None = None
) -> Answers[Clients]:
    """The clients that asked most, or were blocked most, in the last 24 hours."""
    return await ctx.client.answers(_read(Clients, "/stats/top_clients", blocked=blocked, count=count), piholes)


@service.tool(Risk.READ)
async def get_query_types(ctx: Context[Holes], piholes: Some | None = None) -> Answers[Types]:
    """How many queries of each type (A, AAAA, HTTPS…) came in the last 24 hours."""
    return await ctx.client.answers(_read(Types, "/stats/query_types"), piholes)


@service.tool(Risk.READ)
async def get_forward_destinations(ctx: Context[Holes], piholes: Some | None = None) -> Answers[Upstreams]:
    """Which servers answered the queries, how many and how fast; use it when DNS is slow."""
    return await ctx.client.answers(_read(Upstreams, "/stats/upstreams"), piholes)


@service.tool(Risk.READ)
async def get_recent_blocked(ctx: Context[Holes], count: Count = 10, piholes: Some | None = None) -> Answers[Blocked]:
    """The domains that were blocked last, the newest first."""
    return await ctx.client.answers(_read(Blocked, "/stats/recent_blocked", count=count), piholes)


@service.tool(Risk.READ)
async def get_history(ctx: Context[Holes], piholes: Some | None = None) -> Answers[Traffic]:
    """Queries and blocked queries of the last day in steps of ten minutes."""
    return await ctx.client.answers(traffic, piholes)


async def traffic(api: Api) -> Traffic:
    """The last day of one Pi-hole."""
    slots = await api.read(list[Slot], "/history", at=("history",))
    times = [slot.start for slot in slots]
    return Traffic(
        queries=Series(unit="queries", times=times, values=[slot.total for slot in slots]),
        blocked=Series(unit="queries", times=times, values=[slot.blocked for slot in slots]),
    )


@service.tool(Risk.READ, word="why", often=True)
async def find_blocking_rule(ctx: Context[Holes], domain: Named, piholes: Some | None = None) -> Answers[Reasons]:
    """Why a domain is blocked or allowed: the rules and the subscribed lists that it stands on."""
    return await ctx.client.answers(lambda api: api.read(Reasons, "/search/{}", domain), piholes)


@service.tool(Risk.READ)
async def list_lists(ctx: Context[Holes], piholes: Some | None = None) -> Answers[Lists]:
    """The subscribed lists with their size and age."""
    return await ctx.client.answers(_read(Lists, "/lists"), piholes)


@service.tool(Risk.READ)
async def list_local_dns(ctx: Context[Holes], piholes: Some | None = None) -> Answers[LocalNames]:
    """The names that the Pi-holes answer for themselves."""
    return await ctx.client.answers(_read(LocalNames, "/config/dns/hosts"), piholes)


@service.tool(Risk.READ)
async def compare_piholes(ctx: Context[Holes]) -> Differences:
    """What the Pi-holes have on their lists that not all of them have."""
    found, down = await ctx.client.each(entries)
    shared = set.intersection(*map(set, found.values())) if found else set()
    only = {name: [entry.value for entry in sorted(has.keys() - shared, key=str)] for name, has in found.items()}
    return Differences(only_on=only, alike=not any(only.values()), down=down)


@service.tool(Risk.READ)
async def get_redundancy(ctx: Context[Holes]) -> Redundancy:
    """Whether DNS survives the loss of one Pi-hole: who answers, whether they are alike, what DHCP hands out."""
    states, down = await ctx.client.each(lambda api: api.read(Dhcp, "/config/dhcp/active"))
    handed_out = [ip for name, dhcp in states.items() if dhcp.active for ip in await _handed_out(ctx.client.one(name))]
    alike = (await compare_piholes.run(ctx)).alike if len(states) > 1 else None
    serves = any(dhcp.active for dhcp in states.values())
    conclusion = _conclusion(len(ctx.client), len(states), serves, len(handed_out), alike)
    return Redundancy(
        redundant=conclusion == SAFE,
        answering=list(states),
        alike=alike,
        handed_out=handed_out,
        down=down,
        conclusion=conclusion,
    )


def _conclusion(there: int, answering: int, serves_dhcp: bool, handed_out: int, alike: bool | None) -> Conclusion:
    if there < 2:
        return "There is only one Pi-hole: without it there is no DNS."
    if answering < 2:
        return "Fewer than two answer: what is left carries everything until the others are back."
    if serves_dhcp and handed_out < 2:
        return "They answer, but DHCP hands out fewer than two DNS servers: clients know only one."
    if not alike:
        return "They answer, but are not alike: what one blocks another may not."
    return SAFE if serves_dhcp else SAFE_IF


async def _handed_out(api: Api) -> list[str]:
    """The servers in `dhcp-option=option:dns-server,…` or `dhcp-option=6,…`, whatever tags stand before."""
    lines = (await api.read(DnsmasqLines, "/config/misc/dnsmasq_lines")).lines
    options = [line.partition("=")[2].split(",") for line in lines if line.startswith("dhcp-option=")]
    served = [option for option in options if {"option:dns-server", "6"} & {*option}]
    return [part for option in served for part in option if ADDRESS.fullmatch(part)]
