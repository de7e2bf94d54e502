"""A conversation for each test of the stand-in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.lab.chat import Chat
from tests.place import without_waits


@pytest.fixture
async def chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Chat]:
    """The stand-in in the homelab of the first seed, where paperless cannot log in to its database."""
    without_waits(monkeypatch)
    async with Chat(tmp_path) as made:
        yield made
