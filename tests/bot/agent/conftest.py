"""A bench for each test."""

from collections.abc import AsyncIterator

import pytest

from memory.stores import Stores
from tests.bot.agent.bench import Bench, a_bench


@pytest.fixture
async def bench(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """A Claude client that nobody keeps waiting."""
    monkeypatch.setattr("bot.agent.claude._wait", lambda state: 0.0)
    async with a_bench(stores) as made:
        yield made
