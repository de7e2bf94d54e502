"""JSON as services must send it: UTF-8, finite numbers, bounded nesting."""

import json
import math
from typing import Any, NoReturn

DEEPEST = 64
MOST_DIGITS = 20
"""Enough for every 64-bit counter."""


def strict_json(body: bytes) -> Any:
    """The JSON value. Raises ValueError for anything that could not be computed with or shown."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=refuse, parse_float=finite, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    level = _containers([value])
    for _ in range(DEEPEST):
        if not level:
            return value
        level = [child for item in level for child in _containers(item)]
    if level:
        raise ValueError("nested too deeply")
    return value


def _containers(item: Any) -> list[Any]:
    inside = item.values() if isinstance(item, dict) else item
    return [child for child in inside if isinstance(child, dict | list)]


def refuse(constant: str) -> NoReturn:
    """`json.loads(…, parse_constant=refuse)`: no NaN and no infinity. Raises ValueError."""
    raise ValueError(f"{constant} is not JSON")


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """`json.loads(…, object_pairs_hook=unique)`: no name twice in an object. Raises ValueError."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a name appears twice")
    return found


def finite(text: str) -> float:
    """`json.loads(…, parse_float=finite)`: no number that is too large to be one. Raises ValueError."""
    if math.isfinite(number := float(text)):
        return number
    raise ValueError("a number is too large")


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MOST_DIGITS:
        raise ValueError("a number is too large")
    return int(text)
