"""What a call's arguments are, and which targets their texts mean."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from memory.models import CallRow, canonical
from memory.text import escaped, short_ids
from tools.gate import taint
from tools.kit.errors import ToolFailed
from tools.kit.service import Tool
from tools.kit.types import Resolve, Target, trusted_name

MOST_TARGETS = 10
"""Targets of one call: about what can be read on one card, and be told apart on one receipt."""


class Absent(ToolFailed):
    """Nothing goes by the name that a call gives."""

    text = ""
    """That name."""


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


@dataclass(frozen=True)
class Meant:
    """What the arguments of a call mean."""

    ids: dict[str, Any]
    """Parameter → the id of its target, or the ids of its targets."""
    targets: dict[str, Target]
    """By the parameter; one of several by that and its number: `items 2`."""
    typed: dict[str, str]
    """What each was called, by the same keys."""


async def meant(tool: Tool, args: BaseModel, client: Any, of: CallRow | None = None) -> Meant:
    """What the arguments mean. Raises ToolFailed where that is nothing, or not clear.

    What is gone and was meant by the stored call `of` is what it was then.
    """
    known = {each["id"]: Target(each["id"], each["name"], each["detail"]) for each in of.targets.values()} if of else {}
    found = Meant({}, {}, {})
    for name, resolve in tool.resolved.items():
        given = getattr(args, name)
        if given is None:
            continue
        several = isinstance(given, list)
        texts = _texts(name, given) if several else [given]
        # Asked for in the order in which they stand; two names of one target are that target once.
        here: dict[str, tuple[Target, str]] = {}
        for text in texts:
            target = await _target(client, resolve, text, known)
            here.setdefault(target.id, (target, text))
        for number, (target, text) in enumerate(here.values(), 1):
            key = f"{name} {number}" if several else name
            found.targets[key], found.typed[key] = target, text
        found.ids[name] = list(here) if several else next(iter(here))
    return found


def _texts(name: str, given: list[str]) -> list[str]:
    """The names in a list of targets. Raises ToolFailed where there are none, or more than one card can answer for."""
    texts = list(dict.fromkeys(given))
    if not texts:
        raise ToolFailed(f"{name} is empty: name at least one.")
    if len(texts) > MOST_TARGETS:
        raise ToolFailed(f"{name} has {len(texts)}: at most {MOST_TARGETS} at once, so do it in parts.")
    return texts


async def named(tool: Tool, client: Any, targets: dict[str, Target], told: taint.Told) -> frozenset[str]:
    """The targets that a person has named, by a word that alone means it and nothing else: by their keys."""
    found = set()
    for key, target in targets.items():
        typed = [name for name in dict.fromkeys((target.name, *target.aliases)) if told.typed(name)]
        for name in typed:
            with contextlib.suppress(ToolFailed):
                alike = await tool.resolved[parameter_of(key)].find(client, name)
                found |= {key} if [each.id for each in alike] == [target.id] else set()
    return frozenset(found)


def parameter_of(key: str) -> str:
    """The parameter that a target is meant by."""
    return key.partition(" ")[0]


async def _target(client: Any, resolve: Resolve, text: str, known: Mapping[str, Target]) -> Target:
    found = await resolve.find(client, text)
    shown = short_ids(escaped(text))[:80]
    if len(found) > 1:
        names = ", ".join(f"{target.name} ({target.detail})" for target in found[:8])
        error = ToolFailed(f'"{shown}" is ambiguous: {names}. Ask the person which one.')
        error.outside = not all(trusted_name(target.name) for target in found[:8])
        raise error
    if not found and text in known:
        return known[text]
    if not found:
        near = await resolve.suggest(client, text) if resolve.suggest else []
        absent = Absent(f'Nothing here is called "{shown}".' + (f" Nearest: {', '.join(near)}." if near else ""))
        absent.text, absent.outside = text, not all(trusted_name(name.partition(" (")[0]) for name in near)
        raise absent
    return found[0]
