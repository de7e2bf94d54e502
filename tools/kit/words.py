"""Numbers as people say them, wherever they are shown."""

from datetime import UTC, datetime


def counted(count: int, what: str) -> str:
    """`1 card`, `2 cards`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def lasting(seconds: float) -> str:
    """`8 s`, `3 min`, `9 h`, `41 d`."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{max(0.0, seconds) / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def so_far(since: datetime) -> str:
    """How long ago that was: `3 d`."""
    return lasting((datetime.now(UTC) - since).total_seconds())


def countdown(seconds: float) -> str:
    """`4:32`, `1:04:32`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
