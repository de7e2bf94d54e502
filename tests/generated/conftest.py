"""Places for the generated tests, with the waits taken out."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.generated.drift import Drift
from tests.place import Place, without_waits


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    without_waits(monkeypatch)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """The demo's homelab with our real core over it."""
    async with Place(tmp_path / "place") as made:
        yield made


@pytest.fixture
def drift(monkeypatch: pytest.MonkeyPatch) -> Drift:
    """Moves facts behind the gate's back."""
    return Drift(monkeypatch)
