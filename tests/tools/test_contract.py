"""What every tool owes: a name, a sentence, described and bounded arguments, typed results, a test file."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel

from tests.rack import fake_services
from tools.kit import Change, Facts, Result, Risk, Service, Tool
from tools.kit.change import SHOWN
from tools.kit.registry import catalogue, discover
from tools.kit.types import Trust

SERVICES = discover()
TOOLS = catalogue(SERVICES)
HERE = Path(__file__).parent
MOST_CHARACTERS = 140
"""Of a first line: it is a row in a table and a line in the model's head."""


def names(of: dict[str, Tool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("tool", of.values(), ids=list(of))


every_tool = names(TOOLS)
every_change = names({name: tool for name, tool in TOOLS.items() if tool.risk is not Risk.READ})
every_read = names({name: tool for name, tool in TOOLS.items() if tool.risk is Risk.READ})


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_has_a_plain_name_and_a_test_file(service: Service[Any]) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]{1,19}", service.name), "an underscore would split a tool's name elsewhere"
    assert (HERE / f"test_{service.name}.py").is_file(), "a service is that file and its tests"
    assert service.tools and service.area


@every_tool
def test_the_name(tool: Tool) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*_[a-z][a-z0-9]*(_[a-z0-9]+)*", tool.name) and len(tool.name) <= 64
    assert tool.name.startswith(f"{tool.service.name}_")


@every_tool
def test_the_first_line_is_one_sentence(tool: Tool) -> None:
    assert tool.summary.endswith(".") and tool.summary[0].isupper() and len(tool.summary) <= MOST_CHARACTERS
    assert not re.search(r"[.!?] [A-Z]", tool.summary), tool.summary


@every_tool
def test_arguments_are_described_and_nothing_else_is_accepted(tool: Tool) -> None:
    schema = tool.input_schema
    assert schema["type"] == "object" and schema["additionalProperties"] is False
    for name, described in schema.get("properties", {}).items():
        words = [part["description"] for part in branches(described) if "description" in part]
        assert words and all(len(text) > 9 for text in words), f"{name} needs a description"


@every_tool
def test_arguments_are_bounded(tool: Tool) -> None:
    schema = tool.input_schema
    for name, described in schema.get("properties", {}).items():
        for part in resolved(described, schema.get("$defs", {})):
            assert is_bounded(part), f"{name} takes anything: {part}"


def branches(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and its alternatives."""
    yield schema
    for part in schema.get("anyOf", ()):
        yield from branches(part)


def resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every schema that a value may be checked by, references followed."""
    for part in branches(schema):
        yield part
        if "$ref" in part:
            yield from resolved(definitions[part["$ref"].rpartition("/")[2]], definitions)
        if "items" in part:
            yield from resolved(part["items"], definitions)
        for inner in part.get("properties", {}).values():
            yield from resolved(inner, definitions)


def is_bounded(schema: dict[str, Any]) -> bool:
    match schema.get("type"):
        case "string":
            return bool({"maxLength", "enum", "const", "format"} & schema.keys())
        case "integer" | "number":
            low, high = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}
            return bool("enum" in schema or (low & schema.keys() and high & schema.keys()))
        case "array":
            return "maxItems" in schema
        case "object":
            return "properties" in schema or "maxProperties" in schema
    return True


@every_read
def test_a_read_returns_typed_fields(tool: Tool) -> None:
    result = get_type_hints(tool.run)["return"]
    assert inspect.isclass(result) and issubclass(result, Result)
    assert list(plain_texts(result)) == [], "spell a str as Ident or Outside"


@every_change
def test_a_change_returns_a_plan_on_typed_facts(tool: Tool) -> None:
    result = get_type_hints(tool.run)["return"]
    assert get_origin(result) is Change
    [facts] = get_args(result)
    assert issubclass(facts, Facts) and list(plain_texts(facts)) == []
    shown = [name for name, info in facts.model_fields.items() if SHOWN in info.metadata]
    assert shown, "a card with no facts is a blank cheque"


def plain_texts(model: type[BaseModel], seen: frozenset[type] = frozenset()) -> Iterator[str]:
    """Fields whose text says neither who wrote it nor what it may be."""
    for name, info in model.model_fields.items():
        trusted = any(isinstance(mark, Trust) for mark in info.metadata)
        for part, marked in parts(info.annotation, trusted):
            if part is str and not marked:
                yield f"{model.__name__}.{name}"
            elif inspect.isclass(part) and issubclass(part, BaseModel) and part not in seen:
                yield from plain_texts(part, seen | {part})


def parts(annotation: Any, marked: bool = False) -> Iterator[tuple[Any, bool]]:
    """The plain types inside an annotation, and whether their origin is marked."""
    marked = marked or any(isinstance(mark, Trust) for mark in getattr(annotation, "__metadata__", ()))
    inner = [part for part in get_args(annotation) if not isinstance(part, str | Trust)]
    if not inner:
        yield annotation, marked
    for part in inner:
        yield from parts(part, marked)


@every_change
def test_undo_is_a_short_phrase(tool: Tool) -> None:
    assert tool.undo == "" or (tool.undo[0].islower() and not tool.undo.endswith(".") and len(tool.undo) <= 80)


@every_read
def test_a_read_has_nothing_to_undo(tool: Tool) -> None:
    assert tool.undo == ""


@every_tool
def test_a_target_behind_a_parameter_is_found_wherever_it_is_declared(tool: Tool) -> None:
    """`Resolve` behind `| None` counts as well: an unresolved name would be executed as written."""
    from tools.kit import Resolve

    declared = {name for name, hint in get_type_hints(tool.run, include_extras=True).items() if has(hint, Resolve)}
    assert declared == set(tool.resolved)


def has(annotation: Any, kind: type) -> bool:
    marks = getattr(annotation, "__metadata__", ())
    return any(isinstance(mark, kind) for mark in marks) or any(has(part, kind) for part in get_args(annotation))


def test_the_catalogue_is_sorted_and_whole() -> None:
    assert list(TOOLS) == sorted(TOOLS) and len(TOOLS) == sum(len(service.tools) for service in SERVICES)


def test_these_rules_can_be_broken() -> None:
    """The fake service declares one argument without a bound, and its label is honest about its text."""
    fakes = catalogue(fake_services())
    with pytest.raises(AssertionError, match="url takes anything"):
        test_arguments_are_bounded(fakes["rack_fetch"])
    with pytest.raises(AssertionError, match="url needs a description"):
        test_arguments_are_described_and_nothing_else_is_accepted(fakes["rack_fetch"])

    class Careless(Result):
        text: str
        texts: dict[str, list[str]] = {}

    assert list(plain_texts(Careless)) == ["Careless.text", "Careless.texts", "Careless.texts"]
