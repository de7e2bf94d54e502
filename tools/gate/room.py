"""Whether what a call needs on a card has room in one message."""

import json
from typing import TYPE_CHECKING, Any

from memory.models import Run
from memory.text import escaped

if TYPE_CHECKING:
    from tools.gate.proposals import Proposal

MOST_SHOWN = 4096
"""UTF-16 units of one message: a card is never cut, and only one message can have its buttons."""
OUR_WORDS = 48
"""Units that a line of a card takes beside what is shown on it."""
ADDRESS = 46
"""Units that an address counts for at least: it is shown as code, and a message has at most 100 such marks."""


def written(value: Any) -> str:
    """An argument as it stands on a card, in one line."""
    if value is None:
        return "none"
    return escaped(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def room(proposal: "Proposal", run: Run, moved: dict[str, list[Any]] | None = None) -> int:
    """UTF-16 units that a call takes on a card at most: whatever it names, and our own words around that.

    `moved` are shown facts that differ from an earlier card, as old and new.
    """
    change, lines = proposal.change, []
    for name, value in proposal.lines:
        line = f"{name}: {written(value)}"
        target = proposal.targets.get(name)
        lines += [line, f"{target.id} {target.name} {target.detail}"] if target else [line]
        lines += [line] if run.tainted else []  # what may come from outside is said once more, above
    lines += [f"{name} {_fact(value)}" for name, value in change.facts.shown().items()]
    lines += [f"{name} {_fact(old)} {_fact(new)}" for name, (old, new) in (moved or {}).items()]
    lines += [change.title, proposal.tool.name, proposal.tool.undo, proposal.protected, *change.notes]
    return sum(map(_width, lines))


def _fact(value: Any) -> str:
    """A fact no shorter than it stands on a card."""
    if isinstance(value, list):
        return ", ".join(map(_fact, value))
    if isinstance(value, dict):
        return " ".join(f"{key} {_fact(part)}" for key, part in value.items() if part is not None)
    return escaped(f"{value:.1f}" if isinstance(value, float) else str(value))


def _width(line: str) -> int:
    short = (ADDRESS - len(word) for word in line.split() if "." in word or "://" in word)
    return OUR_WORDS + len(escaped(line).encode("utf-16-le")) // 2 + sum(lack for lack in short if lack > 0)
