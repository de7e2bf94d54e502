"""A declared page on screen: its rows, what they can be narrowed down to, one of them by itself."""

from collections.abc import Iterable
from typing import Any

from bot.menus.desk import Desk, Request
from bot.menus.menu import beside, few
from bot.menus.places import CHOOSING, DOING, NAMED, Place, choices, data
from bot.screen.charts import chart
from bot.screen.render import escape
from bot.screen.view import STATUS, Button, View, bold
from memory.text import escaped
from tools.kit.hurry import ASKED, GRACE, in_time
from tools.kit.page import Declared, Page, Row
from tools.kit.service import Tool
from tools.kit.types import trusted_name

ROWS, MOST_LINES = 12, 6
"""Rows of a page, and lines of each other kind."""
LONGEST, NAME, LABEL = 100, 60, 34
"""Characters of a line, of a name in it, and of a button: a whole page is one message, which is never cut."""
REASON = 2 * LONGEST
"""The same of what says why something is down."""
WORST_FIRST = {"🔴": 0, "🟡": 1}
MOST_BUTTONS = 90
"""Telegram takes a hundred."""
BACK = Button("‹ Back", STATUS.data)
ACTION = "!"
"""In place of a verb, where a button does something to the whole."""


async def read(desk: Desk, request: Request, page: Declared[Any]) -> Page:
    """The page as it is now. Raises ToolFailed."""
    found = desk.proposals.reads.read(request.actor, page.service, page.read)
    return await in_time(page.service.name, found, GRACE)


def ordered(rows: Iterable[Row]) -> list[Row]:
    """What is down or unwell first, the rest as the service has it."""
    return sorted(rows, key=lambda row: WORST_FIRST.get(row.dot, 2))


async def listed(desk: Desk, request: Request, page: Declared[Any], place: Place) -> View:
    """Twelve rows, those in trouble first, each a button."""
    found = await read(desk, request, page)
    rows = ordered(found.rows)
    return choosing(page, found, rows) if place.kind == CHOOSING else drawn(desk, request, page, found, rows, place)


def drawn(
    desk: Desk, request: Request, page: Declared[Any], found: Page, rows: list[Row], place: Place, head: str = ""
) -> View:
    """The page from its content."""
    kept = [row for row in rows if place.has(row)]
    pages = max(1, -(-len(kept) // ROWS))
    place = place.at(min(place.number, pages - 1))
    shown = kept[place.number * ROWS : (place.number + 1) * ROWS]
    part = f"{_narrowed(place, rows)}: {len(kept)} of {len(rows)}" if place.kind else ""
    number = f"page {place.number + 1} of {pages}" if rows else ""
    charts = [f"{name} {chart(series, desk.form)}" for name, series in found.charts.items()]
    lines = [
        head or " · ".join(filter(None, [bold(line(found.title)), escape(part), number])),
        *(escape(line(_unseen(name, reason), REASON)) for name, reason in list(found.down.items())[:MOST_LINES]),
        *(escape(line(text)) for text in found.lines[:MOST_LINES]),
        *map(row_line, shown),
        *(escape(line(text)) for text in charts[: max(0, MOST_LINES - len(found.lines))]),
        desk.looked(),
    ]
    names = [row.name for row in shown]
    openers = [
        Button(label(row.name, row.where if names.count(row.name) > 1 else ""), data(page, place, "", row.target))
        for row in shown
        if row.target
    ]
    turn = [Button("‹", data(page, place.at(place.number - 1)))] if place.number else []
    turn += [Button("›", data(page, place.at(place.number + 1)))] if place.number + 1 < pages else []
    rows_of_buttons = [*beside(_actions(desk, request, page, found, place)), *beside(openers), tuple(turn)]
    rows_of_buttons += [_chips(page, rows, place), (Button("↻", data(page, place)), BACK)]
    outside = found.outside or any(map(is_from_outside, shown))
    return View("\n".join(lines), tuple(row for row in rows_of_buttons if row), outside=outside)


def _unseen(name: str, reason: str) -> str:
    return f"⏳ {name} {reason}" if reason == ASKED else f"🔴 {name}: {reason}"


def is_from_outside(row: Row) -> bool:
    """Whether a row shows text that its owner has not written: as its service says, and whatever is no plain name."""
    return row.outside or not all(map(trusted_name, filter(None, (row.name, row.where, row.group))))


def row_line(row: Row) -> str:
    """`🟢 **web** · nas · up 3 d`."""
    return f"{row.dot} {_headed(row.name, row.where, row.detail)}"


def _headed(name: str, *rest: str) -> str:
    """A name in bold, and what is said of it."""
    said = escape(line(" ".join(f"· {part}" for part in rest if part)))
    return f"{bold(line(name, NAME))} {said}".rstrip()


def single(desk: Desk, request: Request, page: Declared[Any], row: Row, place: Place) -> View:
    """One row by itself, with what this person may do to it."""

    def buttons(tools: Iterable[Tool]) -> list[Button]:
        allowed = [tool for tool in tools if tool in page.uses.values() and desk.may(request, tool)]
        return [Button(tool.word.capitalize(), data(page, place, tool.word, row.target)) for tool in allowed]

    said = [escape(line(text)) for text in (row.detail, *row.lines[:ROWS]) if text]
    lines = [f"{row.dot} {_headed(row.name, row.where)}", *said, desk.looked()]
    last = (Button("↻", data(page, place, "", row.target)), Button("‹ Back", data(page, place)))
    below = (*beside(buttons(row.verbs), 3), *beside(buttons(page.looks), 3), last)
    return View("\n".join(lines), below, outside=is_from_outside(row))


def line(text: str, longest: int = LONGEST) -> str:
    """A text in one line of bearable length."""
    text = escaped(text)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def label(*parts: str) -> str:
    """What stands on a button: as much as a phone shows."""
    return line(" · ".join(filter(None, parts)), LABEL)


def choosing(page: Declared[Any], found: Page, rows: list[Row]) -> View:
    """Everything that the page can be narrowed down to."""
    back = Button("‹ Back", data(page, Place()))
    everything, helpful = Button(f"All {len(rows)}", data(page, Place())), _helpful(page, rows, Place())
    buttons = (*beside([everything, *helpful[:MOST_BUTTONS]]), (back,))
    return View(f"{bold(line(found.title))}\nShow only:", buttons, outside=found.outside)


def _chips(page: Declared[Any], rows: list[Row], place: Place) -> tuple[Button, ...]:
    back = [Button("All", data(page, Place()))] if place.kind else []
    return few([*back, *_helpful(page, rows, place)], data(page, Place(0, CHOOSING)))


def _helpful(page: Declared[Any], rows: list[Row], place: Place) -> list[Button]:
    """The ways to other choices than the present one."""
    return [each.button(page) for each in choices(rows) if each.helps and each.place != place.at(0)]


def _narrowed(place: Place, rows: list[Row]) -> str:
    """What is shown, in words."""
    if place.kind == NAMED:
        return f"“{place.key}”"
    if place.kind == DOING:
        return f"to {place.key}"
    return next((each.label.lower() for each in choices(rows) if each.place == place.at(0)), "only these")


def _actions(desk: Desk, request: Request, page: Declared[Any], found: Page, place: Place) -> list[Button]:
    """What this person may do to the whole."""
    return [
        Button(label(text), data(page, place, ACTION, text))
        for text, call in found.actions.items()
        if (tool := desk.menu.tools.get(call.tool)) and desk.may(request, tool)
    ]
