"""How things are: "how is everything?", "what's down?", "is jellyfin up?"."""

import random
import re

from lab.claude.brain.listing import (
    condition,
    containers,
    fetch,
    key,
    label,
    mentioned,
    nearest,
    troubled,
    unreachable,
)
from lab.claude.brain.talk import Result, Stuck, Talk
from lab.claude.brain.words import any_of, host_in, listed, moment
from lab.claude.reply import Json

OVERVIEW = any_of(
    r"\bhow(?:'s|s| is| are| does| do)\b.*\b(?:everything|things|it all|lab|homelab|all|containers?|services?|"
    r"it going|it look|servers?|rack|nas|stuff|we)\b",
    r"\b(?:anything|something|what|which|who)(?:'s| is| are)?\b.*\b(?:down|broken|unhealthy|failing|failed|wrong|"
    r"stopped|offline|dead|on fire|crash\w*|trouble|restarting|not running|attention)\b",
    r"\b(?:status|overview|health ?check|state of)\b",
    r"^(?:(?:is|are) )?(?:everything|all|things)\b|\ball (?:good|ok|well|fine)\b",
    r"\bwhat(?:'s| is) (?:going on|up|happening)\b",
)
CATALOGUE = any_of(
    r"\b(?:list|show|which|what|how many|all)\b.*\b(?:containers?|services|apps)\b",
    r"\bwhat(?:'s| is| are)? running\b|\bwhat do (?:i|we) run\b",
    r"^(?:containers|docker ps)\W*$",
)
ONE = re.compile(
    r"^(?:so |and |hey |ok,? )*(?:is|are|how(?:'s| is| are)|check(?: on)?|status of|what about|how about)\s+"
    r"(?:the |my )?(?P<name>[\w.-]+(?:/[\w.-]+)?)\b",
    re.I,
)
WHEN = re.compile(
    r"\b(?:since when|when|how long|uptime)\b.*?\b(?:is|did|was|has|of|for)\s+(?:the |my )?"
    r"(?P<name>[\w.-]+(?:/[\w.-]+)?)",
    re.I,
)
BARE = re.compile(r"^(?P<name>[\w.-]+(?:/[\w.-]+)?(?: [\w-]+)?)\W*$")
ROWS = 40


def overview(talk: Talk, rng: random.Random) -> str | None:
    """An answer about the state of one container, of all, or the list of them."""
    if CATALOGUE.search(talk.said):
        return _catalogue(talk)
    if OVERVIEW.search(talk.said):
        return _overview(talk, rng)
    if match := ONE.match(talk.said) or WHEN.search(talk.said) or BARE.match(talk.said):
        return _one(talk, match["name"])
    return None


def _overview(talk: Talk, rng: random.Random) -> str:
    result = _fetched(talk)
    named = [] if host_in(talk.said) else mentioned(talk.said, containers(result))
    if named:
        return _states(named)
    bad = troubled(result)
    running = result.data.get("running", sum(c.get("state") == "running" for c in containers(result)))
    others = sum(result.data.get(state, 0) for state in ("stopped", "restarting", "paused"))
    total = max(len(containers(result)), running + others)
    lost = unreachable(result)
    if not bad and not lost:
        calm = rng.choice(["Nothing needs you.", "All quiet.", "Nothing looks wrong."])
        return f"{calm} {running} of {total} containers run, none is unhealthy.{_resting(result, bad)}"
    verb = "needs" if len(bad) == 1 else "need"
    head = f"{len(bad)} of {total} containers {verb} attention; {running} run." if bad else f"{running} of {total} run."
    lines = [f"- {label(c)}: {condition(c)}" for c in bad] + lost
    ask = f"\n\nAsk me “why is {bad[0]['name']} in trouble?” and I will read its logs." if bad else ""
    return f"{head}\n\n" + "\n".join(lines) + _resting(result, bad) + ask


def _catalogue(talk: Talk) -> str:
    result = _fetched(talk)
    found = containers(result)
    if re.search(r"\b(?:stopped|exited|not running|down)\b", talk.said, re.I):
        found = [c for c in found if c.get("state") != "running"]
    elif re.search(r"\brunning\b", talk.said, re.I):
        found = [c for c in found if c.get("state") == "running"]
    if not found:
        return "None."
    bad = {key(c) for c in troubled(result)}
    found.sort(key=lambda c: (key(c) not in bad, c["host"], c["name"]))
    rows = [f"| {c['name']} | {c['host']} | {condition(c)} |" for c in found[:ROWS]]
    more = f"\n\n… and {len(found) - ROWS} more." if len(found) > ROWS else ""
    table = "\n".join(["| container | host | state |", "|---|---|---|", *rows])
    lost = "".join(f"\n{line}" for line in unreachable(result))
    return f"{len(found)} container{'s' if len(found) > 1 else ''}:\n\n{table}{more}{lost and chr(10) + lost}"


def _one(talk: Talk, name: str) -> str | None:
    result = _fetched(talk)
    named = mentioned(name, containers(result))
    if named:
        return _states(named)
    hint = nearest(name, containers(result))
    return f"I see no container called `{name}`.{hint}" if hint else None


def _states(named: list[Json]) -> str:
    lines = []
    for container in named[:6]:
        since = f", since {moment(container['since'])}" if container.get("since") else ""
        healthy = " and healthy" if container.get("health") == "healthy" else ""
        lines.append(f"{label(container)} is {condition(container)}{healthy}{since}.")
    return "\n".join(lines)


def _fetched(talk: Talk) -> Result:
    result = fetch(talk, host_in(talk.said))
    if result.failed:
        raise Stuck(result.text)
    return result


def _resting(result: Result, bad: list[Json]) -> str:
    resting = [
        c["name"] + (f" ({condition(c)})" if c.get("stopped_by") else "")
        for c in containers(result)
        if c.get("state") in ("exited", "created") and c not in bad
    ]
    return f"\n\nNot running, and it looks intended: {listed(resting)}." if resting else ""
