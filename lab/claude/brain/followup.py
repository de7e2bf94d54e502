"""Lines that lean on the exchange before: "restart it", "the one on mini", "yes"."""

import re
from dataclasses import replace

from lab.claude.brain.talk import Talk
from lab.claude.brain.words import BARE_STOP, bag, listed, orders

NAMED = re.compile(r"\*\*([A-Za-z0-9][\w.-]*)\*\* \(([\w.-]+)\)")
LISTED = re.compile(r"^\W*([A-Za-z0-9][\w.-]*) · ([\w.-]+) ·", re.M)
"""A line of a status: `paperless · nas · 14 restarts`."""
MEANS = re.compile(r"^(?:and |but |so )?what (?:does|do|is) (?:it|this|that|these)(?: mean)?\b[?!. ]*$", re.I)
DONE = re.compile(r"\b(?:Re)?(?:start|stop|remove|recreate|pull)(?:p?ed|d|ing)? ([a-z0-9][\w.-]*(?:/[\w.-]+)?)")
ABOUT = re.compile(r"\b(?:of|for|is|does|about|with|from|has|did) (?:the |my )?([a-z0-9][\w.-]*(?:/[\w.-]+)?)", re.I)
OFFER = re.compile(r"[“\"](?P<order>(?:restart|start|stop|remove|update|pull|make|why is) [^”\"]+)[”\"]")
YES = re.compile(
    r"^(?:yes|yep|yeah|sure|ok|okay|do it|do that|go ahead|please do|go for it|sounds good|"
    r"(?:so |then |and )*(?:please )?(?:fix|repair|mend) (?:it|that|this))\b[\s!.,]*",
    re.I,
)
CHOICE = re.compile(r"`([\w.-]+/[\w.-]+)`")
IT = re.compile(r"\b(it|that one|this one|that container|this container|the container)\b(?!')", re.I)
ITS = re.compile(r"\b(?:its|it's|their)\b", re.I)
THEM = re.compile(r"\b(?:them(?: (?:both|all))?|both(?: of them)?|all of them|those|these two)\b", re.I)
BARE_WHY = re.compile(
    r"^(?:but |and |so )?(?:why|how come|what happened|what'?s the (?:cause|reason))(?: is that| so)?[?!. ]*$", re.I
)
CORRECTION = re.compile(
    r"^(?:(?:no|sorry|oops)\b[\s,.!]*)*(?P<marked>(?:i (?:meant|mean)|rather|make (?:it|that))\s+)?(?:the )?"
    r"(?!not\b)(?P<name>[a-z0-9][\w.-]*(?:/[\w.-]+)?)(?P<end>,? instead)?(?:,? please)?[.! ]*$",
    re.I,
)
OWN_WORDS = re.compile(r"\b(?:remember|forget|note|keep in mind)\b", re.I)
DEPTH = 4
"""How many messages back a pronoun may reach."""


def complete(talk: Talk) -> Talk:
    """The same talk with the last line made whole from the exchange before."""
    if OWN_WORDS.search(talk.said):
        return talk
    said = _chosen(talk) or _agreed(talk) or _corrected(talk) or _resolved(talk)
    return replace(talk, said=said) if said else talk


def referents(talk: Talk) -> list[str]:
    """Containers the last exchanges were about, the closest exchange deciding; as host/name where known."""
    for index in range(len(talk.past) - 1, max(-1, len(talk.past) - 1 - DEPTH), -1):
        role, text = talk.past[index]
        before = talk.past[index - 1][1] if role == "assistant" and index else ""
        if names := _named(role, text, before):
            return names
    return []


def _recent(talk: Talk) -> list[str]:
    """Containers of the last two exchanges, the older first."""
    before = referents(replace(talk, past=talk.past[:-2]))
    return list(dict.fromkeys(before + referents(talk)))


def _antecedent(said: str) -> list[str]:
    """The container a line names before its own pronoun: "paperless hangs, restart it"."""
    pronoun = IT.search(said)
    if pronoun is None:
        return []
    found = [match[1] or match[2] for match in BEFORE_IT.finditer(said[: pronoun.start()])]
    return [name.lower() for name in found if name.lower() not in NO_NAMES][-1:]


def _named(role: str, text: str, before: str) -> list[str]:
    if role == "assistant":
        pairs = list(dict.fromkeys(NAMED.findall(text) or LISTED.findall(text)))
        asked = [f"{host}/{name}" for name, host in pairs if name.lower() in before.lower()]
        return asked or [f"{host}/{name}" for name, host in pairs] or DONE.findall(text)
    targets = [target for order in orders(text) for target in order.targets]
    return targets or [name for name in ABOUT.findall(text) if name.lower() not in NO_NAMES][-1:]


NO_NAMES = bag(
    "it that this everything anything something there up down wrong the my me you what who which a an now ok "
    "and why how if when please things all"
)
BEFORE_IT = re.compile(
    rf"{ABOUT.pattern}|\b([a-z0-9][\w.-]*(?:/[\w.-]+)?) (?:is|seems|looks|keeps|hangs|hung|crashed|failed|has)\b", re.I
)


def _question(talk: Talk) -> tuple[str, str] | None:
    """The previous line of the person and the assistant's answer to it."""
    if len(talk.past) < 2 or talk.past[-1][0] != "assistant":
        return None
    return talk.past[-2][1], talk.past[-1][1]


def _chosen(talk: Talk) -> str | None:
    """The earlier line with the target the person has now picked from "Which one…?"."""
    exchange = _question(talk)
    if exchange is None or "Which one" not in exchange[1] or orders(talk.said):
        return None
    options = list(dict.fromkeys(CHOICE.findall(exchange[1])))
    words = set(re.findall(r"[\w.-]+(?:/[\w.-]+)?", talk.said.lower()))
    picked = [o for o in options if o.lower() in words or set(o.lower().split("/")) & words]
    if words & {"both", "all"}:
        picked = options
    if not picked or (len(picked) > 1 and not words & {"both", "all"}):
        return None
    name = picked[0].split("/")[1]
    line, count = re.subn(rf"\b(?:[\w.-]+/)?{re.escape(name)}\b", listed(picked), exchange[0], count=1, flags=re.I)
    if count:
        return line
    return IT.sub(listed(picked), exchange[0])


def _agreed(talk: Talk) -> str | None:
    """What the assistant offered, when the person says yes to it."""
    match = YES.match(talk.said)
    if (
        match is None
        or not talk.past
        or talk.said[match.end() :].strip(" .!") not in ("", "please", "do it", "do that")
    ):
        return None
    offer = OFFER.search(talk.past[-1][1])
    return offer["order"] if offer else None


def _corrected(talk: Talk) -> str | None:
    """The order before with another target: "restart jellyfin", and then "I meant sonarr"."""
    match = CORRECTION.match(talk.said)
    earlier = next((text for role, text in reversed(talk.past) if role == "user"), "")
    before = orders(earlier)
    if match is None or not (match["marked"] or match["end"]) or orders(talk.said):
        return None
    return f"{before[0].verb} {match['name']}" if len(before) == 1 and len(before[0].targets) == 1 else None


def _resolved(talk: Talk) -> str | None:
    names = _antecedent(talk.said) or referents(talk)
    if not names or any(order.targets for order in orders(talk.said)):
        return None  # nothing to stand in for, or the line names its own: "remove the container radarr"
    if THEM.search(talk.said):
        return THEM.sub(listed(names if len(names) > 1 else _recent(talk)), talk.said)
    if MEANS.match(talk.said):
        return f"why is {names[0]} in trouble?"
    if len(names) > 1:
        return None
    if BARE_WHY.match(talk.said):
        return f"why is {names[0]} in trouble?"
    if bare := _without_target(talk.said):
        return f"{bare} {names[0]}"
    said = ITS.sub(f"{names[0]}'s", talk.said) if not re.search(r"\bit's\b", talk.said, re.I) else talk.said
    said = IT.sub(names[0], said)
    return said if said != talk.said else None


def _without_target(said: str) -> str | None:
    """The verb of an order that names nothing: "stop instead". A bare "stop" is about the assistant itself."""
    if BARE_STOP.match(said):
        return None
    found = orders(said)
    if len(found) == 1 and not found[0].targets and not IT.search(said):
        words = set(re.findall(r"\w+", found[0].rest.lower()))
        return found[0].verb if not words & {"all", "everything", "ones"} else None
    return None
