"""How values are written."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.screen.view import Format, bold, past, seconds, short_id

FORM = Format(ZoneInfo("Europe/London"))
NOON = datetime(2026, 7, 15, 11, 0, tzinfo=UTC).timestamp()
"""A Wednesday, 12:00 in London."""


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (NOON - 3600, "11:00"),
        (NOON - 13 * 3600, "Tue 23:00"),
        (NOON - 5 * 86_400, "Fri 12:00"),
        (NOON - 7 * 86_400, "8 Jul 12:00"),
        (NOON - 200 * 86_400, "27 Dec 11:00"),
        (datetime.fromtimestamp(NOON, UTC), "12:00"),
    ],
)
def test_moments_are_as_short_as_they_can_be(at: Any, text: str) -> None:
    assert FORM.moment(at, now=NOON) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"),
        (True, "yes"),
        (False, "no"),
        (["a", 1, None], "a, 1, n/a"),
        ([], "none"),
        (2.0, "2"),
        (2.345, "2.3"),
        (0, "0"),
        ("2026-07-15T11:00:00Z", "2026-07-15T11:00:00Z"),
        (["2024-99-99T10:00Z"], "2024-99-99T10:00Z"),
        ("two\nlines\u2028three", "two\\nlines\\u2028three"),
        ("<b>", "<b>"),
        ([{"count": None, "name": "old:1", "size_mb": 3.5}, {"count": 2, "name": "more"}], "old:1 3.5 MB, 2 more"),
    ],
)
def test_values(value: Any, text: str) -> None:
    assert FORM.value(value) == text


def test_times_in_facts_are_local() -> None:
    assert FORM.value("2020-07-15T11:00:00Z", moment=True) == "15 Jul 12:00"
    assert FORM.value("2020-07-15T11:00:00.5+00:00", moment=True) == "15 Jul 12:00"
    facts = {"since": "2020-07-15T11:00:00Z", "volume": "2020-07-15T11:00:00Z"}
    assert FORM.facts({"shown": facts, "moments": ["since"]}) == "since 15 Jul 12:00 · volume 2020-07-15T11:00:00Z"


def test_a_row_from_before_moments_were_noted_is_drawn_as_it_is() -> None:
    assert FORM.facts({"shown": {"since": "2020-07-15T11:00:00Z"}}) == "since 2020-07-15T11:00:00Z"


def test_what_cannot_be_a_moment_here_is_drawn_as_it_is() -> None:
    """The first hour of the first year is in the year 0 west of Greenwich."""
    west = Format(ZoneInfo("America/New_York"))
    for text in ("0001-01-01T00:00:00Z", "2024-99-99T10:00Z"):
        assert west.value(text, moment=True) == text


def test_two_moments_of_one_minute_are_told_apart_by_their_seconds() -> None:
    first, second = "2020-07-15T11:00:01Z", "2020-07-15T11:00:02Z"
    assert FORM.change("since", first, second, moment=True) == "since: 12:00:01 → 12:00:02"
    assert FORM.change("name", first, second) == f"name: {first} → {second}"


def test_facts_leave_out_what_is_not_known_or_was_said() -> None:
    facts = {"state": "running", "restart_count": 3, "since": None, "image": "jellyfin:10.9", "networks": []}
    assert FORM.facts({"shown": facts}) == "running · restart count 3 · image jellyfin:10.9"
    assert FORM.facts({"shown": facts}, said="nas · jellyfin:10.9") == "running · restart count 3"


def test_a_fact_inside_another_word_has_not_been_said() -> None:
    assert FORM.facts({"shown": {"state": "on"}}, said="Stop the container on-call") == "on"


def test_a_change_names_both_sides() -> None:
    assert FORM.change("exit_code", None, 1) == "exit code 1"


@pytest.mark.parametrize(
    ("duration", "text"),
    [(-1, "0.0 s"), (2.14, "2.1 s"), (59.6, "60 s"), (180, "3 min"), (9 * 3600, "9 h"), (41 * 86_400, "41 d")],
)
def test_durations(duration: float, text: str) -> None:
    assert seconds(duration) == text


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Restart jellyfin", "Restarted jellyfin"), ("Stop jellyfin", "Stopped jellyfin"),
        ("Remove jellyfin", "Removed jellyfin"), ("Pull jellyfin:10 on nas", "Pulled jellyfin:10 on nas"),
        ("Deny x", "Denied x"), ("Shut vm 104 down", "Shut vm 104 down"), ("Run it", "Ran it"), ("Prune", "Pruned"),
    ],
)  # fmt: skip
def test_titles_in_the_past(title: str, text: str) -> None:
    assert past(title) == text


def test_small_things() -> None:
    assert short_id("nas/3f2a9c1b7d2011ff") == "3f2a9c1b7d20" and short_id("abc") == "abc"
    assert bold(" ") == "" and bold("a*b") != "**a*b**"


def test_figures_carry_their_unit_behind_them() -> None:
    facts = {"build_cache_mb": 490.5, "memory_gb": 2, "cpu_percent": 7.25}
    assert FORM.facts({"shown": facts}) == "build cache 490.5 MB · memory 2 GB · cpu 7.2 %"
    assert FORM.change("frees_mb", 1700.7, None) == "frees: 1.7 GB → n/a"
    assert FORM.change("freed_mb", None, 1649.0) == "freed 1.6 GB" and FORM.change("freed_mb", None, 1) == "freed 1 MB"


def test_a_list_of_several_stands_on_a_line_of_its_own() -> None:
    facts = {"state": "on", "images": ["a", "b"], "networks": ["c"], "frees_mb": 3}
    assert FORM.facts({"shown": facts}) == "on\nimages a, b\nnetworks c · frees 3 MB"


def test_numbers_that_only_tell_states_apart_are_not_told() -> None:
    assert FORM.facts({"shown": {"number": 3, "text": "The fan squeaks.", "version": 2}}) == "text The fan squeaks."
