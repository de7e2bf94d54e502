"""A home of its own for each test: a lab and the bot in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.harness import Home, open_home


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    """The demo's homelab with a running bot."""
    async with open_home(tmp_path) as made:
        yield made
