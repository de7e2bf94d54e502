"""Types for arguments and results: what a field is decides whether its text can be trusted."""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict

IDENT = re.compile(r"[A-Za-z0-9][\w.-]{0,62}", re.ASCII)


@dataclass(frozen=True)
class Trust:
    """Marks where a text comes from."""

    kind: str


def _readable(value: Any) -> Any:
    """Text that SQLite, JSON and Telegram all accept: lone surrogates become question marks."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


Outside = Annotated[str, Trust("outside"), BeforeValidator(_readable)]
"""Text that somebody else can write (logs, annotations, client names): it taints the run."""

Own = Annotated[str, Trust("own"), BeforeValidator(_readable)]
"""Prose of our own, or that a person here wrote in a run that nothing from outside had entered: whoever makes it must
know that."""

Ident = Annotated[str, Trust("ident"), BeforeValidator(_readable)]
"""The owner's own names and ids, `IDENT` parts joined by `/`, `:` or `@`; anything else taints."""


class Result(BaseModel):
    """What a read returns: typed fields only, `str` is spelled `Ident` or `Outside`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Target:
    """One thing a call can act on."""

    id: str
    """Immutable, unique within the service, e.g. `nas/3f2a…` (64 hex digits)."""
    name: str
    """What the owner calls it."""
    detail: str = ""
    """What tells it from its namesakes: host, image."""
    forbidden: bool = False
    """Marked by its owner as never to be touched."""
    protected: str = ""
    """Why it always asks (the bot itself, the network it runs on); empty for ordinary targets."""
    aliases: tuple[str, ...] = field(default=())
    """Other names that settings such as PROTECTED_TARGETS may use."""
    short: str = ""
    """A shorter spelling of an id that is too long for a button, found just as surely."""


@dataclass(frozen=True)
class Resolve:
    """Parameter marker: `find(client, text)` returns every target that the text may mean, best first."""

    find: Callable[[Any, str], Awaitable[list[Target]]]
    suggest: Callable[[Any, str], Awaitable[list[str]]] | None = None
    """`suggest(client, text)`: the nearest names, for an answer that helps when nothing was found."""


def trusted_name(text: str) -> bool:
    """Whether a text is a plain identifier, or several joined by `/`, `:` or `@`."""
    parts = [part for part in re.split(r"[/:@]", text) if part]
    return len(text) <= 255 and all(IDENT.fullmatch(part) for part in parts)


def outside_text(value: Any, annotation: Any = None) -> Iterator[str]:
    """Every text in a result that its owner did not write, by the types of its fields."""
    if isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            marked: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
            yield from outside_text(getattr(value, name), marked)
    elif isinstance(value, dict):
        key, item = (*_items_of(annotation, dict), Any, Any)[:2]
        for k, v in value.items():
            yield from outside_text(k, key)
            yield from outside_text(v, item)
    elif isinstance(value, list | tuple | set | frozenset):
        inner = _items_of(annotation, type(value))
        fixed = isinstance(value, tuple) and len(inner) == len(value) and Ellipsis not in inner
        for index, item in enumerate(value):
            yield from outside_text(item, inner[index] if fixed else (*inner, Any)[0])
    elif isinstance(value, str) and value and not _is_trusted(value, annotation):
        yield value


def _is_trusted(value: str, annotation: Any) -> bool:
    kinds = {m.kind for m in _metadata(annotation) if isinstance(m, Trust)}
    if "outside" in kinds:
        return False
    if "own" in kinds:
        return True
    if "ident" in kinds:
        return trusted_name(value)
    return isinstance(value, Enum) or value in _flat(annotation)  # one of an Enum or a Literal


def _items_of(annotation: Any, kind: type) -> tuple[Any, ...]:
    """What a container of this kind holds, through any `Annotated` or `| None` around it."""
    if get_origin(annotation) is kind:
        return get_args(annotation)
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return next(filter(None, (_items_of(part, kind) for part in get_args(annotation))), ())
    return ()


def _metadata(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        if part is not annotation and get_origin(annotation) is not None and not isinstance(part, str):
            yield from _metadata(part)


def _flat(annotation: Any) -> Iterator[Any]:
    args = get_args(annotation)
    if not args:
        yield annotation
    for part in args:
        yield from _flat(part)
