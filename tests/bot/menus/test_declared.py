"""Pages that services declare: the bot draws, turns, narrows down and opens them, and knows who may do what."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.runs.halt import PANIC
from bot.screen.press import LONGEST_DATA
from bot.screen.render import render
from tests.bot.menus.pressing import Menus, buttons, labels, lines
from tests.bot.menus.test_commands import a_counter
from tests.house import ADMIN, OPERATOR, VIEWER, House, plain
from tests.rack import fake_services
from tools.kit import Context, Page, Row, Series


def crowd(house: House, count: int = 30, **values: Any) -> None:
    for number in range(count):
        house.rack.add(f"item-{number:02d}", **values)


async def test_what_is_in_trouble_is_first_and_the_rest_as_the_service_has_it(menus: Menus) -> None:
    lamp, fan, pump = menus.house.rack.items.values()
    fan.dot, pump.dot, pump.name = "🟡", "🔴", "x\n🟢 forged"
    view = await menus.send("/things")
    assert lines(view)[:4] == [
        "3 things · page 1 of 1", "🔴 x\\n🟢 forged · upper · 40 W", "🟡 fan · upper · 40 W", "🟢 lamp · upper · 40 W",
    ]  # fmt: skip


async def test_twelve_rows_a_page_and_no_two_ways_back_beside_each_other(menus: Menus) -> None:
    crowd(menus.house)
    view = await menus.send("/things")
    assert "page 1 of 3" in plain(view) and sum(line.startswith("🟢") for line in lines(view)) == 12  # type: ignore[arg-type]
    second = await menus.press(view, "›")
    assert "item-09" in labels(second) and "item-08" not in labels(second) and len(lines(second)) == 14
    for row in second.buttons:  # type: ignore[union-attr]
        assert not {"‹ Back"} & {b.text for b in row} or not {"‹", "›"} & {b.text for b in row}
    third = await menus.press(second, "›")
    assert "page 3 of 3" in plain(third) and "›" not in labels(third)  # type: ignore[arg-type]
    opened = await menus.press(third, "item-25")
    assert "page 3 of 3" in lines(await menus.press(opened, "‹ Back"))[0], "back where it was opened"


async def test_looking_again_shows_that_it_looked(menus: Menus, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        at = datetime(2026, 1, 1, 21, 40, 7, tzinfo=UTC)

        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            cls.at += timedelta(seconds=1)
            return cls.at

    monkeypatch.setattr("bot.menus.desk.datetime", Later)
    for command, again in (("/things", "↻"), ("/status", "↻"), ("/state lamp", "↻")):
        view = await menus.send(command)
        second = await menus.press(view, again)
        assert lines(view)[-1] != lines(second)[-1] and re.fullmatch(r"looked \d\d:\d\d:\d\d", lines(second)[-1])
        assert lines(view)[:-1] == lines(second)[:-1]


async def test_a_row_opens_into_what_may_be_done_to_it_now(menus: Menus) -> None:
    menus.house.rack.items["rack/0001"].state = "off"
    view = await menus.send("/things")
    lamp, fan = await menus.press(view, "lamp"), await menus.press(view, "fan")
    assert {"Start", "State", "Label", "Chart", "↻", "‹ Back"} == labels(lamp)
    assert {"Stop", "Press", "Remove", "State", "Label", "Chart", "↻", "‹ Back"} == labels(fan)
    assert await menus.press(fan, "Stop") is None
    assert "Switch fan off" in await menus.house.text() and not menus.house.model.asked
    assert (await menus.house.run((await menus.house.call()).run)).objective == "Stop fan"
    assert "Switch fan off" not in menus.house.rack.log, "nothing before the tap on the card"


async def test_a_chart_is_a_picture_and_a_tap_shows_another_span(menus: Menus) -> None:
    view = await menus.send("/chart lamp")
    assert view is not None and view.picture is not None and view.picture["title"] == "lamp"
    assert lines(view)[1].startswith("Power ") and {"Hour", "Week", "Month", "↻", "‹ Back"} == labels(view)
    week = await menus.press(view, "Week")
    again = await menus.press(week, "↻")
    assert "Day" in labels(week) and "Week" not in labels(week) and labels(again) == labels(week)
    assert lines(again)[1] == lines(week)[1] and lines(week)[2] != lines(view)[2]
    assert lines(await menus.send("/chart lamp WEEK"))[2] == lines(week)[2]
    assert "Nothing here is called" in plain(await menus.send("/chart week"))  # type: ignore[arg-type]
    opened = await menus.press(await menus.press(await menus.send("/things"), "lamp"), "Chart")
    assert opened is not None and opened.picture is not None and not menus.house.model.asked


async def test_nobody_is_offered_or_given_more_than_the_role_allows(menus: Menus) -> None:
    view = await menus.send("/things")
    for who, verbs in ((ADMIN, {"Stop", "Press", "Remove"}), (OPERATOR, {"Stop", "Press"}), (VIEWER, set())):
        opened = await menus.press(view, "lamp", who)
        assert labels(opened) & {"Stop", "Press", "Remove", "Start"} == verbs
    whole = await menus.press(view, "lamp")
    for label, who, role in (("Stop", VIEWER, "an operator of rack"), ("Remove", OPERATOR, "an admin of rack")):
        assert role in plain(await menus.press(whole, label, who))  # type: ignore[arg-type]
    assert "Press the lamp" in labels(view) and "Press the lamp" not in labels(await menus.send("/things", VIEWER))
    await menus.press(view, "Press the lamp", VIEWER)
    assert await menus.house.calls() == []


async def test_a_role_for_another_service_sees_nothing(build: Any) -> None:
    house = await build(telegram_viewers="3:notes")
    menus = Menus(house, a_counter(house).commands)
    view = await menus.send("/things")
    assert "needs a viewer of rack" in plain(await menus.send("/things", VIEWER))  # type: ignore[arg-type]
    for button in buttons(view):
        if button.data.startswith("m:things"):
            assert "lamp" not in plain(await menus.open(button.data, VIEWER))  # type: ignore[arg-type]


async def test_a_page_can_be_narrowed_down(menus: Menus) -> None:
    rack = menus.house.rack
    crowd(menus.house, 14, shelf="lower")
    for name, dot, group in (
        ("sick", "🔴", "lights"),
        ("weak", "🟡", "lights"),
        ("odd", "🟢", "fans"),
        ("even", "🟢", "fans"),
    ):
        rack.add(name, dot=dot, group=group)
    view = await menus.send("/things")
    assert {"Unwell 2", "upper 7", "lower 14", "More ▸"} <= labels(view)
    unwell = await menus.press(view, "Unwell")
    assert "unwell: 2 of 21 · page 1 of 1" in lines(unwell)[0] and {"sick", "weak", "All"} <= labels(unwell)
    lower = await menus.press(unwell, "lower")
    assert "page 2 of 2" in lines(await menus.press(lower, "›"))[0], "turning keeps what is shown"
    choices = await menus.press(view, "More")
    assert {"All 21", "Unwell 2", "upper 7", "lower 14", "lights 2", "fans 2"} <= labels(choices)
    assert {"sick", "weak"} <= labels(await menus.press(choices, "lights"))
    assert "page 1 of 2" in lines(await menus.press(choices, "All"))[0]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("unwell", {"sick"}), ("UPPER", {"lamp", "fan", "pump"}), ("lights", {"sick"}), ("am", {"lamp"}),
        ("all", {"lamp", "fan", "pump", "sick"}), ("no such thing", set()),
        ("an unreasonably long name: nothing here could be called that", set()),
        ("lower unwell", {"sick"}), ("down", {"sick"}), ("running", {"lamp", "fan", "pump"}), ("upper down", set()),
        ("upper/lamp", {"lamp"}), ("40 upper", {"lamp", "fan", "pump"}), (":", {"lamp", "fan", "pump", "sick"}),
    ],
)  # fmt: skip
async def test_a_word_behind_the_command_narrows_it_down(menus: Menus, line: str, shown: set[str]) -> None:
    menus.house.rack.add("sick", dot="🔴", group="lights", shelf="lower")
    view = await menus.send(f"/things {line}")
    assert labels(view) & {"lamp", "fan", "pump", "sick"} == shown
    assert labels(await menus.press(view, "↻")) & {"lamp", "fan", "pump", "sick"} == shown


async def test_the_one_host_there_is_can_be_named_as_well(menus: Menus) -> None:
    view = await menus.send("/things upper")
    assert "upper: 3 of 3" in lines(view)[0] and not {"upper 3", "Unwell 0"} & labels(view)


LONG = "a-name-that-no-button-has-room-for-" * 4


async def test_no_button_is_too_long_and_each_of_them_works(menus: Menus, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd(menus.house, 13, shelf=f"{LONG}: shelf", group="grüße, " * 9)
    for item in list(menus.house.rack.items.values()):
        menus.house.rack.take(item)
        item.id = f"rack/{LONG[:50]}/{item.id[-4:]}"
        menus.house.rack.items[item.id] = item
    seen, todo = set[str](), [b.data for b in buttons(await menus.send("/things"))]
    while todo:
        data = todo.pop()
        assert 1 <= len(data.encode()) <= LONGEST_DATA
        if data in seen or ":press:" in data or ":stop:" in data or ":remove:" in data or ":!:" in data:
            continue
        seen.add(data)
        view = await menus.open(data)
        assert view is not None and "not there any more" not in plain(view) and "too old" not in plain(view)
        todo += [b.data for b in buttons(view) if b.data.startswith("m:things")]
    assert len(seen) > 30
    one = await menus.press(await menus.send("/things"), "lamp")
    await menus.press(one, "Stop")
    assert "Switch lamp off" in await menus.house.text()


async def test_the_fullest_page_is_one_message(menus: Menus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A menu turns in place: what does not fit into its message would be lost."""
    [page] = fake_services()[0].pages
    row = Row(
        "🔴", "\n" * 500, "host.example.org " * 50, "\u202e" * 500, "rack/0001", lines=["x.example.org " * 99] * 99
    )
    series = Series(unit="queries" * 99, times=[datetime.now(UTC)] * 99, values=[1, *[2**60] * 98])
    every = [f"{n}" * 500 for n in range(99)]
    whole = Page(
        "x" * 500, [row] * 99, ["é" * 500] * 99, dict.fromkeys(every, "y " * 500), charts=dict.fromkeys(every, series)
    )

    async def full(*_: Any) -> Any:
        return whole

    monkeypatch.setattr(page, "read", full)
    shown = await menus.send("/things")
    assert shown is not None and len(render(shown.text)) == 1 and len(buttons(shown)) < 20
    assert len(render((await menus.press(shown, "\\n")).text)) == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "data",
    [
        "m:things", "m:things:", "m:things:" + "9" * 40, "m:things:-1", "m:things:0~:x", "m:things:0@", "m:things:0?x",
        "m:things:0::gone", "m:things:0:stop:gone", "m:things:0:stop:#0123", "m:things:0:frobnicate:rack/0001",
        "m:things:0:!:gone", "m:things:0:!:", "m:things:::", "m:things:0:stop:", "m:things:0::" + "x" * 65,
    ],
)  # fmt: skip
async def test_buttons_that_nobody_was_given_do_nothing(menus: Menus, data: str) -> None:
    await menus.open(data)
    assert await menus.house.calls() == [] and menus.house.rack.log == []


async def test_a_look_is_shown_as_it_is(menus: Menus) -> None:
    menus.house.rack.items["rack/0001"].label = "**x** ```\n[a](tg://user?id=1)"
    state, label = await menus.send("/state lamp"), await menus.send("/label lamp")
    assert lines(state)[:2] == ["lamp", "on · watts 40"]
    assert lines(label)[1] == "text **x** ```\\n[a](tg://user?id=1)" and {"↻", "‹ Back"} == labels(label)
    assert "🟢 lamp · upper" in lines(await menus.press(label, "‹ Back"))[0]


async def test_what_is_done_to_the_whole_asks_as_well(menus: Menus, monkeypatch: pytest.MonkeyPatch) -> None:
    view = await menus.send("/things")
    assert await menus.press(view, "Press the lamp") is None and "Press lamp" in await menus.house.text()
    [page] = fake_services()[0].pages

    async def bare(ctx: Context[Any]) -> Page:
        return Page("No more of that")

    monkeypatch.setattr(page, "read", bare)
    assert "No more of that" in plain(await menus.press(view, "Press the lamp"))  # type: ignore[arg-type]
    assert len(await menus.house.calls()) == 1, "what the page no longer offers is not done"


async def test_a_service_that_cannot_be_read_is_said_and_asked_again(menus: Menus) -> None:
    view = await menus.send("/things")
    opened = await menus.press(view, "lamp")
    menus.house.rack.unreachable = True
    for failed in (
        await menus.send("/things"), await menus.press(view, "↻"), await menus.press(opened, "↻"),
        await menus.press(opened, "Stop"), await menus.send("/press lamp"), await menus.send("/press"),
    ):  # fmt: skip
        assert "The rack cannot be reached" in plain(failed)  # type: ignore[arg-type]
    again = await menus.send("/things")
    assert [button.data for button in buttons(again)] == ["m:things:0", "m:status"], "as soon as it is back"


async def test_while_everything_is_stopped_no_card_is_asked_for(menus: Menus) -> None:
    view = await menus.press(await menus.send("/things"), "lamp")
    await menus.send("/stop all")
    await menus.house.deliver()
    assert await menus.press(view, "Stop") is None and await menus.send("/press lamp") is None
    for kind, payload in (said := await menus.house.deliver()):
        [block] = await menus.house.results(payload["run"])
        assert kind == "verdict" and PANIC in block["content"]
    assert len(said) == 2 and await menus.house.calls() == []
