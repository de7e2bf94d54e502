"""Prices, against an independent table."""

import pytest
from genai_prices import Usage, calc_price

from bot.agent.prices import PRICES, cost, price_of
from memory.usage import Tokens

SMALL = Tokens(1200, 3400, 560, 780)
LARGE = Tokens(90_000, 30_000, 5_000, 2_000)


@pytest.mark.parametrize("tokens", [SMALL, LARGE, Tokens(100_000, 0, 0, 1), Tokens(100_001, 0, 0, 1)])
@pytest.mark.parametrize("model", sorted(PRICES))
def test_the_price_is_what_others_say_it_is(model: str, tokens: Tokens) -> None:
    usage = Usage(
        input_tokens=tokens.input + tokens.cache_read + tokens.cache_write,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
        output_tokens=tokens.output,
    )
    theirs = float(calc_price(usage, model_ref=model, provider_id="anthropic").total_price)
    assert cost(model, tokens) == pytest.approx(theirs, rel=1e-6)


def test_what_is_kept_for_an_hour_costs_more() -> None:
    tokens = Tokens(0, 0, 1_000_000, 0)
    assert cost("claude-sonnet-5-5", tokens, hour_write=1_000_000) == pytest.approx(4.0)
    assert cost("claude-sonnet-5-5", tokens, hour_write=400_000) == pytest.approx(0.6 * 2.5 + 0.4 * 4.0)


def test_a_dated_name_is_the_model_it_names() -> None:
    assert price_of("claude-haiku-5-5-20260801") is PRICES["claude-haiku-5-5"]


@pytest.mark.parametrize("model", ["claude-something-new", "", "gpt"])
def test_an_unknown_model_is_priced_as_the_dearest(model: str) -> None:
    assert price_of(model).output == max(price.output for price in PRICES.values())
