"""`/undo`: what can be taken back here, what that would do, and what is there now. Only a tap takes anything back."""

import asyncio
from dataclasses import dataclass, replace

from bot.menus.desk import Desk, Request
from bot.menus.menu import command, page
from bot.screen.press import PAGE, UNDO, Press
from bot.screen.render import escape
from bot.screen.view import Button, View, bold, cut, past
from memory.models import CallRow, Role, Use
from tools.gate.card import gone
from tools.gate.execution import UNDO_SECONDS
from tools.gate.nets import LAPSED
from tools.gate.policy import Verdict
from tools.gate.proposals import ALREADY, Answer
from tools.gate.results import shows_outside, stored_facts

LISTED = "l"
"""What an Undo's button says at its end when it stands in this list, which is then drawn again."""
MOST = 8
"""Changes with a button: about what a phone shows."""
MOST_PASSED = 3
"""Changes that are named though nothing can be done about them any more."""
LOOK_SECONDS = 5.0
"""How long the looks at what is there now may take, all together."""


@dataclass(frozen=True)
class Look:
    """What an Undo would do, and what is there now."""

    text: str
    useful: bool = True
    """Whether a tap could do anything."""
    outside: bool = False
    """Whether any of it is text that nobody here has written."""


@command("undo", "Show what can be taken back", Role.OPERATOR)
@page("undo")
async def undo(desk: Desk, request: Request, rest: str) -> View:
    """The last changes that this person may take back, newest first; each tap is the approval of its own Undo."""
    journal = desk.stores.journal
    rows = _own(desk, request, await journal.undoable(request.conversation))
    passed = _own(desk, request, await journal.not_undoable(request.conversation))
    shown = rows[:MOST]
    looks = await asyncio.gather(*(_look(desk, request, row) for row in shown))
    parts = ["**What can be taken back here**" if rows else "There is nothing to take back here."]
    taps = []
    for number, (row, look) in enumerate(zip(shown, looks, strict=True), 1):
        parts.append(f"{number}\\. {bold(past(row.title))} {escape(await _when(desk, row))}\n{escape(look.text)}")
        if look.useful:
            press = Press(UNDO, desk.stores.keys.button("undo", row.id), LISTED)
            taps.append((Button(cut(f"↩ {number}. {row.title}"), press.data),))
    if len(rows) > MOST:
        parts.append(f"… and {len(rows) - MOST} more: each has its Undo on its receipt")
    parts += map(escape, _passed(desk, passed))
    parts.append(desk.looked())
    outside = any(look.outside for look in looks) or any(map(shows_outside, (*rows, *passed)))
    return View("\n\n".join(parts), (*taps, (Button("↻", Press(PAGE, "undo").data),)), outside=outside)


def _own(desk: Desk, request: Request, rows: list[CallRow]) -> list[CallRow]:
    """Those that this person may take back: a page can be turned by anybody who sees its buttons."""
    return [row for row in rows if desk.access.role(request.actor.id, row.service) >= Role.OPERATOR]


async def _when(desk: Desk, row: CallRow) -> str:
    run = await desk.stores.runs.get(row.run)
    origin = await desk.stores.journal.get(run.undo_of) if run and run.undo_of else None
    took_back = f", the Undo of “{origin.title}”" if origin else ""
    return f"· {desk.form.moment(row.ended or row.proposed)}{took_back}"


async def _look(desk: Desk, request: Request, row: CallRow) -> Look:
    """From the plan that a tap would carry out."""
    run = await desk.stores.runs.get(row.run)
    assert run is not None and row.undo is not None, "a call belongs to a run; asked only of what has an Undo"
    asked = replace(run, actor=request.actor, thinks=False, unattended=False, undo_of=row.id)
    would = f"Undo would {row.card['undo']}" if row.card["undo"] else "Undo would put back what was before"
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            found = await desk.proposals.prepare(asked, Use(f"look:{row.id}", row.undo["tool"], row.undo["args"]))
    except TimeoutError:
        return Look(f"{would}\nnow: unknown, {row.service} does not answer")
    if not isinstance(found, Answer):
        facts = stored_facts(found.change.facts)
        now = desk.proposals.redact(desk.form.facts(facts)) or "nothing that would show it"
        if found.decision.verdict is Verdict.REFUSE:
            return Look(f"{would}\nnow: {now}\n{found.decision.reason}", useful=False, outside=facts["outside"])
        return Look(f"{would}: {found.change.title}\nnow: {now}", outside=facts["outside"])
    if found.detail == ALREADY:
        return Look("now: as it was before; Undo would do nothing", useful=False)
    if found.gone:
        return Look(f"now: {gone(row)}; Undo could do nothing", useful=False)
    if found.detail == LAPSED:
        return Look(f"{LAPSED} Undo could do nothing", useful=False)
    return Look(f"{would}\nnow: unknown. {found.detail}", outside=found.tainted)


def _passed(desk: Desk, rows: list[CallRow]) -> list[str]:
    """What is not offered, newest first: what has outlived its Undo, and what never had one."""
    recent = desk.stores.database.now() - UNDO_SECONDS
    old = [row for row in rows if row.undo is not None]
    without = [row for row in rows if row.undo is None and (row.ended or 0.0) > recent]
    lines = []
    for words, found in (("Too old to undo", old), ("Has no undo", without)):
        named = [f"{row.title}, {desk.form.moment(row.ended or row.proposed)}" for row in found[:MOST_PASSED]]
        more = ["…"] if len(found) > MOST_PASSED else []
        lines += [f"{words}: {'; '.join([*named, *more])}"] if named else []
    return lines
