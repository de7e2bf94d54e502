"""The line under an answer: what the journal holds, and that nothing was changed where an answer says otherwise."""

import pytest

from bot.screen.footer import footer
from tests.fakes import use
from tests.house import House

OFF = use("rack_switch_off", item="lamp")

ANSWERS = (
    "I paused Pi-hole for 5 minutes.",
    "✓ Restarted jellyfin · 2.1 s",
    "Ich habe jellyfin neu gestartet.",
    "J'ai redémarré jellyfin.",
    "A container is restarted by its policy.",
    "",
)


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_that_called_nothing_says_so_whatever_it_claims(house: House, answer: str) -> None:
    """In any language, and without judging what is a claim."""
    assert await footer(house.stores, await house.say("Well?", answer)) == "*no reads · nothing was changed*"


async def test_where_calls_were_made_and_nothing_ran_it_always_says_so(build: object) -> None:
    house: House = await build(autonomy="observe")  # type: ignore[operator]
    run = await house.say("off please", [OFF], "Fine weather today.")
    assert await footer(house.stores, run) == "*1 refused · nothing was changed*"
    relabel = use("rack_relabel", item="lamp", text="new")  # what it rests on is from outside, and so is its result
    run = await house.say("relabel, please", [relabel], "Fine weather today.")
    assert await footer(house.stores, run) == "*1 refused · nothing was changed*"


async def test_calls_that_came_to_nothing_are_no_reads(house: House) -> None:
    look, absent = use("rack_get_item", item="lamp"), use("rack_switch_off", item="zzz")
    run = await house.say("?", [look, use("rack_nope", item="lamp"), absent], "Switched off the lamp.")
    assert await footer(house.stores, run) == "*1 read · 2 calls failed · nothing was changed*"


async def test_a_change_that_was_never_sent_has_changed_nothing(house: House) -> None:
    run = await house.ask(OFF)
    house.rack.fault = "not sent"
    await house.tap()
    assert await footer(house.stores, run) == "*1 change failed · nothing was changed*"


@pytest.mark.parametrize(
    ("fault", "text"),
    [(None, "*1 change ✓*"), ("lie", "*1 change 0 of 1 verified*"), ("sent", "*1 change 0 of 1 verified*")],
)
async def test_a_change_that_ran_is_counted_as_what_it_came_to(house: House, fault: object, text: str) -> None:
    run = await house.ask(OFF)
    house.rack.fault = fault  # type: ignore[assignment]
    await house.tap()
    assert await footer(house.stores, run) == text


async def test_one_that_ran_and_one_that_failed_are_told_apart(house: House) -> None:
    run = await house.ask(use("rack_press", item="fan"), OFF)

    def pull_the_plug() -> None:
        house.rack.fault = "not sent"

    house.rack.on_write = pull_the_plug
    await house.tap()
    assert await footer(house.stores, run) == "*1 change ✓ · 1 change failed*"
