"""Raw values of the Docker API as typed ones: whatever is missing or absurd becomes absent."""

import re
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeVar

from memory.secrets import command_without_secrets
from memory.text import clean

MB, MIB, GB = 10**6, 2**20, 10**9
HUGE = 2**60
"""Above this the engine means "no limit"."""

T = TypeVar("T")
_HEX64 = re.compile(r"[0-9a-f]{64}")


def record(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def records(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; empty when it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(value: Any) -> list[str]:
    """The texts of a list; empty when it is none."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value if it is text, else empty."""
    return value if isinstance(value, str) else ""


def one_of(value: Any, allowed: tuple[T, ...], otherwise: T) -> T:
    """The value if it is among the allowed ones."""
    return next((item for item in allowed if item == value), otherwise)


def number(value: Any) -> float | None:
    """A finite number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < HUGE and isfinite(value) and value >= 0 else None


def whole(value: Any) -> int | None:
    """A count; absent when negative or absurd."""
    found = number(value)
    return None if found is None else int(found)


def size(value: Any, unit: int, digits: int = 1) -> float | None:
    """Bytes in another unit."""
    found = number(value)
    return None if found is None else round(found / unit, digits)


def moment(value: Any) -> datetime | None:
    """A time as the API writes it (RFC 3339 or seconds since 1970); its zero times are absent."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            found = found if found.tzinfo else found.replace(tzinfo=UTC)
        elif number(value):
            found = datetime.fromtimestamp(float(value), UTC)
        else:
            return None
        found = found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if 2000 <= found.year < 2100 else None


def to_second(value: datetime | None) -> datetime | None:
    """The time as people read it."""
    return value and value.replace(microsecond=0)


def short(identifier: str) -> str:
    """An id or digest in twelve digits, `sha256:` kept; other text as it is."""
    head, colon, digits = identifier.rpartition("sha256:")
    return f"{head}{colon}{digits[:12]}" if _HEX64.fullmatch(digits) else identifier


def is_hex_id(name: str) -> bool:
    """Whether a name is one that the engine made up, as for an anonymous volume."""
    return _HEX64.fullmatch(name) is not None


def command_line(words: list[str], known: list[str]) -> str:
    """A command as one line, without its secrets."""
    return clean(command_without_secrets(words, known))[0].replace("\n", " ")[:500]
