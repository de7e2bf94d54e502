"""Why a container is unhappy: listing, then details, logs and figures, then the cause and its evidence."""

import random

from lab.claude.brain.causes import Finding, find_cause
from lab.claude.brain.injection import gives_orders
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
    which,
)
from lab.claude.brain.outcomes import report
from lab.claude.brain.talk import Result, Stuck, Talk, Wanted
from lab.claude.brain.words import any_of, bag, host_in, listed, quote
from lab.claude.reply import Json

WHY = any_of(
    r"\bwhy\b",
    r"\bhow come\b",
    r"\bwhat(?:'s| is| was| went|s)?\s+(?:\w+ ){0,2}?(?:wrong|the matter|the problem|the issue|up) with\b",
    r"^(?:so |and |ok |hey )*what(?:'s|s| is)\s+(?:wrong|the matter|the problem|broken)\W*$",
    r"\bwhat happened\b",
    r"\b(?:diagnose|investigate|troubleshoot|debug|look into|figure out|find out|root cause)\b",
    r"^(?:please |can you |could you )*(?:fix|repair|heal|help with|check)\b",
    r"\bshould (?:i|we) (?:re)?(?:start|boot)\b",
    r"\b(?:is|seems|looks|keeps?|gets?|goes|are) (?:being |so |very |really |too )?"
    r"(?:slow|stuck|hung|broken|crash\w*|restarting|failing|unhappy|weird|laggy|unresponsive|acting up)\b",
    r"\b(?:doesn'?t|does not|won'?t|will not|isn'?t|not|can'?t)\b.{0,20}"
    r"\b(?:work\w*|start|load|respond\w*|come up|open|reach)\b",
)
SUBJECT = any_of(
    r"\b(?:why(?:'s| is| are| does| do| did| was| has| can'?t| won'?t| isn'?t| doesn'?t)?|"
    r"(?:wrong|matter|problem|issue|up) with|happened (?:to|with)|"
    r"diagnose|investigate|troubleshoot|debug|look into|fix|repair|heal|help with|check)\s+"
    r"(?:the |my |our )?(?P<name>[a-z0-9][\w.-]*(?:/[\w.-]+)?)",
)
NO_SUBJECT = bag(
    "it that this everything something anything things the one is are you i we there container containers so all what "
    "lab homelab server still always keep keeps not be in on me these those they a wrong happening broken"
)
TOGETHER = 3
"""Containers looked into at once."""


def diagnose(talk: Talk, rng: random.Random) -> str | None:
    """The cause, its evidence and what to do next, for the named container or for those in trouble."""
    if not WHY.search(talk.said):
        return None
    listing = fetch(talk)
    if listing.failed:
        raise Stuck(listing.text)
    subjects = _subjects(talk, listing)
    if isinstance(subjects, str):
        return subjects
    wanted = [call for container in subjects for call in _reads(talk, container)]
    results = dict(zip([_pair(call) for call in wanted], talk.need_all(wanted), strict=True))
    parts = []
    proposals: list[tuple[Json, Finding]] = []
    for container in subjects:
        finding = _finding(talk, container, results)
        parts.append(_verdict(container, finding, results))
        if finding and finding.restart and _needs_restart(container):
            proposals.append((container, finding))
    parts += unreachable(listing)
    return "\n\n".join(parts) + _restart(talk, proposals, parts)


def _subjects(talk: Talk, listing: Result) -> list[Json] | str:
    found = containers(listing)
    bad = troubled(listing)
    named = mentioned(talk.said, found)
    if len(named) > 1:
        unwell = [c for c in named if c in bad]
        return unwell[:TOGETHER] if unwell else (named if _distinct(named) else which(named))
    if named:
        return named
    match = SUBJECT.search(talk.said)
    name = match["name"].rstrip(".-").lower() if match else ""
    if name and name not in NO_SUBJECT and name not in {c["host"].lower() for c in found}:
        others = f" In trouble right now: {listed([label(c) for c in bad])}." if bad else ""
        lost = unreachable(listing)
        where = " where I can look" if lost else ""
        return "\n".join([f"I see no container called `{name}`{where}.{nearest(name, found)}{others}", *lost])
    if host := host_in(talk.said):
        bad = [c for c in bad if c["host"].lower() == host]
    if not bad and (lost := unreachable(listing)):
        return "\n".join(lost)
    if not bad:
        return f"Nothing looks wrong: {listing.data.get('running', len(found))} containers run and none is in trouble."
    return bad[:TOGETHER]


def _distinct(named: list[Json]) -> bool:
    return len(named) <= TOGETHER and len({c["name"] for c in named}) == len(named)


def _reads(talk: Talk, container: Json) -> list[Wanted]:
    """Details, logs and figures of one container, to be read together."""
    name = key(container)
    calls: list[Wanted] = [
        ("docker_get_container_details", {"container": name}),
        ("docker_get_container_logs", {"container": name, "lines": 100}),
    ]
    if container.get("state") not in ("exited", "created", "dead"):
        calls.append(("docker_get_container_stats", {"container": name}))
    return [call for call in calls if talk.has(call[0])]


def _pair(call: Wanted) -> tuple[str, str]:
    return call[0].rsplit("_", 1)[1], str(call[1]["container"])


Results = dict[tuple[str, str], Result]


def _finding(talk: Talk, container: Json, results: Results) -> Finding | None:
    """The cause in the newest lines or, for a container in trouble, among older lines that say "error"."""
    if _put_to_rest(container):
        return None
    name = key(container)
    details = _data(results, "details", name)
    logs = _data(results, "logs", name)
    facts = {"exit_code": container.get("exit_code"), **details}
    finding = find_cause(log_lines(logs), facts)
    if finding is None and logs.get("truncated") and _needs_restart(container) and not talk.last:
        older = talk.need("docker_get_container_logs", container=name, lines=100, contains="error")
        finding = find_cause(log_lines(older.data), facts)
    if finding and not _needs_restart(container) and "no rule for" in finding.says:
        return None
    return finding


def log_lines(logs: Json) -> list[str]:
    """The lines of a log result as text."""
    return [str(line) for line in logs.get("lines") or []]


def _data(results: Results, kind: str, name: str) -> Json:
    result = results.get((kind, name))
    return {} if result is None or result.failed else result.data


def _needs_restart(container: Json) -> bool:
    return container.get("state") != "running" or container.get("health") == "unhealthy"


def _verdict(container: Json, finding: Finding | None, results: Results) -> str:
    name = key(container)
    stats = _data(results, "stats", name)
    pressure = _pressure(stats)
    if finding is None:
        return _no_cause(container, pressure, results)
    stands_out = ":" if _needs_restart(container) else ". What stands out in its log:"
    lines = [
        f"{label(container)} is {condition(container)}{stands_out} {finding.says}.",
        f"Evidence: {quote(finding.line)}",
        f"Next: {finding.fix}",
    ]
    if pressure:
        lines.insert(2, pressure)
    return "\n\n".join(lines)


def _no_cause(container: Json, pressure: str, results: Results) -> str:
    details, logs = _data(results, "details", key(container)), _data(results, "logs", key(container))
    if pressure:
        return f"{label(container)} is {condition(container)}. {pressure} Its log shows no error."
    if off := _put_to_rest(container):
        return off
    if container.get("state") == "exited" and not details.get("exit_code", container.get("exit_code")):
        return (
            f"{label(container)} ended by itself or was stopped with exit code 0, which is a normal end. "
            f"Say “start {container['name']}” if it should run."
        )
    last = [line for line in log_lines(logs) if not gives_orders(line)][-1:]
    shown = f" Its last line: {quote(last[0])}." if last else " Its log is empty or could not be read."
    figures = _figures(_data(results, "stats", key(container)))
    if _needs_restart(container):
        return f"{label(container)} is {condition(container)}, but I found no cause in what I can read.{shown}{figures}"
    return f"{label(container)} looks fine: {condition(container)}, and no error in its recent log.{figures}"


def _put_to_rest(container: Json) -> str:
    """That somebody stopped or froze it, when that is all there is to it."""
    if container.get("stopped_by"):
        return (
            f"{label(container)} was {condition(container)}. Say “start {container['name']}” when it shall run again."
        )
    if container.get("why") == "stopped":
        who = "It should run, and was not stopped through me"
        return f"{label(container)} was stopped. {who}. Say “start {container['name']}” to bring it back."
    if container.get("state") == "paused":
        frozen = "it is frozen and answers nobody"
        return f"{label(container)} is paused: {frozen}. Say “restart {container['name']}” to wake it."
    return ""


def _pressure(stats: Json) -> str:
    cpu, memory = stats.get("cpu_percent") or 0, stats.get("memory_percent") or 0
    busy = [f"CPU at {cpu:.0f} %"] if cpu >= 80 else []
    busy += [f"memory at {memory:.0f} % of its limit"] if memory >= 85 else []
    return f"It is under pressure: {listed(busy)}." if busy else ""


def _figures(stats: Json) -> str:
    if "cpu_percent" not in stats:
        return ""
    return f" CPU {stats['cpu_percent']:.0f} %, memory {stats.get('memory_mb', 0):.0f} MB."


def _restart(talk: Talk, proposals: list[tuple[Json, Finding]], parts: list[str]) -> str:
    """Propose the restarts that plausibly help; their outcome as text, or a sentence when there are none."""
    tool = "docker_restart_container"
    if not proposals:
        return ""
    if not talk.has(tool):
        return "\n\nA restart may help, but I have no tool for it here."
    if talk.last and not any(call.name == tool for call in talk.calls):
        return f"\n\nSay “restart {proposals[0][0]['name']}” and I will propose it."
    wanted: list[Wanted] = [(tool, {"container": key(container)}) for container, _ in proposals]
    outcomes = talk.need_all(wanted, why="\n\n".join(parts))
    names = [f"Restart {container['name']}" for container, _ in proposals]
    return "\n\n" + report(list(zip(names, outcomes, strict=True)))
