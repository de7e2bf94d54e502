"""The Markdown we understand: CommonMark, tables, strikethrough, task lists and quotes that collapse."""

import re
from functools import cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

MORE: Final = "[!more]"
"""As the first line of a block quote: the quote is collapsed until tapped."""

_MAX_NESTING: Final = 20
_TASK: Final = re.compile(r"\[([ xX])\] ")


def parse(source: str) -> list[Token]:
    """The tokens of a text, with boxes and `[!more]` as `meta`; none if it is nested deeper than the parser reads."""
    tokens = _parser().parse(source)
    if any(token.level >= _MAX_NESTING - 1 for token in tokens):
        return []
    _read_marks(tokens)
    return tokens


def parse_inline(source: str) -> Token:
    """The one token, with children, of a text without blocks."""
    return _parser().parseInline(source)[0]


class _Parser(MarkdownIt):
    """A parser that leaves addresses as they were written."""

    def normalizeLink(self, url: str) -> str:
        return url

    def normalizeLinkText(self, link: str) -> str:
        return link


@cache
def _parser() -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False, "maxNesting": _MAX_NESTING})
    parser.enable(["table", "strikethrough"])
    # Entities would change the text (`&lt;` may be meant); references would swallow footnotes and definitions.
    parser.disable(["entity", "reference"])
    parser.parse("")  # compiles the rules now: texts are parsed in threads, and the first two must not both do it
    return parser


def _read_marks(tokens: list[Token]) -> None:
    """Move task boxes and `[!more]` from the text into `meta` of the item or outermost quote they belong to."""
    depth = 0
    for token, paragraph, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        depth += token.nesting if token.type.startswith("blockquote") else 0
        children = inline.children
        if paragraph.type != "paragraph_open" or not children:
            continue
        if token.type == "list_item_open" and (box := _TASK.match(children[0].content)):
            token.meta["box"] = "☐ " if box[1] == " " else "☑ "
            children[0].content = children[0].content[box.end() :]
        elif token.type == "blockquote_open" and depth == 1 and inline.content.split("\n")[0].strip() == MORE:
            token.meta["more"] = True
            breaks = (n for n, child in enumerate(children, 1) if child.type in ("softbreak", "hardbreak"))
            del children[: next(breaks, len(children))]
