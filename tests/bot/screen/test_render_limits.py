"""No input breaks Telegram's rules, and none loses a word: where texts are cut, and hostile ones."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from telegram.constants import MessageEntityType

from bot.screen.render import render
from bot.screen.render.split import Span, arrange, split
from tests.bot.telegram_rules import LIMIT, check, covered, in_order, units

SLOW = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

# Cutting


def test_cuts_between_paragraphs_then_lines_then_words() -> None:
    for separator in ("\n\n", "\n", " "):
        block = "word " * 99 + "end"
        pieces = render(separator.join([block] * 40))
        check(pieces)
        assert len(pieces) > 1
        assert all(p.text.endswith("end") for p in pieces) or separator == " "
        assert set(" ".join(p.text for p in pieces).split()) == {"word", "end"}


def test_code_is_cut_between_lines_and_reopened() -> None:
    lines = [f"{' ' * (n % 5)}line {n} {'x ' * 30}".rstrip() for n in range(300)]
    pieces = render("Look:\n\n```py\n" + "\n".join(lines) + "\n```\n\n**end**")
    check(pieces)
    blocks = [
        (e, text) for p in pieces for e, (kind, text) in zip(p.entities, covered(p), strict=True) if kind == "pre"
    ]
    assert len(blocks) > 4
    assert {e.language for e, _ in blocks} == {"py"}
    assert "\n".join(text for _, text in blocks).split("\n") == lines


def test_code_that_fits_one_message_stays_whole() -> None:
    body = "\n\n".join(["x" * 70] * 30)
    pieces = render("intro " * 400 + f"\n\n```\n{body}\n```\n\n" + "outro " * 600)
    check(pieces)
    assert [text for p in pieces for kind, text in covered(p) if kind == "pre"] == [body]


def test_empty_lines_inside_code_are_no_paragraphs() -> None:
    body = "\n\n".join(["x" * 60] * 40)
    pieces = render("- item\n  ```\n  " + body.replace("\n", "\n  ") + "\n  ```\n" + "- more\n" * 400)
    check(pieces)
    assert [text for p in pieces for kind, text in covered(p) if kind == "pre"] == [body]


def test_one_long_line_of_code_is_cut_by_units() -> None:
    pieces = render("```\na\n" + "😀" * 5000 + "\nb\n```")
    check(pieces)
    assert "".join(text for p in pieces for _, text in covered(p)) == "a" + "😀" * 5000 + "\nb"
    assert max(len(units(p.text)) // 2 for p in pieces) == LIMIT


def test_exactly_full_messages_are_not_cut() -> None:
    assert len(render("x" * LIMIT)) == 1
    assert [len(p.text) for p in render("x" * (LIMIT + 1))] == [LIMIT, 1]
    assert [len(p.text) for p in render("😀" * (LIMIT // 2 + 1))] == [LIMIT // 2, 1]


def test_entity_count_splits_too() -> None:
    pieces = render("`a` " * 250)
    check(pieces)
    assert [len(p.entities) for p in pieces] == [100, 100, 50]
    assert "".join(p.text for p in pieces).replace(" ", "") == "a" * 250


def test_entity_payload_stays_small() -> None:
    pieces = render("".join(f"```{'l' * 24}\nx\n```\n" for _ in range(150)))
    check(pieces)
    assert sum(len(p.entities) for p in pieces) == 150


def test_styles_continue_in_the_next_message() -> None:
    pieces = render("> **" + "word " * 2000 + "end**")
    check(pieces)
    for piece in pieces:
        assert covered(piece) == [("blockquote", piece.text), ("bold", piece.text)]


# Any input at all

MARKUP = st.text(alphabet="ab1.* _~`[]()<>#-+|:!\\\"'\n\t  \n", max_size=300)
HOSTILE = st.text(
    alphabet=st.one_of(
        st.sampled_from("a*_`~[](){}<>#|-+>\n\n  \t😀👩\u200d🚀\u0301\u202eשל\ufeff\ud800\udfff\x00\x1b&\\!:/.x1"),
        st.characters(),
    ),
    max_size=300,
)
BLOCKS = st.lists(
    st.sampled_from(
        [
            "# ",
            "> ",
            "> [!more]\n",
            "- ",
            "1. ",
            "- [x] ",
            "  ",
            "    ",
            "```py\n",
            "```\n",
            "~~~",
            "\n",
            "\n\n",
            "|a|b|\n",
        ]
        + [
            "|-|-|\n", "| ", "**", "*", "_", "~~", "`", "[", "](", ")", "![", "<", ">", "https://a.b/", "word ", "😀",
            "---\n",
        ]
        + ["****[[[", " " * 9, "x" * 50, "日本 ", "\\", "$HOME ", "<b>", "\ud83d", "\n> > ", "\n- - "]
    ),
    max_size=120,
).map("".join)  # fmt: skip


@given(st.one_of(MARKUP, HOSTILE, BLOCKS, st.text()))
@SLOW
def test_any_input_keeps_the_rules(markdown: str) -> None:
    pieces = render(markdown)
    check(pieces)
    assert pieces or not any(c.isprintable() and not c.isspace() for c in re.sub(r"[\u2800\ufffc]", "", markdown))


@given(BLOCKS, st.integers(1, 900))
@settings(SLOW, max_examples=25)
def test_long_input_keeps_the_rules(markdown: str, times: int) -> None:
    check(render((markdown * times)[:30_000]))


@pytest.mark.parametrize(
    "unit",
    [
        "****[[[", "[", "*a_", "> ", "- ", "> - ", "`a` ", "**a** ", "😀", "a\u0301", "\ud800", "| a ",
        "```\nx\n```\n", "a.b ",
    ]
    + ["1. a\n", "\u202eא ", "https://a.b/c ", "\n", "![", "*a **b ", "word\n\n", "> [!more]\n> a\n\n"],
)  # fmt: skip
def test_hundred_kilobytes_keep_the_rules(unit: str) -> None:
    check(render(unit * (100_000 // len(unit))))


@given(
    st.lists(
        st.sampled_from(
            [
                "# ",
                "> ",
                "- ",
                "1. ",
                "  ",
                "    ",
                "```",
                "~~~",
                "\n",
                "\n\n",
                "|",
                "\n|-|-|\n",
                "|-",
                "**",
                "*",
                "_",
                "~~",
            ]
            + [
                "`",
                "[",
                "](",
                ")",
                "![",
                '"',
                "<",
                ">",
                "<b",
                "/>",
                "http://",
                ": ",
                "[^",
                "]: ",
                "&",
                ";",
                "&#",
                "\\",
                "$",
            ]
            + ["- [ ] ", "\n---\n", "\n===\n", "\n> [", "    > ", " " * 40]
        ),
        max_size=60,
    ),
    st.sampled_from(["", " ", "\n"]),
)
@SLOW
def test_no_word_is_dropped(marks: list[str], glue: str) -> None:
    """Every word between random marks appears, in order; a fence's language is kept beside the text.

    A wide table becomes a list, in which a header stands before each of its values.
    """
    markdown = glue.join(f"{mark}q{n}q" for n, mark in enumerate(marks))
    pieces = render(markdown)
    check(pieces)
    text = "\n".join(p.text for p in pieces)
    languages = " ".join(e.language or "" for p in pieces for e in p.entities)
    words = [f"q{n}q" for n in range(len(marks))]
    assert all(word in text + languages for word in words)
    assert "|-" in markdown or in_order([word for word in words if word not in languages], text)


@pytest.mark.parametrize("opening", ["> ", "- ", "1. ", "> - ", "  - "])
@pytest.mark.parametrize("depth", [1, 5, 9, 10, 19, 20, 21, 60, 500])
def test_no_word_is_dropped_however_deep(opening: str, depth: int) -> None:
    lines = [opening * n + f"q{n}q" for n in range(1, depth + 1)]
    pieces = render("\n\n".join(lines[-12:]))
    check(pieces)
    assert in_order([f"q{n}q" for n in range(1, depth + 1)][-12:], "\n".join(p.text for p in pieces))


@given(
    st.text(alphabet="abc \n\n😀", min_size=1, max_size=400).map(lambda t: t * 30),
    st.lists(st.tuples(st.integers(0, 12_000), st.integers(1, 6_000)), max_size=300),
)
@settings(SLOW, max_examples=50)
def test_cutting_loses_nothing(text: str, stretches: list[tuple[int, int]]) -> None:
    kinds = [kind for _, kind in zip(stretches, "bcpbb" * 60, strict=False)]
    names = {"b": MessageEntityType.BOLD, "c": MessageEntityType.CODE, "p": MessageEntityType.PRE}
    spans, end = [], 0
    for (gap, length), kind in zip(stretches, kinds, strict=True):
        start = end + gap % 50
        end = min(start + length, len(text))
        if start < end:
            spans.append(Span(start, end, names[kind]))
    pieces = split(text, arrange(text, spans))
    shown = "".join(re.sub(r"\A…\n", "", p.text) for p in pieces)
    assert "".join(shown.split()) == "".join(text.split())
    assert all(len(units(p.text)) // 2 <= LIMIT and len(p.entities) <= 100 for p in pieces)
