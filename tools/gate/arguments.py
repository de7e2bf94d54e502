"""What a call's arguments are, and which targets their texts mean."""

import contextlib
from typing import Any

from pydantic import BaseModel, ValidationError

from memory.models import CallRow, canonical
from memory.text import escaped, short_ids
from tools.gate import taint
from tools.kit.errors import ToolFailed
from tools.kit.service import Tool
from tools.kit.types import Resolve, Target, trusted_name


class Absent(ToolFailed):
    """Nothing goes by the name that a call gives."""


def validated(tool: Tool, args: dict[str, Any], *, stored: bool = False) -> BaseModel:
    """The arguments by the tool's own types. Raises ToolFailed; `stored` ones were right when they were asked."""
    try:
        return tool.parameters.model_validate_json(canonical(args))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}" for item in error.errors())
        if stored:
            raise ToolFailed(
                f"What was asked then no longer fits {tool.name} as it is now ({wrong}); ask for it in your own words."
            ) from None
        raise ToolFailed(f"{tool.name} was called wrongly: {wrong}.") from None
    except (ValueError, RecursionError, TypeError):
        raise ToolFailed(f"{tool.name} was called with something that is not plain JSON.") from None


async def resolved(
    tool: Tool, args: BaseModel, client: Any, of: CallRow | None = None
) -> tuple[dict[str, Target], dict[str, str]]:
    """What the arguments mean, and as what each was written. Raises ToolFailed where that is nothing, or not clear.

    What is gone and was meant by the stored call `of` is what it was then.
    """
    targets, typed, known = {}, {}, {}
    for each in of.targets.values() if of else ():
        known[each["id"]] = Target(each["id"], each["name"], each["detail"])
    for name, resolve in tool.resolved.items():
        text = getattr(args, name)
        if text is None:
            continue
        typed[name] = text
        try:
            targets[name] = await _target(client, resolve, text)
        except Absent:
            if text not in known:
                raise
            targets[name] = known[text]
    return targets, typed


async def named(tool: Tool, client: Any, targets: dict[str, Target], told: taint.Told) -> frozenset[str]:
    """The parameters whose target a person has named, by a word that alone means it and nothing else."""
    found = set()
    for parameter, target in targets.items():
        typed = [name for name in dict.fromkeys((target.name, *target.aliases)) if told.typed(name)]
        for name in typed:
            with contextlib.suppress(ToolFailed):
                meant = await tool.resolved[parameter].find(client, name)
                found |= {parameter} if [each.id for each in meant] == [target.id] else set()
    return frozenset(found)


async def _target(client: Any, resolve: Resolve, text: str) -> Target:
    found = await resolve.find(client, text)
    shown = short_ids(escaped(text))[:80]
    if len(found) > 1:
        names = ", ".join(f"{target.name} ({target.detail})" for target in found[:8])
        error = ToolFailed(f'"{shown}" is ambiguous: {names}. Ask the person which one.')
        error.outside = not all(trusted_name(target.name) for target in found[:8])
        raise error
    if not found:
        near = await resolve.suggest(client, text) if resolve.suggest else []
        absent = Absent(f'Nothing here is called "{shown}".' + (f" Nearest: {', '.join(near)}." if near else ""))
        absent.outside = not all(trusted_name(name.partition(" (")[0]) for name in near)
        raise absent
    return found[0]
