"""What fits into one Telegram message: spans become entities, and long texts are cut where people would cut them."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final
from unicodedata import category

from telegram import MessageEntity
from telegram.constants import MessageEntityType as Kind

TEXT_LIMIT: Final = 4096
"""UTF-16 units in one message."""
ENTITY_LIMIT: Final = 100
"""Entities in one message. None carries a URL and languages are short, so together they stay below 9 kB."""
LEAD: Final = "…\n"
"""Stands before code that begins indented: Telegram would trim that indentation at the start of a message."""

_QUOTES: Final = (Kind.BLOCKQUOTE, Kind.EXPANDABLE_BLOCKQUOTE)
_BLANK_LINES: Final = re.compile(r"(?:[^\S\n]*\n)+")
_WORD: Final = re.compile(r"\S+")
_DOMAIN: Final = re.compile(r"\w\.[^\W\d_]{2}")
_PUNCTUATION: Final = ".,;:!?()[]{}<>'\"«»“”„‘’…"


@dataclass(frozen=True)
class Piece:
    """One Telegram message's worth of text with its entities."""

    text: str
    entities: tuple[MessageEntity, ...]
    picture: bytes = b""
    """A PNG above the text."""


@dataclass(frozen=True)
class Span:
    """A formatted stretch of a text, from `start` up to `end`, in characters."""

    start: int
    end: int
    kind: Kind
    language: str | None = None


def utf16(text: str) -> int:
    """The length of a text in UTF-16 units, the unit of every limit and offset in Telegram."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def arrange(text: str, spans: Iterable[Span]) -> list[Span]:
    """The spans as Telegram allows them: sorted, trimmed, addresses as code, and nothing but quotes around code."""
    spans = list(spans)
    opaque = [s for span in spans if span.kind in (Kind.PRE, Kind.CODE) and (s := _trim(text, span))]
    opaque.sort(key=lambda span: span.start)
    opaque += list(_addresses(text, opaque))
    opaque.sort(key=lambda span: span.start)
    starts = [span.start for span in opaque]
    kept = list(opaque)
    for span in spans:
        if span.kind in _QUOTES:
            kept.append(span)
        elif span.kind not in (Kind.PRE, Kind.CODE):
            kept += _around(span, opaque[max(bisect_right(starts, span.start) - 1, 0) :])
    trimmed = [s for span in kept if (s := _trim(text, span))]
    return sorted(trimmed, key=lambda span: (span.start, -span.end, span.kind not in _QUOTES))


def split(text: str, spans: list[Span]) -> list[Piece]:
    """The text in pieces Telegram accepts, cut between paragraphs, else lines, else words; code between lines."""
    pieces: list[Piece] = []
    end = 0
    while True:
        spans = [span for span in spans if span.end > end]
        near = spans[: ENTITY_LIMIT + 1]
        blocks = [span for span in near if span.kind is Kind.PRE]
        start = _skip_blank(text, end, blocks)
        if start == len(text):
            return pieces
        lead = LEAD if text[start].isspace() else ""
        end = _fit(text, start, TEXT_LIMIT - len(lead))
        if len(near) > ENTITY_LIMIT:
            end = min(end, near[-1].start)
        end = _cut(text, start, end, blocks)
        if _is_visible(text[start:end]):
            pieces.append(_piece(lead, text, start, end, near))


def _trim(text: str, span: Span) -> Span | None:
    """The span without the whitespace around it; code, and a quote of it, keeps its first line's indentation."""
    start, end = span.start, span.end
    while end > start and text[end - 1].isspace():
        end -= 1
    indented = span.kind is Kind.PRE or span.kind in _QUOTES
    while start < end and (text[start] == "\n" if indented else text[start].isspace()):
        start += 1
    return replace(span, start=start, end=end) if start < end else None


def _around(span: Span, opaque: Iterable[Span]) -> Iterator[Span]:
    """The parts of a span that lie outside code."""
    at = span.start
    for block in opaque:
        if block.start >= span.end:
            break
        if at < block.start:
            yield replace(span, start=at, end=block.start)
        at = max(at, block.end)
    if at < span.end:
        yield replace(span, start=at)


def _addresses(text: str, opaque: list[Span]) -> Iterator[Span]:
    """Everything outside code that Telegram could turn into a link, as code: readable, copied with a tap, inert."""
    at = 0
    for start, end in [*((span.start, span.end) for span in opaque), (len(text), len(text))]:
        for word in _WORD.finditer(text, at, start):
            if "://" in word[0] or _DOMAIN.search(word[0]):
                first = len(word[0]) - len(word[0].lstrip(_PUNCTUATION))
                body = word[0][first:].rstrip(_PUNCTUATION)
                if body.count("(") > body.count(")") and word[0].startswith(")", first + len(body)):
                    body += ")"  # its own, as in wiki/Mercury_(planet)
                yield Span(word.start() + first, word.start() + first + len(body), Kind.CODE)
        at = end


def _skip_blank(text: str, at: int, blocks: list[Span]) -> int:
    """Where the next piece begins: behind blank lines, and outside code behind all whitespace."""
    if lines := _BLANK_LINES.match(text, at):
        at = lines.end()
    if any(block.start <= at < block.end for block in blocks):
        return at
    while at < len(text) and text[at].isspace():
        if any(block.start == at for block in blocks):
            break
        at += 1
    return at


def _fit(text: str, start: int, units: int) -> int:
    """The furthest end of a piece that has no more than `units` UTF-16 units."""
    end = min(len(text), start + units)
    while (excess := utf16(text[start:end]) - units) > 0:
        end -= (excess + 1) // 2
    return end


def _cut(text: str, start: int, end: int, blocks: list[Span]) -> int:
    """The best place to end a piece that may reach up to `end`."""
    if end == len(text):
        return end
    if block := _block_at(end, blocks):
        if block.start > start and utf16(text[block.start : block.end]) <= TEXT_LIMIT - len(LEAD):
            return block.start
        line = text.rfind("\n", start + 1, end + 1)
        return line if line > start else end
    quarter = start + 1 + (end - start) // 4
    for separator, lowest in (("\n\n", quarter), ("\n", quarter), (" ", start + 1)):
        at = text.rfind(separator, lowest, end + len(separator))
        while at > start and (block := _block_at(at, blocks)):
            at = text.rfind(separator, lowest, block.start)
        if at > start:
            return at
    return end


def _block_at(at: int, blocks: list[Span]) -> Span | None:
    return next((block for block in blocks if block.start < at < block.end), None)


def _is_visible(text: str) -> bool:
    """Whether anything would be seen; Telegram refuses messages of spaces and format characters alone."""
    return any(not c.isspace() and c not in "\u2800\ufffc" and category(c) != "Cf" for c in text)


def _piece(lead: str, text: str, start: int, end: int, spans: list[Span]) -> Piece:
    entities = []
    for span in spans:
        part = _trim(text, replace(span, start=max(span.start, start), end=min(span.end, end)))
        if part:
            offset = len(lead) + utf16(text[start : part.start])
            length = utf16(text[part.start : part.end])
            entities.append(MessageEntity(part.kind, offset, length, language=part.language))
    return Piece(lead + text[start:end].rstrip(), tuple(entities))
