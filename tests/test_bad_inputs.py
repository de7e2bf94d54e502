"""The bad-input matrix B01 to B90: each row is exercised, or waits for the part that brings its service."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.bad_inputs import config, engine, hostile, model, storage, telegram, text, when, wire
from tests.bad_inputs.rows import LATER, ROWS, Bench, Row

MODULES = (config, engine, hostile, model, storage, telegram, text, when, wire)
MATRIX = [f"B{number:02}" for number in range(1, 91)]


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: list[str]) -> AsyncIterator[Bench]:
    """Something to put bad input into."""
    monkeypatch.setattr("tools.docker.facts.STEADY_SECONDS", 0.0)
    async with AsyncExitStack() as stack:
        yield Bench(tmp_path, monkeypatch, log, stack)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.id} {row.given}")
async def test_bad_input(row: Row, bench: Bench) -> None:
    await row.check(bench)
    assert not [line for line in bench.log if " broke" in line], "a surprise was survived, not foreseen"


@pytest.mark.parametrize("ident", MATRIX)
def test_every_row_is_exercised_or_waits_for_a_reason(ident: str) -> None:
    exercised = any(row.id == ident for row in ROWS)
    assert exercised != (ident in LATER), "a row is exercised, or it says which part brings what it needs"
    assert exercised or LATER[ident].startswith("part ")


def test_the_matrix_has_no_other_rows() -> None:
    assert {row.id for row in ROWS} | set(LATER) == set(MATRIX)
    assert MODULES and all(row.given and row.expected for row in ROWS)
