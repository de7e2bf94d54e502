"""The model port: one method. Everything that can go wrong with a model has a name here."""

from typing import Any, Protocol

from memory.models import Message, Run, Use


class RunStopped(Exception):
    """The run cannot go on. `str()` is a sentence for the person."""


class ModelUnavailable(RunStopped):
    """No model is to be had now: no key, rejected key, outage."""


class OutOfBudget(RunStopped):
    """The owner's limit is reached; no request was made."""


class Model(Protocol):
    """Something that continues a conversation."""

    async def reply(self, run: Run, messages: list[Message], *, last: bool) -> Message:
        """The next assistant message, complete and as it may be sent back. With `last` it must call nothing.

        It may hold neither a word nor a call: that is an ending, too. Raises RunStopped; an incomplete reply is never
        returned, so a truncated tool call can never run.
        """


def open_calls(messages: list[Message]) -> list[Use]:
    """The tool calls of the last message that have no results yet."""
    if not messages or messages[-1]["role"] != "assistant":
        return []
    blocks: list[dict[str, Any]] = messages[-1]["content"]
    return [Use(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]


def steps(messages: list[Message]) -> int:
    """Replies that this run has had, counted from what is stored: history is text and calls no tool."""
    asked = [index for index, message in enumerate(messages) if message["role"] == "user" and _is_line(message)]
    return sum(1 for message in messages[asked[-1] :] if message["role"] == "assistant") if asked else 0


def _is_line(message: Message) -> bool:
    return any(block["type"] != "tool_result" for block in message["content"])
