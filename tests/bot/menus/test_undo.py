"""/undo shows before it acts: what would be done, what is there now, and what is too old; a tap takes back."""

import asyncio
from typing import Any

import pytest

from bot.menus import undo as module
from bot.menus.commands import Request
from bot.screen.press import PAGE, Press
from bot.screen.view import View
from tests.bot.menus.test_commands import a_counter
from tests.fakes import use
from tests.house import ADMIN, GROUP, OPERATOR, VIEWER, House, plain
from tools.gate.execution import UNDO_SECONDS
from tools.gate.policy import Autonomy


async def switched_off(house: House, *names: str, **more: Any) -> None:
    for name in names:
        await house.ask(use("rack_switch_off", item=name), **more)
        await house.tap(**({"conversation": more["where"]} if "where" in more else {}))
        house.clock.move(60)


async def listed(house: House, **more: Any) -> View:
    return await a_counter(house).send("/undo", **more)


def offers(view: View) -> dict[str, str]:
    return {button.text: button.data for row in view.buttons for button in row if button.data != "m:undo"}


async def press(house: House, view: View, text: str, **more: Any) -> str:
    _, key, _ = offers(view)[text].split(":")
    return await house.settled(house.core.decisions.undo(house.a_tap(**more), key))


async def test_it_shows_what_there_is_and_changes_nothing(house: House) -> None:
    assert plain(await listed(house)).startswith("There is nothing to take back here.")
    await switched_off(house, "lamp", "fan")
    house.rack.items["rack/0001"].watts = 7
    done = list(house.rack.log)
    view = await listed(house)
    text = plain(view)
    assert list(offers(view)) == ["↩ 1. Switch fan off", "↩ 2. Switch lamp off"], "newest first"
    assert text.index("Switched fan off") < text.index("Switched lamp off")
    assert "Undo would switch it on again: Switch lamp on\nnow: off · watts 7" in text
    assert house.rack.log == done and len(await house.calls()) == 2, "nothing is done before a tap"


async def test_a_tap_takes_back_once_and_the_undo_has_its_own_way_back(house: House) -> None:
    await switched_off(house, "lamp", "fan")
    view = await listed(house)
    await house.crash()
    assert await press(house, view, "↩ 2. Switch lamp off") == "Taking it back."
    assert await press(house, view, "↩ 2. Switch lamp off") == "Already undone."
    assert house.rack.log[2:] == ["switch on lamp"]
    again = await listed(house)
    assert "the Undo of “Switch lamp off”" in plain(again)
    assert await press(house, again, "↩ 1. Switch lamp on") == "Taking it back."
    assert house.rack.log[3:] == ["switch off lamp"]


async def test_what_is_too_old_or_never_had_an_undo_is_named(house: House) -> None:
    await switched_off(house, "lamp")
    house.clock.move(UNDO_SECONDS)
    await house.ask(use("rack_press", item="pump"))
    await house.tap()
    view = await listed(house)
    assert not offers(view)
    assert "Too old to undo: Switch lamp off, " in plain(view) and "Has no undo: Press pump, " in plain(view)


async def test_what_cannot_be_seen_is_unknown(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await switched_off(house, "lamp")
    house.rack.unreachable = True
    view = await listed(house)
    assert "now: unknown. The rack cannot be reached" in plain(view) and offers(view)

    async def hangs(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(house.core.proposals, "prepare", hangs)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    assert "now: unknown, rack does not answer" in plain(await listed(house))


async def test_what_was_asked_after_reading_outside_text_is_from_outside(house: House) -> None:
    await switched_off(house, "lamp")
    assert not (await listed(house)).outside
    await house.ask(use("rack_read_label", item="lamp"))
    await switched_off(house, "fan")
    assert (await listed(house)).outside


async def test_what_undo_could_not_do_is_not_offered(house: House) -> None:
    await switched_off(house, "lamp", "fan")
    house.rack.items["rack/0001"].state = "on"
    house.rack.take(house.rack.items["rack/0002"])
    view = await listed(house)
    assert "as it was before" in plain(view) and "fan is gone" in plain(view) and not offers(view)


async def test_what_has_outlived_its_net_is_said_to_have(house: House) -> None:
    await house.ask(use("rack_remove_item", item="lamp"))
    for _ in range(2):
        await house.tap("y")
    assert list(offers(await listed(house))) == ["↩ 1. Remove lamp"]
    async with house.stores.database.transaction() as tx:
        await tx.run("DELETE FROM nets")
    view = await listed(house)
    assert not offers(view) and "has lapsed or was never kept" in plain(view)


async def test_eight_at_most_and_the_rest_is_counted(house: House) -> None:
    names = [f"item{number}" for number in range(10)]
    for name in names:
        house.rack.add(name)
    await switched_off(house, *names)
    view = await listed(house)
    assert len(offers(view)) == 8 and "… and 2 more" in plain(view)


async def test_in_a_group_only_for_who_may_and_elsewhere_for_nobody(house: House) -> None:
    await switched_off(house, "lamp", where=GROUP)
    view = await listed(house, where=GROUP)
    assert offers(view) and not offers(await listed(house)), "another chat's changes are not here"
    assert not offers(await listed(house, who=OPERATOR))
    viewed, _ = await a_counter(house).commands.page(Request(99, VIEWER, GROUP), Press(PAGE, "undo"))
    assert viewed is not None and not offers(viewed) and "lamp" not in plain(viewed)
    assert "not yours" in await press(house, view, "↩ 1. Switch lamp off", who=VIEWER, where=GROUP)
    assert "no longer open" in await press(house, view, "↩ 1. Switch lamp off", who=ADMIN, where=ADMIN.id)
    assert house.rack.log == ["switch off lamp"]


async def test_observing_says_that_it_would_not(build: Any) -> None:
    house = await build()
    await switched_off(house, "lamp")
    house.settings = house.settings.model_copy(update={"autonomy": Autonomy.OBSERVE})
    await house.crash()
    view = await listed(house)
    assert "I only look" in plain(view) and not offers(view)
