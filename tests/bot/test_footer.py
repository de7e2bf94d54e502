"""The line under an answer: what the journal holds, and that nothing was changed where an answer says otherwise."""

import pytest

from bot.footer import claims, footer
from tests.fakes import use
from tests.house import House

OFF = use("rack_switch_off", item="lamp")

CLAIMS = [
    "I paused Pi-hole for 5 minutes.",
    "Pi-hole blocking is now off.",
    "I've shut down vm 104.",
    "I turned off the lamp.",
    "I have killed the container.",
    "I restored the backup.",
    "I wiped it.",
    "I reset it.",
    "I rolled back the update.",
    "Ich habe jellyfin neu gestartet.",
    "I have reloaded traefik.",
    "I remembered that.",
    "I opened port 22.",
    "I switched the lamp off.",
    "I have set the record.",
    "I’ve just rebooted pve2 for you.",
    "I looked at the log and restarted paperless.",
    "No problem. I removed it.",
    "It was not responding, so I restarted it.",
    "If you look now, I have paused it.",
    "I tried to restart it.",
    "I'm restarting jellyfin now.",
    "Jellyfin has been restarted.",
    "The container was restarted.",
    "The update was successfully applied.",
    "Restarted jellyfin.",
    "Done.",
    "All done!",
    "✅ jellyfin is up again",
    "Switched lamp off ✓ 2.1 s",
    "Pi-hole wurde pausiert.",
    "Der Container ist neu gestartet worden.",
    "Habe ich erledigt.",
    "Erledigt!",
    "Das Licht ist jetzt aus.",
    "Wir haben die VM heruntergefahren.",
    "Gern. Ich hab es gelöscht.",
    "Er lief nicht, daher habe ich ihn neu gestartet.",
    "Ich habe ihn, wie gewünscht, neu gestartet.",
]
HARMLESS = [
    "Hello! How can I help you today?",
    "A container is restarted by its policy when it exits.",
    "You can restart it from /containers.",
    "I can restart jellyfin if you like.",
    "Shall I stop it?",
    "I have not changed anything.",
    "I haven't restarted it.",
    "Nothing has been changed.",
    "I looked, but found nothing called that.",
    "I need the name of the container.",
    "If it was stopped by hand, it stays stopped.",
    "The container was stopped by the kernel when memory ran out.",
    "Containers that were stopped stay stopped after a reboot.",
    "Updates are applied only after your tap.",
    "An image that has no tag is called dangling.",
    "I have no access to your router.",
    "I would have restarted it.",
    "Ich kann jellyfin neu starten, wenn du willst.",
    "Ein Container wird neu gestartet, wenn er abstürzt.",
    "Soll ich ihn stoppen?",
    "Ich habe nichts geändert.",
    "Ich habe nachgesehen und keinen Container mit diesem Namen gefunden.",
    "Wenn er gestoppt wurde, bleibt er aus.",
    "",
]


@pytest.mark.parametrize("answer", CLAIMS)
async def test_a_claim_that_no_call_stands_behind_is_put_right(house: House, answer: str) -> None:
    assert claims(answer)
    assert await footer(house.stores, await house.say("Well?", f"Hello. {answer}")) == "*nothing was changed*"


@pytest.mark.parametrize("answer", HARMLESS)
def test_what_claims_nothing_is_left_alone(answer: str) -> None:
    assert not claims(answer)


def test_a_claim_is_found_wherever_it_stands() -> None:
    assert claims("Nothing was stopped.\nI restarted jellyfin.") and claims("- one\n- I removed two")


async def test_an_explanation_has_no_footer(house: House) -> None:
    assert await footer(house.stores, await house.say("hi", "A container is restarted by its policy.")) == ""


async def test_where_calls_were_made_and_nothing_ran_it_always_says_so(build: object) -> None:
    house: House = await build(autonomy="observe")  # type: ignore[operator]
    run = await house.say("off please", [OFF], "Fine weather today.")
    assert await footer(house.stores, run) == "*1 failed · nothing was changed*"


async def test_calls_that_came_to_nothing_are_no_reads(house: House) -> None:
    look, absent = use("rack_get_item", item="lamp"), use("rack_switch_off", item="zzz")
    run = await house.say("?", [look, use("rack_nope", item="lamp"), absent], "Switched off the lamp.")
    assert await footer(house.stores, run) == "*1 read · 2 failed · nothing was changed*"


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
