"""What Markdown looks like in a chat."""

import pytest

from bot.screen.render import escape, render
from tests.bot.telegram_rules import covered, one

EXAMPLES = {
    "plain": ("Up since Tue 08:12.", "Up since Tue 08:12.", []),
    "heading": ("## Disks\nfine", "Disks\n\nfine", [("bold", "Disks")]),
    "nested equal styles": ("# a **b** c", "a b c", [("bold", "a b c")]),
    "styles": (
        "**b** _i_ ~~s~~ `c` ***bi***",
        "b i s c bi",
        [("bold", "b"), ("italic", "i"), ("strikethrough", "s"), ("code", "c"), ("italic", "bi"), ("bold", "bi")],
    ),
    "code inside bold": ("**a `b` c**", "a b c", [("bold", "a"), ("code", "b"), ("bold", "c")]),
    "emoji before": ("👍🏽 **b** 🧑‍🚀 `c`", "👍🏽 b 🧑‍🚀 c", [("bold", "b"), ("code", "c")]),
    "unclosed": ("**a [b `c", "**a [b `c", []),
    "code in quote keeps its indent": (">\t\ta", "…\n  a", [("blockquote", "  a"), ("pre", "  a")]),
    "two lines": ("one\ntwo  \nthree", "one\ntwo\nthree", []),
    "rule": ("a\n\n---\n\nb", "a\n\n────────────\n\nb", []),
    "tags stay": ("<name> List<int> <details>x</details>", "<name> List<int> <details>x</details>", []),
    "html block stays": ("<div>\nx\n</div>\n<!-- y -->", "<div>\nx\n</div>\n<!-- y -->", []),
    "dollars stay": ("$HOME/bin:$PATH costs $5 or $6", "$HOME/bin:$PATH costs $5 or $6", []),
    "entities stay": ("&lt;name&gt; &#27;", "&lt;name&gt; &#27;", []),
    "footnotes stay": ("a[^1]\n\n[^1]: note", "a[^1]\n\n[^1]: note", []),
    "definitions stay": ("[a][b]\n\n[b]: /c 'd'", "[a][b]\n\n[b]: /c 'd'", []),
    "fence": ("```yaml\n  a: 1\n\nb: *2*\n```", "…\n  a: 1\n\nb: *2*", [("pre", "  a: 1\n\nb: *2*")]),
    "fence info": ("~~~ sh title=x\nls\n~~~", "title=x\nls", [("pre", "ls")]),
    "fence left open": ("```\nls", "ls", [("pre", "ls")]),
    "fence without code": ("```yaml", "yaml", []),
    "indented code": ("a\n\n    b\n     c", "a\n\nb\n c", [("pre", "b\n c")]),
    "quote": ("> a\n> > b\n\nc", "a\n\nb\n\nc", [("blockquote", "a\n\nb")]),
    "two quotes": ("> a\n\n> b", "a\n\nb", [("blockquote", "a"), ("blockquote", "b")]),
    "styles in quote": ("> **a** `b`", "a b", [("blockquote", "a b"), ("bold", "a"), ("code", "b")]),
    "expandable": ("x\n\n> [!more]\n> a\n> b", "x\n\na\nb", [("expandable_blockquote", "a\nb")]),
    "expandable list": ("> [!more]\n> - a\n>\n> b", "• a\n\nb", [("expandable_blockquote", "• a\n\nb")]),
    "more is only a first line": ("> a\n> [!more]\n> b", "a\n[!more]\nb", [("blockquote", "a\n[!more]\nb")]),
    "more outside a quote": ("[!more]\na", "[!more]\na", []),
    "bullets": ("- a\n- b\n  - c\n\n    d\n- e", "• a\n• b\n  • c\n\n    d\n• e", []),
    "bold bullet": ("x\n- **a** b", "x\n\n• a b", [("bold", "a")]),
    "numbers": ("1. a\n1. b\n   - c\n1. d", "1. a\n2. b\n  • c\n3. d", []),
    "numbers as written": ("3) a\n5) b", "3) a\n5) b", []),
    "tasks": ("- [ ] a\n- [x] b\n- [x](y)", "☐ a\n☑ b\n• x (y)", [("code", "y")]),
    "numbered tasks": ("1. [X] a", "1. ☑ a", []),
    "empty items": ("- a\n-\n- b", "• a\n•\n• b", []),
    "code in item": ("- a\n  ```\n  b\n   c\n  ```\n- d", "• a\nb\n c\n• d", [("pre", "b\n c")]),
    "indented code in quote": (">     a\n>      b", "a\n b", [("blockquote", "a\n b"), ("pre", "a\n b")]),
    "quote in item": ("- a\n  > b\n- c", "• a\n\nb\n• c", [("blockquote", "b")]),
    "link": ("[docs](https://a.b/c?d=1&e)", "docs (https://a.b/c?d=1&e)", [("code", "https://a.b/c?d=1&e")]),
    "link shows itself": ("[https://a.b](https://a.b)", "https://a.b", [("code", "https://a.b")]),
    "link that lies": (
        "[https://a.b](https://evil.c)",
        "https://a.b (https://evil.c)",
        [("code", "https://a.b"), ("code", "https://evil.c")],
    ),
    "link in item": ("- [https://a.b](https://a.b)", "• https://a.b", [("code", "https://a.b")]),
    "link in bold": ("**[x](/y) z**", "x (/y) z", [("bold", "x ("), ("code", "/y"), ("bold", ") z")]),
    "link title": ('[x](/y "z")', 'x (/y "z")', [("code", "/y")]),
    "link without text": ("[](/y)", "(/y)", [("code", "/y")]),
    "link as written": ("[x](http://ü.de/ä%20)", "x (http://ü.de/ä%20)", [("code", "http://ü.de/ä%20")]),
    "image": ("![a *b*](http://i.png)", "a *b* (http://i.png)", [("code", "http://i.png")]),
    "autolinks": ("<https://a.b> <me@a.b>", "https://a.b me@a.b", [("code", "https://a.b"), ("code", "me@a.b")]),
    "bare": (
        "(see https://a.b/c_(d)), or www.x.org.",
        "(see https://a.b/c_(d)), or www.x.org.",
        [("code", "https://a.b/c_(d)"), ("code", "www.x.org")],
    ),
    "bare in brackets": ("uses (www.x.org), yes", "uses (www.x.org), yes", [("code", "www.x.org")]),
    "bare domain in two styles": ("evil.**com** x", "evil.com x", [("code", "evil.com")]),
    "bare in heading": ("# a http://b c", "a http://b c", [("bold", "a"), ("code", "http://b"), ("bold", "c")]),
    "numbers are no addresses": ("10.0.0.1 v1.2.3 3.14 e.g. a...b", "10.0.0.1 v1.2.3 3.14 e.g. a...b", []),
    "only marks": ("#", "#", []),
    "escapes": (r"\*a\* \[!more\]", "*a* [!more]", []),
    "controls": ("a\x00b\x1b[31m\x7f\x9b\tc\r\nd\u2028e", "a�b�[31m��\tc\nd\ne", []),
    "lone surrogates": ("a\ud83d b\ude00 c\ud83d\ude00", "a� b� c😀", []),
}


@pytest.mark.parametrize(("markdown", "text", "entities"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_example(markdown: str, text: str, entities: list[tuple[str, str]]) -> None:
    piece = one(markdown)
    assert piece.text == text
    assert sorted(covered(piece)) == sorted(entities)


def test_language_is_kept() -> None:
    assert [e.language for e in one("```yaml\na\n```\n```\nb\n```").entities] == ["yaml", None]


def test_blank_text_gives_no_message() -> None:
    for blank in ("", " \n\t\n", "\u200b\u2060", "\u00a0"):
        assert render(blank) == []


def test_table_is_aligned_by_display_width() -> None:
    piece = one("| Node | CPU | 名 |\n|:--|--:|:-:|\n| **pve1** | 7 | 日本 |\n| `pve2` | 13 | x |\n")
    assert covered(piece) == [("pre", piece.text)]
    assert piece.text.split("\n") == [
        "Node  CPU   名",
        "───────────────",
        "pve1    7  日本",
        "pve2   13   x",
    ]


def test_table_keeps_surplus_cells_and_equal_headers() -> None:
    piece = one("> |a|a|\n> |-|-|\n> |1|2|[3](/u)|4|\n> |5|")
    assert piece.text.split("\n") == ["a  a", "───────────────", "1  2  3 (/u)  4", "5"]
    assert [kind for kind, _ in covered(piece)] == ["blockquote", "pre"]


def test_table_as_wide_as_a_phone_is_aligned() -> None:
    piece = one(f"|Name|At|Note|\n|-|-|-|\n|nas|1|{'x' * 26}|")
    assert covered(piece) == [("pre", piece.text)]
    assert max(map(len, piece.text.split("\n"))) == 36


def test_table_one_column_wider_becomes_a_list() -> None:
    note = "x" * 27
    piece = one(f"|Name|At|Note|\n|-|-|-|\n|**nas**|1|{note}|\n|tv||y|z|\n")
    assert piece.text == f"Name\n• nas\n  At: 1\n  Note: {note}\n• tv\n  Note: y\n  z"
    assert covered(piece) == [("bold", "nas"), ("bold", "tv")]


def test_table_without_rows() -> None:
    assert one("|a|b|\n|-|-|").text == "a  b\n────"
    assert one(f"|a|{'b' * 40}|\n|-|-|").text == f"a · {'b' * 40}"


def test_a_wide_table_in_a_text_is_a_list_under_the_header_of_its_first_column() -> None:
    piece = one(f"Before.\n\n|Name|Note|\n|-|-|\n|nas|{'x' * 40}|\n||y|\n\nAfter.")
    assert piece.text == f"Before.\n\nName\n• nas\n  Note: {'x' * 40}\n• \n  Note: y\n\nAfter."


def test_addresses_in_a_wide_table_are_inert() -> None:
    piece = one("|Container|Image|\n|-|-|\n|web|ghcr.io/someone/something/web:latest|")
    assert ("code", "ghcr.io/someone/something/web:latest") in covered(piece)


# Helpers for our own cards


@pytest.mark.parametrize(
    "text",
    ["1. *a* [!more] `x` <b> &amp; |", "# a\n- b\n> c", "__init__.py", "\\", "a_b_c", "```\nx\n```", "[a](b)", "---"],
)
def test_escape_shows_text_as_it_stands(text: str) -> None:
    assert one(escape(text)).text == text
    assert one(f"> {escape(text.splitlines()[0])}").text == text.splitlines()[0]
