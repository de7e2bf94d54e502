"""Types for arguments and results: what a field is decides whether its text can be trusted."""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict

IDENT = re.compile(r"[A-Za-z0-9][\w.-]{0,62}", re.ASCII)
IDENTS = re.compile(rf"[/:@]*(?:{IDENT.pattern}[/:@]+)*(?:{IDENT.pattern})?", re.ASCII)


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
    return len(text) <= 255 and IDENTS.fullmatch(text) is not None


class _Marks:
    """What an annotation says of the texts in a value: found out once, since every row of a result is of one type."""

    def __init__(self, annotation: Any) -> None:
        self.annotation = annotation
        kinds = {mark.kind for mark in _metadata(annotation) if isinstance(mark, Trust)}
        self._kind = next((kind for kind in ("outside", "own", "ident") if kind in kinds), "")
        self._ours = frozenset(part for part in _flat(annotation) if isinstance(part, str))
        self._items: dict[type, tuple[_Marks, ...]] = {}

    def items(self, kind: type) -> tuple["_Marks", ...]:
        """What a container of this kind holds."""
        if kind not in self._items:
            self._items[kind] = tuple(map(_Marks, _items_of(self.annotation, kind)))
        return self._items[kind]

    def trusts(self, text: str) -> bool:
        """Whether its owner has written this."""
        if self._kind == "ident":
            return trusted_name(text)
        if self._kind:
            return self._kind == "own"
        return isinstance(text, Enum) or text in self._ours  # one of an Enum or a Literal


def outside_text(value: Any, annotation: Any = None) -> Iterator[str]:
    """Every text in a result that its owner did not write, by the types of its fields."""
    yield from _outside(value, UNMARKED if annotation is None else _Marks(annotation))


def _outside(value: Any, marks: _Marks) -> Iterator[str]:
    """By what a value is: what its type promises counts for nothing but trust."""
    if isinstance(value, str):
        if value and not marks.trusts(value):
            yield value
    elif isinstance(value, BaseModel):
        for name, of_field in _fields(type(value)):
            yield from _outside(getattr(value, name), of_field)
    elif isinstance(value, dict):
        key, item = (*marks.items(dict), UNMARKED, UNMARKED)[:2]
        for k, v in value.items():
            yield from _outside(k, key)
            yield from _outside(v, item)
    elif isinstance(value, list | tuple | set | frozenset):
        inner = marks.items(type(value))
        endless = any(each.annotation is Ellipsis for each in inner)
        fixed = isinstance(value, tuple) and len(inner) == len(value) and not endless
        for index, item in enumerate(value):
            yield from _outside(item, inner[index] if fixed else (*inner, UNMARKED)[0])


@cache
def _fields(kind: type[BaseModel]) -> tuple[tuple[str, _Marks], ...]:
    """The fields of a model, and what each says of its texts."""
    marked: dict[str, Any] = {
        name: Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
        for name, info in kind.model_fields.items()
    }
    return tuple((name, _Marks(annotation)) for name, annotation in marked.items())


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


UNMARKED = _Marks(None)
"""Nothing is known of whose it is."""
