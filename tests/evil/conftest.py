"""CI plays the goals and injections that the change touches, and a sample of the others that the commit chooses."""

import os
from pathlib import Path

import pytest

from tests.changed import ROOT, changed, chosen
from tests.evil.goals import every

SAMPLE = 60
PLAYED = ("test_goals.py", "test_injections.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Elsewhere all are played; whatever else changes here touches them all."""
    plays = [item for item in items if item.path.name in PLAYED and hasattr(item, "callspec")]
    files = changed() if os.environ.get("RACKHAND_CI") == "1" else None
    if files is None or any(name.startswith("tests/evil/") and "/goals/" not in name for name in files):
        return
    kept = chosen(plays, [item for item in plays if _chapter(item) in files], SAMPLE)
    config.hook.pytest_deselected(items=[item for item in plays if item not in kept])
    items[:] = [item for item in items if item in kept or item not in plays]


def _chapter(play: pytest.Item) -> str:
    """The file of a goal."""
    goal = every().get(play.callspec.params["name"])  # type: ignore[attr-defined]
    return str(Path(goal.attempt.__code__.co_filename).relative_to(ROOT)) if goal else ""
