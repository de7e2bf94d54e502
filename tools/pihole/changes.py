"""Pausing, allowing, blocking, subscribing, naming: on all Pi-holes at once, or on those that are named."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Annotated

from pydantic import BaseModel

from tools.kit import (
    Api,
    Call,
    Change,
    Conflict,
    Context,
    Domain,
    Facts,
    Field,
    Gone,
    Ident,
    Ip,
    Minutes,
    NetId,
    Risk,
    Shown,
    Tolerance,
    ToolFailed,
    Which,
    later,
    partly,
)
from tools.pihole.client import Holes, Names, Some, service
from tools.pihole.models import State, Summary
from tools.pihole.targets import Entry, Named, Row, entries, local, rule, subscribed

Wildcard = Annotated[bool, Field(description="Whether every name below the domain is meant, too.")]
ListUrl = Annotated[
    Ident, Field(max_length=500, pattern=r"^https?://\S+$", description="Address of a subscribed list.")
]
GRAVITY_SECONDS = 600.0
"""A Pi-hole fetches all of its lists anew, on a slow line for minutes."""


class Blocking(Facts):
    """Which Pi-holes block, and which are paused."""

    blocking: Shown[list[Ident]]
    paused: Shown[list[Ident]]
    failed: Shown[list[Ident]]
    paused_until: Annotated[Shown[datetime | None], Tolerance(60)] = None
    """When the last of the paused ones blocks again; absent when one waits for a person."""


async def _blocking(holes: Holes, piholes: Names) -> Blocking:
    states = await holes.every(lambda api: api.read(State, "/dns/blocking"), piholes)
    paused = {name: state.timer for name, state in states.items() if state.blocking == "disabled"}
    timers = [left for left in paused.values() if left is not None]
    return Blocking(
        blocking=[name for name, state in states.items() if state.blocking == "enabled"],
        paused=list(paused),
        failed=[name for name, state in states.items() if state.blocking in ("failed", "unknown")],
        paused_until=datetime.now(UTC) + timedelta(seconds=max(timers))
        if timers and len(timers) == len(paused)
        else None,
    )


def _minutes_to(moment: datetime | None) -> int | None:
    return max(1, ceil((moment - datetime.now(UTC)).total_seconds() / 60)) if moment else None


async def _set_blocking(holes: Holes, piholes: Names, on: bool, seconds: int | None) -> None:
    await holes.change(lambda api: api.send("POST", "/dns/blocking", json={"blocking": on, "timer": seconds}), piholes)


@service.tool(Risk.CHANGE, undo="pause it again", often=True)
async def enable_blocking(ctx: Context[Holes], piholes: Some | None = None) -> Change[Blocking]:
    """Block again at once, also where blocking is paused."""
    return Change(
        "Turn DNS blocking on",
        facts=await ctx.read(_blocking, piholes),
        do=lambda holes: _set_blocking(holes, piholes, True, None),
        expect=lambda before, after: not (after.paused or after.failed),
        undo=lambda before, _: (
            disable_blocking.call(minutes=_minutes_to(before.paused_until), piholes=before.paused)
            if before.paused
            else None
        ),
    )


@service.tool(Risk.CHANGE, undo="turn it on again", often=True)
async def disable_blocking(
    ctx: Context[Holes], minutes: Minutes | None = 5, piholes: Some | None = None
) -> Change[Blocking]:
    """Pause DNS blocking for some minutes (null: until somebody turns it on); it resumes by itself."""
    return Change(
        f"Pause DNS blocking for {minutes} min" if minutes else "Turn DNS blocking off",
        facts=await ctx.read(_blocking, piholes),
        do=lambda holes: _set_blocking(holes, piholes, False, minutes * 60 if minutes else None),
        expect=lambda before, after: not (after.blocking or after.failed),
        undo=lambda before, _: enable_blocking.call(piholes=before.blocking) if before.blocking else None,
        notes=() if minutes else ("Nothing is blocked until somebody turns it on again.",),
    )


class Standing(Facts):
    """On which Pi-holes it stands."""

    on: Shown[list[Ident]]
    not_on: Shown[list[Ident]]


async def _standing(holes: Holes, entry: Entry, piholes: Names) -> Standing:
    rows = await holes.every(entry.row, piholes)
    return Standing(
        on=[n for n, row in rows.items() if row is not None], not_on=[n for n, row in rows.items() if row is None]
    )


async def _added(
    ctx: Context[Holes], entry: Entry, title: str, piholes: Some | None, undo: Callable[[list[str]], Call]
) -> Change[Standing]:
    facts = await ctx.read(_standing, entry, piholes)
    return Change(
        title,
        facts=facts,
        do=lambda holes: holes.change(entry.add, facts.not_on),
        expect=lambda before, after: not after.not_on,
        undo=lambda before, _: undo(before.not_on) if before.not_on else None,
    )


async def _removed(ctx: Context[Holes], entry: Entry, title: str, piholes: Some | None) -> Change[Standing]:
    facts = await ctx.read(_standing, entry, piholes)
    rows = await ctx.client.every(entry.row, piholes)
    if not facts.on:
        raise Gone(f"{entry.value} is not on this list.")
    return Change(
        title,
        facts=facts,
        do=lambda holes: holes.change(entry.remove, facts.on),
        expect=lambda before, after: not after.on,
        undo=lambda before, net: put_back.call(net=net),
        net=_steps(rows, entry),
    )


@service.tool(Risk.CHANGE, undo="take it off the list again", often=True)
async def allow_domain(
    ctx: Context[Holes], domain: Named, wildcard: Wildcard = False, piholes: Some | None = None
) -> Change[Standing]:
    """Always allow a domain, whatever lists say; use find_blocking_rule first."""
    return await _added(
        ctx, rule("allow", domain, wildcard), f"Allow {domain}", piholes,
        lambda names: remove_allowed_domain.call(domain=domain, wildcard=wildcard, piholes=names),
    )  # fmt: skip


@service.tool(Risk.CHANGE, undo="put it back as it was")
async def remove_allowed_domain(
    ctx: Context[Holes], domain: Named, wildcard: Wildcard = False, piholes: Some | None = None
) -> Change[Standing]:
    """Take a domain off the allow list: from then on the lists decide."""
    return await _removed(ctx, rule("allow", domain, wildcard), f"Stop allowing {domain}", piholes)


@service.tool(Risk.CHANGE, undo="take it off the list again", word="block")
async def deny_domain(
    ctx: Context[Holes], domain: Named, wildcard: Wildcard = False, piholes: Some | None = None
) -> Change[Standing]:
    """Always block a domain."""
    return await _added(
        ctx, rule("deny", domain, wildcard), f"Block {domain}", piholes,
        lambda names: remove_denied_domain.call(domain=domain, wildcard=wildcard, piholes=names),
    )  # fmt: skip


@service.tool(Risk.CHANGE, undo="put it back as it was")
async def remove_denied_domain(
    ctx: Context[Holes], domain: Named, wildcard: Wildcard = False, piholes: Some | None = None
) -> Change[Standing]:
    """Take a domain off the deny list: from then on the lists decide."""
    return await _removed(ctx, rule("deny", domain, wildcard), f"Stop blocking {domain}", piholes)


@service.tool(Risk.CHANGE, undo="unsubscribe again")
async def add_list(ctx: Context[Holes], address: ListUrl, piholes: Some | None = None) -> Change[Standing]:
    """Subscribe to a list of domains to block; it counts after update_gravity."""
    return await _added(
        ctx, subscribed(address), f"Subscribe to {address}", piholes,
        lambda names: remove_list.call(address=address, piholes=names),
    )  # fmt: skip


@service.tool(Risk.CHANGE, undo="subscribe again")
async def remove_list(ctx: Context[Holes], address: ListUrl, piholes: Some | None = None) -> Change[Standing]:
    """Unsubscribe from a list; what it blocked is free after update_gravity."""
    return await _removed(ctx, subscribed(address), f"Unsubscribe from {address}", piholes)


@service.tool(Risk.CHANGE, undo="take the name away again")
async def add_local_dns(
    ctx: Context[Holes], name: Domain, address: Ip, piholes: Some | None = None
) -> Change[Standing]:
    """Answer for a name with an address of the home network."""
    return await _added(
        ctx, local(address, name), f"Name {address} {name}", piholes,
        lambda names: remove_local_dns.call(name=name, address=address, piholes=names),
    )  # fmt: skip


@service.tool(Risk.CHANGE, undo="name it again")
async def remove_local_dns(
    ctx: Context[Holes], name: Domain, address: Ip, piholes: Some | None = None
) -> Change[Standing]:
    """Stop answering for a name with this address."""
    return await _removed(ctx, local(address, name), f"Take the name {name} from {address}", piholes)


# -- all of it --------------------------------------------------------------------------------------------------------


class Gravity(Facts):
    """What the subscribed lists come to, Pi-hole by Pi-hole."""

    domains: Shown[dict[Ident, int]]
    updated: dict[Ident, datetime | None]


async def _gravity(holes: Holes, piholes: Names) -> Gravity:
    found = await holes.every(lambda api: api.read(Summary, "/stats/summary"), piholes)
    return Gravity(
        domains={name: each.gravity_domains for name, each in found.items()},
        updated={name: each.gravity_updated for name, each in found.items()},
    )


@service.tool(Risk.CHANGE)
async def update_gravity(ctx: Context[Holes], piholes: Some | None = None) -> Change[Gravity]:
    """Fetch all subscribed lists anew; blocking goes on meanwhile."""
    return Change(
        "Update the block lists",
        facts=await ctx.read(_gravity, piholes),
        do=lambda holes: holes.change(
            lambda api: api.request("POST", "/action/gravity", deadline=GRAVITY_SECONDS), piholes
        ),
        expect=lambda before, after: all(later(before.updated[n], after.updated.get(n)) for n in before.updated),
        notes=("There is no undo: the lists are as their keepers have them now.",),
        deadline=GRAVITY_SECONDS + 20,
    )


class Step(BaseModel):
    """One entry of one Pi-hole, and how it has to be there; absent when `row` is."""

    pihole: str
    entry: Entry
    row: Row | None


class Steps(BaseModel):
    """What an Undo has to bring about."""

    steps: list[Step]


def _steps(rows: dict[str, Row | None], entry: Entry) -> Steps:
    """The way back to these rows."""
    return Steps(steps=[Step(pihole=name, entry=entry, row=row) for name, row in rows.items()])


class Apart(Facts):
    """What is not as it should be, `pihole: entry` each."""

    missing: Shown[list[Ident]]
    too_many: Shown[list[Ident]]


async def _apart(holes: Holes, steps: list[Step]) -> Apart:
    missing: list[str] = []
    too_many: list[str] = []
    for step in steps:
        here = await step.entry.row(holes.one(step.pihole)) is not None
        if here != (step.row is not None):
            (too_many if here else missing).append(f"{step.pihole}:{step.entry.value}")
    return Apart(missing=missing, too_many=too_many)


async def _bring_about(holes: Holes, steps: list[Step]) -> None:
    async def one(api: Api) -> None:
        begun = False
        for step in (step for step in steps if holes[step.pihole] is api):
            try:
                here = await step.entry.row(api) is not None
                if here != (step.row is not None):
                    await (step.entry.remove(api) if step.row is None else step.entry.add(api, step.row))
                    begun = True
            except ToolFailed as error:
                raise partly("Only a part of its lists was changed.", error) if begun else error from error

    await holes.change(one, sorted({step.pihole for step in steps}))


@service.tool(Risk.CHANGE, hidden=True)
async def put_back(ctx: Context[Holes], net: NetId) -> Change[Apart]:
    """Bring lists back to what they were; for Undo."""
    steps = (await ctx.kept(net, Steps)).steps
    return Change(
        "Put the lists back as they were",
        facts=await ctx.read(_apart, steps),
        do=lambda holes: _bring_about(holes, steps),
        expect=lambda before, after: not (after.missing or after.too_many),
    )


@service.tool(Risk.CHANGE, undo="put every list back as it was")
async def sync_piholes(ctx: Context[Holes], source: Which, piholes: Some | None = None) -> Change[Apart]:
    """Make the rules, lists and local names of the other Pi-holes those of one; see compare_piholes first."""
    others = [name for name in ctx.client.pick(piholes) if name != source]
    if not others:
        raise Conflict("There is no other Pi-hole to bring in step.")
    wanted, there = await entries(ctx.client.one(source)), await ctx.client.every(entries, others)
    steps = [
        Step(pihole=name, entry=entry, row=wanted.get(entry))
        for name, has in there.items()
        for entry in sorted(wanted.keys() ^ has.keys(), key=str)
    ]
    back = [step.model_copy(update={"row": there[step.pihole].get(step.entry)}) for step in steps]
    return Change(
        f"Make {', '.join(others)} like {source}",
        facts=await ctx.read(_apart, steps),
        do=lambda holes: _bring_about(holes, steps),
        expect=lambda before, after: not (after.missing or after.too_many),
        undo=lambda before, net: put_back.call(net=net),
        net=Steps(steps=back),
        notes=("Subscribed lists count after update_gravity.",),
    )
