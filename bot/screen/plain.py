"""What tools answered, in plain sentences, where no model puts it into words."""

import json
from typing import Any

from bot.screen.charts import charts_in
from memory.models import FIND
from tools.gate.taint import unwrapped

SPEECHLESS = "I have no answer to this: ask again, or put it another way."
SPEECHLESS_BUT = "I have no words for an answer. This is what came of it:"
NAMED, FIRST = ("name", "text", "outside_text"), 5
LONGEST = 200
"""Characters of one line."""


def without_words(messages: list[dict[str, Any]]) -> str:
    """What is said where the model has ended without a word."""
    found = plain_results(messages)
    return f"{SPEECHLESS_BUT}\n\n{found}" if found else SPEECHLESS


def plain_results(messages: list[dict[str, Any]]) -> str:
    """The last tool results in a sentence or a few lines each; empty when nothing was called."""
    last = next((message for message in reversed(messages) if message["role"] == "user"), None)
    blocks = [block for block in last["content"] if block["type"] == "tool_result"] if last else []
    uses = {b["id"]: b["name"] for message in messages for b in message["content"] if b["type"] == "tool_use"}
    blocks = [block for block in blocks if uses.get(block["tool_use_id"]) != FIND]
    told = (_told(uses.get(block["tool_use_id"], ""), unwrapped(str(block["content"]))) for block in blocks)
    return "\n".join(filter(None, told))


def _told(tool: str, content: str) -> str:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return _cut(content) if content.startswith("{") else content
    if "title" not in body:
        return "\n".join([tool.replace("_", " "), *_found(body)])
    return f"{body['title']}: {body['detail']}" if body.get("detail") else str(body["title"])


def _found(body: dict[str, Any]) -> list[str]:
    """What a read has found: the single values in a line, of each list how long it is and how it begins, charts."""
    lists = {name.replace("_", " "): value for name, value in body.items() if isinstance(value, list) and value}
    single = {name: value for name, value in body.items() if value is not False and not isinstance(value, list | dict)}
    lines = [_cut(facts_line({name: "yes" if value is True else value for name, value in single.items()}))]
    for name, items in lists.items():
        more = f" and {len(items) - FIRST} more" if len(items) > FIRST else ""
        lines.append(_cut(f"{name} ({len(items)}): {', '.join(map(_name, items[:FIRST]))}") + more)
    return [*filter(None, lines), *charts_in(body)] or ["nothing"]


def _name(item: Any) -> str:
    """One of a list in a word or two."""
    if not isinstance(item, dict):
        return str(item)
    named = next((item[name] for name in NAMED if item.get(name)), next(iter(item.values()), ""))
    return f"{named} {item.get('state', '')}".strip()


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def facts_line(facts: dict[str, Any]) -> str:
    """The facts in a line, without what is not known."""
    known = {name: value for name, value in facts.items() if value not in (None, "", "none", [])}
    words = {name: " ".join(map(str, value)) if isinstance(value, list) else value for name, value in known.items()}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in words.items())
