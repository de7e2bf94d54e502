"""Whose a text is: what types say is found out once for each, and comes to the same as asking at every value."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import given
from hypothesis import strategies as some
from pydantic import BaseModel, Field, create_model

from tools.kit import Ident, Outside, Own, Result
from tools.kit.types import IDENT, Trust, outside_text, trusted_name


class Colour(StrEnum):
    RED = "red"


LEAVES: list[Any] = [
    str,
    int,
    Any,
    Ident,
    Outside,
    Own,
    Colour,
    Literal["on", "off"],
    Annotated[str, Field(min_length=1)],
]
WORDS = some.sampled_from(["", "on", "red", "nas/jellyfin:1.0", "two words", "a" * 64, Colour.RED]) | some.text()


def _grown(inner: some.SearchStrategy[Any]) -> some.SearchStrategy[Any]:
    return some.one_of(
        inner.map(lambda one: list[one]), inner.map(lambda one: one | None), inner.map(lambda one: tuple[one, ...]),
        some.tuples(inner, inner).map(lambda two: dict[two]), some.tuples(inner, inner).map(lambda two: tuple[two]),
        some.tuples(inner, inner).map(lambda two: Union[two]),  # noqa: UP007 - made of values
        inner.map(lambda one: Annotated[one, Field(description="x")]), inner.map(lambda one: frozenset[one]),
    )  # fmt: skip


ANNOTATIONS = some.recursive(some.sampled_from(LEAVES), _grown, max_leaves=4)
KINDS = some.lists(ANNOTATIONS, min_size=1, max_size=3).map(
    lambda fields: create_model("Made", __base__=Result, **{f"f{n}": (kind, ...) for n, kind in enumerate(fields)})
)


@some.composite
def found(draw: some.DrawFn) -> BaseModel:
    """A result whose values need not be what its types promise: nobody who is trusted less is believed more."""
    kind: Any = draw(KINDS)
    inner: Any = draw(KINDS)
    leaves = WORDS | some.none() | some.integers() | some.just(datetime(2026, 1, 1, tzinfo=UTC))
    values = some.recursive(
        leaves | some.dictionaries(some.sampled_from([*inner.model_fields]), WORDS).map(
            lambda given: inner.model_construct(**{name: given.get(name) for name in inner.model_fields})
        ),
        lambda one: (
            some.lists(one, max_size=3) | some.lists(one, max_size=2).map(tuple) | some.frozensets(WORDS, max_size=2)
            | some.dictionaries(WORDS, one, max_size=2)
        ),
        max_leaves=6,
    )  # fmt: skip
    made: BaseModel = kind.model_construct(**{name: draw(values) for name in kind.model_fields})
    return made


@given(found())
def test_what_is_found_out_once_is_what_each_value_says(result: BaseModel) -> None:
    assert list(outside_text(result)) == list(_each_by_itself(result))


@given(some.text("aZ9_.-/:@ é\n") | some.text())
def test_a_name_is_made_of_names(text: str) -> None:
    parts = [part for part in re.split(r"[/:@]", text) if part]
    assert trusted_name(text) == (len(text) <= 255 and all(IDENT.fullmatch(part) for part in parts))


def _each_by_itself(value: Any, annotation: Any = None) -> Iterator[str]:
    """The same walk, asking the types anew at every value."""
    if isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            marked: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
            yield from _each_by_itself(getattr(value, name), marked)
    elif isinstance(value, dict):
        key, item = (*_items_of(annotation, dict), Any, Any)[:2]
        for k, v in value.items():
            yield from _each_by_itself(k, key)
            yield from _each_by_itself(v, item)
    elif isinstance(value, list | tuple | set | frozenset):
        inner = _items_of(annotation, type(value))
        fixed = isinstance(value, tuple) and len(inner) == len(value) and Ellipsis not in inner
        for index, item in enumerate(value):
            yield from _each_by_itself(item, inner[index] if fixed else (*inner, Any)[0])
    elif isinstance(value, str) and value and not _is_trusted(value, annotation):
        yield value


def _is_trusted(value: str, annotation: Any) -> bool:
    parts = [*_leaves(annotation)]
    kinds = {part.kind for part in parts if isinstance(part, Trust)}
    if "outside" in kinds or "own" in kinds:
        return "outside" not in kinds
    return trusted_name(value) if "ident" in kinds else isinstance(value, Colour) or value in parts


def _items_of(annotation: Any, kind: type) -> tuple[Any, ...]:
    if get_origin(annotation) is kind:
        return get_args(annotation)
    if annotation is Any or isinstance(annotation, type) and get_origin(annotation) is None:
        return ()
    if get_origin(annotation) in (list, dict, tuple, set, frozenset, Literal):
        return ()
    return next(filter(None, (_items_of(part, kind) for part in get_args(annotation))), ())


def _leaves(annotation: Any) -> Iterator[Any]:
    """Everything that an annotation is made of."""
    yield from getattr(annotation, "__metadata__", ())
    args = get_args(annotation)
    yield from () if args else (annotation,)
    for part in args:
        yield from _leaves(part)
