"""The one story told by hand: why something is unhappy. A listing, then details, logs and figures, then the cause."""

import difflib
import random
import re

from lab.claude.brain.causes import Finding, find_cause
from lab.claude.brain.injection import gives_orders
from lab.claude.brain.intents import meant, which
from lab.claude.brain.outcomes import report
from lab.claude.brain.talk import Result, Stuck, Talk, Wanted
from lab.claude.brain.words import any_of, plain, quote
from lab.claude.reply import Json
from lab.kit.language import ASKING, FILLER, bag, folded
from lab.kit.telling import condition, figure, key, label, listed, unreachable

LIST, RESTART = "docker_list_containers", "docker_restart_container"
WHY = any_of(
    r"\bwhy\b|\bhow come\b|\bwhat happened\b|\bshould (?:i|we) (?:re)?(?:start|boot)\b",
    r"\bwhat(?:'s| is| was| went|s)?\s+(?:\w+ ){0,2}?(?:wrong|the matter|the problem|the issue|up) with\b",
    r"^(?:so |and |ok |hey )*what(?:'s|s| is)\s+(?:wrong|the matter|the problem|broken)\W*$",
    r"\b(?:diagnose|investigate|troubleshoot|debug|look into|figure out|find out|root cause)\b",
    r"^(?:so |and |then |please |can you |could you )*(?:fix|repair|heal|help with|check)\b",
    r"\b(?:is|seems|looks|keeps?|gets?|goes|are) (?:\w+ ){0,2}"
    r"(?:slow|stuck|hung|broken|crash\w*|restarting|failing|unhappy|weird|laggy|unresponsive|acting up)\b",
    r"\b(?:doesn'?t|does not|won'?t|will not|isn'?t|not|can'?t)\b.{0,20}\b(?:work\w*|start|load|respond\w*|open)\b",
    r"\b(?:crashed|died|hangs|froze)\b",
    r"\b(?:warum|wieso|weshalb|was ist los|por ?qu[eé]|qu[eé] (?:le )?pasa|repariere?|arregla)\b",
    r"\b(?:geht nicht|läuft nicht|funktioniert nicht|spinnt|kaputt|no funciona|va lento|ist langsam)\b",
)
BARE_WHY = re.compile(r"\b(?:why|warum|wieso|por ?qu[eé]|how come)\b")
FIX = any_of(r"\b(?:fix|repair|heal|mend|repariere?|behebe?|arregla)\b")
SUBJECT = any_of(
    r"\b(?:why(?:'s| is| are| does| do| did| was| has| can'?t| won'?t| isn'?t| doesn'?t)?|(?:wrong|matter|problem|"
    r"issue|up) with|happened (?:to|with)|diagnose|investigate|troubleshoot|debug|look into|fix|repair|heal|help with|"
    r"check|warum|wieso)\s+(?:ist |geht |läuft |the |my |our )*(?P<name>[a-z0-9][\w.-]*(?:/[\w.-]+)?)"
)
NO_SUBJECT = FILLER | ASKING | bag("lab homelab always keep keeps not wrong happening broken i")
TOGETHER = 3
"""Containers looked into at once."""
NOT_OURS = "\n\nI have no tool that does this: it is yours to do."


def diagnose(talk: Talk, rng: random.Random) -> str | None:
    """The cause, its evidence and what to do next, for the named container or for those in trouble."""
    if not WHY.search(talk.said) or _is_covered(talk):
        return None
    listing = talk.need(LIST)
    if listing.failed:
        raise Stuck(listing.text)
    subjects = _subjects(talk, listing)
    if isinstance(subjects, str):
        return subjects
    wanted = [call for container in subjects for call in _reads(talk, container)]
    results = dict(zip([_pair(call) for call in wanted], talk.need_all(wanted), strict=True))
    parts = []
    proposals: list[Json] = []
    for container in subjects:
        finding = _finding(talk, container, results)
        parts.append(_verdict(container, finding, results))
        if finding and finding.restart and _needs_care(container):
            proposals.append(container)
    parts += unreachable(listing.data)
    told = "\n\n".join(parts)
    return told + (_restart(talk, proposals, told) if proposals else NOT_OURS * bool(FIX.search(talk.said)))


def _is_covered(talk: Talk) -> bool:
    """Whether a row covers the line: as an order, or all of it without the name of some container."""
    parts, _ = meant(talk.said, talk.known, talk.earlier)
    asks_why = BARE_WHY.search(folded(talk.said))
    return any(
        part.intent.changes or not (part.intent.thing or (asks_why and not BARE_WHY.search(str(part.intent.examples))))
        for part in parts
    )


def _subjects(talk: Talk, listing: Result) -> list[Json] | str:
    found = list(listing.data.get("containers") or [])
    bad = [c for c in found if key(c) in (listing.data.get("troubled") or [])]
    bad.sort(key=lambda c: -(c.get("restarts") or 0))
    named, lost = _mentioned(talk.said, found), unreachable(listing.data)
    if len(named) > 1:
        distinct = len({c["name"] for c in named}) == len(named) <= TOGETHER
        return [c for c in named if c in bad][:TOGETHER] or (named if distinct else which([key(c) for c in named[:6]]))
    if named:
        return named
    hosts = {c["host"].lower() for c in found}
    match = SUBJECT.search(talk.said)
    name = match["name"].rstrip(".-").lower() if match else ""
    if name and name not in NO_SUBJECT | hosts:
        others = f" In trouble right now: {listed([label(c) for c in bad])}." if bad else ""
        where = " where I can look" if lost else ""
        return "\n".join([f"I see no container called `{name}`{where}.{_nearest(name, found)}{others}", *lost])
    on = hosts & set(re.findall(r"[\w-]+", folded(talk.said)))
    bad = [c for c in bad if not on or c["host"].lower() in on]
    if not bad and lost:
        return "\n".join(lost)
    if not bad:
        return f"Nothing looks wrong: {listing.data.get('running', len(found))} containers run and none is in trouble."
    return bad[:TOGETHER]


def _mentioned(said: str, found: list[Json]) -> list[Json]:
    """Containers a line names: as host/name, by name, or by a telling part of the name."""
    words = [word.rstrip(".") for word in re.findall(r"[\w.-]+(?:/[\w.-]+)?", said.lower().replace("'s", ""))]
    if full := [c for c in found if key(c).lower() in words]:
        return full
    spoken = {plain(word) for word in words} | {plain(a + b) for a, b in zip(words, words[1:], strict=False)}
    exact = [c for c in found if plain(c["name"]) in spoken]
    if not exact:
        parts = {word for word in words if len(word) > 3}
        exact = [c for c in found if parts & set(re.split(r"[-_.]", c["name"].lower()))]
    return [c for c in exact if c["host"].lower() in words] or exact


def _nearest(name: str, found: list[Json]) -> str:
    names = {plain(c["name"]): c for c in found}
    close = difflib.get_close_matches(plain(name), list(names), n=2, cutoff=0.5)
    shown = f" Closest: {', '.join(f'`{key(names[c])}`' for c in close)}." if close else ""
    return f"{shown} Do you mean “why is {key(names[close[0]])} unhappy?”?" if len(close) == 1 else shown


def _reads(talk: Talk, container: Json) -> list[Wanted]:
    """Details, logs and figures of one container, to be read together."""
    name = {"container": key(container)}
    logs: Wanted = ("docker_get_container_logs", {**name, "lines": 100})
    calls: list[Wanted] = [("docker_get_container_details", name), logs]
    if container.get("state") not in ("exited", "created", "dead"):
        calls.append(("docker_get_container_stats", name))
    return [call for call in calls if talk.has(call[0])]


def _pair(call: Wanted) -> tuple[str, str]:
    return call[0].rsplit("_", 1)[1], str(call[1]["container"])


Results = dict[tuple[str, str], Result]


def _data(results: Results, kind: str, container: Json) -> Json:
    result = results.get((kind, key(container)))
    return {} if result is None or result.failed else result.data


def _lines(logs: Json) -> list[str]:
    return [str(line) for line in logs.get("lines") or []]


def _finding(talk: Talk, container: Json, results: Results) -> Finding | None:
    """The cause in the newest lines or, for a container in trouble, among older lines that say "error"."""
    if _put_to_rest(container):
        return None
    logs, facts = _data(results, "logs", container), {**container, **_data(results, "details", container)}
    finding = find_cause(_lines(logs), facts)
    if finding is None and logs.get("truncated") and _needs_care(container) and not talk.last:
        older = talk.need("docker_get_container_logs", container=key(container), lines=100, contains="error")
        finding = find_cause(_lines(older.data), facts)
    return None if finding and finding.vague and not _needs_care(container) else finding


def _needs_care(container: Json) -> bool:
    return container.get("state") != "running" or container.get("health") == "unhealthy"


def _verdict(container: Json, finding: Finding | None, results: Results) -> str:
    stats = _data(results, "stats", container)
    cpu, memory = stats.get("cpu_percent") or 0, stats.get("memory_percent") or 0
    busy = [f"CPU at {cpu:.0f} %"] * (cpu >= 80) + [f"memory at {memory:.0f} % of its limit"] * (memory >= 85)
    pressure = f"It is under pressure: {listed(busy)}." if busy else ""
    if finding is None:
        return _no_cause(container, pressure, results)
    stands_out = ":" if _needs_care(container) else ". What stands out in its log:"
    head = f"{label(container)} is {condition(container)}{stands_out} {finding.says}."
    return "\n\n".join(filter(None, [head, f"Evidence: {quote(finding.line)}", pressure, f"Next: {finding.fix}"]))


def _no_cause(container: Json, pressure: str, results: Results) -> str:
    details, stats = _data(results, "details", container), _data(results, "stats", container)
    who, now, name = label(container), condition(container), container["name"]
    if pressure:
        return f"{who} is {now}. {pressure} Its log shows no error."
    if off := _put_to_rest(container):
        return off
    if container.get("state") == "exited" and not details.get("exit_code", container.get("exit_code")):
        normal = "ended by itself or was stopped with exit code 0, which is a normal end"
        return f"{who} {normal}. Say “start {name}” if it should run."
    last = [line for line in _lines(_data(results, "logs", container)) if not gives_orders(line)][-1:]
    shown = f" Its last line: {quote(last[0])}." if last else " Its log is empty or could not be read."
    figures = f" CPU {figure(stats.get('cpu_percent'), '%')}, memory {figure(stats.get('memory_mb'), 'MB')}."
    figures = figures if stats.get("cpu_percent") is not None else ""
    if _needs_care(container):
        return f"{who} is {now}, but I found no cause in what I can read.{shown}{figures}"
    return f"{who} looks fine: {now}, and no error in its recent log.{figures}"


def _put_to_rest(container: Json) -> str:
    """That somebody stopped or froze it, when that is all there is to it."""
    who, name = label(container), container["name"]
    if container.get("stopped_by"):
        return f"{who} was {condition(container)}. Say “start {name}” when it shall run again."
    if container.get("why") == "stopped":
        return f"{who} was stopped. It should run, and was not stopped through me. Say “start {name}” to bring it back."
    if container.get("state") == "paused":
        return f"{who} is paused: it is frozen and answers nobody. Say “restart {name}” to wake it."
    return ""


def _restart(talk: Talk, proposals: list[Json], told: str) -> str:
    """Propose the restarts that plausibly help; their outcome as text."""
    if not talk.has(RESTART):
        return "\n\nA restart may help, but I have no tool for it here."
    if talk.last and not any(call.name == RESTART for call in talk.calls):
        return f"\n\nSay “restart {proposals[0]['name']}” and I will propose it."
    wanted: list[Wanted] = [(RESTART, {"container": key(container)}) for container in proposals]
    outcomes = talk.need_all(wanted, why=told)
    names = [f"Restart {container['name']}" for container in proposals]
    return "\n\n" + report(list(zip(names, outcomes, strict=True)))
