"""Markdown, as a model or our own code writes it, becomes Telegram text with entities; no word of it is dropped."""

import re
from collections.abc import Callable
from typing import Final

from bot.screen.render.markdown import parse
from bot.screen.render.page import Page
from bot.screen.render.split import Piece, arrange, split

__all__ = ["Piece", "escape", "render"]

_CONTROLS: Final = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "\ufffd")


def render(markdown: str, redact: Callable[[str], str] = str) -> list[Piece]:
    """The messages that show this Markdown: each within Telegram's limits; none for blank text.

    `redact` sees the whole text as people would read it; where it finds something, the text goes without formatting.
    """
    source = _clean(markdown)
    page = Page(source.split("\n"))
    page.walk(parse(source))
    text = redact(page.text)
    pieces = split(text, arrange(text, page.spans if text == page.text else []))
    # Where there are only marks (`#`), or nesting no one can follow, the source itself is what there is to show.
    return pieces or split(redact(source), arrange(redact(source), []))


def escape(text: str) -> str:
    """Markdown that shows this text as it stands, whatever it contains."""
    lines = (line.strip() for line in text.splitlines())
    return re.sub(r"[!-/:-@\[-`{-~]", r"\\\g<0>", "\n".join(lines))


def _clean(text: str) -> str:
    """The text with plain newlines, and a replacement character for what can't be sent."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    lines = re.sub(r"\r\n?|[\u2028\u2029]", "\n", whole)
    return lines.translate(_CONTROLS)
