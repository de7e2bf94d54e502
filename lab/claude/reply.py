"""What the model says: content blocks and why it stopped."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Reply:
    """One reply of the model, before the API adds ids, signatures and usage."""

    content: list[Json]
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    stop_details: Json | None = None
    cut_json: bool = field(default=False)
    """Stream only the first part of the last tool's input, as when the tokens run out."""


Scripted = Reply | list[Json] | tuple[list[Json], str]
Script = Scripted | Callable[[Json], Scripted]


def scripted(entry: Script, request: Json) -> Reply:
    """The reply a script entry stands for; a list of blocks stops as its blocks suggest."""
    if callable(entry):
        entry = entry(request)
    if isinstance(entry, Reply):
        return entry
    if isinstance(entry, tuple):
        return Reply(entry[0], entry[1])
    return Reply(entry, "tool_use" if any(b["type"] == "tool_use" for b in entry) else "end_turn")


def limit(reply: Reply, request: Json) -> Reply:
    """The same reply cut at the first stop sequence, then at `max_tokens`."""
    for sequence in request.get("stop_sequences") or []:
        reply = _stop_at(reply, sequence)
    return _spend(reply, request["max_tokens"])


def _stop_at(reply: Reply, sequence: str) -> Reply:
    for index, block in enumerate(reply.content):
        if block["type"] == "text" and sequence in block["text"]:
            before = block["text"].partition(sequence)[0]
            kept = reply.content[:index] + ([{**block, "text": before}] if before else [])
            return Reply(kept, "stop_sequence", stop_sequence=sequence)
    return reply


def _spend(reply: Reply, tokens: int) -> Reply:
    left = tokens * CHARS_PER_TOKEN
    for index, block in enumerate(reply.content):
        size = written(block)
        if size <= left:
            left -= size
            continue
        kept = reply.content[:index]
        if block["type"] == "text" and left:
            return Reply([*kept, {**block, "text": block["text"][:left]}], "max_tokens")
        if block["type"] == "tool_use" and left:
            return Reply([*kept, block], "max_tokens", cut_json=True)
        return Reply(kept, "max_tokens")
    return reply


CHARS_PER_TOKEN = 3
"""The usual offline estimate for the current tokenizer."""


def written(block: Json) -> int:
    """How many characters the model had to write for a block."""
    if block["type"] == "text":
        return len(block["text"])
    if block["type"] == "thinking":
        return len(block.get("thinking", ""))
    return len(str(block.get("input", ""))) + len(block.get("name", ""))
