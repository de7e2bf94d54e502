"""The double's state, and how one request becomes one message."""

import random
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal

from lab.claude.brain import think
from lab.claude.cache import PrefixCache
from lab.claude.checks import check
from lab.claude.errors import bad_request
from lab.claude.history import may_return
from lab.claude.models import Model, find_model
from lab.claude.prefix import Block, blocks_of, chain, check_signatures, link, references, sign
from lab.claude.reply import CHARS_PER_TOKEN, Json, Reply, Script, limit, scripted
from lab.claude.sse import output_tokens
from lab.kit.intents import Intent

KEPT = 1_000
FIND = "find_tools"
"""What a client's own search for deferred tools is called."""
Break = Literal["error", "end", "drop", "stall"]
"""How a stream breaks: an SSE error event, a clean end too early, a closed socket, silence."""


class Claude:
    """A simulated Claude behind the Messages API: what it was asked, and how it shall behave."""

    def __init__(self, seed: int = 1, known: Sequence[Intent] = ()) -> None:
        """`known` is what people say to the services, and what it means."""
        self.known = known
        self.cut = False
        """True: every connection is closed without an answer, as if the API was out of reach."""
        self.pace = 0.0
        """Seconds between the pieces of streamed text."""
        self.keys: set[str] | None = None
        """API keys that are accepted; None accepts any."""
        self.requests: list[Json] = []
        """Bodies received, oldest first; the last thousand."""
        self.script: deque[Script] = deque()
        """Replies to give before the brain is asked."""
        self.mid_stream: deque[Break] = deque()
        """Each entry breaks one streamed answer half way through its last block."""
        self.clock: Callable[[], float] = time.monotonic
        """Seconds; what the simulated cache lives by."""
        self.rng = random.Random(seed)
        self.cache = PrefixCache(lambda: self.clock())

    def count(self, request: Json) -> int:
        """Input tokens of a request, cached or not."""
        model = find_model(request.get("model"))
        check(request, model, counting=True)
        return sum(block.tokens for block in chain(request))

    def answer(self, request: Json) -> tuple[Json, Reply]:
        """The message for a request and the reply behind it; raises ApiError as the API would refuse."""
        self.requests.append(request)
        del self.requests[:-KEPT]
        model = find_model(request.get("model"))
        check(request, model)
        blocks = chain(request)
        check_signatures(request, blocks)
        size = sum(block.tokens for block in blocks)
        if size > model.context:
            bad_request(f"prompt is too long: {size} tokens > {model.context} maximum")
        reply = self._reply(request, model, blocks)
        message = self._message(request, model, blocks, reply)
        self.cache.remember(message["id"], request, blocks)
        return message, reply

    def _reply(self, request: Json, model: Model, blocks: list[Block]) -> Reply:
        if request["max_tokens"] == 0:
            return Reply([], "max_tokens")  # only warms the cache
        if self.script:
            reply = scripted(self.script.popleft(), request)
        else:
            reply = _search_first(think(_without_finding(request), self.rng, self.known), request)
            if _thinks(request, model):
                reply = _narrate_in_thinking(reply, request)
        if _thinks(request, model):
            reply = _think_first(reply, request)
        content = [_complete(block) for block in reply.content]
        prefix = blocks[-1].digest
        for block in content:
            if block["type"] == "thinking":
                block["signature"] = sign(model.id, prefix, block["thinking"])
            prefix = link(prefix, "assistant", block) if may_return(block) else prefix
        reply.content = content
        return limit(reply, request)

    def _message(self, request: Json, model: Model, blocks: list[Block], reply: Reply) -> Json:
        usage = self.cache.use(model, request, blocks)
        previous = (request.get("diagnostics") or {}).get("previous_message_id")
        thought = sum(len(b["thinking"]) // CHARS_PER_TOKEN for b in reply.content if b["type"] == "thinking")
        searches = sum(block["type"] == "server_tool_use" for block in reply.content)
        usage |= {
            "output_tokens": output_tokens(reply.content),
            "output_tokens_details": {"thinking_tokens": thought},
            "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0} if searches else None,
            "service_tier": "standard",
            "speed": request.get("speed") or "standard",
        }
        return {
            "id": f"msg_{secrets.token_hex(12)}",
            "type": "message",
            "role": "assistant",
            "model": model.id,
            "content": reply.content,
            "stop_reason": reply.stop_reason,
            "stop_sequence": reply.stop_sequence,
            "stop_details": reply.stop_details,
            "container": None,
            "diagnostics": self.cache.diagnose(previous, request, blocks),
            "usage": usage,
        }


def _thinks(request: Json, model: Model) -> bool:
    kind = (request.get("thinking") or {}).get("type")
    return model.preserved_thinking and kind != "disabled" and (kind is not None or model.always_thinks)


def _narrate_in_thinking(reply: Reply, request: Json) -> Reply:
    """Move text before a tool call into a thinking block, where these models put it; shown only if asked for."""
    if reply.stop_reason != "tool_use":
        return reply
    said = " ".join(block["text"] for block in reply.content if block["type"] == "text")
    if not said:
        return reply
    shown = said if _summarised(request) else ""
    rest = [block for block in reply.content if block["type"] != "text"]
    return Reply([{"type": "thinking", "thinking": shown}, *rest], "tool_use")


def _think_first(reply: Reply, request: Json) -> Reply:
    kinds = [block["type"] for block in reply.content]
    if "tool_use" not in kinds or "thinking" in kinds:
        return reply
    names = ", ".join(block["name"] for block in reply.content if block["type"] == "tool_use")
    thinking = {"type": "thinking", "thinking": f"Next: {names}." if _summarised(request) else ""}
    return Reply([thinking, *reply.content], reply.stop_reason, cut_json=reply.cut_json)


def _summarised(request: Json) -> bool:
    return (request.get("thinking") or {}).get("display") == "summarized"


def _complete(block: Json) -> Json:
    """A copy with what the API adds to a block of this type."""
    additions: dict[str, dict[str, Any]] = {
        "text": {"citations": None},
        "thinking": {"signature": ""},
        "tool_use": {"id": f"toolu_{secrets.token_hex(12)}", "caller": {"type": "direct"}},
    }
    return {**additions.get(block["type"], {}), **block}


def _without_finding(request: Json) -> Json:
    """The request as if nobody had had to look for tools: what is left is what was said and looked up."""
    parted = [(message, blocks_of(message["content"])) for message in request["messages"]]
    sought = {block["id"] for _, blocks in parted for block in blocks if block.get("name") == FIND}
    left = [
        (message, [b for b in blocks if not {b.get("id"), b.get("tool_use_id")} & sought]) for message, blocks in parted
    ]
    return {**request, "messages": [{**message, "content": blocks} for message, blocks in left if blocks]}


def _search_first(reply: Reply, request: Json) -> Reply:
    """Put a tool search before calls of deferred tools that nothing has brought into view yet."""
    tools = request.get("tools") or []
    search = next((tool for tool in tools if str(tool.get("type", "")).startswith("tool_search_tool")), None)
    finder = next((tool for tool in tools if tool["name"] == FIND), None)
    hidden = {tool["name"] for tool in tools if tool.get("defer_loading")}
    for message in request["messages"]:
        for block in blocks_of(message["content"]):
            hidden.difference_update(references(block))
    wanted = sorted({b["name"] for b in reply.content if b["type"] == "tool_use"} & hidden)
    if wanted and finder is not None:
        queries = [{"query": name.replace("_", " ")} for name in wanted]
        return Reply([{"type": "tool_use", "name": FIND, "input": query} for query in queries], "tool_use")
    if not wanted or search is None:
        return reply
    use_id = f"srvtoolu_{secrets.token_hex(12)}"
    found = [{"type": "tool_reference", "tool_name": name} for name in wanted]
    query = " ".join(wanted).replace("_", " ")
    searched: list[Json] = [
        {
            "type": "server_tool_use",
            "id": use_id,
            "name": search["name"],
            "input": {"query": query},
            "caller": {"type": "direct"},
        },
        {
            "type": "tool_search_tool_result",
            "tool_use_id": use_id,
            "content": {"type": "tool_search_tool_search_result", "tool_references": found},
        },
    ]
    return Reply(searched + reply.content, reply.stop_reason)
