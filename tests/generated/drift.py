"""Facts that move between card and tap: in the world where the stage knows how, else in the reader."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from memory import points
from tools.gate.results import tolerances_of
from tools.kit import Context, Facts, Tolerance, Tool
from tools.kit.change import SHOWN


def facts_of(tool: Tool) -> type[Facts]:
    """The facts that a change rests on, by its return type."""
    [facts] = get_args(get_type_hints(tool.run)["return"])
    assert issubclass(facts, Facts), f"{tool.name} must return Change[its facts]"
    return facts


def names_of(tool: Tool, *, shown: bool) -> list[str]:
    """Its facts that are on the card, or those that are not."""
    return [name for name, info in facts_of(tool).model_fields.items() if (SHOWN in info.metadata) is shown]


def others(facts: Facts, name: str) -> Iterator[Any]:
    """Other values that a fact could have, by its type."""
    value, annotation = getattr(facts, name), type(facts).model_fields[name].annotation
    match value:
        case bool():
            yield not value
        case int() | float():
            yield value + given(facts, name) + 1
        case datetime():
            yield value + timedelta(hours=1, seconds=given(facts, name))
        case tuple():
            yield ()
            yield (*value, _made(annotation))
        case _:
            yield from (word for word in _words(annotation) if word != value)
            yield _made(annotation)


def given(facts: Facts, name: str) -> float:
    """How far a number or a moment may move from its value now."""
    give, value = tolerances_of(type(facts)).get(name, Tolerance()), getattr(facts, name)
    return give.by if isinstance(value, datetime) else max(give.by, abs(value) * give.percent / 100)


def within(facts: Facts, name: str) -> Any:
    """Another value that is near enough."""
    value, far = getattr(facts, name), given(facts, name) / 2
    return value + (timedelta(seconds=far) if isinstance(value, datetime) else type(value)(far))


def _words(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for part in get_args(annotation):
            yield from _words(part)


def _made(annotation: Any) -> Any:
    """A value of a type that happens to be absent now, or one more item of a list."""
    kinds = list(_leaves(annotation))
    if datetime in kinds:
        return datetime.fromisoformat("2026-01-02T03:04:05+00:00")
    if "tuple[tuple[" in str(annotation):
        return (77, "other")
    return "other" if str in kinds else 77


def _leaves(annotation: Any) -> Iterator[Any]:
    yield getattr(annotation, "__supertype__", annotation)
    for part in get_args(annotation):
        yield from _leaves(part)


class Drift:
    """From `asked` on, planning sees these values; verification keeps seeing the world."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.values: dict[str, Any] = {}
        self._read = Context.read

    def at_once(self, values: dict[str, Any]) -> None:
        """Move the facts now."""
        self.values = values
        drift = self

        async def read(ctx: Any, reader: Callable[..., Any], *args: Any) -> Any:
            facts = await drift._read(ctx, reader, *args)
            moved = facts.model_copy(update={k: v for k, v in drift.values.items() if k in type(facts).model_fields})
            moved._reader = facts._reader
            return moved

        self._patch.setattr(Context, "read", read)

    def once_asked(self, values: dict[str, Any]) -> None:
        """Move them as soon as a proposal is journalled: before the tap, or before what needs none begins."""
        self._patch.setattr(points, "hook", lambda name: self.at_once(values) if name == "asked" else None)

    def back(self) -> None:
        """The world as it is."""
        self._patch.setattr(Context, "read", self._read)
