"""What tools answered, in plain sentences, where no model puts it into words."""

import json
from typing import Any

from tools.gate.taint import unwrapped


def plain_results(messages: list[dict[str, Any]]) -> str:
    """The last tool results in a sentence each."""
    if not messages or messages[-1]["role"] != "user":
        return ""
    blocks = [block for block in messages[-1]["content"] if block["type"] == "tool_result"]
    return "\n".join(filter(None, (_sentence(unwrapped(str(block["content"]))) for block in blocks)))


def _sentence(content: str) -> str:
    try:
        body = json.loads(content)
        return f"{body['title']}: {body['detail']}" if body.get("detail") else str(body["title"])
    except (ValueError, KeyError, TypeError):
        return content
