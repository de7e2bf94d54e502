"""Random episodes, a few of them here; `python -m tests.evil` plays thousands."""

import ast
from pathlib import Path

from tests.evil import machine

OURS = {"bot", "tools", "memory", "scheduler", "main"}
JUDGES = ("checker.py", "ledger.py", "screen.py", "witness.py", "senses.py", "reading.py")


def test_no_episode_violates_an_invariant() -> None:
    totals = machine.run_episodes(30, steps=8)
    assert totals.violations == 0
    assert totals.mutating > 0
    assert totals.ways["approved"] > 0


def test_the_judges_import_nothing_of_what_they_judge() -> None:
    for name in JUDGES:
        tree = ast.parse(Path(__file__).with_name(name).read_text())
        names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert not {found.partition(".")[0] for found in names} & OURS
