"""`/restart NAME`: what is done by name, without a model; and `/start` and `/stop`, which keep their one meaning."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.menus.menu import Use
from bot.runs.halt import PANIC
from tests.bot.menus.pressing import Menus, buttons, labels, lines
from tests.bot.menus.test_menu import a_service
from tests.fakes import use
from tests.house import VIEWER, plain


async def test_a_name_is_put_on_a_card_without_a_model(menus: Menus) -> None:
    assert await menus.send("/press lamp") is None
    assert "Press lamp" in await menus.house.text() and menus.house.rack.log == []
    await menus.house.tap()
    assert menus.house.rack.log == ["press lamp"] and not menus.house.model.asked


async def test_a_name_of_several_asks_which(menus: Menus) -> None:
    menus.house.rack.add("lamp")
    view = await menus.send("/press lamp")
    assert "which one" in plain(view) and labels(view) == {"lamp · slot 1", "lamp · slot 4"}  # type: ignore[arg-type]
    assert await menus.press(view, "lamp · slot 4") is None
    assert (await menus.house.call()).args["item"] == "rack/0004"


async def test_one_name_in_two_services_is_told_apart_by_their_pages(menus: Menus) -> None:
    menu, press = menus.commands._desk.menu, menus.house.tool("rack_press")
    menu.uses["press"].append(Use(a_service("lights").pages[0], press))
    for line in ("/press lamp", "/press"):
        view = await menus.send(line)
        assert "which one" in plain(view)  # type: ignore[arg-type]
        assert labels(view) in ({"lamp · Things · slot 1", "lamp · Lights · slot 1"}, {"Things", "Lights"})


@pytest.mark.parametrize("name", ["lmap", "La MP", "lam", "LAMP"])
async def test_a_name_that_is_nearly_right_asks_whether_it_was_meant(menus: Menus, name: str) -> None:
    view = await menus.send(f"/press {name}")
    assert "Did you mean" in plain(view) and labels(view) == {"🟢 lamp · upper"}  # type: ignore[arg-type]
    assert await menus.house.calls() == [] and await menus.press(view, "🟢 lamp") is None
    assert "Press lamp" in await menus.house.text()


async def test_a_name_of_nothing_says_what_there_is(menus: Menus) -> None:
    view = await menus.send(f"/press {'x' * 5000}\n**bold**")
    assert "Nothing here is called" in view.text and len(view.text) < 400  # type: ignore[union-attr]
    assert labels(view) == {"Things"}


async def test_a_verb_alone_shows_what_it_could_be_done_to(menus: Menus) -> None:
    menus.house.rack.items["rack/0001"].state = "off"
    view = await menus.send("/press")
    assert lines(view)[0].startswith("Press which one?") and labels(view) & {"lamp", "fan", "pump"} == {"fan", "pump"}
    assert {"lamp", "fan", "pump"} <= labels(await menus.send("/label")), "what only looks does so at any"


# -- /start and /stop keep their one meaning -------------------------------------------------------------------------


async def waiting(menus: Menus) -> Callable[[], Any]:
    """A card on the table; tells whether it is still open."""
    await menus.house.ask(use("rack_switch_off", item="fan"))
    return lambda: menus.house.stores.approvals.open_cards()


@pytest.mark.parametrize("name", ["lamp", "LAMP", "lamb", "rack/0001"])
async def test_stop_with_a_name_asks_and_halts_nothing(menus: Menus, name: str) -> None:
    cards = await waiting(menus)
    view = await menus.send(f"/stop {name}")
    assert "Nothing was halted" in plain(view) and len(await cards()) == 1  # type: ignore[arg-type]
    [button] = buttons(view)
    assert "lamp" in button.text and await menus.open(button.data) is None
    assert len(await cards()) == 2 and "Switch lamp off" in await menus.house.text()


async def test_start_with_a_name_asks_and_lifts_nothing(menus: Menus) -> None:
    halt = menus.house.core.halt
    await menus.send("/stop all")
    view = await menus.send("/start lamp")
    assert "Start lamp?" in plain(view) and "Nothing was lifted" in plain(view)  # type: ignore[arg-type]
    assert halt.everything == PANIC
    await menus.send("/start")
    assert halt.everything is None and await menus.press(view, "Start lamp") is None


@pytest.mark.parametrize("line", ["/stop please", "/stop now!", "/stop", "/stop everything you do"])
async def test_whatever_names_nothing_is_a_stop(menus: Menus, line: str) -> None:
    cards = await waiting(menus)
    assert "1 card voided" in await menus.says(line) and not await cards()


@pytest.mark.parametrize("line", ["/stop lamp please", "/stop the lamp and the fan", "/stop both: lamp, fan"])
async def test_a_name_among_other_words_asks_as_well(menus: Menus, line: str) -> None:
    cards = await waiting(menus)
    view = await menus.send(line)
    assert "Nothing was halted" in plain(view) and len(await cards()) == 1  # type: ignore[arg-type]
    assert {label.split()[1] for label in labels(view)} == {name for name in ("lamp", "fan") if name in line}


@pytest.mark.parametrize("line", ["/stop all", "/stop ALL", "/stop all!"])
async def test_stop_all_is_never_a_name(menus: Menus, line: str) -> None:
    menus.house.rack.add("all")
    assert "Stopped." in await menus.says(line) and menus.house.core.halt.everything == PANIC


async def test_where_nobody_can_tell_whether_it_is_a_name_nothing_is_halted_or_lifted(menus: Menus) -> None:
    cards = await waiting(menus)
    menus.house.rack.unreachable = True
    assert "Nothing was halted: /stop alone" in await menus.says("/stop lamp") and len(await cards()) == 1
    await menus.send("/stop all")
    assert "Nothing was lifted" in await menus.says("/start lamp") and menus.house.core.halt.everything == PANIC


@pytest.mark.parametrize("word", ["stop", "press"])
async def test_what_could_not_be_found_out_is_a_tap_away(menus: Menus, word: str) -> None:
    menus.house.rack.unreachable = True
    view = await menus.send(f"/{word} lamp")
    menus.house.rack.unreachable = False
    again = await menus.press(view, "↻")
    assert again is None or labels(again) == {"Stop lamp"}
    assert ("Press lamp" in await menus.house.text()) if again is None else "Nothing was halted" in plain(again)


async def test_names_are_found_out_in_time_or_not_at_all(menus: Menus, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any) -> Any:
        await menus.house.rack.started.wait()

    monkeypatch.setattr("bot.menus.uses.PATIENCE", 0.01)
    monkeypatch.setattr(menus.house.core.proposals.reads, "meant", never)
    assert "in time" in await menus.says("/stop lamp")


async def test_who_may_not_stop_it_halts_nothing_either(menus: Menus) -> None:
    text = await menus.says("/stop lamp", VIEWER)
    assert "needs an operator of rack" in text and "Nothing was halted" in text
    menus.house.rack.add("lamp")
    view = await menus.send("/stop lamp")
    assert "which one" in plain(view) and len(buttons(view)) == 2  # type: ignore[arg-type]
