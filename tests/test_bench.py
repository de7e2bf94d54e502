"""The measurements measure: a ratio comes out, and what the double needs is nobody's."""

import sys
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import turn
from tests.bench.peers import NotHere, Peer
from tests.bench.rounds import QUICK
from tests.bench.table import HEAD, Row, against

SLOW = 0.3


async def test_what_the_double_needs_is_subtracted(tmp_path: Path) -> None:
    async with turn.double(10, "--slow", str(SLOW)) as url:
        found = await turn.client("ours", Path(sys.executable), url, turn.lay_out(tmp_path / "ours", 10), 1, 2)
    assert found["turn"] < SLOW <= found["double"] and found["stored"] > 6 * 6000


def test_a_quick_run_of_one_part_prints_its_ratios(monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(sys, "argv", ["bench", "recall", "--quick"])
    bench.main()
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert HEAD.ratio in head and rows and all(row.rstrip(" |").endswith("×") for row in rows)


async def test_a_peer_that_cannot_be_had_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def python(peer: Peer) -> Path:
        raise NotHere("no network")

    monkeypatch.setattr(Peer, "python", python)
    monkeypatch.setattr(turn, "SIZES", ())
    rows = [row async for row in turn.measure(tmp_path, QUICK)]
    assert {(row.ours, row.theirs) for row in rows} == {("skipped", "no network")}


def test_rounds_alternate_and_are_paired() -> None:
    assert [QUICK.in_turn(number, "ab") for number in (0, 1)] == [["a", "b"], ["b", "a"]]
    row = against("x", [0.2, 0.9, 0.3], "y", [0.1, 0.1, 0.1])
    assert (row.ours, row.ratio) == ("300 ms (200–900)", "3.00× (2.00–9.00)")


def test_a_page_keeps_what_is_around_its_table(tmp_path: Path) -> None:
    page = tmp_path / "figures.md"
    page.write_text("before\n<!-- measured -->\nold\n<!-- end -->\nafter\n")
    for what in ("first", "second"):
        bench.write(page, [Row(what, "1 ms")])
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\n<!-- end -->\nafter\n") and "first" not in text
    assert "| second | 1 ms |" in text and f"{bench.machine()}\n" in text
