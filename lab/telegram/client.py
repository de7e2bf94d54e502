"""What a person's app does before it sends."""

from lab.telegram.checks import TEXT_LIMIT, utf16

LOOKED_BACK = 300
"""Characters before the limit among which a line's or a word's end is looked for, as Telegram for Android does."""


def parts_of(text: str) -> list[str]:
    """A text of any length as the messages in which it is sent: nothing of it is lost but space where it is cut."""
    parts, rest = [], text.strip()
    while utf16(rest) > TEXT_LIMIT:
        whole = _within(rest)
        start = max(0, whole - LOOKED_BACK)
        cut = max(rest.rfind("\n", start, whole + 1), 0) or max(rest.rfind(" ", start, whole + 1), 0) or whole
        parts.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return [*parts, rest]


def _within(text: str) -> int:
    """How many characters fit into one message."""
    fits = min(len(text), TEXT_LIMIT)
    while utf16(text[:fits]) > TEXT_LIMIT:
        fits -= 1
    return fits
