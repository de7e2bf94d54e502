"""Raw JSON of a service as typed values, where it may say anything: whatever is missing or absurd becomes absent."""

from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeVar

Raw = dict[str, Any]
T = TypeVar("T")

MB, MIB, GB = 10**6, 2**20, 10**9
HUGE = 2**60
"""Above this a service means "no limit"."""


def record(value: Any) -> Raw:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def records(value: Any) -> list[Raw]:
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
