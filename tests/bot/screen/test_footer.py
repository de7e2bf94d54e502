"""The line under an answer: what the journal holds, and that nothing was changed where an answer says otherwise."""

import pytest

from bot.screen.footer import footer
from tests.fakes import use
from tests.house import House

OFF = use("rack_switch_off", item="lamp")

ANSWERS = (
    "I paused Pi-hole for 5 minutes.", "✓ Restarted jellyfin · 2.1 s", "Ich habe jellyfin neu gestartet.",
    "J'ai redémarré jellyfin.", "A container is restarted by its policy.", "",
)  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_that_called_nothing_says_so_whatever_it_claims(house: House, answer: str) -> None:
    """In any language, and without judging what is a claim."""
    said = await footer(house.stores, await house.say("Well?", answer))
    assert said == "*nothing was looked up · nothing was changed*"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("hello", "Hello! What can I do for you?"),
        ("Good morning 👋", "Good morning! How can I help you today?"),
        ("thank you very much!", "You’re welcome."),
        ("hi", "Hi. I look after your homelab. What would you like to know?"),
        ("Guten Morgen", "Guten Morgen! Womit kann ich dir helfen?"),
    ],
)
async def test_courtesy_has_no_line_below(house: House, line: str, answer: str) -> None:
    assert await footer(house.stores, await house.say(line, answer)) == ""


CLAIMS = (
    "Done.", "Hello! I restarted jellyfin.", "Hello! lamp is off.", "Hi ✓", "Hello! 3 changes.", "你好！已重启。", "",
    "Hola, reinicié todo.", "Hello! All is well.", "Hallo! Ist erledigt.", "Hello! Removed.", "Hi! " * 200,
    "Hello! Everything is good.",
)  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS)
async def test_a_claim_under_a_greeting_is_put_right(house: House, claim: str) -> None:
    assert "nothing was changed" in await footer(house.stores, await house.say("hello", claim))


@pytest.mark.parametrize("line", ["restart jellyfin", "yes", "ok", "please do", "hello, stop it", "thanks, go on"])
async def test_courtesy_in_answer_to_a_request_is_put_right(house: House, line: str) -> None:
    assert "nothing was changed" in await footer(house.stores, await house.say(line, "You're welcome!"))


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
    assert await footer(house.stores, run) == "*1 read · 2 did not work · nothing was changed*"


async def test_a_change_that_was_never_sent_has_changed_nothing(house: House) -> None:
    run = await house.ask(OFF)
    house.rack.fault = "not sent"
    await house.tap()
    assert await footer(house.stores, run) == "*1 change failed · nothing was changed*"


@pytest.mark.parametrize(
    ("fault", "text"),
    [(None, "*1 change ✓*"), ("lie", "*1 change, 1 not verified*"), ("sent", "*1 change, 1 with unknown outcome*")],
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
