"""A request as one chain of blocks, tools → system → messages: the ground for the cache and for signatures."""

import base64
import binascii
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

from lab.claude.errors import bad_request
from lab.claude.reply import CHARS_PER_TOKEN, Json

IMAGE_TOKENS = 1_500
FOREIGN = "The block is bound to a different conversation"


@dataclass(frozen=True)
class Block:
    """One cacheable unit of a request; `digest` covers it and everything before it."""

    part: str
    digest: str
    tokens: int
    ttl: str | None
    body: Json
    before: str
    """The digest of everything before this block."""


def blocks_of(content: Any) -> list[Json]:
    """Message or system content as a list of blocks; a string is one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content)


def chain(request: Json) -> list[Block]:
    """The blocks of a request in prompt order, each with its running digest."""
    parts: list[tuple[str, Json]] = [
        ("tools", tool) for tool in request.get("tools") or [] if not tool.get("defer_loading")
    ]
    parts += [("system", block) for block in blocks_of(request.get("system") or [])]
    parts += [(m["role"], block) for m in request["messages"] for block in blocks_of(m["content"])]
    marked = _automatic(request, parts)
    deferred = {tool["name"]: tool for tool in request.get("tools") or [] if tool.get("defer_loading")}
    found: list[Block] = []
    digest = ""
    for index, (part, body) in enumerate(parts):
        before, digest = digest, link(digest, part, body)
        ttl = marked.get(index) or ttl_of(body)
        brought = sum(tokens_of(deferred[name]) for name in references(body) if name in deferred)
        found.append(Block(part, digest, tokens_of(body) + brought, ttl, body, before))
    return found


def references(block: Json) -> list[str]:
    """Names of the tools a block brings into view."""
    content = block.get("content")
    if isinstance(content, dict):
        content = content.get("tool_references")
    if not isinstance(content, list):
        return []
    return [inner["tool_name"] for inner in content if inner.get("type") == "tool_reference"]


def link(digest: str, part: str, body: Json) -> str:
    """The digest after one more block."""
    text = json.dumps([digest, part, _bare(body)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def ttl_of(body: Json) -> str | None:
    """The life of the cache breakpoint on a block (or inside a tool result), if it has one."""
    control = body.get("cache_control")
    if control is None and isinstance(body.get("content"), list):
        control = next((c["cache_control"] for c in body["content"] if c.get("cache_control")), None)
    return None if control is None else control.get("ttl", "5m")


def tokens_of(body: Json) -> int:
    """A rough but stable token count."""
    if body.get("type") == "image":
        return IMAGE_TOKENS
    images: int = sum(c.get("type") == "image" for c in body.get("content") or [] if isinstance(c, dict))
    if images:
        rest = [c for c in body["content"] if c.get("type") != "image"]
        return images * IMAGE_TOKENS + tokens_of({**body, "content": rest})
    text = json.dumps(_bare(body), ensure_ascii=False)
    return math.ceil(len(text) / CHARS_PER_TOKEN)


def sign(model: str, prefix: str, thinking: str) -> str:
    """A signature that ties a thinking block to the model and to everything before it."""
    seal = json.dumps({"model": model, "prefix": prefix, "text": _digest(thinking)})
    return base64.b64encode(seal.encode()).decode()


def check_signatures(request: Json, blocks: list[Block]) -> None:
    """Refuse a replayed thinking block whose own text, or anything before it, has changed."""
    for block in blocks:
        if block.body.get("type") != "thinking":
            continue
        seal = _open(block.body.get("signature"))
        if seal["model"] != request["model"]:
            continue  # another model's thinking is dropped without an error
        if seal["text"] != _digest(block.body.get("thinking", "")):
            bad_request("`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.")
        if seal["prefix"] != block.before:
            bad_request(f"Invalid `signature` in `thinking` block. {FOREIGN}")


def _open(signature: Any) -> Json:
    try:
        seal = json.loads(base64.b64decode(str(signature), validate=True))
        return {key: seal[key] for key in ("model", "prefix", "text")}
    except (binascii.Error, ValueError, KeyError, TypeError):
        bad_request("Invalid `signature` in `thinking` block")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _automatic(request: Json, parts: list[tuple[str, Json]]) -> dict[int, str]:
    """Where the top-level cache_control puts its breakpoint: on the last block that can carry one."""
    control = request.get("cache_control")
    if not control:
        return {}
    for index in range(len(parts) - 1, -1, -1):
        if parts[index][1].get("type") not in ("thinking", "redacted_thinking"):
            return {index: control.get("ttl", "5m")}
    return {}


def _bare(value: Any) -> Any:
    """The value without cache marks, nulls and defaults, which may change without changing the conversation."""
    if isinstance(value, dict):
        return {
            key: _bare(item)
            for key, item in value.items()
            if key != "cache_control" and item is not None and (key, item) != ("caller", {"type": "direct"})
        }
    if isinstance(value, list):
        return [_bare(item) for item in value]
    return value
