"""What did not work offers what to do next: the same once more, for whoever asked, once, with every approval anew."""

from bot.menus.commands import Request
from bot.screen.press import Press
from tests.bot.menus.test_commands import a_counter
from tests.fakes import use
from tests.house import ADMIN, GROUP, OPERATOR, House

LOOK = use("rack_get_item", item="lamp")


async def offered(house: House) -> dict[str, str]:
    """The buttons of the newest message."""
    row = (await house.stores.outbox.open(""))[-1]
    view = await house.drawing.draw(row)
    assert view is not None
    return {button.text: button.data for row_ in view.buttons for button in row_}


async def press(house: House, data: str, update: int = 900, who: object = ADMIN, where: str = ADMIN.id) -> None:
    await a_counter(house).commands.page(Request(update, who, where), Press.read(data))  # type: ignore[arg-type]
    await house.settle()


async def test_a_failed_read_is_asked_again_once_and_by_whoever_asked(house: House) -> None:
    house.rack.unreachable = True
    await house.say("How is the lamp?", [LOOK], "I cannot reach it.", where=GROUP)
    buttons = await offered(house)
    assert list(buttons) == ["Try again", "Status"]
    house.rack.unreachable = False
    house.model.script.extend(["It is on.", "never said"])
    await press(house, buttons["Try again"], who=OPERATOR, where=GROUP)
    await press(house, buttons["Try again"])
    assert len(house.model.asked) == 2, "neither somebody else nor from another chat"
    for update in (901, 902):
        await press(house, buttons["Try again"], update, where=GROUP)
    assert len(house.model.asked) == 3 and list(house.model.script) == ["never said"]
    house.model.script.clear()


async def test_what_took_effect_is_not_offered_again(house: House) -> None:
    await house.say("?", [use("rack_switch_off", item="lamp"), use("rack_nope", item="lamp")], "Off.")
    await house.tap()
    assert list(await offered(house)) == ["Status"]


async def test_a_button_that_failed_puts_the_same_call_again_and_it_asks(house: House) -> None:
    house.rack.unreachable = True
    call = {"tool": "rack_switch_off", "args": {"item": "rack/0001"}}
    await house.core.opener.direct(
        ADMIN.id,
        ADMIN,
        "Switch lamp off",
        call["tool"],
        call["args"],
        trigger="menu:1",
        opened_by="button",  # type: ignore[arg-type]
    )
    await house.settle()
    buttons = await offered(house)
    assert list(buttons) == ["Try again", "Status"]
    house.rack.unreachable = False
    await press(house, buttons["Try again"])
    assert await house.states() == ["waiting"] and house.rack.log == []


async def test_a_change_asked_for_by_hand_that_failed_can_be_asked_again(house: House) -> None:
    await house.core.opener.direct(
        ADMIN.id, ADMIN, "Switch lamp off", "rack_switch_off", {"item": "lamp"}, trigger="menu:1", opened_by="button"
    )
    await house.settle()
    house.rack.fault = "not sent"
    await house.tap()
    _, texts = await house.receipt()
    assert await house.states() == ["failed"] and texts == ["Try again", "Status"]
    await press(house, f"m:retry:{(await house.call()).run}")
    assert await house.states() == ["failed", "waiting"]


async def test_words_that_are_missing_can_be_asked_for_again(house: House) -> None:
    await house.say("How is the lamp?", "")
    assert list(await offered(house)) == ["Try again", "Status"]


async def test_an_answer_without_a_fault_has_no_buttons(house: House) -> None:
    await house.say("How is the lamp?", [LOOK], "It is on.")
    assert await offered(house) == {}
