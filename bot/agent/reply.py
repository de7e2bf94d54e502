"""A reply as it is streamed: what is null or missing is unknown, and what a request may not hold is left out."""

import json
import re
import secrets
from collections import defaultdict
from typing import Any

from memory.models import Block, Message
from memory.runs import NO_ANSWER
from memory.text import every_text
from memory.usage import Tokens
from tools.kit.strict import finite, refuse, unique

UNREADABLE = "the reply could not be read"
TEXTS = {
    "text": ("text",),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
    "tool_use": ("id", "name"),
}
"""The blocks that are kept, and their texts. No other is asked for, and not every door takes others back."""
DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("thinking", "signature"),
    "input_json_delta": ("tool_use", "partial_json"),
}
"""Pieces of a block: of which kind it is, and where in the piece its text stands."""
THOUGHTS = ("thinking", "redacted_thinking")
PROMPT = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
MOST_TOKENS = 10_000_000
"""No request has more; a higher count is none."""
USE_ID = re.compile(r"[a-zA-Z0-9_-]{1,128}")
NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
LONGEST_NAME = 128
STRICT = json.JSONDecoder(object_pairs_hook=unique, parse_constant=refuse, parse_float=finite)


class Incomplete(Exception):
    """The reply broke off: nothing of it may be used; nothing was executed, so it may be asked for again."""


def parsed(data: str) -> dict[str, Any]:
    """An event from its JSON. Raises Incomplete for anything else."""
    try:
        return _object(_json(data))
    except (ValueError, RecursionError):
        raise Incomplete(UNREADABLE) from None


class Reply:
    """What has arrived of a reply so far."""

    def __init__(self) -> None:
        self.begun = False
        """Something has arrived: it is paid for, however it ends."""
        self.stop: str | None = None
        """Why it ended, once it has said so."""
        self._over = False
        self._used: dict[str, int] = {}
        self._blocks: dict[int, Block] = {}
        self._written = defaultdict[int, str](str)

    def take(self, event: dict[str, Any]) -> None:
        """One event more; kinds that are not known are passed over. Raises Incomplete when it makes no sense."""
        kind = event.get("type")
        if not isinstance(kind, str):
            raise Incomplete(UNREADABLE)  # it may have been a piece of a call
        if self._over or kind not in TAKING:
            return
        self.begun = True
        TAKING[kind](self, event)

    def _start(self, event: dict[str, Any]) -> None:
        self._count(_object(event.get("message")).get("usage"))
        self._used.pop("output_tokens", None)  # that it has begun, not how long it is

    def _open(self, event: dict[str, Any]) -> None:
        place, given = event.get("index"), _object(event.get("content_block"))
        kind = given.get("type")
        if type(place) is not int or place in self._blocks or not isinstance(kind, str):
            raise Incomplete(UNREADABLE)
        self._blocks[place] = {"type": kind, **{name: _text(given, name) for name in TEXTS.get(kind, ())}}
        if kind == "tool_use":
            self._blocks[place]["input"] = _object(given.get("input"))

    def _add(self, event: dict[str, Any]) -> None:
        place, delta = event.get("index"), _object(event.get("delta"))
        if type(place) is not int or place not in self._blocks or not isinstance(delta.get("type"), str):
            raise Incomplete(UNREADABLE)
        block = self._blocks[place]
        kind, name = DELTAS.get(delta["type"], ("", ""))
        if not kind or block["type"] not in TEXTS:
            return
        if block["type"] != kind or (kind == "tool_use" and delta.get(name) is None):
            raise Incomplete(UNREADABLE)  # a call without one of its pieces is another call
        text = _text(delta, name)
        if name == "partial_json":
            self._written[place] += text
        elif name == "signature":
            block[name] = text or block[name]  # comes whole
        else:
            block[name] += text

    def _delta(self, event: dict[str, Any]) -> None:
        stop = _object(event.get("delta")).get("stop_reason")
        self.stop = stop if isinstance(stop, str) else self.stop
        self._count(event.get("usage"))

    def _end(self, event: dict[str, Any]) -> None:
        self._over = True

    def _count(self, usage: Any) -> None:
        """Counts are totals so far: they only grow."""
        given = usage if isinstance(usage, dict) else {}
        hour = given.get("cache_creation")
        given = {**given, "hour": hour.get("ephemeral_1h_input_tokens") if isinstance(hour, dict) else None}
        for name in (*PROMPT, "output_tokens", "hour"):
            count = given.get(name)
            if type(count) is int and 0 <= count <= MOST_TOKENS:
                self._used[name] = max(count, self._used.get(name, 0))

    @property
    def spoke(self) -> bool:
        """Whether it holds any words yet."""
        return any(block["type"] == "text" and block["text"].strip() for block in self._blocks.values())

    def used(self, most: int) -> tuple[Tokens, int] | None:
        """What it has used and how much of that was written for an hour; None when the prompt's size is not known.

        The dearest where it does not say: one that broke off, for instance, is as long as it could be, `most`.
        """
        prompt, read, write = (self._used.get(name, 0) for name in PROMPT)
        if "input_tokens" not in self._used or not prompt + read + write:
            return None
        output = self._used.get("output_tokens") if self.stop is not None else None
        if output is None or (output == 0 and self._blocks):
            output = most
        return Tokens(prompt, read, write, output), self._used.get("hour", write)

    def message(self, said: list[Message], unseen: frozenset[str] = frozenset()) -> Message:
        """The whole reply as it can be stored, and sent back after what was said. Raises Incomplete if it is none.

        `unseen` are tools that are not in view, of which a request may hold no call.
        """
        calls = {place: block for place, block in self._blocks.items() if block["type"] == "tool_use"}
        for place, block in calls.items():
            block["input"] = _arguments(self._written[place]) if self._written[place] else block["input"]
        _check_calls(list(calls.values()), self.stop)
        _rename(calls.values(), said, unseen)
        content = [block for _, block in sorted(self._blocks.items()) if _may_return(block)]
        while content and content[-1]["type"] in THOUGHTS:  # nor may a message end with a thought
            content.pop()
        content = content or [{"type": "text", "text": NO_ANSWER}]
        return {"role": "assistant", "content": every_text(content, _whole)}


TAKING = {
    "message_start": Reply._start,
    "content_block_start": Reply._open,
    "content_block_delta": Reply._add,
    "message_delta": Reply._delta,
    "message_stop": Reply._end,
}


def _may_return(block: Block) -> bool:
    """Whether a request may hold this block: no blank text, no thought without its seal, nothing unknown."""
    match block["type"]:
        case "text":
            return bool(block["text"].strip())
        case "thinking":
            return bool(block["signature"])
        case "redacted_thinking":
            return bool(block["data"])
        case "tool_use":
            return True
    return False


def _check_calls(calls: list[Block], stop: str | None) -> None:
    """Tool calls are only real when the model says that it stopped for them, each under its own id."""
    if bool(calls) != (stop == "tool_use"):
        raise Incomplete("the reply's calls and its ending do not fit together")
    ids = [call["id"] for call in calls if call["id"]]
    if len(set(ids)) != len(ids):
        raise Incomplete("the reply repeats the id of a call")
    if not all(call["name"] for call in calls):
        raise Incomplete("a call of the reply has no name")


def _rename(calls: Any, said: list[Message], unseen: frozenset[str]) -> None:
    """Give ids and names that a request may not hold others: an id that nothing has, a name that no tool has."""
    taken = {block["id"] for message in said for block in message["content"] if block["type"] == "tool_use"}
    for call in calls:
        if call["id"] in taken or not USE_ID.fullmatch(call["id"]):
            call["id"] = f"toolu_{secrets.token_hex(12)}"
        name = call["name"].replace("_", "-") if call["name"] in unseen else call["name"]
        call["name"] = NOT_IN_NAMES.sub("-", name)[:LONGEST_NAME]  # a tool's own name has no `-`


def _arguments(written: str) -> dict[str, Any]:
    """A call's arguments, as they were written: one whole JSON object, and nothing that JSON does not have."""
    try:
        found = _json(written)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Incomplete("a call of the reply is not proper JSON")
    return found


def _json(text: str) -> Any:
    return STRICT.decode(text)


def _object(value: Any) -> dict[str, Any]:
    """An object; null is one of which nothing is known."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Incomplete(UNREADABLE)
    return value


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise Incomplete(UNREADABLE)
    return value or ""


def _whole(text: str) -> str:
    """The text with the halves of characters that came apart put together; what stays half cannot be sent."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
