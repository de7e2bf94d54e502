"""Cards and receipts: drawn from the rows, the same at any time, saying everything that decides."""

import dataclasses
import re
from pathlib import Path
from typing import Any

from bot.screen.view import BUTTON_TEXT
from tests.fakes import use
from tests.house import GROUP, OPERATOR, House
from tests.place import Place

OFF = use("rack_switch_off", item="lamp")


def labels(view: Any) -> list[list[str]]:
    return [[button.text for button in row] for row in view.buttons]


async def test_a_card_says_what_on_what_and_how_back(house: House) -> None:
    await house.ask(OFF)
    lines = (await house.text()).splitlines()
    assert lines[0] == "Switch lamp off"
    assert lines[1] == "slot 1" and "on · watts 40" in lines[2] and lines[3] == "undo: switch it on again"
    assert "rack_switch_off" in lines and "item: lamp → rack/0001 (from inventory)" in lines
    assert labels(await house.view()) == [["Switch lamp off", "Deny"]]


async def test_a_change_without_a_way_back_says_so_first(house: House) -> None:
    await house.ask(use("rack_press", item="lamp"))
    assert "No undo: it springs back." in await house.text() and "no undo" not in await house.text()
    await house.ask(use("rack_relabel", item="lamp", text="x"))
    assert "no undo" in await house.text()


async def test_defaults_are_shown_and_called_defaults(house: House) -> None:
    await house.ask(use("rack_press", item="lamp"))
    assert "percent: 50 (default)" in await house.text()


async def test_buttons_fit_telegram(house: House) -> None:
    house.rack.add("a-name-that-is-much-longer-than-a-button-can-be")
    await house.ask(use("rack_remove_item", item="a-name-that-is-much-longer-than-a-button-can-be"))
    for verb in ("", "d"):
        if verb:
            await house.tap(verb)
        for row in (await house.view()).buttons:
            assert all(len(button.data.encode()) <= 64 for button in row)
            assert all(len(button.text) <= BUTTON_TEXT + 2 for button in row)


async def test_a_card_is_drawn_the_same_by_a_fresh_process(house: House) -> None:
    await house.ask(OFF, use("rack_press", item="fan"))
    before = await house.view()
    await house.crash()
    assert await house.view() == before
    assert await house.cards.card("no such card") is None and await house.cards.receipt("no such call") is None


async def test_several_changes_are_numbered_with_every_argument(house: House) -> None:
    await house.ask(OFF, use("rack_press", item="fan", percent=33))
    text = await house.text()
    assert text.startswith("2 changes, in this order") and "1. Switch lamp off" in text and "2. Press fan" in text
    assert "percent: 33" in text and "→ rack/0001" in text and "→ rack/0002" in text
    assert labels(await house.view()) == [["Run all 2"], ["One by one", "Deny"]]


async def test_a_quiet_outcome_takes_the_cards_place(house: House) -> None:
    await house.ask(OFF)
    house.clock.move(5)
    await house.tap()
    said = [kind for kind, _ in await house.deliver()]
    text = await house.text()
    assert text.startswith("✓ Switched lamp off") and "state: on → off" in text and "approved" in text
    assert labels(await house.view()) == [["↩ Undo"]] and "receipt" not in said


async def test_an_unverified_outcome_is_a_message_of_its_own(house: House) -> None:
    await house.ask(OFF)
    house.rack.fault = "lie"
    await house.tap()
    said = [kind for kind, _ in await house.deliver()]
    assert said.count("receipt") == 1
    assert "see the receipt below" in await house.text() and (await house.view()).buttons == ()


async def test_a_late_outcome_is_a_message_of_its_own(house: House) -> None:
    await house.ask(OFF)
    house.rack.on_write = lambda: house.clock.move(31)
    await house.tap()
    assert [kind for kind, _ in await house.deliver()].count("receipt") == 1
    text, buttons = await house.receipt()
    assert text.startswith("✓") and "31 s" in text and buttons == ["↩ Undo"]
    assert "see the receipt below" in await house.text()


async def test_what_is_quiet_and_what_is_loud_is_decided_once(house: House) -> None:
    """The card points to a receipt exactly when one was sent."""
    for fault, moves in ((None, 0), (None, 31), ("lie", 0), ("not sent", 0), ("lost answer", 0), ("sent", 0)):
        await house.ask(use("rack_press", item="lamp"))
        await house.deliver()
        house.rack.fault = fault  # type: ignore[assignment]
        house.rack.on_write = lambda moves=moves: house.clock.move(moves)
        await house.tap()
        sent = "receipt" in [kind for kind, _ in await house.deliver()]
        assert ("see the receipt below" in await house.text()) is sent, (fault, moves)
        house.rack.fault = house.rack.on_write = None


async def test_who_approved_is_on_the_receipt(house: House) -> None:
    await house.ask(OFF, where=GROUP)
    await house.tap(who=OPERATOR)
    text, _ = await house.receipt()
    assert "approved" in text and "by " in text


async def test_a_denied_card_keeps_no_buttons(house: House) -> None:
    await house.ask(OFF)
    await house.tap("n")
    assert (await house.text()).startswith("– Switch lamp off: denied") and (await house.view()).buttons == ()


async def test_an_undone_receipt_loses_its_undo(house: House) -> None:
    await house.ask(OFF)
    await house.tap()
    row = await house.call()
    await house.undo(row)
    text, buttons = await house.receipt(dataclasses.replace(row))
    assert "Undo: see below" in text and buttons == []


async def test_names_cannot_make_markdown(house: House) -> None:
    house.rack.add("**lamp** [x](http://evil)")
    await house.ask(use("rack_press", item="rack/0004"))
    assert (await house.text()).startswith("Press **lamp** [x](http://evil)")


async def test_a_receipt_that_is_drawn_again_offers_no_undo_that_has_lapsed(house: House) -> None:
    await house.ask(OFF)
    await house.tap()
    assert (await house.receipt())[1] == ["↩ Undo"] == labels(await house.view())[0]
    house.clock.move(24 * 3600)
    assert (await house.receipt())[1] == [] == labels(await house.view())


async def test_several_receipts_on_one_card_name_what_their_undo_takes_back(house: House) -> None:
    await house.ask(OFF, use("rack_press", item="fan"), use("rack_switch_off", item="pump"))
    await house.tap()
    assert labels(await house.view()) == [["↩ Undo: Switch lamp off"], ["↩ Undo: Switch pump off"]]


async def test_of_what_is_gone_nothing_else_is_told(house: House) -> None:
    """What it was connected to may well be there still: `volumes: data → none` would say that it is lost."""
    await house.ask(use("rack_remove_item", item="lamp"))
    await house.tap("d")
    await house.tap()
    row = await house.call()
    assert row.after is not None
    row.after["shown"] |= {"volumes": [], "health": "n/a"}
    row.before["shown"] |= {"volumes": ["data"], "health": "good"}
    text = await house.cards.receipt_text(row, None)
    assert "on → gone" in text and "volumes" not in text and "health" not in text


async def test_an_unknown_outcome_that_was_asked_again_is_not_asked_a_third_time(house: House) -> None:
    await house.ask(OFF)
    house.rack.fault = "sent"
    await house.tap()
    _, buttons = await house.receipt()
    assert buttons == ["It happened", "It did not", "Ask again"]
    unknown = await house.call()
    await house.known(unknown, "r")
    _, buttons = await house.receipt(unknown)
    assert buttons == ["It happened", "It did not"]


async def test_an_id_is_not_said_to_mean_itself(house: House) -> None:
    await house.ask(use("rack_switch_off", item="rack/0001"))
    text = await house.text()
    assert "item: rack/0001" in text and "→" not in text


async def test_a_denial_is_said_once(house: House) -> None:
    await house.ask(OFF)
    await house.tap("n")
    assert (await house.text()).count("denied") == 1 and "by " in await house.text()


async def test_an_id_from_outside_is_marked_without_its_digits(house: House) -> None:
    """The title names the target and the quote has the whole id: sixty digits more would bury the warning."""
    await house.say("Look.", [use("rack_read_label", item="lamp")], [use("rack_switch_off", item="rack/0002")])
    text = await house.text()
    assert text.startswith("Switch fan off") and "\n⚠ item may come from text from outside\n" in text
    assert "item: rack/0002 ⚠ may come from text from outside" in text


async def test_the_receipt_of_a_memory_says_what_is_remembered_now(tmp_path: Path) -> None:
    async with Place(tmp_path) as place:
        await place.ask(use("memory_add_memory", text="The fan squeaks."))
        text, buttons = await place.receipt()
        assert "✓ Remembered “The fan squeaks.”" in text and "text The fan squeaks." in text
        assert "version" not in text and "number" not in text and buttons == ["↩ Undo"]
        await place.ask(use("memory_delete_memory", id=1))
        card = await place.text()
        assert "text The fan squeaks." in card and "version" not in card.partition("memory_delete")[0]


async def test_a_clean_up_says_what_it_frees_before_anything_ran(tmp_path: Path) -> None:
    async with Place(tmp_path) as place:
        await place.ask(use("docker_prune_system", host="nas"))
        card = await place.text()
        assert re.search(r"frees \d+(\.\d)? [MG]B", card) and "freed" not in card
        await place.approve()
        text, _ = await place.receipt()
        promised = re.search(r"frees (\d+(?:\.\d)? [MG]B)", card)
        assert promised is not None and f"freed {promised[1]}" in text and "frees" not in text
