"""What became of changes, in one truthful sentence each."""

import re

from lab.claude.brain.talk import Result
from lab.claude.reply import Json

UNCHANGED = {"denied", "expired", "refused", "not_started"}
AMBIGUOUS = re.compile(r"ambiguous|more than one|which one", re.I)
PLACED = re.compile(r"\b([\w.-]+) \(([\w.-]+)(?: ·[^)]*)?\)")
CANDIDATE = re.compile(r"\b[\w.-]+/[\w.-]+\b")


def report(done: list[tuple[str, Result]]) -> str:
    """One sentence per change; each comes with a short name such as "Restart jellyfin"."""
    outcomes = [result.data.get("outcome") for _, result in done]
    sentences = [_sentence(name, result) for name, result in done]
    if outcomes and all(outcome in UNCHANGED for outcome in outcomes):
        sentences.append("Nothing was changed.")
    return "\n".join(f"- {s}" for s in sentences) if len(sentences) > 2 else " ".join(sentences)


def refusal(text: str) -> str:
    """A tool's error as an answer: a question when the name was ambiguous, else its own words."""
    placed = [f"{host}/{name}" for name, host in PLACED.findall(text)]
    options = list(dict.fromkeys(placed or CANDIDATE.findall(text)))
    if AMBIGUOUS.search(text) and len(options) > 1:
        return f"Which one do you mean: {' or '.join(f'`{option}`' for option in options)}?"
    return text or "The tool failed without saying why."


NOT_DONE = {
    "already": "there was nothing to do",
    "denied": "you said no",
    "expired": "the card expired before anyone tapped it",
    "refused": "refused{}",
    "not_started": "not started, because of the one before it",
    "unknown": "I do not know whether it happened{}. I will not try again by myself",
    "failed": "it failed{}",
}


def _sentence(name: str, result: Result) -> str:
    data = result.data
    title = data.get("title") or name
    detail = f" ({str(data['detail']).rstrip('.')})" if data.get("detail") else ""
    outcome = data.get("outcome")
    if outcome == "done" and data.get("verified") is True:
        return _meaning(title, data)
    if outcome == "done":
        unsure = f"it ran, but the check afterwards did not confirm it{detail}. Please look before relying on it."
        return f"{title}: {unsure}{_states(data)}"
    if outcome in NOT_DONE:
        return f"{title}: {NOT_DONE[outcome].format(detail)}."
    return refusal(result.text)


STOPPED = "stopped now: it stays down until somebody starts it"
HEALTH = {
    "healthy": " and healthy",
    "starting": "; its health check has yet to pass",
    "unhealthy": "; its health check still fails",
}


def _meaning(title: str, data: Json) -> str:
    """What a verified change means; that it happened is on the receipt."""
    after = data.get("after")
    state = after.get("state") if isinstance(after, dict) else None
    if isinstance(after, dict) and "freed_mb" in after:
        return f"{title}: {_freed(after)}."
    if not isinstance(after, dict) or not state:
        return f"{title}: that is how it is now."
    now = STOPPED if state == "exited" else f"{state} now{HEALTH.get(str(after.get('health')), '')}"
    return f"{title.partition(' ')[2] or title} is {now}."


def _freed(after: Json) -> str:
    exact, least = after.get("freed_mb"), after.get("freed_at_least_mb")
    if exact is None and least is None:
        return "everything on the card is gone; how much that freed is not known"
    return f"{'' if exact is not None else 'at least '}{exact if exact is not None else least} MB freed"


def _states(data: dict[str, object]) -> str:
    """State before and after, when the receipt has them and they differ."""
    before, after = data.get("before"), data.get("after")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return ""
    for fact in ("state", "status", "health"):
        if fact in before and fact in after and before[fact] != after[fact]:
            return f" {fact.capitalize()}: {before[fact]} → {after[fact]}."
    return ""
