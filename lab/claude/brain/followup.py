"""Lines that lean on the exchange before: "restart it", "the one on mini", "so fix it"."""

import re
from dataclasses import replace

from lab.claude.brain.intents import Meant, meant
from lab.claude.brain.talk import Talk
from lab.kit.intents import understood
from lab.kit.language import ASKING, FILLER, bag, folded
from lab.kit.telling import listed

NAMED = re.compile(r"\*\*([A-Za-z0-9][\w.-]*)\*\* \(([\w.-]+)\)")
LISTED = re.compile(r"^\W*([A-Za-z0-9][\w.-]*) · ([\w.-]+) ·", re.M)
"""A line of a status: `paperless · nas · 14 restarts`."""
NAME = r"([a-z0-9][\w.-]*(?:/[\w.-]+)?)"
ABOUT = re.compile(rf"\b(?:of|for|is|does|about|with|from|has|did|ist|von|está|de) (?:the |my |mein )?{NAME}", re.I)
BEFORE_IT = re.compile(
    rf"{ABOUT.pattern}|\b(?!(?:how|what|why|who|it|that|this|wie)\b){NAME} (?:is|seems|looks|keeps|hangs|hung|"
    r"crashed|failed|has|doesn|ist|hängt|geht|está|no)\b",
    re.I,
)
MEANS = re.compile(r"^(?:and |but |so )?what (?:does|do|is) (?:it|this|that|these)(?: mean)?\b[?!. ]*$", re.I)
WHY = re.compile(
    r"^¿?(?:but |and |so |und |y )*(?:why|how come|what happened|what'?s the (?:cause|reason)|warum|wieso|por qu[eé])"
    r"(?: is that| so)?[?!. ]*$", re.I,
)  # fmt: skip
OFFER = re.compile(r"“([^”]+)”")
FIX = r"(?:fix|repair|mend|solve|repariere?|behebe?|arregla|repara)\W?(?:it|that|this|es|das|lo)?"
YES = re.compile(
    rf"^(?:(?:yes|yep|yeah|sure|ok|okay|ja|klar|s[ií]|vale|so|then|and|also|dann|und|entonces|y|please|bitte|por favor|"
    rf"can you|just)\b[\s,!.]*)*(?:do (?:it|that)|go ahead|go for it|sounds good|mach (?:das|es)|hazlo|{FIX})?"
    r"(?:,? (?:please|then|now|bitte|por favor))*[\s!.?]*$", re.I,
)  # fmt: skip
CHOICE = re.compile(r"`([\w.-]+/[\w.-]+)`")
BOTH = {"both", "all", "beide", "alle", "ambos", "todos"}
IT = re.compile(r"\b(it|that one|this one|that container|this container|the container|es|ihn|den|lo)\b(?!')", re.I)
STUCK_TO = re.compile(r"\b(\w+[aenr])(l[oa])\b", re.I)
"""The pronoun of a Spanish order: reinícialo."""
ITS = re.compile(r"\b(?:its|their|seine?|sus?)\b", re.I)
THEM = re.compile(r"\b(?:them(?: (?:both|all))?|both(?: of them)?|all of them|those|these two|beide|ambos)\b", re.I)
CORRECTION = re.compile(
    r"^(?:(?:no|sorry|oops|nein)\b[\s,.!]*)*(?P<marked>(?:i (?:meant|mean)|rather|make (?:it|that)|ich meinte?|"
    rf"quise decir)\s+)?(?:the )?(?!not\b)(?P<name>{NAME[1:-1]})(?P<end>,? instead)?(?:,? please)?[.! ]*$",
    re.I,
)
OWN_WORDS = re.compile(r"\b(?:remember|forget|note|keep in mind)\b", re.I)
NO_NAMES = FILLER | ASKING | bag("wrong and if blocked down")
DEPTH = 4
"""How many messages back a pronoun may reach."""


def complete(talk: Talk) -> Talk:
    """The same talk with the last line made whole from the exchange before."""
    talk = replace(talk, things=tuple(referents(talk, 2)))
    if not talk.said or OWN_WORDS.search(talk.said):
        return talk
    said = _chosen(talk) or _agreed(talk) or _corrected(talk) or _resolved(talk)
    return replace(talk, said=said) if said else talk


def referents(talk: Talk, depth: int = DEPTH) -> list[str]:
    """Things the last exchanges were about, the closest exchange deciding; as host/name where known."""
    for index in range(len(talk.past) - 1, max(-1, len(talk.past) - 1 - depth), -1):
        role, text = talk.past[index]
        before = talk.past[index - 1][1] if role == "assistant" and index else ""
        if names := _named(talk, role, text, before):
            return names
    return []


def _named(talk: Talk, role: str, text: str, before: str) -> list[str]:
    if role == "assistant":
        pairs = list(dict.fromkeys(NAMED.findall(text) or LISTED.findall(text)))
        asked = [f"{host}/{name}" for name, host in pairs if name.lower() in before.lower()]
        return asked or [f"{host}/{name}" for name, host in pairs]
    things = [part.thing for part in meant(text, talk.known)[0] if part.thing]
    return things or _about(text)


def _about(text: str) -> list[str]:
    found = [match[1] or match[2] for match in BEFORE_IT.finditer(text)]
    return [name.lower() for name in found if name.lower() not in NO_NAMES][-1:]


def _antecedent(said: str) -> list[str]:
    """The thing that a line names before its own pronoun: "paperless hangs, restart it"."""
    pronoun = IT.search(said) or STUCK_TO.search(said)
    return _about(said[: pronoun.start()]) if pronoun else []


def _question(talk: Talk) -> tuple[str, str] | None:
    """The previous line of the person and the assistant's answer to it."""
    if len(talk.past) < 2 or talk.past[-1][0] != "assistant":
        return None
    return talk.past[-2][1], talk.past[-1][1]


def _chosen(talk: Talk) -> str | None:
    """The earlier line with the target the person has now picked from "Which one…?"."""
    exchange = _question(talk)
    if exchange is None or "Which one" not in exchange[1] or any(part.thing for part in _own(talk)):
        return None
    options = list(dict.fromkeys(CHOICE.findall(exchange[1])))
    words = set(re.findall(r"[\w.-]+(?:/[\w.-]+)?", talk.said.lower()))
    picked = options if words & BOTH else []
    picked = picked or [o for o in options if o.lower() in words or set(o.lower().split("/")) & words]
    if not picked or (len(picked) > 1 and not words & BOTH):
        return None
    name = picked[0].split("/")[1]
    line, count = re.subn(rf"\b(?:[\w.-]+/)?{re.escape(name)}\b", listed(picked), exchange[0], count=1, flags=re.I)
    return line if count else IT.sub(listed(picked), exchange[0])


def _agreed(talk: Talk) -> str | None:
    """What the assistant offered, when the person says yes to it."""
    if not YES.match(talk.said) or not talk.past or talk.past[-1][0] != "assistant":
        return None
    offers = OFFER.findall(talk.past[-1][1])
    return next((offer for offer in offers if offer.startswith("why is ") or understood(offer, talk.known)), None)


def _corrected(talk: Talk) -> str | None:
    """The order before with another target: "restart jellyfin", and then "I meant sonarr"."""
    match = CORRECTION.match(talk.said)
    earlier = next((text for role, text in reversed(talk.past) if role == "user"), "")
    if match is None or not (match["marked"] or match["end"]):
        return None
    parts, _ = meant(earlier, talk.known)
    if len(parts) != 1 or not parts[0].thing or not parts[0].intent.changes:
        return None
    words = r"\W+".join(map(re.escape, parts[0].thing.split("-")))
    line, count = re.subn(words, match["name"], folded(earlier), count=1)
    return line if count else None


def _own(talk: Talk) -> list[Meant]:
    return meant(talk.said, talk.known, talk.earlier)[0]


def _resolved(talk: Talk) -> str | None:
    """The line with names for its pronouns."""
    parts = _own(talk)
    names = _antecedent(talk.said) or referents(talk)
    if not names or (parts and all(part.thing or not part.intent.thing for part in parts)):
        return None  # nothing to stand in for, or the line names its own: "remove the container radarr"
    if THEM.search(talk.said):
        before = referents(replace(talk, past=talk.past[:-2]))
        return THEM.sub(listed(names if len(names) > 1 else list(dict.fromkeys(before + names))), talk.said)
    if MEANS.match(talk.said):
        return f"why is {names[0]} in trouble?"
    if len(names) > 1:
        return None
    if WHY.match(talk.said):
        return f"why is {names[0]} in trouble?"
    if ITS.search(talk.said):
        return ITS.sub(f"{names[0]}'s", talk.said)
    said = STUCK_TO.sub(rf"\1 {names[0]}", talk.said) if not IT.search(talk.said) else talk.said
    said = IT.sub(names[0], said)
    return said if said != talk.said else None
