"""Text in is cleaned: one cleaner. What goes out is redacted in `memory.secrets`."""

import re
from collections.abc import Callable, Iterator
from typing import Any

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


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, the names of its fields as well."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        yield from texts(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
