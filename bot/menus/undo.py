"""`/undo`: what can be taken back here, what that would do, and what is there now. Only a tap takes anything back."""

import asyncio
from dataclasses import replace
from datetime import datetime

from bot.menus.desk import Desk, Request
from bot.menus.menu import command, page
from bot.screen.press import PAGE, UNDO, Press
from bot.screen.render import escape
from bot.screen.view import Button, View, bold, cut, past
from memory.models import CallRow, Role, Use
from tools.gate.execution import UNDO_SECONDS
from tools.gate.policy import Verdict
from tools.gate.proposals import ALREADY, Answer, gone
from tools.gate.results import stored_facts

MOST = 8
"""Changes with a button: about what a phone shows."""
MOST_PASSED = 3
"""Changes that are named though nothing can be done about them any more."""
LOOK_SECONDS = 5.0
"""How long the looks at what is there now may take, all together."""


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
    for number, (row, (useful, seen)) in enumerate(zip(shown, looks, strict=True), 1):
        parts.append(f"{number}\\. {bold(past(row.title))} {escape(await _when(desk, row))}\n{escape(seen)}")
        if useful:
            press = Press(UNDO, desk.stores.keys.button("undo", row.id))
            taps.append((Button(cut(f"↩ {number}. {row.title}"), press.data),))
    if len(rows) > MOST:
        parts.append(f"… and {len(rows) - MOST} more: each has its Undo on its receipt")
    parts += map(escape, _passed(desk, passed))
    parts.append(f"looked {datetime.now(desk.form.zone):%H:%M:%S}")
    return View("\n\n".join(parts), (*taps, (Button("↻", Press(PAGE, "undo").data),)))


def _own(desk: Desk, request: Request, rows: list[CallRow]) -> list[CallRow]:
    """Those that this person may take back: a page can be turned by anybody who sees its buttons."""
    return [row for row in rows if desk.access.role(request.actor.id, row.service) >= Role.OPERATOR]


async def _when(desk: Desk, row: CallRow) -> str:
    run = await desk.stores.runs.get(row.run)
    origin = await desk.stores.journal.get(run.undo_of) if run and run.undo_of else None
    took_back = f", the Undo of “{origin.title}”" if origin else ""
    return f"· {desk.form.moment(row.ended or row.proposed)}{took_back}"


async def _look(desk: Desk, request: Request, row: CallRow) -> tuple[bool, str]:
    """Whether a tap could do anything; from the plan it would carry out, what that would do and what is there now."""
    run = await desk.stores.runs.get(row.run)
    assert run is not None and row.undo is not None, "a call belongs to a run; asked only of what has an Undo"
    asked = replace(run, actor=request.actor, thinks=False, unattended=False, undo_of=row.id)
    would = f"Undo would {row.card['undo']}" if row.card["undo"] else "Undo would put back what was before"
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            found = await desk.proposals.prepare(asked, Use(f"look:{row.id}", row.undo["tool"], row.undo["args"]))
    except TimeoutError:
        return True, f"{would}\nnow: unknown, {row.service} does not answer"
    if not isinstance(found, Answer):
        now = desk.proposals.redact(desk.form.facts(stored_facts(found.change.facts))) or "nothing that would show it"
        if found.decision.verdict is Verdict.REFUSE:
            return False, f"{would}\nnow: {now}\n{found.decision.reason}"
        return True, f"{would}: {found.change.title}\nnow: {now}"
    if found.detail == ALREADY:
        return False, "now: as it was before; Undo would do nothing"
    if found.gone:
        return False, f"now: {gone(row)}; Undo could do nothing"
    return True, f"{would}\nnow: unknown. {found.detail}"


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
