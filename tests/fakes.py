"""A clock that is moved by hand and a model that says what its script says."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from memory.models import Block, Message, Run


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Asked:
    """What the model was sent."""

    run: Run
    messages: list[Message]
    last: bool


Scripted = str | list[Block] | Exception | Callable[[Asked], Any]


class Held(asyncio.Event):
    """A reply that the model gives once it is set."""

    def __init__(self, words: str = "Done.") -> None:
        super().__init__()
        self.words, self.asked = words, asyncio.Event()

    async def __call__(self, asked: Asked) -> str:
        self.asked.set()
        await self.wait()
        return self.words


class ScriptedModel:
    """Says what the script says, then `Done.`; remembers what it was sent and what it said."""

    def __init__(self) -> None:
        self.script: deque[Scripted] = deque()
        self.asked: list[Asked] = []
        self.said: list[list[Block]] = []

    async def reply(self, run: Run, messages: list[Message], *, last: bool) -> Message:
        asked = Asked(run, json.loads(json.dumps(messages)), last)
        self.asked.append(asked)
        item: Any = self.script.popleft() if self.script else "Done."
        if callable(item):
            item = item(asked)
            item = await item if isinstance(item, Awaitable) else item
        if isinstance(item, Exception):
            raise item
        blocks = [{"type": "text", "text": item}] if isinstance(item, str) else item
        self.said.append(blocks)
        return {"role": "assistant", "content": blocks}


_numbers = iter(range(1, 1_000_000))


def use(tool: str, **args: Any) -> Block:
    """A tool_use block with an id of its own."""
    return {"type": "tool_use", "id": f"toolu_{next(_numbers)}", "name": tool, "input": args}
