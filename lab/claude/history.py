"""What the Messages API refuses in `messages`: shapes of blocks, roles, and tool calls without their results."""

import re
from collections import Counter
from typing import Any

from lab.claude.errors import bad_request
from lab.claude.models import Model
from lab.claude.prefix import blocks_of, references
from lab.claude.reply import Json

KEYS = {
    "text": {"text", "citations"},
    "image": {"source"},
    "document": {"source", "title", "context", "citations"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
    "tool_use": {"id", "name", "input", "caller", "toolset_name"},
    "tool_result": {"tool_use_id", "content", "is_error"},
}
"""Blocks whose keys are checked; those of server tools pass as they are."""
TAGS = {*KEYS, "search_result", "server_tool_use", "container_upload"}
TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_-]+")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
THOUGHTS = ("thinking", "redacted_thinking")


def check_messages(request: Json, model: Model) -> None:
    """Refuse malformed messages, and tool calls that are not answered once, first, and in the next message."""
    messages = request["messages"]
    for index, message in enumerate(messages):
        _check_message(index, message, model)
    if messages[0]["role"] != "user":
        bad_request('messages: first message must use the "user" role')
    if messages[-1]["role"] == "assistant":
        _check_prefill(messages[-1]["content"], model)
    _check_tool_turns(_turns(messages))
    _check_deferred(request)


def may_return(block: Json) -> bool:
    """Whether a request may hold this block of a reply; what it may not is no part of the conversation."""
    if block["type"] == "text":
        return bool(str(block.get("text", "")).strip())
    return block["type"] in TAGS or block["type"].endswith("_tool_result")


def _check_prefill(content: Any, model: Model) -> None:
    if model.preserved_thinking:
        bad_request(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    text = blocks_of(content)[-1].get("text", "")
    if text != text.rstrip():
        bad_request("messages: final assistant content cannot end with trailing whitespace")


def _check_message(index: int, message: Json, model: Model) -> None:
    where = f"messages.{index}"
    role, content = message.get("role"), message.get("content")
    for key in message:
        if key not in ("role", "content"):
            bad_request(f"{where}.{key}: Extra inputs are not permitted")
    allowed = ("user", "assistant", "system") if model.preserved_thinking else ("user", "assistant")
    if role not in allowed:
        bad_request(f"{where}.role: Input should be one of {', '.join(allowed)}")
    if not isinstance(content, str | list):
        bad_request(f"{where}.content: Input should be a string or a list of content blocks")
    if not content:
        bad_request(f"{where}: {role} messages must have non-empty content")
    if isinstance(content, str):
        _check_text(where, content)
        return
    for position, block in enumerate(content):
        _check_block(f"{where}.content.{position}", str(role), block)
    if role == "assistant" and content[-1]["type"] in THOUGHTS:
        bad_request(f"{where}: The final block in an assistant message cannot be `{content[-1]['type']}`.")


def _check_block(where: str, role: str, block: Any) -> None:
    if not isinstance(block, dict) or "type" not in block:
        bad_request(f"{where}: content blocks must be objects with a type")
    kind = block["type"]
    if kind not in TAGS and not str(kind).endswith("_tool_result"):
        bad_request(f"{where}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    for key in block:
        if kind in KEYS and key not in KEYS[kind] | {"type", "cache_control"}:
            bad_request(f"{where}.{kind}.{key}: Extra inputs are not permitted")
    if kind in ("tool_use", "thinking", "redacted_thinking") and role != "assistant":
        bad_request(f"{where}: `{kind}` blocks can only be in `assistant` messages")
    if kind == "tool_result" and role != "user":
        bad_request(f"{where}: `tool_result` blocks can only be in `user` messages")
    if "thinking" in kind and block.get("cache_control"):
        bad_request(f"{where}: cache_control cannot be set for thinking blocks")
    if kind in CHECKS:
        CHECKS[kind](where, block)


def _check_text(where: str, text: Any) -> None:
    if not isinstance(text, str):
        bad_request(f"{where}.text: Input should be a valid string")
    if not text:
        bad_request(f"{where}: text content blocks must be non-empty")
    if not text.strip():
        bad_request(f"{where}: text content blocks must contain non-whitespace text")


def _check_text_block(where: str, block: Json) -> None:
    _check_text(where, block.get("text"))
    if not isinstance(block.get("citations"), list | None):
        bad_request(f"{where}.text.citations: Input should be a valid list")


def _check_thought(where: str, block: Json) -> None:
    for key in KEYS[block["type"]]:
        if not isinstance(block.get(key), str):
            bad_request(f"{where}.{block['type']}.{key}: Field required")
    if not block.get("signature", block.get("data")):
        bad_request(f"{where}: Invalid `signature` in `{block['type']}` block")


def _check_tool_use(where: str, block: Json) -> None:
    if not TOOL_USE_ID.fullmatch(str(block.get("id", ""))):
        bad_request(f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
    if not isinstance(block.get("name"), str):
        bad_request(f"{where}.tool_use.name: Field required")
    if not TOOL_NAME.fullmatch(block["name"]):
        bad_request(f"{where}.tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    if "caller" in block and not isinstance(block["caller"], dict):
        bad_request(f"{where}.tool_use.caller: Input should be an object")
    if not isinstance(block.get("input"), dict):
        bad_request(f"{where}.tool_use.input: Input should be a valid dictionary")


def _check_tool_result(where: str, block: Json) -> None:
    if not isinstance(block.get("tool_use_id"), str):
        bad_request(f"{where}.tool_result.tool_use_id: Field required")
    content = block.get("content")
    if block.get("is_error") and not content:
        bad_request(f"{where}.tool_result: content cannot be empty if `is_error` is true")
    parts = content if isinstance(content, list) else []
    if len({inner.get("type") == "tool_reference" for inner in parts}) > 1:
        bad_request(f"{where}.tool_result.content: tool_reference blocks cannot be combined with other content")
    for position, inner in enumerate(parts):
        if inner.get("type") == "tool_reference" and not isinstance(inner.get("tool_name"), str):
            bad_request(f"{where}.tool_result.content.{position}.tool_reference.tool_name: Field required")
        if inner.get("type") == "text":
            _check_text(f"{where}.tool_result.content.{position}", inner.get("text"))


CHECKS = {
    "text": _check_text_block,
    "thinking": _check_thought,
    "redacted_thinking": _check_thought,
    "tool_use": _check_tool_use,
    "tool_result": _check_tool_result,
}


def _turns(messages: list[Json]) -> list[tuple[str, list[Json]]]:
    """Messages with neighbours of the same role joined, as the API joins them."""
    turns: list[tuple[str, list[Json]]] = []
    for message in messages:
        blocks = blocks_of(message["content"])
        if turns and turns[-1][0] == message["role"]:
            turns[-1] = (message["role"], turns[-1][1] + blocks)
        else:
            turns.append((message["role"], blocks))
    return turns


def _check_tool_turns(turns: list[tuple[str, list[Json]]]) -> None:
    seen: set[str] = set()
    asked: list[str] = []
    for role, blocks in turns:
        results = [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
        _check_results(asked, results)
        leading = [b["type"] for b in blocks][: len(results)]
        if leading.count("tool_result") != len(results):
            bad_request(_unanswered(asked) + " `tool_result` blocks must come first in the message.")
        asked = [b["id"] for b in blocks if b["type"] == "tool_use"] if role == "assistant" else []
        if repeated := [i for i in asked if i in seen] + _repeated(asked):
            bad_request(f"messages: `tool_use` ids must be unique. Found more than one {repeated[0]}")
        seen.update(asked)
    if asked:
        bad_request(_unanswered(asked))


def _check_results(asked: list[str], results: list[str]) -> None:
    if missing := [i for i in asked if i not in results]:
        bad_request(_unanswered(missing))
    if unknown := [i for i in results if i not in asked]:
        bad_request(
            f"messages: unexpected `tool_use_id` found in `tool_result` blocks: {unknown[0]}. Each `tool_result` "
            "block must have a corresponding `tool_use` block in the previous message."
        )
    if repeated := _repeated(results):
        bad_request(
            "messages: each tool_use must have a single result. "
            f"Found multiple `tool_result` blocks with id: {repeated[0]}"
        )


def _unanswered(ids: list[str]) -> str:
    return (
        "messages: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(ids)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _repeated(ids: list[str]) -> list[str]:
    return [i for i, n in Counter(ids).items() if n > 1]


def _check_deferred(request: Json) -> None:
    """A deferred tool may be called only after a tool_reference has brought its definition."""
    deferred = {tool["name"] for tool in request.get("tools") or [] if tool.get("defer_loading")}
    known = {tool["name"] for tool in request.get("tools") or []}
    for message in request["messages"]:
        for block in blocks_of(message["content"]):
            for name in references(block):
                if name not in known:
                    bad_request(f"Tool reference '{name}' not found in available tools")
                deferred.discard(name)
            if block["type"] == "tool_use" and block["name"] in deferred:
                bad_request(f"tool_use: '{block['name']}' is deferred and no tool_reference has loaded it.")
