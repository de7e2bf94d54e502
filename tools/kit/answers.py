"""From a service's JSON to a typed result: where each field stands, and which one is wrong when it does not fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

T = TypeVar("T")
_ABSENT: Any = object()


@dataclass(frozen=True)
class Where:
    """The keys that lead to a field's value."""

    keys: tuple[str | int, ...]


def at(*keys: str | int) -> Where:
    """`queries: Annotated[int, at("queries", "total")]`: where a field's value stands in the answer.

    Without it, it stands under the field's own name.
    """
    return Where(keys)


def fitted(kind: Any, body: Any, within: tuple[str | int, ...] = ()) -> Any:
    """The part of an answer that lies at `within`, as `kind`. Raises ValueError with the place that does not fit."""
    found = _dug(body, within)
    if found is _ABSENT:
        raise ValueError(_spelled(within))
    try:
        return TypeAdapter(kind).validate_python(_laid_out(kind, found))
    except ValidationError as error:
        raise ValueError(_spelled((*within, *_place(kind, error.errors(include_url=False)[0]["loc"])))) from None


def _laid_out(kind: Any, value: Any) -> Any:
    """The value with each field of a model under its own name; what is missing stays missing."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _laid_out(parts[0], value)
    if origin in (Union, UnionType):
        return next((_laid_out(part, value) for part in parts if part is not NoneType), value)
    if origin in (list, tuple) and isinstance(value, list):
        return [_laid_out(parts[0], item) for item in value]
    if origin is dict and isinstance(value, dict):
        return {key: _laid_out(parts[1], item) for key, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, dict):
        dug = {name: _dug(value, _keys(kind, name)) for name in kind.model_fields}
        inner = {name: _laid_out(kind.model_fields[name].annotation, item) for name, item in dug.items()}
        return {name: item for name, item in inner.items() if item is not _ABSENT}
    return value


def _keys(kind: type[BaseModel], name: str) -> tuple[str | int, ...]:
    marks = kind.model_fields[name].metadata
    return next((mark.keys for mark in marks if isinstance(mark, Where)), (name,))


def _dug(value: Any, keys: tuple[str | int, ...]) -> Any:
    for key in keys:
        if isinstance(value, str):
            return _ABSENT  # its letters are no fields
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return value


def _place(kind: Any, location: tuple[str | int, ...]) -> Iterator[str | int]:
    """The keys in the answer of a place in the model."""
    for step in location:
        model = _model(kind)
        if model is not None and step in model.model_fields:
            yield from _keys(model, str(step))
            kind = model.model_fields[str(step)].annotation
        else:
            yield step


def _model(kind: Any) -> type[BaseModel] | None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next(filter(None, map(_model, get_args(kind))), None)


def _spelled(keys: tuple[str | int, ...]) -> str:
    """`domains[0].id`, empty for the whole answer; our own words alone: a key of a map may be anybody's."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys if _plain(key))
    return text.removeprefix(".")


def _plain(key: str | int) -> bool:
    return isinstance(key, int) or key.replace("_", "").replace("-", "").isalnum()
