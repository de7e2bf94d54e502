"""A house with a tape drive, whose changes go on by themselves or are made safe before."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import Clock
from tests.house import House
from tests.rack import fake_services
from tests.tape import Tape, drive


@pytest.fixture
def tape() -> Tape:
    return Tape()


@pytest.fixture
async def home(tmp_path: Path, clock: Clock, tape: Tape, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A house with a tape drive, and a chat that is told every line."""
    monkeypatch.setattr("tests.house.fake_services", lambda: [*fake_services(), drive])
    monkeypatch.setattr("tools.gate.following.PAUSES", (0.005,))
    monkeypatch.setattr("tools.gate.following.REDRAWN_AFTER", (0.0,))
    monkeypatch.setattr("tools.gate.outcomes.SETTLE_SECONDS", 0.05)
    house = House(tmp_path / "home", clock)
    house.rack.tape = tape  # type: ignore[attr-defined]
    await house.open()
    yield house
    await house.check()
    await house.close()
