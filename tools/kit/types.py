"""Types for arguments and results: what a field is decides whether its text can be trusted."""

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict

from memory.text import MASK as MASK

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
        key, item = (*get_args(annotation), Any, Any)[:2]
        for k, v in value.items():
            yield from outside_text(k, key)
            yield from outside_text(v, item)
    elif isinstance(value, list | tuple):
        inner = (*get_args(annotation), Any)[0]
        for item in value:
            yield from outside_text(item, inner)
    elif isinstance(value, str) and value and not _is_trusted(value, annotation):
        yield value


def _is_trusted(value: str, annotation: Any) -> bool:
    kinds = {m.kind for m in _metadata(annotation) if isinstance(m, Trust)}
    if "outside" in kinds:
        return False
    if "ident" in kinds:
        return trusted_name(value)
    return annotation is not None and annotation is not Any and str not in _flat(annotation)


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


def mask_env(lines: list[str] | None) -> list[str]:
    """Container environment with every value masked: names stay, values never leave the service."""
    return [f"{line.partition('=')[0]}={MASK}" for line in lines or []]
