"""Pi-hole's page: whether it blocks, a pause with its countdown, and what was blocked just now."""

from collections.abc import Mapping

from tools.kit import Api, Call, Context, Page, Row, or_else
from tools.kit.types import outside_text
from tools.pihole.changes import allow_domain, deny_domain, disable_blocking, enable_blocking
from tools.pihole.client import Holes, service
from tools.pihole.glance import said_of
from tools.pihole.models import Blocked, Reasons, State, Summary, Traffic
from tools.pihole.reads import find_blocking_rule, traffic

RECENT = 10
"""Domains that were blocked last: whoever misses something finds it there."""


class Seen(Summary):
    """A Pi-hole as the page shows it."""

    state: State
    recent: Blocked
    day: Traffic | None


@service.page("dns", label="DNS", verbs=(allow_domain, deny_domain), looks=(find_blocking_rule,))
async def dns(ctx: Context[Holes]) -> Page:
    """DNS blocking: on or paused, the day's queries, and what was blocked just now."""
    seen, down = await ctx.client.each(_look)
    recent = dict.fromkeys(domain for one in seen.values() for domain in one.recent.blocked)
    return Page(
        _title([one.state for one in seen.values()]),
        [*(_pihole(name, one) for name, one in seen.items()), *map(_blocked, list(recent)[:RECENT])],
        down={one.name: one.reason for one in down},
        outside=any(outside_text(down)),
        actions=_actions({name: one.state for name, one in seen.items()}),
        charts={name: one.day.queries for name, one in seen.items() if one.day},
    )


@dns.details
async def domain(ctx: Context[Holes], target: str) -> Row:
    """One domain: the rules and lists that it stands on, Pi-hole by Pi-hole."""
    answers = await find_blocking_rule.run(ctx, target)
    lines = [f"{name}: {_why(reasons)}" for name, reasons in answers.found.items()]
    lines += [f"{one.name}: {one.reason}" for one in answers.down]
    kinds = {rule.type for reasons in answers.found.values() for rule in reasons.rules if rule.enabled}
    verbs = [tool for kind, tool in (("allow", allow_domain), ("deny", deny_domain)) if kind not in kinds]
    return Row("⚪", target, target=target, verbs=verbs, lines=lines, outside=any(outside_text(answers)))


async def _look(api: Api) -> Seen:
    summary = await api.read(Summary, "/stats/summary")
    recent = await api.read(Blocked, "/stats/recent_blocked", params={"count": RECENT})
    day = await or_else(traffic(api), None)  # a picture, which nobody should miss the switch for
    return Seen(**vars(summary), state=await api.read(State, "/dns/blocking"), recent=recent, day=day)


def _title(states: list[State]) -> str:
    blocking = sum(state.blocking == "enabled" for state in states)
    if states and not blocking:
        return "Nothing is blocked now"
    return f"Blocking on {blocking} of {len(states)}" if len(states) > 1 else "Blocking is on"


def _pihole(name: str, seen: Seen) -> Row:
    counts = f"{seen.percent_blocked:.0f} % of {seen.queries:,} queries blocked"
    dot = {"enabled": "🟢", "disabled": "🟡"}.get(seen.state.blocking, "🔴")
    return Row(dot, name, detail=f"{said_of(seen.state)} · {counts}")  # type: ignore[arg-type]


def _blocked(name: str) -> Row:
    return Row("⚪", name, detail="blocked just now", target=name, verbs=(allow_domain,), outside=True)


def _why(reasons: Reasons) -> str:
    """`blocked by a list (https://…)`, or `not on any list`."""
    said = [f"{'allowed' if rule.type == 'allow' else 'blocked'} by a rule" for rule in reasons.rules if rule.enabled]
    said += [f"on the {one.type} list {one.address}" for one in reasons.lists if one.enabled]
    return ", ".join(said) or "not on any list"


def _actions(states: Mapping[str, State]) -> dict[str, Call]:
    blocking = [name for name, state in states.items() if state.blocking == "enabled"]
    paused = [name for name, state in states.items() if state.blocking == "disabled"]
    found = {f"Pause {minutes} min": disable_blocking.call(minutes=minutes) for minutes in (5, 30) if blocking}
    return found | ({"Block again now": enable_blocking.call()} if paused else {})
