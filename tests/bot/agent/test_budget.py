"""Budgets: what a request can cost at most is set aside first, and no limit is passed."""

import asyncio
import json
from collections.abc import Awaitable
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.agent.budget import CHARACTERS_PER_TOKEN, LEAST_OUTPUT, Budget
from bot.agent.model import OutOfBudget
from bot.agent.prices import PRICES, cost
from memory.models import Message
from memory.stores import Stores
from memory.usage import Tokens
from tests.fakes import Clock
from tests.memory.rows import spend

MODEL = "claude-sonnet-5-5"
PREFIX = 3000
SAID: list[Message] = [{"role": "user", "content": [{"type": "text", "text": "Why is jellyfin down?"}]}]
KEPT = PREFIX // CHARACTERS_PER_TOKEN
SIZE = KEPT + len(json.dumps(SAID))
MOST = 8000
ZERO = Tokens(0, 0, 0, 0)


def worst(output: int, model: str = MODEL, size: int = SIZE) -> float:
    """What a request of that size can cost."""
    return cost(model, Tokens(0, 0, size, output), hour_write=KEPT)


def budget(stores: Stores, **limits: float) -> Budget:
    return Budget(stores.usage, **{"task": 9.0, "daily": 9.0, **limits}, zone=ZoneInfo("Pacific/Auckland"))


async def granted(budget: Budget, run: str = "r1", messages: list[Message] = SAID, **options: Any) -> int:
    """The length of reply that a request may have; the request is not made."""
    async with budget.reserve(run, MODEL, PREFIX, messages, **{"most": MOST, **options}) as held:
        return held.max_tokens


@pytest.fixture
async def midnight(stores: Stores, clock: Clock) -> float:
    """When the owner's day began; the clock stands an hour later."""
    began = budget(stores).midnight()
    clock.now = began + 3600
    return began


def test_the_day_begins_at_the_owners_midnight(stores: Stores) -> None:
    local = datetime.fromtimestamp(budget(stores).midnight(), ZoneInfo("Pacific/Auckland"))
    assert (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)


@pytest.mark.parametrize("limit", ["task", "daily"])
async def test_a_reply_is_as_long_as_the_rest_pays_for(stores: Stores, midnight: float, limit: str) -> None:
    for output in (MOST, 5000, LEAST_OUTPUT):
        assert await granted(budget(stores, **{limit: worst(output) + 1e-9})) == output
    assert await granted(budget(stores, **{limit: worst(3 * MOST)})) == MOST
    for short in (worst(LEAST_OUTPUT) - 1e-9, worst(0) / 2, 0.0):
        with pytest.raises(OutOfBudget, match=f"BUDGET_{limit.upper()}_USD"):
            await granted(budget(stores, **{limit: short}))


@pytest.mark.parametrize("model", [*PRICES, "claude-unheard-of"])
async def test_no_reply_of_any_model_can_cost_more_than_is_set_aside(stores: Stores, model: str) -> None:
    tight = budget(stores, task=worst(3000, model))
    async with tight.reserve("r1", model, PREFIX, SAID, most=MOST) as held:
        spent = await stores.usage.of_run("r1")
        for tokens, hour in ((Tokens(0, 0, SIZE, held.max_tokens), KEPT), (Tokens(SIZE, 0, 0, held.max_tokens), 0)):
            assert cost(model, tokens, hour_write=hour) <= spent.usd <= tight.task


async def test_beyond_the_step_a_request_costs_five_times_as_much(stores: Stores, midnight: float) -> None:
    long: list[Message] = [{"role": "user", "content": [{"type": "text", "text": "x" * 120_000}]}]
    size = KEPT + len(json.dumps(long))
    price = worst(4000, "claude-haiku-5-5", size)
    assert price > size * 0.5 / 1_000_000
    async with budget(stores, task=price + 1e-9).reserve("r1", "claude-haiku-5-5", PREFIX, long, most=MOST) as held:
        assert held.max_tokens == 4000


async def test_what_was_spent_counts_for_its_run_alone(stores: Stores, midnight: float) -> None:
    await spend(stores, "r1", "another model", ZERO, 0.5)
    tight = budget(stores, task=0.5)
    with pytest.raises(OutOfBudget, match=r"has cost up to \$0.500"):
        await granted(tight)
    assert await granted(tight, "r2") == MOST


async def test_a_day_may_not_pass_its_limit(stores: Stores, midnight: float) -> None:
    await spend(stores, "r1", MODEL, ZERO, 0.5)
    with pytest.raises(OutOfBudget, match="BUDGET_DAILY_USD"):
        await granted(budget(stores, daily=0.5), "r2")


async def test_yesterday_is_forgotten(stores: Stores, midnight: float, clock: Clock) -> None:
    clock.now = midnight - 1
    await spend(stores, "r1", MODEL, ZERO, 0.5)
    clock.now = midnight + 3600
    assert await granted(budget(stores, daily=0.5), "r2") == MOST


@pytest.mark.parametrize("runs", [["r1", "r1"], ["r1", "r2"]])
async def test_two_at_once_do_not_spend_the_same_rest(stores: Stores, midnight: float, runs: list[str]) -> None:
    shared = budget(stores, daily=worst(MOST) * 1.5)
    inside = asyncio.Barrier(2)

    async def use_it_up(run: str) -> float:
        async with shared.reserve(run, MODEL, PREFIX, SAID, most=MOST) as held:
            async with asyncio.timeout(5):
                await inside.wait()  # neither has an answer yet
            tokens = Tokens(0, 0, SIZE, held.max_tokens)
            held.settle(tokens, hour_write=KEPT)
            return cost(MODEL, tokens, hour_write=KEPT)

    both: list[Awaitable[float]] = [use_it_up(run) for run in runs]
    assert sum(await asyncio.gather(*both)) <= shared.daily
    assert (await stores.usage.since(midnight)).usd <= shared.daily


async def test_of_many_at_once_the_last_are_told(stores: Stores, midnight: float) -> None:
    shared = budget(stores, daily=worst(MOST) * 3)
    everyone = asyncio.Event()

    async def ask(run: str) -> int:
        async with shared.reserve(run, MODEL, PREFIX, SAID, most=MOST) as held:
            await everyone.wait()
            return held.max_tokens

    asked = [asyncio.create_task(ask(f"r{number}")) for number in range(8)]
    for refused in islice(asyncio.as_completed(asked), 5):
        with pytest.raises(OutOfBudget):
            await refused
    assert (await stores.usage.since(midnight)).usd <= shared.daily
    everyone.set()
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(each, OutOfBudget) for each in told) == 5 and told.count(MOST) == 3


async def test_what_was_not_used_is_free_again(stores: Stores, midnight: float) -> None:
    tight = budget(stores, task=worst(MOST) + 1e-9)
    assert [await granted(tight) for _ in range(3)] == [MOST] * 3
    with pytest.raises(ValueError, match="broke"):
        async with tight.reserve("r1", MODEL, PREFIX, SAID, most=MOST):
            raise ValueError("the connection broke")
    assert (await stores.usage.of_run("r1")).requests == 0
    async with tight.reserve("r1", MODEL, PREFIX, SAID, most=MOST) as held:
        held.settle(Tokens(100, 0, 0, 50), hour_write=0)
    spent = await stores.usage.of_run("r1")
    assert (spent.requests, spent.tokens_in, spent.tokens_out) == (1, 100, 50)
    assert spent.usd == pytest.approx(cost(MODEL, Tokens(100, 0, 0, 50)))


async def test_a_crash_leaves_the_most_it_can_have_cost(stores: Stores, midnight: float) -> None:
    tight = budget(stores, task=worst(MOST) + 1e-9)
    async with tight.reserve("r1", MODEL, PREFIX, SAID, most=MOST):  # nothing more is heard of this one
        assert (await stores.usage.of_run("r1")).usd == pytest.approx(worst(MOST))
        with pytest.raises(OutOfBudget):
            await granted(budget(stores, task=tight.task))


async def test_what_was_measured_is_not_guessed_again(stores: Stores, midnight: float) -> None:
    await spend(stores, "r1", MODEL, Tokens(200, 500, 300, 70), 0.0)
    results: Message = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "y" * 9000}]}
    messages = [*SAID, {"role": "assistant", "content": [{"type": "text", "text": "z" * 50_000}]}, results]
    size = 200 + 500 + 300 + 70 + len(json.dumps([results]))
    assert await granted(budget(stores, task=worst(2000, size=size) + 1e-9), messages=messages) == 2000
    await spend(stores, "r1", "claude-haiku-4-5", Tokens(1, 0, 0, 1), 0.0)
    with pytest.raises(OutOfBudget):  # another model's tokens say nothing about this one's
        await granted(budget(stores, task=worst(2000, size=size) + 1e-9), messages=messages)


async def test_a_letter_of_any_script_counts_its_bytes(stores: Stores, midnight: float) -> None:
    for text in ("漢字" * 900, "🚀" * 900, "é" * 900, '"\\\n' * 900):
        said: list[Message] = [{"role": "user", "content": [{"type": "text", "text": text}]}]
        async with budget(stores).reserve("r1", MODEL, PREFIX, said, most=MOST):
            row = await stores.database.one("SELECT cache_write FROM usage")
            assert row is not None and row["cache_write"] >= KEPT + len(text.encode())
