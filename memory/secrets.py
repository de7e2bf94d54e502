"""What a secret looks like, by its name, its place or its form, and text without it: one grammar, for everybody."""

import base64
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from html import escape
from itertools import groupby
from typing import Any
from unicodedata import normalize
from urllib.parse import quote, quote_plus

from memory.text import ANSI, HIDING, clean, every_text, texts

MASK = "•••"
SHORTEST_SECRET = 6
SHORTEST_LINE = 16
LONGEST_COMMAND = 500

_NAME = (
    r"(?:pass(?:w(?:or)?d|phrase)?|pwd|secret|token|credentials?|auth(?:orization)?|bearer|dsn"
    r"|(?:api|access|private|secret|master|encryption)[-_.]?key)"
)
_NAMED = re.compile(rf"(?i){_NAME}")
_FLAG = re.compile(rf"(?i)--?[\w.-]*{_NAME}")
# Neither begins with a run of any length that could start anywhere: one long word would take minutes.
_ASSIGNED = re.compile(rf"(?i)({_NAME}[\"']?\s*[=:]\s*)(?!//)(\"[^\"]*\"|'[^']*'|(?:bearer |basic )?[^\s,;&\"']+)")
_SPACED = re.compile(rf"(?i)((?<![\w.-])--[\w.-]*{_NAME}\s+)[^\s-]\S*")
_SAID = re.compile(r"(?i)\b((?:pass\w*|secret|token|api[-_]?key|bearer)\s+)[^\s\"']+")
"""As a sentence tells it; only where a service complains: `token expired` is no secret in a log."""
_USERINFO = r"(://)[^\s/:@]*:[^\s/@]+(?=@)"
"""`redis://:secret@host` names nobody."""
_BEFORE_HOST = re.compile(r"://[^/\s@]+@")
_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']*")

# What is masked wherever it stands, so the names are few and need a value that looks like one.
# Each begins with a character or a set of them: those the engine skips fast. What is not in a group is the secret.
PATTERNS = {
    # Telegram; in an address the letters of `/bot` come right before it
    r"\d(?<!\d\d)\d{5,11}:[A-Za-z0-9_-]{30,}": (":",),
    r"s(?<!\ws)k-ant-[A-Za-z0-9_-]{8,}": ("sk-ant-",),
    r"t(?<!\wt)skey-[A-Za-z0-9-]{8,}": ("tskey-",),
    r"g(?<!\wg)h[pousr]_[A-Za-z0-9]{20,}": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    # JSON web token; no part begins another, or a text of nothing but beginnings would be read to its end from each
    r"e(?<!\we)yJ(?:\w|-(?!eyJ)){8,}\.(?:\w|-(?!eyJ)){8,}\.[\w-]{8,}": ("eyj",),
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)": ("private key-----",),
    _USERINFO: ("://",),
    r"([bB](?i:earer) )[A-Za-z0-9._~+/=-]{8,}": ("bearer ",),
    r"([pP](?i:assw(?:or)?d)=|[sS](?i:ecret)=|[tT](?i:oken)=|[aA](?i:pi_?key)=)[^\s&\"',;]{3,}": (
        "passwd=", "password=", "secret=", "token=", "apikey=", "api_key=",
    ),
    r"([pP](?i:assword): |-(?i:-password) |[sS](?i:ecret): |[tT](?i:oken): )[^\s&\"',;]{6,}": (
        "password: ", "--password ", "secret: ", "token: ",
    ),
}  # fmt: skip
"""Each with the words, in small letters, of which one is in every text that it finds something in: most texts have
none, and to look for a word is a hundred times quicker."""

_DOUBLES = re.compile("[\u0130\u0131\u017f\u212a]")
"""The only letters that a pattern takes for one of ASCII, though they are no such letter in small."""


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
        groups = [[*group] for _, group in groupby(forms, lambda form: form[0].lower())]
        known = [
            f"[{_any_case(form[0] for form in group)}](?i:{'|'.join(re.escape(form[1:]) for form in group)})"
            for group in groups
        ]
        self._pattern = re.compile("|".join([*known, *PATTERNS]))
        self._words = [form.lower() for form in forms]
        self._odd = not all(map(str.isascii, self._words))

    def __call__(self, text: str) -> str:
        """The text with `•••` for every secret; invisible characters in a secret do not hide it."""
        pattern = self._fitting(text)
        text = pattern.sub(_masked, text) if pattern else text
        return self._unhidden(text) if HIDING.search(text) else text

    def everywhere(self, value: Any) -> Any:
        """A JSON value without a secret in any of its texts; most have none, which one look at them together tells."""
        together = "\n".join(texts(value))  # no form needs what comes before it or after it to be a text's end
        pattern = self._fitting(together)
        found = (pattern and pattern.search(together)) or HIDING.search(together)
        return every_text(value, self) if found else value

    def _fitting(self, text: str) -> re.Pattern[str] | None:
        """All that may find something in this text, None when nothing can."""
        if self._odd or _DOUBLES.search(text):
            return self._pattern
        small = text.lower()
        if any(word in small for word in self._words):
            return self._pattern
        there = [pattern for pattern, words in PATTERNS.items() if any(word in small for word in words)]
        return _either(tuple(there)) if there else None

    def _unhidden(self, text: str) -> str:
        """Masks what a reader would see as a secret, with all that is hidden in it; the rest of the text stays."""
        seen = [at for at, shown in enumerate(_without_hiding(text)) if shown]
        parts, end = [], 0
        for found in self._pattern.finditer("".join(text[at] for at in seen)):
            first = found.end(found.lastindex) if found.lastindex else found.start()
            parts += [text[end : seen[first]], MASK]
            end = seen[found.end() - 1] + 1
        return "".join([*parts, text[end:]])


def secrets_of(env: Iterable[str]) -> list[str]:
    """The secret values of an environment's `NAME=value` lines, longest first: they must not turn up anywhere."""
    known = []
    for name, _, value in (line.partition("=") for line in env):
        if _NAMED.search(name):
            known.append(value)
        known += [found.group().split(":", 2)[2] for found in re.finditer(_USERINFO, value)]
    return sorted((value for value in known if len(value) >= SHORTEST_SECRET), key=len, reverse=True)


def without_secrets(text: str, known: Iterable[str] = ()) -> str:
    """The text with `•••` for known secrets, what looks like one, `--password=…`, `token: …` and `user:password@`."""
    text = _redactor(tuple(known))(text)
    return _SPACED.sub(rf"\1{MASK}", _ASSIGNED.sub(rf"\1{MASK}", text))


def complaint_without_secrets(text: str) -> str:
    """The same of what a service says of a request; no query of an address stays, nor who asked."""
    text = _QUERY.sub(r"\1", _BEFORE_HOST.sub(f"://{MASK}@", without_secrets(text)))
    return _SAID.sub(rf"\1{MASK}", text)


def command_line(words: Iterable[str], known: Iterable[str]) -> str:
    """A command as one line, without its secrets."""
    known, shown, hide = tuple(known), [], False
    for word in words:
        shown.append(MASK if hide else without_secrets(word, known))
        hide = _FLAG.fullmatch(word) is not None
    return clean(" ".join(shown))[0].replace("\n", " ")[:LONGEST_COMMAND]


@lru_cache(4)
def _redactor(known: tuple[str, ...]) -> Redactor:
    """Hides these values in every usual spelling."""
    return Redactor(known)


@lru_cache(64)
def _either(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


def _any_case(letters: Iterable[str]) -> str:
    """These letters, large and small, for a set; a few become two, or something else, on the way."""
    return re.escape("".join({form for letter in letters for form in (letter, letter.lower(), letter.upper())}))


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
