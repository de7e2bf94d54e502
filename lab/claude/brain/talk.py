"""A request read as a conversation: what was said, what was looked up, what is in hand."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lab.claude.brain.words import plain
from lab.claude.reply import Json
from lab.kit.intents import Intent

TAGGED = re.compile(r"<([A-Za-z][\w-]*)(?:\s[^>]*)?>.*?</\1>", re.S)
CONTEXT_LINE = re.compile(r"^\s*\[[^\]\n]*\]\s*$", re.M)
Wanted = tuple[str, Json]
"""A tool's name and its arguments."""


class Ask(Exception):
    """Tools must be called before the skill can go on; `why` is said beside the calls."""

    def __init__(self, calls: list[Wanted], why: str = "") -> None:
        super().__init__(calls)
        self.calls = calls
        self.why = why


class Stuck(Exception):
    """The skill cannot go on; `text` says so."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True)
class Result:
    """What a tool answered: its JSON where there is any, and its words."""

    data: Json
    text: str
    failed: bool


@dataclass(frozen=True)
class Call:
    """A tool call of this turn with its result."""

    name: str
    arguments: Json
    result: Result


@dataclass(frozen=True)
class Talk:
    """One conversation up to now, from the person's last line on in detail."""

    said: str
    past: list[tuple[str, str]]
    """Earlier text messages as (role, text), oldest first."""
    calls: list[Call]
    tools: frozenset[str]
    last: bool
    """No more tools may be called: answer from what is there."""
    photo: bool = False
    known: Sequence[Intent] = ()
    """What people say to the services, as these bring it along."""
    things: Sequence[str] = ()
    """What the exchange before was about, as host/name where known."""

    @property
    def earlier(self) -> list[str]:
        """Earlier texts; those that a person wrote come last, as what they named counts first."""
        return [text for said in ("assistant", "user") for role, text in self.past if role == said]

    def has(self, tool: str) -> bool:
        """Whether the tool is offered."""
        return tool in self.tools

    def need(self, tool: str, **arguments: Any) -> Result:
        """The result of one call; asks for it first when it is not there yet."""
        return self.need_all([(tool, arguments)])[0]

    def need_all(self, wanted: list[Wanted], why: str = "") -> list[Result]:
        """The results of several calls, asked for together."""
        found = [self._done(tool, arguments) for tool, arguments in wanted]
        missing = [call for call, result in zip(wanted, found, strict=True) if result is None]
        if absent := sorted({tool for tool, _ in missing} - self.tools):
            raise Stuck(f"I have no tool for that here (`{'`, `'.join(absent)}` is not offered to me).")
        if missing and self.last:
            raise Stuck(self._so_far())
        if missing:
            raise Ask(missing, why)
        return [result for result in found if result is not None]

    def _done(self, tool: str, arguments: Json) -> Result | None:
        for call in self.calls:
            if call.name == tool and call.arguments == arguments:
                return call.result
        return None

    def _so_far(self) -> str:
        looked = ", ".join(dict.fromkeys(f"`{call.name}`" for call in self.calls if not call.result.failed))
        if not looked:
            return "I have no steps left for this line and have looked at nothing yet. Ask me again."
        troubled = [name for call in self.calls for name in call.result.data.get("troubled") or []]
        found = f" In trouble: {', '.join(troubled)}." if troubled else ""
        return f"I ran out of steps before I could finish. So far I have read {looked}.{found} Ask me again to go on."


def read(request: Json, known: Sequence[Intent] = ()) -> Talk:
    """The conversation in a request; context lines and tagged blocks are not what the person said."""
    messages = request["messages"]
    start = _last_line(messages)
    past = [(m["role"], text) for m in messages[:start] if (text := person_text(m))]
    line = messages[start] if messages else {"content": ""}
    answered = "\n".join(_texts(line)[1:])
    if answered and not (past and plain(answered.partition("\n")[2])[:60] in plain(past[-1][1])):
        past.append(("assistant", answered))  # whoever said it, that is what the line is about
    return Talk(
        said=person_text(line),
        past=past,
        calls=list(_calls(messages[start + 1 :])),
        tools=frozenset(tool["name"] for tool in request.get("tools") or []),
        last=(request.get("tool_choice") or {}).get("type") == "none",
        photo=any(block["type"] == "image" for block in _blocks(line)),
        known=known,
    )


def person_text(message: Json) -> str:
    """The text of a message; of a person's the first one, without context lines and tagged blocks."""
    texts = _texts(message)
    if message.get("role") == "user":
        texts = [CONTEXT_LINE.sub("", TAGGED.sub("", text)) for text in texts[:1]]  # what it answers stands behind it
    return "\n".join(texts).strip()


def _texts(message: Json) -> list[str]:
    return [block["text"] for block in _blocks(message) if block["type"] == "text"]


def _blocks(message: Json) -> list[Json]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _last_line(messages: list[Json]) -> int:
    """The index of the last message a person wrote."""
    for index in range(len(messages) - 1, -1, -1):
        kinds = {block["type"] for block in _blocks(messages[index])}
        if messages[index]["role"] == "user" and "tool_result" not in kinds:
            return index
    return 0


def _calls(messages: list[Json]) -> Iterator[Call]:
    results = {
        block["tool_use_id"]: _result(block)
        for message in messages
        for block in _blocks(message)
        if block["type"] == "tool_result"
    }
    for message in messages:
        for block in _blocks(message):
            if block["type"] == "tool_use" and block["id"] in results:
                yield Call(block["name"], block["input"], results[block["id"]])


def _result(block: Json) -> Result:
    content = block.get("content") or ""
    if not isinstance(content, str):
        content = "\n".join(inner.get("text", "") for inner in content)
    return Result(_json(content), content.strip(), bool(block.get("is_error")))


def _json(text: str) -> Json:
    """The JSON object in a text that may have words around it."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return {}
    try:
        data = json.loads(text[start : end + 1])
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
