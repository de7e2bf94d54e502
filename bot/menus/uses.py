"""What may be done from a page or by a name: opened, looked at, or put on a card. Nothing here changes anything."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from bot.menus.desk import Desk, Request
from bot.menus.listing import ACTION, BACK, drawn, label, line, listed, ordered, read, single
from bot.menus.menu import Use, beside, needed, typed
from bot.menus.places import DOING, Place, data, fingerprint, written
from bot.menus.soon import soon
from bot.screen.charts import sketch
from bot.screen.press import PAGE, Press
from bot.screen.render import escape
from bot.screen.result import result_text
from bot.screen.view import Button, View, bold
from memory.models import Role
from tools.gate.policy import NEEDED
from tools.gate.spelling import Wording
from tools.kit.change import Call
from tools.kit.errors import Gone, ToolFailed
from tools.kit.hurry import StillAsked
from tools.kit.page import Declared, Row
from tools.kit.series import Chart
from tools.kit.service import Risk
from tools.kit.types import Target, outside_text, trusted_name

CHOSEN = "/"
"""Between the word for a look, and the one that it is to choose."""
GONE = "It is not there any more."
OLD = "This button is too old."
MOST_CHOICES = 8
ALIKE = 0.75
"""How much two names must have in common for one to be a slip of the other."""
PATIENCE = 5.0
"""Seconds for finding out whether the word behind /stop is a name."""


async def show(desk: Desk, request: Request, page: Declared[Any], text: str) -> View:
    """The answer to a page's own command; a text behind it narrows the page down."""

    async def look() -> View:
        try:
            found = await read(desk, request, page)
        except ToolFailed as error:
            return _trouble(desk, error, Button("↻", data(page, Place())), BACK)
        rows = ordered(found.rows)
        return drawn(desk, request, page, found, rows, written(text, rows))

    return await soon(look)


async def turn(desk: Desk, request: Request, page: Declared[Any], rest: str) -> tuple[View | None, str]:
    """What a button of the page leads to, and the toast to go with it; no view when a card will follow."""
    if not desk.sees(request, page.service.name):
        return View(escape(f"This needs {needed(Role.VIEWER, page.service.name)}.")), ""
    spot, word, key = [*rest.split(":", 2), "", ""][:3]
    place = Place.read(spot)

    async def look() -> View:
        try:
            return await listed(desk, request, page, place)
        except ToolFailed as error:
            return _trouble(desk, error, Button("↻", Press(PAGE, page.name, rest).data), BACK)

    if not key:
        return await soon(look), ""
    try:
        if word == ACTION:
            return await _act_on_all(desk, request, page, place, key)
        target = await _target(desk, request, page, key)
        if not word:
            return single(desk, request, page, await _row(desk, request, page, target), place), ""
        word, _, chosen = word.partition(CHOSEN)
        tool = page.uses.get(word)
        return (await _use(desk, request, Use(page, tool), target, place, chosen), "") if tool else (None, OLD)
    except ToolFailed as error:
        ways = (Button("↻", Press(PAGE, page.name, rest).data), Button("‹ Back", data(page, place)))
        return _trouble(desk, error, *ways), ""


async def by_name(desk: Desk, request: Request, word: str, text: str) -> View | None:
    """`/restart jellyfin`: the one that is meant, or buttons for those that may be, and no view when a card follows."""
    uses = [use for use in desk.menu.uses[word] if desk.may(request, use.tool)]
    if not text:
        return await _which(desk, request, uses, word)
    text, chosen = _chosen(uses, text)
    found, failed = await _meant(desk, request, uses, text)
    if len(found) == 1:
        try:
            return await _use(desk, request, *found[0], Place(), chosen)
        except ToolFailed as error:
            return _trouble(desk, error, _again(word, text), BACK)
    if found:
        return View(f"**{word.capitalize()} which one?**", _each(found))
    if failed:
        return _trouble(desk, failed, _again(word, text), BACK)
    near = await _near(desk, request, uses, text)
    pages = {use.page.name: Button(use.page.label, data(use.page, Place())) for use in uses}
    hint = " Did you mean:" if near else " What there is:"
    return View(escape(f"Nothing here is called “{line(text)}”.{hint}"), near or beside(pages.values()))


def _chosen(uses: Iterable[Use], text: str) -> tuple[str, str]:
    """The name in `pve1 week`, and the word behind it, where it is one that these may choose between."""
    name, _, last = text.rpartition(" ")
    choices = {word for use in uses for word in use.tool.choice[1]}
    return (name.strip(), last.lower()) if name and last.lower() in choices else (text, "")


async def question(desk: Desk, request: Request, word: str, text: str, tail: str) -> View | None:
    """`/stop jellyfin`: whether a service shall do that. None when the text names nothing here.

    `tail` says that the word itself has done nothing.
    """
    uses = [use for use in desk.menu.uses.get(word, ()) if desk.sees(request, use.page.service.name)]
    try:
        async with asyncio.timeout(PATIENCE):
            found, failed = await _meant(desk, request, uses, text)
            near = () if found or failed else await _near(desk, request, uses, text, parts=False)
    except TimeoutError:
        found, failed, near = [], ToolFailed("I could not find out in time whether that is the name of something."), ()
    allowed = [pair for pair in found if desk.may(request, pair[0].tool)]
    if len(allowed) == 1:
        use, target = allowed[0]
        head = f"{bold(f'{word.capitalize()} {line(target.name)}?')} {escape(line(target.detail))}"
        yes = ((_button(use, target, f"{word.capitalize()} {target.name}"),),)
        return View(f"{head}\n{tail}", yes, outside=not trusted_name(target.name))
    if allowed:
        return View(f"**{word.capitalize()} which one?**\n{tail}", _each(allowed))
    if found:
        use, target = found[0]
        lacking = escape(f"{word.capitalize()} {line(target.name)}: {_lacking(use)}")
        return View(f"{lacking}\n{tail}", outside=not trusted_name(target.name))
    if failed:
        ways = (_again(word, text), typed(word))
        return View(f"{escape(f'🔴 {failed}')}\n{tail}", (ways,), outside=failed.outside)
    return View(escape(f"Nothing here is called “{line(text)}”. Did you mean:") + f"\n{tail}", near) if near else None


async def _which(desk: Desk, request: Request, uses: list[Use], word: str) -> View:
    """A verb without a name: the page of what it could be done to, or the way to each of several."""
    pages = {use.page.name: use for use in uses}
    head = f"**{word.capitalize()} which one?** Tap it, or write /{word} NAME."
    places = {name: Place() if use.tool.risk is Risk.READ else Place(0, DOING, word) for name, use in pages.items()}
    if len(pages) > 1:
        return View(head, beside(Button(use.page.label, data(use.page, places[name])) for name, use in pages.items()))
    page, place = uses[0].page, places[uses[0].page.name]
    try:
        found = await read(desk, request, page)
    except ToolFailed as error:
        return _trouble(desk, error, Button("↻", data(page, place)), BACK)
    return drawn(desk, request, page, found, ordered(found.rows), place, head)


async def _meant(
    desk: Desk, request: Request, uses: Iterable[Use], text: str
) -> tuple[list[tuple[Use, Target]], ToolFailed | None]:
    """Everything that a text may mean, and why not everything could be asked."""
    found, failed = [], None
    for use in uses:
        try:
            found += [(use, target) for target in await desk.proposals.reads.meant(request.actor, use.tool, text)]
        except ToolFailed as error:
            failed = error
    return found[:MOST_CHOICES], failed


async def _near(
    desk: Desk, request: Request, uses: Iterable[Use], text: str, *, parts: bool = True
) -> tuple[tuple[Button, ...], ...]:
    """A button for each thing that the text names among other words, or whose name is much like it.

    With `parts` also for those whose name has it as a part.
    """
    wanted, said, buttons = _plain(text), Wording(text), []
    for use in uses:
        try:
            rows = (await read(desk, request, use.page)).rows
        except ToolFailed:
            continue
        by_name: dict[str, list[Row]] = {}
        for row in rows:
            by_name.setdefault(_plain(row.name), []).append(row)
        named = [name for name, rows in by_name.items() if said.names(rows[0].name)]
        names = list(dict.fromkeys([*named, *get_close_matches(wanted, by_name, n=3, cutoff=ALIKE)]))
        names += [name for name in by_name if parts and wanted and wanted in name and name not in names]
        for row in (row for name in names for row in by_name[name] if row.target):
            shown = label(f"{row.dot} {row.name}", row.where)
            buttons.append(Button(shown, data(use.page, Place(), use.tool.word, row.target)))
    return beside(buttons[:MOST_CHOICES])


def _plain(text: str) -> str:
    """A name as people write it: case, spaces and hyphens do not count."""
    return re.sub(r"[\W_]+", "", text.lower())


async def _use(desk: Desk, request: Request, use: Use, target: Target, place: Place, chosen: str = "") -> View | None:
    """What a read shows, by the word that is `chosen` where it has a choice; of a change only the card, which a person
    asks for without a model.
    """
    page, tool, key = use.page, use.tool, target.short or target.id
    title, back = f"{tool.word.capitalize()} {target.name}", Button("‹ Back", data(page, place, "", key))
    if not desk.may(request, tool):
        return View(escape(f"{line(title)}: {_lacking(use)}"), ((back,),))
    if tool.risk is not Risk.READ:
        await _put(desk, request, title, tool.call(**tool.about(target.id)))
        return None
    name, words, usual = tool.choice
    chosen = chosen if chosen in words else usual
    found = await desk.proposals.reads.look(request.actor, tool, target, **({name: chosen} if chosen else {}))
    text = result_text(target.name, found, desk.form, desk.proposals.redact)
    others = tuple(
        Button(other.capitalize(), data(page, place, f"{tool.word}{CHOSEN}{other}", key))
        for other in words
        if other != chosen
    )
    again = f"{tool.word}{CHOSEN}{chosen}" if chosen else tool.word
    buttons = (*filter(None, [others]), (Button("↻", data(page, place, again, key)), back))
    picture = sketch(found, desk.form) if isinstance(found, Chart) and found.curves else None
    return View(f"{text}\n{desk.looked()}", buttons, outside=any(outside_text(found)), picture=picture)


async def _act_on_all(
    desk: Desk, request: Request, page: Declared[Any], place: Place, key: str
) -> tuple[View | None, str]:
    """What a button does to the whole, if the page still offers it to this person."""
    found = await read(desk, request, page)
    for text, call in found.actions.items():
        tool = desk.menu.tools.get(call.tool)
        if key in (text, fingerprint(text)) and tool and desk.may(request, tool):
            await _put(desk, request, text, call)
            return None, ""
    return drawn(desk, request, page, found, ordered(found.rows), place), "That has changed meanwhile."


async def _put(desk: Desk, request: Request, title: str, call: Call) -> None:
    """A change in a run of its own: the card, or why there is none, is a message below."""
    await desk.opener.direct(
        request.conversation, request.actor, title, call.tool, call.args,
        trigger=f"menu:{request.update}", opened_by="button",
    )  # fmt: skip


async def _target(desk: Desk, request: Request, page: Declared[Any], key: str) -> Target:
    """What a button is about. Raises Gone."""
    tool = next(iter(page.uses.values()), None)
    if tool is None or key.startswith("#"):
        rows = (await read(desk, request, page)).rows
        row = next((row for row in rows if row.target and key in (row.target, fingerprint(row.target))), None)
        if row is None:
            raise Gone(GONE)
        if tool is None:
            return Target(row.target, row.name)
        key = row.target
    found = await desk.proposals.reads.meant(request.actor, tool, key)
    if len(found) != 1:
        raise Gone(GONE)
    return found[0]


async def _row(desk: Desk, request: Request, page: Declared[Any], target: Target) -> Row:
    """One target as its page shows it by itself. Raises Gone."""
    one = page.one
    if one is not None:
        row: Row = await desk.proposals.reads.read(request.actor, page.service, lambda ctx: one(ctx, target.id))
        return row
    for row in (await read(desk, request, page)).rows:
        if row.target and row.target in (target.id, target.short):
            return row
    raise Gone(GONE)


def _each(found: list[tuple[Use, Target]]) -> tuple[tuple[Button, ...], ...]:
    """A button for each of those that may be meant, told apart by what they are and where."""
    mixed = len({use.page.name for use, _ in found}) > 1
    named = ((use, target, label(target.name, use.page.label if mixed else "", target.detail)) for use, target in found)
    return beside((_button(*each) for each in named), 1)


def _button(use: Use, target: Target, text: str) -> Button:
    return Button(label(text), data(use.page, Place(), use.tool.word, target.short or target.id))


def _again(word: str, text: str) -> Button:
    """The same once more."""
    return replace(typed(word, text), text="↻")


def _lacking(use: Use) -> str:
    """Whom it takes."""
    return f"that needs {needed(NEEDED[use.tool.risk], use.tool.service.name)}."


def _trouble(desk: Desk, error: ToolFailed, *buttons: Button) -> View:
    """That something could not be read, and why."""
    mark = "⏳" if isinstance(error, StillAsked) else "🔴"
    shown = f"{escape(f'{mark} {error}')}\n{desk.looked()}"
    return View(shown, (buttons,) if buttons else (), outside=error.outside)
