"""What the model has cost."""

import pytest

from memory.stores import Stores
from memory.usage import Spent, Tokens
from tests.fakes import Clock
from tests.memory.rows import spend


async def test_requests_add_up_by_run_and_by_time(stores: Stores, clock: Clock) -> None:
    began = clock.now
    assert await stores.usage.since(0) == Spent(0, 0, 0, 0, 0.0)
    for run, usd in (("r1", 0.25), ("r1", 0.5), ("r2", 1.0)):
        clock.move(10)
        await spend(stores, run, "m", Tokens(100, 20, 3, 7), usd)
    of_run = await stores.usage.of_run("r1")
    assert (of_run.requests, of_run.tokens_in, of_run.tokens_cached, of_run.tokens_out) == (2, 206, 40, 14)
    assert of_run.usd == pytest.approx(0.75)
    assert (await stores.usage.since(began + 15)).usd == pytest.approx(1.5)
    assert (await stores.usage.of_run("none")).requests == 0
