"""A house of its own for each test: a lab and the bot in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.harness import House, house


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    """The demo's homelab with a running bot."""
    async with house(tmp_path) as made:
        yield made
