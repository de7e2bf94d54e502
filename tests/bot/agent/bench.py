"""A bench for the Claude client: a strict double over HTTP, the traffic between them, and what is said on it."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from bot.agent.budget import Budget
from bot.agent.claude import Claude
from lab.claude import Claude as Double
from lab.claude import claude_app
from lab.claude.errors import error_body
from lab.server import serve
from lab.traffic import Traffic
from memory.models import Message, Run
from memory.secrets import Redactor
from memory.stores import Stores
from tests.house import ADMIN

USE: dict[str, Any] = {"type": "tool_use", "name": "look", "input": {"at": "jellyfin"}}
SAID: list[Message] = [{"role": "user", "content": [{"type": "text", "text": "Why is jellyfin down?"}]}]
TEXT = [{"type": "text", "text": "It is up."}]
RUN = Run("r1", ADMIN.id, ADMIN, "x", "text", True, False, False, "working", None, None, 0, None, 0.0)


@dataclass
class Bench:
    """A client, the double it speaks to, and the traffic between them."""

    client: Claude
    double: Double
    traffic: Traffic
    stores: Stores
    budget: Budget

    @property
    def requests(self) -> int:
        return len(self.traffic.requests)

    async def reply(self, *, last: bool = False, messages: list[Message] | None = None) -> Message:
        return await self.client.reply(RUN, messages or SAID, last=last)

    def fault(self, status: int, *, times: int = 1, headers: dict[str, str] | None = None, **details: Any) -> None:
        body = json.dumps(error_body(status, "secret words of the API", **details))
        self.traffic.fault("claude", status=status, body=body, times=times, headers=headers)

    def stream(self, events: Iterable[Any]) -> None:
        """Let the next reply be these events."""
        lines = (f"event: {kind(event)}\ndata: {json.dumps(event)}\n\n" for event in events)
        headers = {"content-type": "text/event-stream"}
        self.traffic.fault("claude", status=200, body="".join(lines), headers=headers)


def kind(event: Any) -> str:
    return str(event.get("type")) if isinstance(event, dict) else "message"


def answers(reply: Message) -> Message:
    """What goes back after a reply: a result for each call."""
    uses = [block["id"] for block in reply["content"] if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": use, "content": "{}"} for use in uses]
    return {"role": "user", "content": results or SAID[0]["content"]}


@asynccontextmanager
async def a_bench(stores: Stores) -> AsyncIterator[Bench]:
    """A client of its own, and everything it needs."""
    double, traffic = Double(), Traffic()
    server = await serve(traffic.wrap("claude", claude_app(double)))
    budget = Budget(stores.usage, task=1.0, daily=2.0, zone=ZoneInfo("UTC"))
    client = Claude(
        key="sk-ant-test-key",
        base_url=server.url,
        model="claude-sonnet-5-5",
        system="You look after a homelab.",
        tools=[{"name": "look", "description": "Look.", "input_schema": {"type": "object"}}],
        budget=budget,
        redact=Redactor(),
    )
    yield Bench(client, double, traffic, stores, budget)
    if client._client is not None:
        await client._client.close()
    await server.stop()


def text_of(message: Message) -> str:
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")
