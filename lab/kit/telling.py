"""How answers of tools are told: things by name and host, their state, tables and lists of facts."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lab.kit.rest import Json

ROWS = 40
"""Lines of a table that are shown."""


def key(thing: Json) -> str:
    """The name that is never ambiguous: host/name."""
    return f"{thing['host']}/{thing['name']}"


def label(thing: Json) -> str:
    """The name as answers show it."""
    return f"**{thing['name']}** ({thing['host']})"


def condition(thing: Json) -> str:
    """State, what is wrong with it, restarts and exit code in a few words."""
    state, why, health = (str(thing.get(fact) or "") for fact in ("state", "why", "health"))
    if thing.get("stopped_by"):
        return f"stopped by {thing['stopped_by']}"
    words = [why] if why.startswith(state) else list(filter(None, [state, why]))
    words += [health] if health in ("unhealthy", "starting") and health != why else []
    if restarts := thing.get("restarts"):
        words.append(f"{restarts} restart{'s' if restarts > 1 else ''}")
    if thing.get("exit_code") and state != "running":
        words.append(f"exit code {thing['exit_code']}")
    return ", ".join(words)


def unreachable(data: Json) -> list[str]:
    """A line for each host that did not answer."""
    down = data.get("down") or []
    return [f"- Host {h.get('name')} does not answer: {h.get('reason') or 'no reason given.'}" for h in down]


def listed(names: Sequence[str]) -> str:
    """Names as people list them: a, b and c."""
    return "".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"


def figure(value: Any, unit: str, digits: int = 0) -> str:
    """A measure; one that is not known is not called nothing."""
    return f"? {unit}" if value is None else f"{value:.{digits}f} {unit}"


def moment(stamp: object) -> str:
    """A time stamp to the minute, as people read it."""
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*?(?:Z|\+00:00)$", r"\1 \2 UTC", str(stamp))


def facts(named: Mapping[str, object]) -> str:
    """A line for each fact that there is."""
    return "\n".join(f"- {name}: {value}" for name, value in named.items() if value not in (None, "", []))


def table(noun: str, header: str, rows: Iterable[Sequence[object]]) -> str:
    """How many there are, and a line for each; `header` has the columns' names."""
    shown = [" | ".join(map(str, row)) for row in rows]
    if not shown:
        return f"No {noun}s."
    columns = header.split()
    lines = [" | ".join(columns), " | ".join("---" for _ in columns), *shown[:ROWS]]
    more = f"\n\n… and {len(shown) - ROWS} more." if len(shown) > ROWS else ""
    head = f"{len(shown)} {noun}{'s' if len(shown) > 1 else ''}:"
    return f"{head}\n\n" + "\n".join(f"| {line} |" for line in lines) + more
