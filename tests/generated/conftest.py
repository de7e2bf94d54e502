"""Places for the generated tests, with the waits taken out."""

import pytest

from tests.generated.drift import Drift
from tests.place import without_waits


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    without_waits(monkeypatch)


@pytest.fixture
def drift(monkeypatch: pytest.MonkeyPatch) -> Drift:
    """Moves facts behind the gate's back."""
    return Drift(monkeypatch)
