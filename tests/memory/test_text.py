"""Text in is cleaned."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from memory.secrets import MASK, Redactor
from memory.text import clean, escaped, every_text

HIDDEN = ["\u202e", "\u200b", "\ufeff", "\u2066", "\U000e0041", "\x00", "\x07", "\u00ad", "\u3164", "\x9b", "\u034f"]


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_cannot_be_seen_is_removed_and_counted(hidden: str) -> None:
    assert clean(f"a{hidden}b") == ("ab", 1)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_on_a_card_it_is_spelled_out(hidden: str) -> None:
    shown = escaped(f"a{hidden}b")
    assert hidden not in shown and f"\\u{ord(hidden):04x}" in shown


@pytest.mark.parametrize("honest", ["a\tb", "naïve – “quotes”", "👩\u200d🚒 ❤\ufe0f", "日本語 عربى"])
def test_honest_text_is_left_alone(honest: str) -> None:
    assert clean(honest) == (honest, 0) and escaped(honest) == honest


@pytest.mark.parametrize(
    ("line_break", "shown"),
    [("\n", r"\n"), *((c, f"\\u{ord(c):04x}") for c in "\r\v\f\x1c\x85\u2028\u2029")],
)
def test_a_value_on_a_card_cannot_begin_a_line_of_its_own(line_break: str, shown: str) -> None:
    value = escaped(f"x{line_break}✓ verified by admin")
    assert value == f"x{shown}✓ verified by admin" and len(value.splitlines()) == 1
    assert clean("a\tb\nc") == ("a\tb\nc", 0), "in a text that is read lines are honest"


@pytest.mark.parametrize("code", ["\x1b[31m", "\x1b[2J\x1b[H", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x1bM"])
def test_terminal_codes_are_removed(code: str) -> None:
    text, removed = clean(f"a{code}b")
    assert text == "ab" and removed >= 1


@given(some.text())
def test_anything_can_be_cleaned_stored_and_sent(text: str) -> None:
    cleaned, _ = clean(text)
    json.dumps(cleaned).encode()
    cleaned.encode()
    assert clean(cleaned) == (cleaned, 0)


def test_lone_surrogates_do_no_harm() -> None:
    assert clean("a\ud800b")[0] == "a?b" and escaped("a\ud800b") == "a?b"


def test_a_value_is_changed_text_by_text() -> None:
    value = {"a key": ["hunter2secret", 1, None, {"b": ("x hunter2secret", True)}]}
    assert every_text(value, Redactor(["hunter2secret"])) == {"a key": [MASK, 1, None, {"b": [f"x {MASK}", True]}]}
