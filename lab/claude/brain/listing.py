"""What docker_list_containers says: who is there, who is in trouble, who is meant."""

import difflib
import re

from lab.claude.brain.talk import Result, Talk
from lab.claude.brain.words import plain
from lab.claude.reply import Json

LIST = "docker_list_containers"


def fetch(talk: Talk, host: str | None = None) -> Result:
    """The listing, of one host or of all."""
    return talk.need(LIST, host=host) if host else talk.need(LIST)


def containers(result: Result) -> list[Json]:
    """The containers of a listing."""
    return list(result.data.get("containers") or [])


def key(container: Json) -> str:
    """The name that is never ambiguous: host/name."""
    return f"{container['host']}/{container['name']}"


def label(container: Json) -> str:
    """The name as answers show it."""
    return f"**{container['name']}** ({container['host']})"


def troubled(result: Result) -> list[Json]:
    """The containers in trouble, worst first."""
    named = result.data.get("troubled")
    if named is None:
        bad = [c for c in containers(result) if _looks_bad(c)]
    else:
        bad = [c for c in containers(result) if key(c) in named or c["name"] in named]
    return sorted(bad, key=lambda c: -(c.get("restarts") or 0))


def condition(container: Json) -> str:
    """State, what is wrong with it, restarts and exit code in a few words."""
    state, why = str(container.get("state", "unknown")), str(container.get("why") or "")
    if container.get("stopped_by"):
        return f"stopped by {container['stopped_by']}"
    words = [why] if why.startswith(state) else list(filter(None, [state, why]))
    if container.get("health") in ("unhealthy", "starting") and container["health"] != why:
        words.append(container["health"])
    if restarts := container.get("restarts"):
        words.append(f"{restarts} restart{'s' if restarts > 1 else ''}")
    if container.get("exit_code") and container.get("state") != "running":
        words.append(f"exit code {container['exit_code']}")
    return ", ".join(words)


def mentioned(said: str, found: list[Json]) -> list[Json]:
    """Containers a line names: as host/name, by name, or by a telling part of the name."""
    words = [word.rstrip(".") for word in re.findall(r"[\w.-]+(?:/[\w.-]+)?", said.lower().replace("'s", ""))]
    full = [c for c in found if key(c).lower() in words]
    if full:
        return full
    spoken = {plain(word) for word in words}
    spoken |= {plain(a + b) for a, b in zip(words, words[1:], strict=False)}
    exact = [c for c in found if plain(c["name"]) in spoken]
    if not exact:
        parts = {word for word in words if len(word) > 3}
        exact = [c for c in found if parts & set(re.split(r"[-_.]", c["name"].lower()))]
    on_host = [c for c in exact if c["host"].lower() in words]
    return on_host or exact


def nearest(name: str, found: list[Json]) -> str:
    """A hint at names that look alike; empty when none does."""
    names = {plain(c["name"]): c for c in found}
    close = difflib.get_close_matches(plain(name), list(names), n=2, cutoff=0.5)
    return f" Closest: {', '.join(f'`{key(names[c])}`' for c in close)}." if close else ""


def unreachable(result: Result) -> list[str]:
    """A line for each host that did not answer."""
    down = result.data.get("down") or []
    return [f"- Host {h.get('name')} does not answer: {h.get('reason') or 'no reason given.'}" for h in down]


def which(found: list[Json]) -> str:
    """The question that asks the person to pick one."""
    return f"Which one do you mean: {' or '.join(f'`{key(c)}`' for c in found[:6])}?"


def _looks_bad(container: Json) -> bool:
    if container.get("state") in ("restarting", "paused", "dead") or container.get("health") == "unhealthy":
        return True
    return container.get("state") == "exited" and bool(container.get("exit_code"))
