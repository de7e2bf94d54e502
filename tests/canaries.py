"""Canaries: values that must turn up nowhere, and a search for them in every usual spelling.

Written without a look at how the program redacts: it must not share its blind spots.
"""

import base64
import html
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, quote_plus

ODD = "/+\"<&>'= ü"
"""Characters that every spelling writes differently."""
SHORTEST_PART = 12
"""Characters of a canary that nobody writes by chance."""


@dataclass(frozen=True)
class Hit:
    """A canary where none may be."""

    canary: str
    """Its name, never its value."""
    spelling: str
    where: str


class Canaries:
    """Named values and the search for them."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.scanned = 0
        """Bytes searched so far."""

    def plant(self, name: str, value: str | None = None, *, odd: bool = False) -> str:
        """A value to be looked for; one with odd characters shows which spelling leaked."""
        self.values[name] = value or f"canary{secrets.token_hex(6)}{ODD if odd else ''}{secrets.token_hex(4)}"
        return self.values[name]

    def search(self, content: bytes | str, where: str, *, but: tuple[str, ...] = ()) -> list[Hit]:
        """Every canary in a text or in bytes, compressed or encrypted ones aside."""
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        self.scanned += len(data)
        return [
            Hit(name, spelling, where)
            for name, value in self.values.items()
            if name not in but
            for spelling, form in spellings(value)
            if form in data
        ]

    def search_files(self, folder: Path, *, but: tuple[str, ...] = ()) -> list[Hit]:
        """Every canary in the names and contents of all files below a folder."""
        hits: list[Hit] = []
        for path in folder.rglob("*"):
            hits += self.search(path.name, f"the name of {path.name}", but=but)
            if path.is_file():
                hits += self.search(path.read_bytes(), path.name, but=but)
        return hits


@lru_cache(4096)
def spellings(value: str) -> tuple[tuple[str, bytes], ...]:
    """The value raw, reversed, in parts and in encodings, each as it would stand inside something longer."""
    kinds: dict[bytes, str] = {}
    for kind, form in _spellings(value):
        kinds.setdefault(form, kind)
    return tuple((kind, form) for form, kind in kinds.items())


def _spellings(value: str) -> Iterator[tuple[str, bytes]]:
    raw = value.encode()
    yield "raw", raw
    yield "reversed", value[::-1].encode()
    yield from (("other case", text.encode()) for text in (value.lower(), value.upper()))
    for part in parts(value):
        yield "in part", part.encode()
    for text in {quote(value, safe=""), quote(value), quote_plus(value)}:
        yield "url", text.encode()
        yield "url", re.sub("%..", lambda code: code[0].lower(), text).encode()
    yield "url", "".join(f"%{byte:02X}" for byte in raw).encode()
    for text in {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}:
        yield "json", text.encode()
    yield "json", "".join(f"\\u{ord(char):04x}" for char in value).encode()
    for form in (raw.hex(), raw.hex().upper()):
        yield "hex", form.encode()
    for text in {html.escape(value), html.escape(value, quote=False)}:
        yield "html", text.encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            # The first and last characters also hold bits of the neighbours, whoever they are.
            code = encode(bytes(shift) + raw).rstrip(b"=")
            yield f"base64+{shift}", code[(0, 2, 3)[shift] : len(code) - ((len(raw) + shift) % 3 != 0)]


def parts(value: str) -> list[str]:
    """Pieces of it that every encoding of text leaves as they are: one in two halves is found, too."""
    half = len(value) // 2
    runs = re.findall(rf"[A-Za-z0-9]{{{SHORTEST_PART},}}", value)
    halves = [value[:half], value[half:]] if half >= SHORTEST_PART else []
    return [*(run for run in runs if run != value), *halves]
