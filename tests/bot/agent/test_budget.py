"""Budgets: a request that would pass a limit is not made."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from bot.agent.budget import EXPECTED_OUTPUT, Budget
from bot.agent.model import OutOfBudget
from bot.agent.prices import cost
from memory.stores import Stores
from memory.usage import Tokens
from tests.fakes import Clock

MODEL = "claude-sonnet-5-5"
ESTIMATE = cost(MODEL, Tokens(1000, 0, 0, EXPECTED_OUTPUT))
"""What 3000 characters are expected to cost."""
ZERO = Tokens(0, 0, 0, 0)


def budget(stores: Stores, **limits: float) -> Budget:
    return Budget(stores.usage, **{"task": 9.0, "daily": 9.0, **limits}, zone=ZoneInfo("Pacific/Auckland"))


@pytest.fixture
async def midnight(stores: Stores, clock: Clock) -> float:
    """When the owner's day began; the clock stands an hour later."""
    began = budget(stores).midnight()
    clock.now = began + 3600
    return began


def test_the_day_begins_at_the_owners_midnight(stores: Stores) -> None:
    local = datetime.fromtimestamp(budget(stores).midnight(), ZoneInfo("Pacific/Auckland"))
    assert (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)


@pytest.mark.parametrize(("limit", "fits"), [(ESTIMATE * 1.01, True), (ESTIMATE * 0.99, False), (0.0, False)])
async def test_a_task_may_not_pass_its_limit(stores: Stores, midnight: float, limit: float, fits: bool) -> None:
    check = budget(stores, task=limit).check("r1", MODEL, 3000)
    if fits:
        await check
    else:
        with pytest.raises(OutOfBudget, match="BUDGET_TASK_USD"):
            await check


async def test_what_was_spent_counts_for_its_run_alone(stores: Stores, midnight: float) -> None:
    await stores.usage.record("r1", MODEL, ZERO, 0.5)
    tight = budget(stores, task=0.5)
    with pytest.raises(OutOfBudget, match=r"has cost \$0.500"):
        await tight.check("r1", MODEL, 3000)
    await tight.check("r2", MODEL, 3000)


async def test_a_day_may_not_pass_its_limit(stores: Stores, midnight: float, clock: Clock) -> None:
    await stores.usage.record("r1", MODEL, ZERO, 0.5)
    with pytest.raises(OutOfBudget, match="BUDGET_DAILY_USD"):
        await budget(stores, daily=0.5).check("r2", MODEL, 3000)


async def test_yesterday_is_forgotten(stores: Stores, midnight: float, clock: Clock) -> None:
    clock.now = midnight - 1
    await stores.usage.record("r1", MODEL, ZERO, 0.5)
    await budget(stores, daily=0.5).check("r2", MODEL, 3000)


async def test_what_is_cached_is_expected_to_cost_less(stores: Stores, midnight: float) -> None:
    tight = budget(stores, task=ESTIMATE * 0.99)
    with pytest.raises(OutOfBudget):
        await tight.check("r1", MODEL, 3000)
    await tight.check("r1", MODEL, 3000, cached=1000)
