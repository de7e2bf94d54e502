"""What Telegram accepts as a message, checked independently of the code that renders it."""

import json
import unicodedata
from itertools import combinations

from bot.screen.render import Piece, render

LIMIT = 4096


def units(text: str) -> bytes:
    return text.encode("utf-16-le")  # raises on lone surrogates


def covered(piece: Piece) -> list[tuple[str, str]]:
    raw = units(piece.text)
    return [(str(e.type), raw[e.offset * 2 : (e.offset + e.length) * 2].decode("utf-16-le")) for e in piece.entities]


def check(pieces: list[Piece]) -> None:
    for piece in pieces:
        check_text(piece.text)
        check_entities(piece)


def check_text(text: str) -> None:
    assert 0 < len(units(text)) // 2 <= LIMIT
    assert text == text.strip()
    assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert any(unicodedata.category(c) not in ("Cf", "Zs", "Cc") for c in text)


def check_entities(piece: Piece) -> None:
    size = len(units(piece.text)) // 2
    assert len(piece.entities) <= 100
    assert len(json.dumps([e.to_dict() for e in piece.entities]).encode()) <= 9000
    for kind, text in covered(piece):  # decoding fails on half a surrogate pair
        assert text.strip() and text == text.rstrip()
        assert text[0] != "\n" if kind == "pre" or "quote" in kind else text == text.lstrip()
    ranges = [(e.offset, e.offset + e.length, str(e.type)) for e in piece.entities]
    assert all(0 <= start < end <= size for start, end, _ in ranges)
    assert [r[0] for r in ranges] == sorted(r[0] for r in ranges)
    for outer, inner in combinations(ranges, 2):
        if inner[0] < outer[1]:
            assert inner[1] <= outer[1], "entities cross or the inner one comes first"
            assert outer[2] not in ("code", "pre")
            assert inner[2] not in ("code", "pre") or "quote" in outer[2]
            assert inner[2] != outer[2]
            assert "quote" not in inner[2]


def one(markdown: str) -> Piece:
    pieces = render(markdown)
    check(pieces)
    assert len(pieces) == 1
    return pieces[0]


def in_order(words: list[str], text: str) -> bool:
    at = 0
    for word in words:
        at = text.find(word, at)
        if at < 0:
            return False
        at += len(word)
    return True
