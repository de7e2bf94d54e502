"""What a card says of a plan: its words, its arguments and where each came from."""

from collections.abc import Collection
from typing import Any

from pydantic_core import to_jsonable_python

from memory.models import CallRow, Message, Run
from memory.text import escaped
from tools.gate import taint
from tools.gate.arguments import parameter_of
from tools.gate.proposals import Proposal
from tools.gate.room import written


def gone(row: CallRow, absent: Collection[str] = ()) -> str:
    """That what a stored call is for does not exist any more, by the names on the card: these ids of it, or all."""
    everything = list(row.targets.values())
    targets = [target for target in everything if target["id"] in absent] or everything
    names = " and ".join(escaped(target["name"]) for target in targets) or "What this was for"
    return f"{names} is gone"


def card_of(proposal: Proposal, run: Run, messages: list[Message], told: taint.Told | None = None) -> dict[str, Any]:
    """Everything the card says besides the facts."""
    told, lines = told or taint.Told(run, messages), []
    for name, value in proposal.lines:
        origin = "you" if name in proposal.named else _origin(proposal, name, value, run, messages, told)
        if value is None and origin == "default":
            continue  # nobody has said anything, and nothing follows from it
        lines.append({"name": name, "value": written(value), "from": origin})
    return {"service": proposal.tool.service.name, "args": lines, **words_of(proposal)}


def _origin(
    proposal: Proposal, name: str, value: Any, run: Run, messages: list[Message], told: taint.Told
) -> taint.Provenance:
    """Where an argument comes from; what would be so anyhow nobody has brought."""
    parameter, target = parameter_of(name), proposal.targets.get(name)
    field = proposal.tool.parameters.model_fields[parameter]
    given = parameter in proposal.use.args
    usual = not field.is_required() and (not given or to_jsonable_python(field.default) == value)
    return taint.provenance(
        value, run, messages, default=usual, resolved=target is not None, told=told,
        also=(target.id, target.name, *target.aliases) if target else (),
        about=(parameter, *proposal.tool.name.split("_")[1:]),
    )  # fmt: skip


def targets_of(proposal: Proposal) -> dict[str, dict[str, str]]:
    """What its parameters have come to mean."""
    return {n: {"id": t.id, "name": t.name, "detail": t.detail} for n, t in proposal.targets.items()}


def words_of(proposal: Proposal) -> dict[str, Any]:
    """What the card says of the plan itself, which may be another one when the target has moved."""
    return {
        "title": escaped(proposal.change.title),
        "notes": [escaped(note) for note in proposal.change.notes],
        "undo": proposal.way_back,
        "protected": proposal.protected,
    }
