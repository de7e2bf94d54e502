"""Single reads: logs, details, figures, images, networks, volumes, disk and engine."""

import random
import re
from collections.abc import Callable

from lab.claude.brain.causes import find_cause
from lab.claude.brain.diagnosis import WHY, log_lines
from lab.claude.brain.injection import gives_orders
from lab.claude.brain.inventory import disks, engines, images, networks, volumes
from lab.claude.brain.listing import LIST, containers, fetch, key
from lab.claude.brain.outcomes import refusal
from lab.claude.brain.talk import Result, Stuck, Talk, Wanted
from lab.claude.brain.words import FILLER, any_of, bag, host_in, moment, plain, quote
from lab.claude.reply import Json

NAME = r"(?P<name>[a-z0-9][\w.-]*(?:/[\w.-]+)?)"
LOGS = re.compile(r"\b(?:logs?|log lines?|tail|journal|what does \S+ (?:say|log))\b", re.I)
STATS = re.compile(
    r"\b(?:stats|statistics|cpu|memory|ram|resources?|load|usage|network traffic|how busy|hungr\w+)\b", re.I
)
DETAILS = any_of(
    r"\b(?:details?|inspect|config(?:uration)?|env(?:ironment)?|ports?|mounts?|restart policy|describe)\b",
    r"\b(?:tell me (?:more )?about|(?:which|what) (?:image|version)|version of|info(?:rmation)? (?:on|about))\b",
    r"\bmore about\b",
)
OWNED = re.compile(rf"{NAME}'s\b", re.I)
OF = re.compile(
    rf"\b(?:of|for|from|about|inspect|describe|does|on|in|by|is|tail)\s+(?:the\s+|my\s+|container\s+)*{NAME}", re.I
)
BEFORE = re.compile(rf"{NAME}\s+(?:logs?|stats|details?|config|memory|cpu|env|ports?|mounts?|usage)\b", re.I)
AFTER = re.compile(rf"\b(?:logs?|stats|details?|tail)\s+{NAME}", re.I)
NOT_NAMES = FILLER | bag(
    "show me last recent lines log logs stats details get give see what does is use uses using much how memory "
    "cpu ram usage disk containers all any everything most who which whose your you i we about of for from and "
    "are image version network error errors top users user biggest highest total expose need needs take takes over "
    "since right run runs have has mount mounts listen minutes minute hours hour config"
)
LAST = re.compile(r"\b(?:last|latest|tail|recent)\s+(?P<n>\d{1,4})\b|\b(?P<m>\d{1,4})\s+(?:log )?lines\b", re.I)
MINUTES = re.compile(r"\b(?P<n>\d{1,4})?\s*(?P<unit>minutes?|mins?|hours?|h)\b", re.I)
TOP = re.compile(r"\b(?:who|which|what|top|most|biggest|hungriest|hog\w*|all|everything)\b", re.I)
SHOWN = 15
BUSIEST, AT_ONCE = 24, 10
"""Containers measured when asked who uses most, and how many of them together."""

INVENTORY: tuple[tuple[re.Pattern[str], Callable[[Talk], str]], ...] = (
    (re.compile(r"\b(?:disk|storage|space|reclaim\w*)\b", re.I), disks),
    (re.compile(r"\bimages\b", re.I), images),
    (re.compile(r"\bvolumes\b", re.I), volumes),
    (re.compile(r"\bnetworks\b", re.I), networks),
    (re.compile(r"\b(?:hosts|engines?|docker version|system info|docker info|which hosts?)\b", re.I), engines),
)


def look_up(talk: Talk, rng: random.Random) -> str | None:
    """The answer to a question one read tool settles; None when it is none of these."""
    host = host_in(talk.said)
    name = _name(talk.said, host)
    if LOGS.search(talk.said):
        name = name or host  # as in "logs on jellyfin"
        return _logs(talk, name) if name else "Whose logs? Tell me the container's name, like “logs of jellyfin”."
    if WHY.search(talk.said):
        return None
    if name is None or name in ("images", "volumes", "networks", "hosts"):
        for pattern, answer in INVENTORY:
            if pattern.search(talk.said):
                return answer(talk)
    if STATS.search(talk.said) and (name or TOP.search(talk.said)):
        return _stats(talk, name) if name else _busiest(talk)
    if name and DETAILS.search(talk.said):
        return _details(talk, name)
    return None


def _name(said: str, host: str | None) -> str | None:
    for pattern in (OWNED, OF, BEFORE, AFTER):
        for match in pattern.finditer(said):
            name = re.sub(r"'s$", "", match["name"]).rstrip(".-")
            if name.lower() not in NOT_NAMES | {host} and not name.isdigit():
                return name.lower()
    return None


def _spelt(talk: Talk, name: str) -> str:
    """The name as host/name when the line goes on after it as a name of several words would: "home assistant"."""
    follows = re.search(rf"\b{re.escape(name)} ([a-z][\w-]+)", talk.said, re.I)
    if follows is None or follows[1].lower() in NOT_NAMES or not talk.has(LIST) or talk.last:
        return name
    known = [c for c in containers(fetch(talk)) if plain(c["name"]) == plain(f"{name}{follows[1]}")]
    return key(known[0]) if len(known) == 1 else name


def _read(talk: Talk, tool: str, name: str, **arguments: object) -> Result:
    result = talk.need(tool, container=_spelt(talk, name), **arguments)
    if result.failed:
        raise Stuck(refusal(result.text))
    return result


def _title(data: Json, name: str) -> str:
    return f"**{data.get('name', name)}** ({data['host']})" if "host" in data else f"**{name}**"


def _logs(talk: Talk, name: str) -> str:
    wanted: Json = {}
    if match := MINUTES.search(talk.said):
        wanted["since_minutes"] = int(match["n"] or 1) * (60 if match["unit"].lower().startswith("h") else 1)
    elif match := LAST.search(talk.said):
        wanted["lines"] = max(1, min(2000, int(match["n"] or match["m"])))
    if re.search(r"\berrors?\b", talk.said, re.I):
        wanted["contains"] = "error"
    logs = _read(talk, "docker_get_container_logs", name, **wanted)
    lines = log_lines(logs.data)
    title = _title(logs.data, name)
    if not lines:
        return f"{title} has no such log lines. {logs.data.get('note', '')}".strip()
    quiet = [line.replace("```", "'''") for line in lines if not gives_orders(line)]
    shown = quiet[-SHOWN:]
    head = f"{title}, the last {len(shown)} of {logs.data.get('shown', len(lines))} lines read:"
    finding = find_cause(lines, {})
    telling = f"\n\nWhat stands out: {finding.says}. {quote(finding.line)}" if finding else ""
    return f"{head}\n\n```\n" + "\n".join(shown) + f"\n```{telling}"


def _stats(talk: Talk, name: str) -> str:
    data = _read(talk, "docker_get_container_stats", name).data
    limit = f" of {data['memory_limit_mb']:.0f} MB" if data.get("memory_limit_mb") else ""
    share = f" ({data['memory_percent']:.0f} %)" if data.get("memory_percent") is not None else ""
    lines = [
        f"{_title(data, name)} right now:",
        f"- CPU {_figure(data, 'cpu_percent')} %",
        f"- memory {_figure(data, 'memory_mb', 0)} MB{limit}{share}",
        f"- network {_figure(data, 'network_rx_mb')} MB in, {_figure(data, 'network_tx_mb')} MB out",
        f"- disk {_figure(data, 'block_read_mb')} MB read, {_figure(data, 'block_write_mb')} MB written",
    ]
    return "\n".join(lines)


def _figure(data: Json, name: str, digits: int = 1) -> str:
    """A measure; one that is not known is not called nothing."""
    return "?" if data.get(name) is None else f"{data[name]:.{digits}f}"


def _busiest(talk: Talk) -> str:
    listing = fetch(talk, host_in(talk.said))
    if listing.failed:
        raise Stuck(listing.text)
    running = [c for c in containers(listing) if c.get("state") == "running"][:BUSIEST]
    if not running:
        return "No container is running."
    wanted: list[Wanted] = [("docker_get_container_stats", {"container": key(c)}) for c in running]
    results = [r for at in range(0, len(wanted), AT_ONCE) for r in talk.need_all(wanted[at : at + AT_ONCE])]
    measured = [r.data for r in results if not r.failed and "memory_mb" in r.data]
    by = "cpu_percent" if re.search(r"\b(?:cpu|busy|load|processor)\b", talk.said, re.I) else "memory_mb"
    measured.sort(key=lambda s: -(s.get(by) or 0))
    rows = [
        f"| {s['name']} | {s['host']} | {_figure(s, 'cpu_percent')} % | {s['memory_mb']:.0f} MB |" for s in measured[:8]
    ]
    what = "CPU" if by == "cpu_percent" else "memory"
    table = "\n".join(["| container | host | CPU | memory |", "|---|---|---|---|", *rows])
    return f"Most {what} right now, of {len(measured)} running containers I measured:\n\n{table}"


def _details(talk: Talk, name: str) -> str:
    data = _read(talk, "docker_get_container_details", name).data
    mounts = [f"{m.get('name') or m.get('source', '?')} → {m.get('target')}" for m in data.get("mounts") or []]
    facts = {
        "image": f"`{data['image']}`" if data.get("image") else None,
        "health": data.get("health") if data.get("health") != "none" else None,
        "restarts": data.get("restarts"),
        "since": moment(data["since"]) if data.get("since") else None,
        "restart policy": data.get("restart_policy"),
        "project": data.get("compose_project"),
        "networks": ", ".join(data.get("networks") or []),
        "ports": ", ".join(map(str, data.get("ports") or [])),
        "mounts": "; ".join(mounts),
        "environment": ", ".join(quote(str(entry).partition("=")[0]) for entry in (data.get("env") or [])[:12]),
        "memory limit": f"{data['memory_limit_mb']:.0f} MB" if data.get("memory_limit_mb") else None,
    }
    lines = [f"- {name}: {value}" for name, value in facts.items() if value not in (None, "")]
    return f"{_title(data, name)} is {data.get('state', 'unknown')}.\n\n" + "\n".join(lines)
