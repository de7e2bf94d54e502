"""What a terminal shows of a run: plain lines, the same words under the answer as in a chat."""

from typing import Any

from bot.screen.plain import plain_results
from bot.terminal.console import lines
from tools.gate import results, taint

RUN: dict[str, Any] = {
    "run": "abc", "state": "done", "error": None, "answer": "", "footer": "*1 read · nothing was changed*", "calls": [],
    "confirm": False,
}  # fmt: skip
CALL: dict[str, Any] = {
    "title": "Remove lamp", "state": "done", "verified": True, "facts": {}, "after": None, "notes": [], "detail": "",
    "undo": "",
}  # fmt: skip


def test_an_answer_is_shown_without_its_markup_and_with_its_footer() -> None:
    shown = lines({**RUN, "answer": "**paperless** is `down`:\n\n- it *restarts*"})
    assert shown.splitlines()[0] == "paperless is down:" and "• it restarts" in shown and "**" not in shown
    assert shown.splitlines()[-2:] == ["1 read · nothing was changed", "run abc · done"]


def test_what_looks_like_markup_but_is_none_stays() -> None:
    assert "<name> $HOME/a_b_c" in lines({**RUN, "answer": "`<name>` $HOME/a_b_c"})


def test_facts_that_are_not_known_are_left_out() -> None:
    facts = {"state": "gone", "since": None, "health": "none", "named_volumes": [], "tags": ["a", "b"], "size_mb": 2.5}
    shown = lines({**RUN, "calls": [{**CALL, "after": facts}]})
    assert "Remove lamp: done ✓\n  state gone, tags a b, size mb 2.5\n" in shown


def test_a_waiting_change_says_how_it_can_be_taken_back_before_it_is_approved() -> None:
    call = {**CALL, "state": "waiting", "verified": None, "facts": {"state": "on"}, "notes": ["Running."]}
    for undo, words in (("start it again", "  undo: start it again"), ("", "  no undo")):
        shown = lines({**RUN, "state": "waiting", "calls": [{**call, "undo": undo}]})
        assert f"  Running.\n{words}\n" in shown
    assert "no undo" not in lines({**RUN, "state": "waiting", "calls": [{**call, "notes": ["No undo: gone."]}]})


def test_a_refusal_is_told_in_words_wherever_its_facts_come_from() -> None:
    said = '{"outcome": "refused", "title": "Relabel lamp", "facts": {}, "detail": "Not yours."}'
    for content in (said, taint.wrap(said), "Relabel lamp: Not yours.", taint.wrap("Relabel lamp: Not yours.")):
        told = plain_results([{"role": "user", "content": [results.block("use", content, error=True)]}])
        assert told == "Relabel lamp: Not yours."
