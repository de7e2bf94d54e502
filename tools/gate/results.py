"""What the model is told: tool_result blocks."""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from types import NoneType
from typing import Any, Literal, get_args

from pydantic import BaseModel

from memory.models import Block, CallRow, CallState, Message
from memory.secrets import Redactor
from memory.text import every_text
from tools.gate import taint
from tools.kit.change import Facts, Tolerance
from tools.kit.types import trusted_name

REFUSED = f'{taint.OUTCOME}"refused"'
CAP = 6000
"""Characters of one result. History is append-only: a result is cut before it is first sent, or never."""


def block(use: str, text: str, *, error: bool = False) -> Block:
    """One tool_result. An error without a word would be refused when it is sent."""
    content: Block = {"type": "tool_result", "tool_use_id": use, "content": cap(text) or ("Failed." if error else "")}
    return {**content, "is_error": True} if error else content


def cap(text: str) -> str:
    """The text within the cap, saying what was left out."""
    if len(text) <= CAP:
        return text
    head, tail = text[: CAP * 2 // 3], text[-CAP // 3 :]
    return f"{head}\n… {len(text) - CAP} of {len(text)} characters left out; ask for less …\n{tail}"


def fit(result: BaseModel, redact: Redactor) -> str:
    """A result as JSON within the cap, without secrets: long lists lose their ends, and say how much."""
    # Nothing is cut before: half a secret would not be recognised.
    body = redact.everywhere(result.model_dump(mode="json", exclude_none=True))
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    left_out: dict[str, int] = {}
    while len(text) > CAP:
        lists = {name: value for name, value in body.items() if isinstance(value, list) and len(value) > 1}
        if not lists:
            return cap(text)
        name = max(lists, key=lambda key: len(json.dumps(lists[key])))
        keep = len(body[name]) * 3 // 4
        left_out[name] = left_out.get(name, 0) + len(body[name]) - keep
        body[name] = body[name][:keep]
        text = json.dumps({**body, "left_out": left_out}, ensure_ascii=False, separators=(",", ":"))
    return text


def outcome(
    use: str, state: str, title: str, detail: str, facts: Facts, redact: Callable[[str], str], *,
    error: bool = False, **more: Any,
) -> Block:  # fmt: skip
    """The result of a change that has no journal row: refused, or nothing to do."""
    body = {"outcome": state, "title": title, "facts": facts.shown(), "detail": detail, **more}
    text = json.dumps(every_text(body, redact), ensure_ascii=False)
    return block(use, taint.wrap(text) if taint.taints(facts) else text, error=error)


def is_refusal(content: Any) -> bool:
    """Whether a result is our own refusal of a change."""
    return isinstance(content, str) and taint.unwrapped(content).startswith(REFUSED)


def refusals(messages: list[Message]) -> list[dict[str, Any]]:
    """The plans that were refused in a run, as its results tell of them; one too long to be whole is left out."""
    blocks = [block for message in messages for block in message["content"] if block["type"] == "tool_result"]
    found = []
    for block in blocks:
        with contextlib.suppress(ValueError):
            found += [json.loads(taint.unwrapped(block["content"]))] if is_refusal(block["content"]) else []
    return [plan for plan in found if isinstance(plan.get("facts"), dict) and isinstance(plan.get("notes"), list)]


WORDS = {
    CallState.DONE: "Verified by reading the target again.",
    CallState.UNKNOWN: "Outcome unknown: it may or may not have happened. Do not assume either.",
    CallState.DENIED: "The person said no. Nothing was changed.",
    CallState.EXPIRED: "Nobody approved in time. Nothing was changed.",
    CallState.NOT_STARTED: "Not started. Nothing was changed.",
}


def parts(row: CallRow) -> dict[str, str]:
    """What came of each of several targets that a look has told apart: by its name, or by its id if others bear it."""
    found = {} if row.state is CallState.UNKNOWN else (row.after or {}).get("parts", {})
    names = {target["id"]: target["name"] for target in row.targets.values()}
    alike = [name for name in names.values() if list(names.values()).count(name) > 1]
    return {
        id_ if names.get(id_, id_) in alike else names.get(id_, id_): "done" if fits else "not verified"
        for id_, fits in found.items()
    }


NOT_YET = "Started, but not verified: the target does not show it yet."
UNSEEN = "Started, but not verified: the target cannot be seen."


def outside(row: CallRow) -> bool:
    """Whether a row carries somebody else's words: in its facts, or in what a service said of a failure."""
    quoted = row.state in (CallState.FAILED, CallState.UNKNOWN) and bool(row.detail)
    return quoted or any(facts.get("outside") for facts in (row.before, row.after or {}))


def shows_outside(row: CallRow) -> bool:
    """Whether a row may carry such words anywhere: also in its title, which names its targets and its arguments."""
    named = all(trusted_name(target["name"]) for target in row.targets.values())
    return outside(row) or row.tainted or not named


def settled(use: str, row: CallRow, redact: Callable[[str], str]) -> Block:
    """The result of a journal row."""
    unverified = row.state is CallState.DONE and not row.verified
    words = UNSEEN if row.after is None else NOT_YET
    words = words if unverified else WORDS.get(row.state, "")
    if row.state is CallState.DENIED and row.detail:
        words = "Nothing was changed."  # not by a person: the detail says why
    body: dict[str, Any] = {"outcome": row.state.replace(" ", "_"), "title": row.title}
    if row.state is CallState.DONE:
        body["verified"] = bool(row.verified)
    body["before"] = row.before["shown"]
    if row.after is not None:
        body["after"] = row.after["shown"]
    if told := parts(row):
        body["targets"] = told
    body["detail"] = " ".join(filter(None, [words, row.detail]))
    text = json.dumps(every_text(body, redact), ensure_ascii=False)
    return block(use, taint.wrap(text) if outside(row) else text, error=row.state is not CallState.DONE)


def stored_facts(facts: Facts, *, fits: bool = False, parts: Mapping[str, bool] | None = None) -> dict[str, Any]:
    """Facts as the journal keeps them: what was shown, everything, which are moments, how far each may move, and
    whether any is from outside.

    `fits`: they were read after a change, and are as it wants them; `parts`: of several targets, which of them are.
    In JSON a moment is a text like any other, and a name may look like one: only its type can tell.
    """
    return {
        "shown": facts.shown(),
        "all": facts.model_dump(mode="json"),
        "moments": moments_of(type(facts)),
        "tolerances": {name: asdict(give) for name, give in tolerances_of(type(facts)).items()},
        "outside": taint.taints(facts),
        **({"fits": True} if fits else {}),
        **({"parts": dict(parts)} if parts else {}),
    }


def moments_of(kind: type[BaseModel]) -> list[str]:
    """The fields that are moments."""
    return [name for name, info in kind.model_fields.items() if _is_moment(info.annotation)]


def tolerances_of(kind: type[BaseModel]) -> dict[str, Tolerance]:
    """How far each of the fields may move, where any may."""
    marks = [(name, mark) for name, info in kind.model_fields.items() for mark in info.metadata]
    return {name: mark for name, mark in marks if isinstance(mark, Tolerance)}


def _is_moment(annotation: Any) -> bool:
    return {*(get_args(annotation) or [annotation])} - {NoneType} == {datetime}


def moved(old: dict[str, Any], new: dict[str, Any], of: Literal["shown", "all"] = "shown") -> dict[str, list[Any]]:
    """Facts that differ, by more than the old ones tolerate: name → [old, new]. Both are `stored_facts`."""
    give, moments = old.get("tolerances", {}), old.get("moments", ())
    pairs = {name: (old[of].get(name), new[of].get(name)) for name in {**old[of], **new[of]}}
    return {
        name: [was, now] for name, (was, now) in pairs.items() if not _alike(was, now, give.get(name), name in moments)
    }


def _alike(old: Any, new: Any, give: dict[str, float] | None, moment: bool) -> bool:
    if old == new or give is None:
        return bool(old == new)
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_alike(old[key], new[key], give, moment) for key in old)
    was, now = _amount(old, moment), _amount(new, moment)
    if was is None or now is None:
        return False
    return abs(now - was) <= max(give["by"], 0.0 if moment else abs(was) * give["percent"] / 100)


def _amount(value: Any, moment: bool) -> float | None:
    """A fact as something that can be measured; None when it cannot."""
    if moment and isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
