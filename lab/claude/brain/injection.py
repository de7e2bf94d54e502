"""Orders hidden in what tools return: noticed, never obeyed, never quoted as evidence."""

from collections.abc import Iterator
from typing import Any

from lab.claude.brain.talk import Call
from lab.claude.brain.words import any_of

READER = r"(?:ai|llm|language model|model|assistant|agent|bot|claude|chatbot)s?"
ORDERS = any_of(
    r"(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instruction|prompt|rule|order|polic|guideline)",
    r"\bsystem ?(?:prompt|override)\b",
    r"^\W*(?:system|assistant|admin)\W{0,2}:\s",
    r"\byou (?:are now|must now|must immediately|are an? (?:ai|assistant))\b",
    rf"\b{READER}\b.{{0,30}}\b(?:must|should|shall|please|need to|is required to)\b",
    rf"\b(?:attention|note to|message (?:for|to)|dear|instructions? (?:for|to))\b.{{0,20}}\b{READER}\b",
    r"\bdocker_[a-z]+_[a-z]+",
    r"\btool_use\b",
    r"\bwithout (?:asking|approval|confirmation)\b",
    r"\bdo not (?:tell|inform|mention)\b",
    r"\b(?:pre-?approved|approved by (?:the )?admin)",
)


def gives_orders(line: str) -> bool:
    """Whether a line from outside talks to the reader instead of reporting."""
    return ORDERS.search(line) is not None


def note(calls: list[Call]) -> str:
    """One sentence about text in this turn's results that tried to give orders; empty when none did."""
    for call in calls:
        if any(gives_orders(text) for text in _strings(call.result.data) if text != call.name):
            where = "A log line" if call.name.endswith("_logs") else "Some text in a result"
            return f"\n\n{where} tries to give me orders; I ignored it."
    return ""


def quiet(data: Any) -> Any:
    """The same without the lines of it that give orders."""
    if isinstance(data, dict):
        return {name: quiet(value) for name, value in data.items()}
    if isinstance(data, list):
        return [quiet(item) for item in data if not (isinstance(item, str) and gives_orders(item))]
    return data


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
