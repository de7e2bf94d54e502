"""Places for the generated tests, with the waits taken out."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.generated.drift import Drift
from tests.place import Place
from tools.gate.execution import Execution

LONGEST_LOOK = 0.15
"""Seconds that a verification may wait in these tests for what will never come."""


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process counts as steady at once, and nobody waits long for an expectation."""
    look = Execution._look

    async def hasty(self, row, change, within):  # type: ignore[no-untyped-def]
        return await look(self, row, change, min(within, LONGEST_LOOK))

    monkeypatch.setattr(Execution, "_look", hasty)
    monkeypatch.setattr("tools.docker.facts.STEADY_SECONDS", 0.0)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """The demo's homelab with our real core over it."""
    async with Place(tmp_path / "place") as made:
        yield made


@pytest.fixture
def drift(monkeypatch: pytest.MonkeyPatch) -> Drift:
    """Moves facts behind the gate's back."""
    return Drift(monkeypatch)
