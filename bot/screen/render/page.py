"""Walks Markdown tokens and writes the text a chat shows, noting which stretches are formatted how."""

import re
from collections import Counter
from itertools import takewhile, zip_longest
from typing import Final

from markdown_it.token import Token
from telegram.constants import MessageEntityType as Kind

from bot.screen.render.markdown import parse_inline
from bot.screen.render.split import Span
from bot.screen.render.table import Align, cells, grid

_ALIGN: Final[dict[str, Align]] = {"text-align:right": "r", "text-align:center": "c"}
_LANGUAGE: Final = re.compile(r"[\w.+#-]{1,24}", re.ASCII)
_STYLES: Final = {"strong": Kind.BOLD, "em": Kind.ITALIC, "s": Kind.STRIKETHROUGH}


class Page:
    """Writes text and notes spans while it walks the tokens; a method is named after the token type it handles."""

    def __init__(self, source: list[str]) -> None:
        self.spans: list[Span] = []
        self._source = source
        self._parts: list[str] = []
        self._length = 0
        self._gap = 0  # newlines due before the next text
        self._marker = ""  # the list item's bullet, due before its first text
        self._indents = [""]
        self._numbers: list[int] = []  # last number shown, per open list
        self._quotes: list[Kind] = []
        self._depth: Counter[Kind] = Counter()  # open styles, and where the outermost of each began
        self._since: dict[Kind, int] = {}
        self._links: list[tuple[Token, int]] = []

    @property
    def text(self) -> str:
        """All that has been written."""
        return "".join(self._parts)

    def walk(self, tokens: list[Token]) -> None:
        """Write what the tokens show."""
        stream = iter(tokens)
        for token in stream:
            if token.type == "table_open":
                self._table(list(takewhile(lambda t: t.type != "table_close", stream)))
            elif handler := getattr(self, f"_on_{token.type}", None):
                handler(token)
            elif token.type == "inline":
                self.walk(token.children or [])
            elif style := _STYLES.get(token.tag):
                self._style(style, opens=token.nesting > 0)
            else:
                self._write(token.content)

    # Writing

    def _write(self, text: str) -> None:
        if text:
            self._flush()
            self._put(text)

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _flush(self) -> None:
        """Write the newlines and the bullet that were held back until there was something to show."""
        if not self._gap and not self._marker:
            return
        before = self._length
        if self._gap and before:
            self._put("\n" * self._gap + self._indents[-2 if self._marker else -1])
        for kind, start in self._since.items():
            if start == before:
                self._since[kind] = self._length
        self._put(self._marker)
        self._gap, self._marker = 0, ""

    def _end_line(self) -> None:
        """Leave a bullet alone on its line if nothing has been written beside it."""
        if self._marker:
            self._marker = self._marker.rstrip()
            self._flush()

    def _break(self, *, close: bool = False, own_line: bool = False) -> None:
        """Begin a block on a new line or after an empty one; the first of a list item stays beside its bullet."""
        if own_line:
            self._end_line()
        if not self._marker:
            self._gap = max(self._gap, 1 if close else 2)

    def _style(self, kind: Kind, *, opens: bool) -> None:
        """Open or close a style; of nested equal ones only the outermost becomes a span."""
        self._depth[kind] += 1 if opens else -1
        if opens:
            if self._marker:
                self._flush()
            self._since.setdefault(kind, self._length)
        elif not self._depth[kind]:
            self.spans.append(Span(self._since.pop(kind), self._length, kind))

    def _span(self, text: str, kind: Kind, language: str | None = None) -> None:
        self._write(text)
        self.spans.append(Span(self._length - len(text), self._length, kind, language))

    def _target(self, shown: str, token: Token, attribute: str) -> None:
        """Write where a link leads, unless what is shown says so already."""
        url, title = str(token.attrs[attribute]), str(token.attrs.get("title", ""))
        if shown in (url, url.removeprefix("mailto:")):
            self.spans.append(Span(self._length - len(shown), self._length, Kind.CODE))
            url = ""
        if url or title:
            self._write(" (" if shown else "(")
            self._span(url, Kind.CODE)
            self._write(f' "{title}")' if title else ")")

    # Inline

    def _on_softbreak(self, token: Token) -> None:
        self._write("\n" + self._indents[-1])

    _on_hardbreak = _on_softbreak

    def _on_code_inline(self, token: Token) -> None:
        self._span(token.content, Kind.CODE)

    def _on_link_open(self, token: Token) -> None:
        self._flush()
        self._links.append((token, len(self._parts)))

    def _on_link_close(self, token: Token) -> None:
        opening, first = self._links.pop()
        self._target("".join(self._parts[first:]), opening, "href")

    def _on_image(self, token: Token) -> None:
        self._write(token.content)
        self._target(token.content, token, "src")

    # Blocks

    def _on_paragraph_open(self, token: Token) -> None:
        self._break(close=token.hidden)

    def _on_heading_open(self, token: Token) -> None:
        self._break()
        self._style(Kind.BOLD, opens=True)

    def _on_heading_close(self, token: Token) -> None:
        self._style(Kind.BOLD, opens=False)

    def _on_hr(self, token: Token) -> None:
        self._break(own_line=True)
        self._write("─" * 12)

    def _on_bullet_list_open(self, token: Token) -> None:
        self._break(close=bool(self._numbers))
        self._numbers.append(0)

    def _on_bullet_list_close(self, token: Token) -> None:
        self._numbers.pop()

    _on_ordered_list_open = _on_bullet_list_open
    _on_ordered_list_close = _on_bullet_list_close

    def _on_list_item_open(self, token: Token) -> None:
        if self._marker:
            self._flush()
        else:
            self._gap = max(self._gap, 1)
        box = token.meta.get("box", "")
        if token.info:
            # Rising numbers stay as written; the lazy `1. 1. 1.` counts.
            last = self._numbers[-1]
            number = token.info if int(token.info) > last or not last else str(last + 1)
            self._numbers[-1] = int(number)
            self._marker = f"{number}{token.markup} {box}"
        else:
            self._marker = box or "• "
        self._indents.append(self._indents[-1] + "  ")

    def _on_list_item_close(self, token: Token) -> None:
        self._end_line()
        self._indents.pop()

    def _on_blockquote_open(self, token: Token) -> None:
        self._break(close=bool(self._numbers), own_line=True)
        self._indents.append("")
        self._quotes.append(Kind.EXPANDABLE_BLOCKQUOTE if "more" in token.meta else Kind.BLOCKQUOTE)
        if len(self._quotes) == 1:
            self._style(self._quotes[0], opens=True)

    def _on_blockquote_close(self, token: Token) -> None:
        kind = self._quotes.pop()
        if not self._quotes:
            self._style(kind, opens=False)
        self._indents.pop()

    def _on_fence(self, token: Token) -> None:
        language, *rest = token.info.split(maxsplit=1) or [""]
        if not token.content.strip() or not _LANGUAGE.fullmatch(language):
            language, rest = "", [token.info.strip()]
        self._break(close=bool(self._numbers), own_line=True)
        if any(rest):
            self._write(rest[0])
            self._break(close=True)
        self._pre(token.content, language or None)

    def _on_code_block(self, token: Token) -> None:
        self._break(close=bool(self._numbers), own_line=True)
        self._pre(token.content)

    def _pre(self, text: str, language: str | None = None) -> None:
        body = re.sub(r"\A(?:[^\S\n]*\n)+", "", text).rstrip()
        if body:
            self._indents.append("")
            self._span(body, Kind.PRE, language)
            self._indents.pop()

    def _table(self, tokens: list[Token]) -> None:
        aligns = [_ALIGN.get(str(token.attrs.get("style")), "l") for token in tokens if token.type == "th_open"]
        rows: list[list[str]] = []
        for token in tokens:
            if token.type == "tr_open" and token.map:
                surplus = cells(self._source[token.map[0]])[len(aligns) :] if rows else []
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(_one_line(token))
            elif token.type == "tr_close":
                rows[-1] += [_one_line(parse_inline(cell)) for cell in surplus]
        self._break(close=bool(self._numbers), own_line=True)
        if aligned := grid(rows, aligns):
            self._pre(aligned)
        else:
            self._records(rows)

    def _records(self, rows: list[list[str]]) -> None:
        """A wide table as a list: its rows, each the first cell in bold and `header: value` lines.

        Headers that no row will show (that of the first column, those of empty ones) stand above.
        """
        headers = rows[0]
        unsaid = [name for column, name in enumerate(headers) if name and not (column and _filled(rows[1:], column))]
        self._write(" · ".join(unsaid))
        self._break(close=bool(unsaid))
        for number, (title, *values) in enumerate(rows[1:]):
            if number:
                self._break(close=True)
            self._write("• ")
            self._span(title, Kind.BOLD)
            for header, value in zip_longest(headers[1:], values, fillvalue=""):
                if value:
                    self._break(close=True)
                    self._write(f"  {header}: {value}" if header else f"  {value}")


def _filled(rows: list[list[str]], column: int) -> bool:
    """Whether any row has something in this column."""
    return any(row[column : column + 1] not in ([], [""]) for row in rows)


def _one_line(inline: Token) -> str:
    """The plain text of a table cell."""
    page = Page([])
    page.walk(inline.children or [])
    return " ".join(page.text.split())
