"""Docker's own ways of writing times and durations."""

from datetime import UTC, datetime

from lab.services.docker.engine.model import Container

NEVER = "0001-01-01T00:00:00Z"

_STEPS = (
    (1, "Less than a second", 0),
    (2, "1 second", 0),
    (60, "{} seconds", 1),
    (120, "About a minute", 0),
    (3600, "{} minutes", 60),
    (7200, "About an hour", 0),
    (48 * 3600, "{} hours", 3600),
    (14 * 86400, "{} days", 86400),
    (60 * 86400, "{} weeks", 7 * 86400),
    (730 * 86400, "{} months", 30 * 86400),
)


def timestamp(at: float) -> str:
    """RFC 3339 in UTC with nanoseconds; dockerd's zero time for 0."""
    if not at:
        return NEVER
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def duration(seconds: float) -> str:
    """A duration as `docker ps` rounds it."""
    for limit, words, unit in _STEPS:
        if seconds < limit:
            return words.format(int(seconds / unit)) if unit else words
    return f"{seconds / (365 * 86400):.0f} years"


def status_line(container: Container, now: float, health: str | None) -> str:
    """The Status column of `docker ps`."""
    up, down = duration(now - container.started_at), duration(now - container.finished_at)
    match container.status:
        case "created":
            return "Created"
        case "exited":
            return f"Exited ({container.exit_code}) {down} ago"
        case "restarting":
            return f"Restarting ({container.exit_code}) {down} ago"
        case "paused":
            return f"Up {up} (Paused)"
    if health:
        return f"Up {up} ({'health: starting' if health == 'starting' else health})"
    return f"Up {up}"
