"""A message as the events of the Messages API's stream."""

import json
import random
import re
from collections.abc import Iterator

from lab.claude.reply import CHARS_PER_TOKEN, Json, written

DELTA = "content_block_delta"


def encode(event: Json) -> bytes:
    """One server-sent event, named after its type."""
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def events(message: Json, rng: random.Random, *, cut_json: bool = False) -> Iterator[Json]:
    """The stream of a complete message; with `cut_json` the last block's input stops half way."""
    usage = message["usage"]
    yield {
        "type": "message_start",
        "message": {
            **message,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": {**usage, "output_tokens": 1},
        },
    }
    for index, block in enumerate(message["content"]):
        cut = cut_json and index == len(message["content"]) - 1
        yield {"type": "content_block_start", "index": index, "content_block": _opening(block)}
        if index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block, rng, cut):
            yield {"type": DELTA, "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {key: message[key] for key in ("stop_reason", "stop_sequence", "stop_details")},
        "usage": usage,
    }
    yield {"type": "message_stop"}


def half_way(stream: list[Json]) -> int:
    """The position in the middle of the last block's deltas: where a broken stream ends."""
    last = max((e["index"] for e in stream if "index" in e), default=0)
    deltas = [i for i, e in enumerate(stream) if e["type"] == DELTA and e["index"] == last]
    return deltas[len(deltas) // 2] if deltas else 1


def output_tokens(content: list[Json]) -> int:
    """Tokens the reply cost; never zero for a reply that says something."""
    return sum(max(1, written(block) // CHARS_PER_TOKEN) for block in content)


def _opening(block: Json) -> Json:
    """The block as it starts: what arrives in deltas is still empty."""
    empty: Json = {"text": "", "input": {}, "thinking": "", "signature": ""}
    if block["type"] in ("text", "tool_use", "server_tool_use", "thinking"):
        return {key: empty.get(key, value) for key, value in block.items()}
    return block


def _deltas(block: Json, rng: random.Random, cut: bool) -> Iterator[Json]:
    kind = block["type"]
    if kind == "text":
        for piece in _words(block["text"], rng):
            yield {"type": "text_delta", "text": piece}
    elif kind == "thinking":
        if block["thinking"]:
            yield {"type": "thinking_delta", "thinking": block["thinking"]}
        yield {"type": "signature_delta", "signature": block["signature"]}
    elif kind in ("tool_use", "server_tool_use"):
        written_json = json.dumps(block["input"], ensure_ascii=False)
        if cut:
            written_json = written_json[: len(written_json) * 2 // 3]
        yield {"type": "input_json_delta", "partial_json": ""}
        for piece in _odd_pieces(written_json, rng):
            yield {"type": "input_json_delta", "partial_json": piece}


def _words(text: str, rng: random.Random) -> Iterator[str]:
    """A few words at a time, white space kept."""
    words = re.findall(r"\s*\S+\s*?(?=\s|$)|\s+$", text) or [text]
    while words:
        count = rng.randint(1, 4)
        yield "".join(words[:count])
        words = words[count:]


def _odd_pieces(text: str, rng: random.Random) -> Iterator[str]:
    """Pieces that end anywhere: inside keys, strings and escapes."""
    while text:
        size = rng.randint(1, 9)
        yield text[:size]
        text = text[size:]
