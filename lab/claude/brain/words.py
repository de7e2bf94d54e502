"""Words as people type and read them."""

import re


def any_of(*patterns: str) -> re.Pattern[str]:
    """One pattern that finds any of several, whatever the case."""
    return re.compile("|".join(patterns), re.I)


def plain(text: str) -> str:
    """Text for comparing: lower case, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def quote(line: str, limit: int = 180) -> str:
    """A line from outside as inline code that cannot break out of it."""
    clean = " ".join(line.replace("`", "'").split())
    return f"`{clean if len(clean) <= limit else clean[: limit - 1] + '…'}`"
