"""Dollars per million tokens, and what a request costs."""

import math
from dataclasses import dataclass, replace

from memory.usage import Tokens


@dataclass(frozen=True)
class Price:
    """USD per million tokens."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    """Five-minute writes; one-hour writes cost 1.6 times as much."""
    dearer_beyond: int | None = None
    """Prompt tokens from which the whole request costs five times as much."""


PRICES = {
    "claude-haiku-4-5": Price(1.0, 5.0, 0.10, 1.25),
    "claude-haiku-5-5": Price(0.10, 0.50, 0.01, 0.125, dearer_beyond=100_000),
    "claude-sonnet-5-5": Price(2.0, 10.0, 0.10, 2.50),
    "claude-opus-5-5": Price(4.0, 20.0, 0.20, 5.0),
    "claude-fable-5-2": Price(8.0, 40.0, 0.20, 10.0),
}
HOUR_FACTOR = 1.6
STEP_FACTOR = 5.0


def price_of(model: str) -> Price:
    """The model's row; an unknown one is priced as the dearest, so that a budget never overruns."""
    known = [name for name in PRICES if model.startswith(name)]
    return PRICES[max(known, key=len)] if known else max(PRICES.values(), key=lambda price: price.output)


def cost(model: str, tokens: Tokens, *, hour_write: int = 0) -> float:
    """USD for one request; `hour_write` is the part of `tokens.cache_write` that was kept for an hour."""
    price = price_of(model)
    usd = (
        tokens.input * price.input
        + tokens.output * price.output
        + tokens.cache_read * price.cache_read
        + (tokens.cache_write - hour_write) * price.cache_write
        + hour_write * price.cache_write * HOUR_FACTOR
    ) / 1_000_000
    return usd * STEP_FACTOR if price.dearer_beyond and tokens.prompt > price.dearer_beyond else usd


def output_for(model: str, usd: float, tokens: Tokens, *, hour_write: int = 0) -> int:
    """The tokens of output that `usd` pays for beside this prompt; below zero when not even the prompt is paid."""
    prompt = cost(model, replace(tokens, output=0), hour_write=hour_write)
    each = (cost(model, replace(tokens, output=1_000_000), hour_write=hour_write) - prompt) / 1_000_000
    return math.floor((usd - prompt) / each)
