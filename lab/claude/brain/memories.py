"""What the person wants kept: remember, recall, forget."""

import random
import re

from lab.claude.brain.outcomes import refusal, report
from lab.claude.brain.talk import Stuck, Talk
from lab.claude.brain.words import POLITE, bag
from lab.claude.reply import Json

ADD, SEARCH, ALL = "memory_add_memory", "memory_search_memories", "memory_get_all_memories"
LISTED = {SEARCH: "hits", ALL: "memories"}
"""Where each of them has its memories."""
DELETE, DELETE_ALL = "memory_delete_memory", "memory_delete_all_memories"
REMEMBER = re.compile(
    rf"^{POLITE}(?:remember|memori[sz]e|note(?: down)?|keep in mind|don'?t forget|make a note|write down)\b"
    r"(?:\s+(?:that|this|of|to|for (?:later|me)))*\s*[:,-]?\s*(?P<text>.+)$",
    re.I | re.S,
)
FORGET = re.compile(
    rf"^{POLITE}(?:forget|unlearn|(?:delete|remove) (?:the |my |that )?(?:memory|note)s?)\b(?P<text>.*)$", re.I | re.S
)
RECALL = re.compile(
    r"\b(?:do you (?:still )?(?:remember|recall|know)|recall|remind me|what have (?:i|we) told you|"
    r"what (?:do|did|can) (?:you|i) (?:still )?(?:remember|know|recall|tell you|say)|"
    r"what(?:'s| is) in your memory)\b(?P<text>.*)$",
    re.I | re.S,
)
ABOUT = re.compile(r"^\W*(?:(?:about|of|that|what|who|when|where|how|which|on|to you|you)\b\W*)+", re.I)
QUESTION = re.compile(r"^(?:what|when|where|who|which|how|is|are|do|does|did|can|at)\b|\?\s*$", re.I)
COMMON = bag(
    "the and for you are was not but can has any all what when where which who that this with from have does about "
    "your mine there their they will would"
)
CLOSE = 0.6
"""A score from which a memory is shown although it shares no word with the question."""


def keep(talk: Talk, rng: random.Random) -> str | None:
    """Store or delete a memory when the line asks for that."""
    if match := REMEMBER.match(talk.said):
        text = match["text"].strip()
        result = talk.need(ADD, text=text)
        if result.data.get("outcome") in ("done", "already"):
            return f"Noted: {text.rstrip('.')}."
        return report([("Remember", result)])
    match = FORGET.match(talk.said)
    return _forget(talk, match["text"].strip(" .!?")) if match else None


def recall(talk: Talk, rng: random.Random) -> str | None:
    """What is stored about a subject, or everything."""
    match = RECALL.search(talk.said)
    if match is None:
        return None
    subject = ABOUT.sub("", match["text"]).strip(" ?.!")
    if not subject or subject.lower() in ("everything", "all", "me", "anything"):
        found = _memories(talk, ALL)
        return _shown(found[:20]) if found else "I have nothing stored yet. Tell me with “remember that …”."
    found = _related(_memories(talk, SEARCH, query=subject), subject)
    return _shown(found[:5]) if found else f"I have nothing stored about {subject}."


def answer_from(talk: Talk, rng: random.Random) -> str | None:
    """A stored memory that answers a question no other skill understands."""
    if not QUESTION.search(talk.said) or not talk.has(SEARCH):
        return None
    found = _related(_memories(talk, SEARCH, query=talk.said.strip(" ?")), talk.said)
    return f"From what you told me: {_text(found[0])}" if found else None


def _forget(talk: Talk, text: str) -> str:
    subject = ABOUT.sub("", text).strip()
    if not subject:
        return "Forget what? Say “forget about …” with a word from the note."
    if subject.lower() in ("everything", "all", "it all", "all of it"):
        return report([("Forget everything", talk.need(DELETE_ALL))])
    deleted = [call for call in talk.calls if call.name == DELETE]
    found = _related(_memories(talk, SEARCH, query=subject), subject)
    if not found and not deleted:
        return f"I have nothing stored about {subject}, so there is nothing to forget."
    if len(found) > 1 and _shares(found[0], subject) == _shares(found[1], subject):
        return "Which one shall I forget? Say it more exactly.\n\n" + _shown(found[:5])
    return report([("Forget it", talk.need(DELETE, id=found[0]["id"]))])


def _memories(talk: Talk, tool: str, **arguments: str) -> list[Json]:
    result = talk.need(tool, **arguments)
    if result.failed:
        raise Stuck(refusal(result.text))
    return list(result.data.get(LISTED[tool]) or [])


def _related(found: list[Json], subject: str) -> list[Json]:
    """Memories that share a telling word with the subject, or score as close; the best first."""
    close = [m for m in found if _shares(m, subject) or (m.get("score") or 0) >= CLOSE]
    return sorted(close, key=lambda m: (-_shares(m, subject), -(m.get("score") or 0)))


def _shares(memory: Json, subject: str) -> int:
    return len(_telling(_text(memory)) & _telling(subject))


def _text(memory: Json) -> str:
    """What a memory says; one that came from outside carries its text under another name."""
    return str(memory.get("text") or memory.get("outside_text") or "")


def _telling(text: str) -> set[str]:
    return {word[:6] for word in re.findall(r"[a-z0-9]{3,}", text.lower()) if word not in COMMON}


def _shown(found: list[Json]) -> str:
    return "\n".join(f"- {' '.join(_text(memory).split())}" for memory in found)
