"""Text in is cleaned, text out is redacted: one cleaner, one redactor."""

import base64
import json
import re
from collections.abc import Callable, Iterable
from html import escape
from itertools import groupby
from typing import Any
from unicodedata import normalize
from urllib.parse import quote, quote_plus

MASK = "•••"
SHORTEST_SECRET = 6
SHORTEST_LINE = 16

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
INVISIBLE = re.compile(f"[{_UNSEEN}]")
"""Controls, bidirectional marks, tags and fillers. Joiners (200c, 200d) and emoji style (fe0f) have honest uses."""
SPELLED_OUT = re.compile(f"[{_UNSEEN}\n\u2028\u2029]")
"""What could hide in a value that a person judges, or let it begin a line that looks like one of ours."""
HIDING = re.compile(f"[{_UNSEEN}\u200c\u200d\ufe0f]")
"""What a secret may contain without looking any different."""

LONG_ID = re.compile(r"(?<![0-9a-fA-F])([0-9a-f]{12})[0-9a-f]{52}(?![0-9a-fA-F])")

# Each begins with a character or a set of them: those the engine skips fast. What is not in a group is the secret.
PATTERNS = (
    r"\d(?<!\d\d)\d{5,11}:[A-Za-z0-9_-]{30,}",  # Telegram; in an address the letters of `/bot` come right before it
    r"s(?<!\ws)k-ant-[A-Za-z0-9_-]{8,}",
    r"t(?<!\wt)skey-[A-Za-z0-9-]{8,}",
    r"g(?<!\wg)h[pousr]_[A-Za-z0-9]{20,}",
    # JSON web token; no part begins another, or a text of nothing but beginnings would be read to its end from each
    r"e(?<!\we)yJ(?:\w|-(?!eyJ)){8,}\.(?:\w|-(?!eyJ)){8,}\.[\w-]{8,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"(://)[^\s/:@]*:[^\s/@]+(?=@)",  # `redis://:secret@host` names nobody
    r"([bB](?i:earer) )[A-Za-z0-9._~+/=-]{8,}",
    r"([pP](?i:assw(?:or)?d)=|[sS](?i:ecret)=|[tT](?i:oken)=|[aA](?i:pi_?key)=)[^\s&\"',;]{3,}",
    r"([pP](?i:assword): |-(?i:-password) |[sS](?i:ecret): |[tT](?i:oken): )[^\s&\"',;]{6,}",
)


LEFT_OUT = "\n… {:,} characters left out …\n"


def clean(text: str) -> tuple[str, int]:
    """The text without ANSI codes, control and invisible characters, and how many were removed."""
    text = text.encode("utf-8", "replace").decode().replace("\r\n", "\n")
    bare, codes = ANSI.subn("", text)
    bare, marks = INVISIBLE.subn("", bare)
    return bare, codes + marks


def escaped(text: str) -> str:
    """The text in one line, with every invisible character spelled out: for what a person must judge."""
    return SPELLED_OUT.sub(_spelled, text.encode("utf-8", "replace").decode())


def _spelled(found: re.Match[str]) -> str:
    return r"\n" if found.group() == "\n" else f"\\u{ord(found.group()):04x}"


def shortened(text: str, most: int) -> tuple[str, int]:
    """The text within so many characters, and how many are left out of its middle, which it says there.

    Both ends stay: where somebody pastes much, the question stands before it or after it.
    """
    if len(text) <= most:
        return text, 0
    kept = max(0, most - len(LEFT_OUT.format(len(text))))
    left = len(text) - kept
    return f"{text[: kept * 2 // 3]}{LEFT_OUT.format(left)}{text[len(text) - (kept - kept * 2 // 3) :]}", left


def short_ids(text: str) -> str:
    """The text with every long id as people know it: `3f2a9c1b7d20` for all of its 64 digits."""
    return LONG_ID.sub(r"\1", text)


def every_text(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every text in it changed: what works on the whole JSON could break it."""
    if isinstance(value, dict):
        return {change(key): every_text(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [every_text(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


class Redactor:
    """Replaces known secrets, in every usual spelling, and anything that looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Add known values; very short ones are left alone, or every text would be masked."""
        for secret in map(str.strip, secrets):  # a setting may end in a space that is not sent
            lines = [line for line in secret.splitlines() if len(line) >= SHORTEST_LINE]
            for part in (secret, *lines):  # a key of several lines is told line by line
                if len(part) >= SHORTEST_SECRET:
                    self._known.update(_spellings(part))
        # In any case of letters: libraries capitalise the errors that they quote, and hex comes in both.
        # Grouped by how they begin, so that at most places of a text all of a group is ruled out at once.
        forms = sorted(self._known, key=lambda form: (form[0].lower(), -len(form)))
        known = [
            f"[{re.escape(first + first.upper())}](?i:{'|'.join(re.escape(form[1:]) for form in group)})"
            for first, group in groupby(forms, lambda form: form[0].lower())
        ]
        self._pattern = re.compile("|".join([*known, *PATTERNS]))

    def __call__(self, text: str) -> str:
        """The text with `•••` for every secret; invisible characters in a secret do not hide it."""
        text = self._pattern.sub(_masked, text)
        return self._unhidden(text) if HIDING.search(text) else text

    def _unhidden(self, text: str) -> str:
        """Masks what a reader would see as a secret, with all that is hidden in it; the rest of the text stays."""
        seen = [at for at, shown in enumerate(_without_hiding(text)) if shown]
        parts, end = [], 0
        for found in self._pattern.finditer("".join(text[at] for at in seen)):
            first = found.end(found.lastindex) if found.lastindex else found.start()
            parts += [text[end : seen[first]], MASK]
            end = seen[found.end() - 1] + 1
        return "".join([*parts, text[end:]])


def _masked(found: re.Match[str]) -> str:
    return f"{found[found.lastindex]}{MASK}" if found.lastindex else MASK


def _without_hiding(text: str) -> bytearray:
    """For each character whether it is seen."""
    seen = bytearray(b"\1") * len(text)
    for pattern in (ANSI, HIDING):
        for found in pattern.finditer(text):
            seen[found.start() : found.end()] = bytes(found.end() - found.start())
    return seen


def _spellings(secret: str) -> set[str]:
    raw = secret.encode()
    forms = {
        secret,
        *(normalize(form, secret) for form in ("NFC", "NFD")),
        raw.hex(),
        quote(secret),
        quote_plus(secret),
    }
    forms |= {json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1], repr(raw)[2:-1]}
    forms |= {secret.replace("/", "\\/"), escape(secret), escape(secret, quote=False)}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            # Inside longer text the same bytes can start at any of three places of a base64 group;
            # the characters at both ends also carry the neighbours' bits and are left out.
            code = encode(b"\0" * shift + raw).decode().rstrip("=")
            body = code[(0, 2, 3)[shift] : len(code) - (1 if (shift + len(raw)) % 3 else 0)]
            forms.add(body)
        forms.add(encode(raw).decode())
    for _ in range(2):  # in an address, in JSON, or in one of these inside the other
        forms |= {wrapped(form) for form in forms for wrapped in (_in_address, _in_json, _in_go)}
    return {form for form in forms if len(form) >= SHORTEST_SECRET}


def _in_address(text: str) -> str:
    return quote(text, safe="")


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _in_go(text: str) -> str:
    """As Go writes JSON: fit to stand in HTML."""
    return re.sub("[&<>]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False)[1:-1])
