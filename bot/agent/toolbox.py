"""The toolbox: which tools a model is sent at once, and how it finds the others."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from memory.models import FIND, Block, Message, Role, Use
from tools.gate import results
from tools.gate.gate import Settled
from tools.gate.ports import People
from tools.kit.service import Risk, Tool

MOST_EAGER = 40
"""Tools in view from the start, `find_tools` among them: with more a model begins to choose wrongly."""
MOST_FOUND = 5
LONGEST_QUERY = 300
ENDING = re.compile(r"(ing|ed|es|s|e)$")
"""What makes no other word of one: remove, removes, removed, removing."""
CAN = "Find further tools by what they do. Not all are in view: look here before you say that something cannot be done."

Definition = dict[str, Any]
"""A tool as the Messages API has it."""


@dataclass(frozen=True)
class Toolbox:
    """What every request of one person brings along: the same bytes each time, so that history and cache stay good.

    Deferred tools are no part of the prompt until a result of `find_tools` refers to them.
    """

    eager: list[Definition]
    deferred: list[Definition]

    @cached_property
    def definitions(self) -> list[Definition]:
        """All of them, as they are sent."""
        return [*self.eager, *({**tool, "defer_loading": True} for tool in self.deferred)]

    @cached_property
    def json(self) -> str:
        """The same as JSON: written once, and not for every request."""
        return json.dumps(self.definitions)

    @cached_property
    def size(self) -> int:
        """Characters of what is in the prompt from the start."""
        return len(json.dumps(self.eager))

    @cached_property
    def _by_name(self) -> dict[str, Definition]:
        return {tool["name"]: tool for tool in self.deferred}

    def unseen(self, messages: list[Message]) -> frozenset[str]:
        """The deferred tools that nothing has brought into view yet: no message may hold a call of one."""
        return frozenset(self._by_name) - {name for block in _references(messages) for name in _names(block)}

    def in_full(self, messages: list[Message]) -> list[Message]:
        """The messages as a model reads them, each reference with the tool that it brings into view."""
        return [
            {**message, "content": [self._read(block) for block in message["content"]]} for message in messages
        ]  # fmt: skip

    def _read(self, block: Block) -> Block:
        brought = [self._by_name[name] for name in _names(block) if name in self._by_name]
        return {**block, "content": [*block["content"], *brought]} if brought else block

    def answers(self, uses: Iterable[Use]) -> dict[str, Block]:
        """The results of those calls that only ask for tools, by use: nothing outside is asked, nothing can change."""
        return {use.id: self._answer(use) for use in uses if use.tool == FIND and self.deferred}

    def _answer(self, use: Use) -> Block:
        query = use.args.get("query")
        if not isinstance(query, str) or not (words := _stems(query[:LONGEST_QUERY])):
            return results.block(use.id, f"{FIND} wants a query: what the tool shall do, in English words.", error=True)
        if found := _best(self.deferred, words):
            # Nothing beside the references: a result is either these or text.
            return {
                "type": "tool_result",
                "tool_use_id": use.id,
                "content": [{"type": "tool_reference", "tool_name": tool["name"]} for tool in found],
            }
        seen = [tool["name"] for tool in _best(self.eager, words) if tool["name"] != FIND]
        return results.block(use.id, f"In view already: {', '.join(seen)}." if seen else "No tool does that.")


def filled(tools: Iterable[Tool]) -> Toolbox:
    """A toolbox of these tools: first what the authors have marked as needed often, of each service in turn.

    Then what reads and then the rest, in turn as well, until no more may be in view.
    """
    ranks: Counter[str] = Counter()
    ranked = []
    for tool in sorted(tools, key=lambda tool: (not tool.often, tool.risk is not Risk.READ)):
        ranks[tool.service.name] += 1
        ranked.append((ranks[tool.service.name], tool.service.name, tool))
    in_turn = [tool for _, _, tool in sorted(ranked, key=lambda entry: (not entry[2].often, *entry[:2]))]
    if len(in_turn) <= MOST_EAGER:
        return Toolbox(_sorted(in_turn), [])
    first, rest = in_turn[: MOST_EAGER - 1], in_turn[MOST_EAGER - 1 :]
    return Toolbox(sorted([*_sorted(first), _finder(rest)], key=_name), _sorted(rest))


class Toolboxes:
    """Everybody's toolbox: what is set up and they may look at, and nothing that only Undo calls.

    Changes stay in it for those who may only look: somebody else may approve them here, and a refusal says who could.
    """

    def __init__(self, tools: dict[str, Tool], configured: Callable[[str], bool], people: People) -> None:
        self._tools = [tool for tool in tools.values() if configured(tool.service.name) and not tool.hidden]
        self._people = people
        self._made: dict[frozenset[str], Toolbox] = {}

    def of(self, actor: str) -> Toolbox:
        """The toolbox of whoever asks; those who may look at the same services share one, and its cache."""
        services = {tool.service.name for tool in self._tools}
        theirs = frozenset(name for name in services if self._people.role(actor, name) >= Role.VIEWER)
        if theirs not in self._made:
            self._made[theirs] = filled(tool for tool in self._tools if tool.service.name in theirs)
        return self._made[theirs]


def merged(uses: list[Use], found: dict[str, Block], settled: Settled | None) -> Settled:
    """One message with every call's result, in the order of the calls."""
    blocks = {**found, **({b["tool_use_id"]: b for b in settled.message["content"]} if settled else {})}
    message = {"role": "user", "content": [blocks[use.id] for use in uses]}
    return Settled(message, settled is not None and settled.tainted, bool(found) or (settled is None or settled.go_on))


def _sorted(tools: Iterable[Tool]) -> list[Definition]:
    """Definitions in an order that never changes."""
    found = [
        {"name": tool.name, "description": tool.description, "input_schema": json.loads(json.dumps(tool.input_schema))}
        for tool in tools
    ]
    return sorted(found, key=_name)


def _name(tool: Definition) -> str:
    return str(tool["name"])


def _finder(rest: list[Tool]) -> Definition:
    more = Counter(tool.service.name for tool in rest)
    kinds = ", ".join(f"{name} ({count})" for name, count in sorted(more.items()))
    return {
        "name": FIND,
        "description": f"{CAN}\nThere are more for {kinds}.",
        "input_schema": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "What the tool shall do, and to what, in English words."}
            },
            "required": ["query"],
            "additionalProperties": False,
        },
    }


def _best(tools: list[Definition], words: set[str]) -> list[Definition]:
    """The tools that these words mean best: a word counts for more in a name, and the rarer it is."""
    texts = [(_stems(_name(tool)), _stems(json.dumps([tool["description"], tool["input_schema"]]))) for tool in tools]
    common = Counter(word for name, text in texts for word in name | text)
    scores = [
        sum((3 * (word in name) + (word in text)) / (1 + common[word]) for word in sorted(words))
        for name, text in texts
    ]  # fmt: skip
    ranked = sorted(zip(scores, tools, strict=True), key=lambda pair: (-pair[0], _name(pair[1])))
    return [tool for score, tool in ranked[:MOST_FOUND] if score > 0 and score >= ranked[0][0] / 3]


def _stems(text: str) -> set[str]:
    return {ENDING.sub("", word) for word in re.findall(r"[a-z0-9]+", text.lower()) if len(word) > 1}


def _references(messages: list[Message]) -> list[Block]:
    return [block for message in messages for block in message["content"] if block["type"] == "tool_result"]


def _names(block: Block) -> list[str]:
    """The tools that a result brings into view."""
    content = block.get("content")
    parts = content if block["type"] == "tool_result" and isinstance(content, list) else []
    return [part["tool_name"] for part in parts if part["type"] == "tool_reference"]
