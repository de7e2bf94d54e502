"""The bad-input matrix B01 to B90: each row is exercised, here or elsewhere, or waits for the part that brings it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.bad_inputs import config, engine, hostile, storage, telegram, text, when, wire
from tests.bad_inputs.rows import ELSEWHERE, LATER, ROWS, Bench, Row

MODULES = (config, engine, hostile, storage, telegram, text, when, wire)
ROOT = Path(__file__).parents[1]
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


def test_every_row_is_exercised_once_here_or_elsewhere_or_waits_for_a_reason() -> None:
    assert sorted([*{row.id for row in ROWS}, *ELSEWHERE, *LATER]) == MATRIX
    assert all(why.startswith("part ") for why in LATER.values())
    assert MODULES and all(row.given and row.expected for row in ROWS)


@pytest.mark.parametrize(("ident", "test"), ELSEWHERE.items())
def test_what_is_exercised_elsewhere_is_there(ident: str, test: str) -> None:
    file, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / file).read_text()
