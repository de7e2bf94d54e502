"""What people say to the bot's own memory; it is no service of the homelab, so it has no twin."""

import re

from lab.kit.intents import Intent
from lab.kit.language import ASKING, FILLER, bag, folded, tokens
from lab.kit.rest import Json

CLOSE = 0.6
"""A score from which a memory is told although it shares no word with the question."""
COMMON = FILLER | ASKING | bag("about remember know wo")


def _related(data: Json) -> list[Json]:
    """Memories that share a telling word with the question, or score as close; the best first."""
    asked = _telling(data["asked"].get("query", ""))
    close = [hit for hit in data["hits"] if _telling(_said(hit)) & asked or hit["score"] >= CLOSE]
    return sorted(close, key=lambda hit: -len(_telling(_said(hit)) & asked))


def _telling(text: str) -> set[str]:
    return {word[:6] for word in tokens(folded(re.sub(r"[-_./]", " ", text))) if word not in COMMON}


def _said(memory: Json) -> str:
    return str(memory.get("text") or memory.get("outside_text") or "")


def _shown(found: list[Json]) -> str:
    return "\n".join(f"- {' '.join(_said(memory).split())}" for memory in found)


def _recalled(data: Json) -> str:
    return _shown(_related(data)[:5]) or "I have nothing stored about that. Tell me with “remember that …”."


def _everything(data: Json) -> str:
    return _shown(data["memories"][:20]) or "I have nothing stored yet. Tell me with “remember that …”."


def _answer(data: Json) -> str:
    found = _related(data)
    return f"From what you told me: {_said(found[0])}" if found else ""


def _forgotten(data: Json) -> list[Json] | str:
    found, asked = _related(data), _telling(data["asked"]["query"])
    if not found:
        return "I have nothing stored about that, so there is nothing to forget."
    if len({len(_telling(_said(hit)) & asked) for hit in found[:2]}) < len(found[:2]):
        return "Which one shall I forget? Say it more exactly.\n\n" + _shown(found[:5])
    return [{"id": found[0]["id"]}]


intents = (
    Intent("memory_add_memory", ("remember {text}", "note down {text}", "note {text}", "keep in mind {text}",
           "don't forget {text}", "make a note {text}", "merk dir {text}", "merke dir {text}", "recuerda {text}")),
    Intent("memory_search_memories", ("do you remember {query:text}", "what do you remember about {query:text}",
           "what do you know about {query:text}", "remind me {query:text}", "was weißt du über {query:text}",
           "qué sabes de {query:text}"), _recalled),
    Intent("memory_get_all_memories", ("what do you remember", "what do you know", "what have i told you",
           "was weißt du", "qué sabes", "list memories", "show notes"), _everything),
    Intent("memory_delete_memory", ("forget about {query:text}", "forget {query:text}", "vergiss {query:text}",
           "olvida {query:text}"), look="memory_search_memories", pick=_forgotten),
    Intent("memory_delete_all_memories", ("forget everything", "forget all {_what}", "vergiss alles", "olvida todo"),
           words={"_what": ("memories", "notes", "of it")}),
    Intent("memory_search_memories", ("{query:question}",), _answer),
)  # fmt: skip
