"""Text in is cleaned, text out is redacted: one cleaner, one redactor."""

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "•••"
SHORTEST_SECRET = 6

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Controls, bidirectional marks, tags and fillers. Joiners (200c, 200d) and emoji style (fe0f) have honest uses."""

PATTERNS = (
    r"\b\d{6,12}:[A-Za-z0-9_-]{30,}",  # Telegram
    r"\bsk-ant-[A-Za-z0-9_-]{8,}",
    r"\btskey-[A-Za-z0-9-]{8,}",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}",  # JSON web token
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)",
    r"(?i:(?<=bearer )[A-Za-z0-9._~+/=-]{8,})",
    r"(?i:(?:(?<=password=)|(?<=passwd=)|(?<=secret=)|(?<=token=)|(?<=api_key=)|(?<=apikey=))[^\s&\"',;]{3,})",
    r"(?i:(?:(?<=password: )|(?<=--password )|(?<=secret: )|(?<=token: ))[^\s&\"',;]{6,})",
)


def clean(text: str) -> tuple[str, int]:
    """The text without ANSI codes, control and invisible characters, and how many were removed."""
    text = text.encode("utf-8", "replace").decode().replace("\r\n", "\n")
    bare, codes = ANSI.subn("", text)
    bare, marks = INVISIBLE.subn("", bare)
    return bare, codes + marks


def escaped(text: str) -> str:
    """The text with every invisible character spelled out: for what a person must judge."""
    return INVISIBLE.sub(lambda found: f"\\u{ord(found.group()):04x}", text.encode("utf-8", "replace").decode())


class Redactor:
    """Replaces known secrets, in every usual spelling, and anything that looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._pattern = re.compile("|".join(PATTERNS))
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Add known values; very short ones are left alone, or every text would be masked."""
        for secret in secrets:
            if len(secret) >= SHORTEST_SECRET:
                self._known.update(_spellings(secret))
        known = sorted(map(re.escape, self._known), key=len, reverse=True)
        self._pattern = re.compile("|".join([*known, *PATTERNS]))

    def __call__(self, text: str) -> str:
        """The text with `•••` for every secret."""
        return self._pattern.sub(MASK, text)


def _spellings(secret: str) -> set[str]:
    raw = secret.encode()
    forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1], raw.hex()}
    forms |= {secret.replace("/", "\\/")}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            # Inside longer text the same bytes can start at any of three places of a base64 group;
            # the characters at both ends also carry the neighbours' bits and are left out.
            code = encode(b"\0" * shift + raw).decode().rstrip("=")
            body = code[(0, 2, 3)[shift] : len(code) - (1 if (shift + len(raw)) % 3 else 0)]
            forms.add(body)
        forms.add(encode(raw).decode())
    return {form for form in forms if len(form) >= SHORTEST_SECRET}
