"""The look at query plans sees what it is there for."""

import pytest

from tests.plans import scans


@pytest.mark.parametrize(
    ("sql", "step", "seen"),
    [
        ("SELECT * FROM runs WHERE objective = ?", "SCAN runs", True),
        ("SELECT key FROM outbox WHERE key LIKE ?", "SCAN outbox USING COVERING INDEX sqlite_autoindex_outbox_1", True),
        ("SELECT * FROM outbox WHERE state = 'new'", "SCAN outbox USING INDEX outbox_open", False),
        ("SELECT * FROM calls WHERE run = ?", "SEARCH calls USING INDEX calls_run (run=?)", False),
        ("SELECT * FROM schedules", "SCAN schedules", False),
        ("SELECT * FROM audit ORDER BY seq DESC LIMIT ?", "SCAN audit", False),
    ],
)
def test_what_reads_a_growing_table_from_end_to_end_is_seen(sql: str, step: str, seen: bool) -> None:
    assert bool([*scans(sql, [step])]) is seen


def test_a_limit_does_not_help_where_everything_is_sorted_first() -> None:
    plan = ["SCAN runs", "USE TEMP B-TREE FOR ORDER BY"]
    assert [*scans("SELECT * FROM runs ORDER BY objective LIMIT 1", plan)] == ["SCAN runs"]
