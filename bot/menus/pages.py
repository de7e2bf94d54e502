"""Pages of our own that turn in place: the status, and the way to every other page."""

from bot.menus.commands import changes_line, unknown_outcomes
from bot.menus.desk import Desk, Request
from bot.menus.listing import BACK
from bot.menus.menu import MENU, MOST_BESIDE, beside, command, few, page
from bot.menus.places import Place, data
from bot.menus.soon import soon
from bot.screen.render import escape
from bot.screen.view import STATUS, Button, View, bold, counted
from memory.models import Role
from tools.kit.errors import ToolFailed
from tools.kit.glance import Note
from tools.kit.hurry import StillAsked

MOST_TROUBLES = 8
MOST_QUIET = 5
"""Lines of /status for what needs nobody."""


@command("status", "What needs you, in one look")
@page("status")
async def status(desk: Desk, request: Request, rest: str) -> View:
    """Every configured service at a glance."""
    return await soon(lambda: _glances(desk, request))


async def _glances(desk: Desk, request: Request) -> View:
    glances = await desk.proposals.reads.glances(request.actor)
    broken = {name: glance for name, glance in glances.items() if isinstance(glance, ToolFailed)}
    awaited = [f"⏳ {broken.pop(name)}" for name in list(broken) if isinstance(broken[name], StillAsked)]
    fine = {name: glance for name, glance in glances.items() if not isinstance(glance, ToolFailed)}
    found = [(name, trouble) for name, glance in fine.items() for trouble in glance.troubles]
    troubles = [(name, trouble) for name, trouble in found if not trouble.awaited]
    awaited += [str(trouble) for _, trouble in found if trouble.awaited]
    cards = len(await desk.stores.approvals.open_cards(request.conversation))
    unknown = len(await unknown_outcomes(desk, request))
    needs = len(troubles) + len(broken) + cards + unknown + bool(desk.halt.everything)
    well = ("**So far all is well**" if awaited else "**All well**") if glances else _nothing_to_see(desk, request)
    lines = [f"**{needs} need{'s' if needs == 1 else ''} you**" if needs else well]
    if unknown:
        lines.append(f"❓ {counted(unknown, 'outcome')} unknown: /pending")
    lines += [f"🔴 {escape(f'{name}: {error}')}" for name, error in broken.items()]
    lines += [_noted(desk, trouble) for _, trouble in troubles[:MOST_TROUBLES]]
    if len(troubles) > MOST_TROUBLES:
        lines.append(f"… and {len(troubles) - MOST_TROUBLES} more")
    lines += map(escape, awaited)
    if cards:
        lines.append(f"📋 {counted(cards, 'card')} waiting: /pending")
    quiet = [note for glance in fine.values() for note in glance.quiet]
    lines += [f"{glance.dot} {escape(glance.summary)}" for glance in fine.values()]
    lines += [_noted(desk, note) for note in quiet[:MOST_QUIET]]
    if len(quiet) > MOST_QUIET:
        lines.append(f"… and {len(quiet) - MOST_QUIET} more that are off")
    if desk.halt.everything:
        lines.append(f"⛔ {escape(desk.halt.everything)}")
    spent = await desk.stores.usage.since(desk.budget.midnight())
    lines.append(escape(f"today ${spent.usd:.2f} · {await changes_line(desk)}"))
    openers = [
        Button(f"{trouble.name} ▸", data(opened, Place(), "", trouble.target))
        for name, trouble in troubles[:3]
        if trouble.target and (opened := desk.menu.first_of(name))
    ]
    notes: list[Note] = [*(trouble for _, trouble in troubles), *quiet]
    outside = any(error.outside for error in broken.values()) or any(note.outside for note in notes)
    ways = few(desk.openers(request), MENU)
    again = Button("↻", STATUS.data)
    # Five in a row could not be read on a phone.
    rows = (tuple(openers), ways, (again,)) if len(ways) == MOST_BESIDE else (tuple(openers), (*ways, again))
    return View("\n".join([*lines, desk.looked()]), tuple(row for row in rows if row), outside=outside)


@page("menu")
async def menu(desk: Desk, request: Request, rest: str) -> View:
    """The way to every page."""
    return View("**Everything there is to look at**", (*beside(desk.openers(request), 3), (BACK,)))


def _noted(desk: Desk, note: Note) -> str:
    """A trouble, or what is off, in a line."""
    return f"{note.dot} {bold(note.name)} {escape(desk.form.noted(f'· {note.where} · {note.detail}', note.at))}"


def _nothing_to_see(desk: Desk, request: Request) -> str:
    """Why no service is shown; that is not the same as that all is well."""
    if desk.access.overall(request.actor.id) >= Role.VIEWER:
        return "**No service is set up**: .env.example lists what there is"
    return "**Nothing here is yours to look at**"
