"""Pages that turn in place: the status, the containers, one container."""

from bot.menus.commands import (
    Desk,
    Request,
    changes_line,
    command,
    containers_button,
    menu_row,
    open_button,
    page,
    unknown_outcomes,
)
from bot.screen.render import escape
from bot.screen.view import Button, View, bold, counted
from memory.models import Role
from tools.kit.errors import ToolFailed
from tools.kit.glance import Note
from tools.kit.types import outside_text, trusted_name

ROWS = 8
MOST_QUIET = 5
"""Lines of /status for what needs nobody."""
DOTS = {
    "running": "🟢",
    "restarting": "🔴",
    "dead": "🔴",
    "paused": "🟡",
    "exited": "⚪",
    "created": "⚪",
    "removing": "🟡",
}


@command("status", "What needs you, in one look")
@page("status")
async def status(desk: Desk, request: Request, rest: str) -> View:
    """Every configured service at a glance."""
    glances = await desk.proposals.glances(request.actor)
    broken = {name: glance for name, glance in glances.items() if isinstance(glance, ToolFailed)}
    fine = {name: glance for name, glance in glances.items() if not isinstance(glance, ToolFailed)}
    troubles = [(name, trouble) for name, glance in fine.items() for trouble in glance.troubles]
    cards = len(await desk.stores.approvals.open_cards(request.conversation))
    unknown = len(await unknown_outcomes(desk, request))
    needs = len(troubles) + len(broken) + cards + unknown + bool(desk.halt.everything)
    well = "**All well**" if glances else _nothing_to_see(desk, request)
    lines = [f"**{needs} need{'s' if needs == 1 else ''} you**" if needs else well]
    if unknown:
        lines.append(f"❓ {counted(unknown, 'outcome')} unknown: /pending")
    lines += [f"🔴 {escape(f'{name}: {error}')}" for name, error in broken.items()]
    lines += [_noted(desk, trouble) for _, trouble in troubles[:ROWS]]
    if len(troubles) > ROWS:
        lines.append(f"… and {len(troubles) - ROWS} more")
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
        open_button(f"{trouble.name} ▸", f"{name}:{trouble.target}") for name, trouble in troubles[:3] if trouble.target
    ]
    refresh = Button("↻", "m:status")
    rows = [menu_row(*openers), menu_row(containers_button(desk, request), refresh)]
    outside = any(each.outside for each in (*broken.values(), *(trouble for _, trouble in troubles), *quiet))
    return View("\n".join(lines), tuple(row for row in rows if row), outside=outside)


def _noted(desk: Desk, note: Note) -> str:
    """A trouble, or what is off, in a line."""
    return f"{note.dot} {bold(note.name)} {escape(desk.form.noted(f'· {note.where} · {note.detail}', note.at))}"


def _nothing_to_see(desk: Desk, request: Request) -> str:
    """Why no service is shown; that is not the same as that all is well."""
    if desk.access.overall(request.actor.id) >= Role.VIEWER:
        return "**No service is set up**: .env.example lists what there is"
    return "**Nothing here is yours to look at**"


@command("containers", "All containers, page by page", service="docker")
@page("containers")
async def containers(desk: Desk, request: Request, rest: str) -> View:
    """Eight containers a page, the troubled first; the number is a menu state, so it survives a restart."""
    try:
        listing = await desk.proposals.look(request.actor, "docker_list_containers")
    except ToolFailed as error:
        return View(escape(f"🔴 {error}"), ((Button("↻", "m:containers:0"),),), outside=error.outside)
    troubled = set(listing.troubled)
    ordered = sorted(listing.containers, key=lambda c: (f"{c.host}/{c.name}" not in troubled, c.host, c.name))
    pages = max(1, -(-len(ordered) // ROWS))
    number = min(int(rest), pages - 1) if rest.isdecimal() else 0
    shown = ordered[number * ROWS : (number + 1) * ROWS]
    down = [escape(f"🔴 {host.host}: {host.reason}") for host in listing.hosts_down]
    others = [f"{count} {word}" for word in ("restarting", "paused", "stopped") if (count := getattr(listing, word))]
    counts = ", ".join([f"**{listing.running} running**", *others])
    lines = [f"{counts} · page {number + 1} of {pages}", *down]
    for container in shown:
        dot = DOTS.get(container.state, "⚪")
        needs = f"{container.host}/{container.name}" in troubled
        dot = {"🟢": "🟡", "⚪": "🔴"}.get(dot, dot) if needs else dot
        restarts = counted(container.restarts or 0, "restart")
        extra = f" · {restarts}" if container.restarts and restarts not in container.condition else ""
        lines.append(f"{dot} {bold(container.name)} {escape(f'· {container.host} · {container.condition}{extra}')}")
    openers = [open_button(c.name, f"docker:{c.id}") for c in shown]
    rows = [menu_row(*openers[i : i + 2]) for i in range(0, len(openers), 2)]
    turn = menu_row(
        Button("‹", f"m:containers:{number - 1}") if number else None,
        Button("↻", f"m:containers:{number}"),
        Button("›", f"m:containers:{number + 1}") if number + 1 < pages else None,
    )
    buttons = (*[row for row in rows if row], turn, (Button("‹ Back", "m:status"),))
    return View("\n".join(lines), buttons, outside=any(outside_text([listing.hosts_down, shown])))


@page("docker")
async def container(desk: Desk, request: Request, rest: str) -> View:
    """One container, with the buttons this person may press."""
    try:
        seen = await desk.proposals.look(request.actor, "docker_get_container_details", container=rest)
    except ToolFailed as error:
        return View(escape(str(error)), ((Button("‹ Back", "m:containers:0"),),), outside=error.outside)
    state = [seen.state, seen.condition if seen.condition != seen.state else ""]
    state += [seen.health if seen.health not in ("none", seen.why) and seen.state == "running" else ""]
    state += [f"since {desk.form.moment(seen.since)}" if seen.since else ""]
    restarts = counted(seen.restarts, "restart") if seen.restarts is not None else ""
    lines = [
        f"**{escape(seen.name)}** {escape(f'· {seen.host}')}",
        escape(" · ".join(filter(None, state))),
        escape(seen.error or ""),
        escape(" · ".join(filter(None, [restarts, f"restart policy {seen.restart_policy}"]))),
        escape(seen.image),
    ]
    actions: list[Button | None] = []
    if desk.access.role(request.actor.id, "docker") >= Role.OPERATOR:
        verbs = ("restart", "stop") if seen.state in ("running", "restarting", "paused") else ("start",)
        actions = [open_button(verb.capitalize(), f"do:{verb}:{rest}") for verb in verbs]
    looks = menu_row(open_button("Logs", f"logs:{rest}"), open_button("↻", f"docker:{rest}"))
    rows = [menu_row(*actions), looks, (Button("‹ Back", "m:containers:0"),)]
    ours = trusted_name(seen.name) and trusted_name(seen.image)
    return View("\n".join(filter(None, lines)), tuple(row for row in rows if row), outside=not ours)


@page("logs")
async def logs(desk: Desk, request: Request, rest: str) -> View:
    """The last lines, as code: whatever they say, they are only text."""
    back = ((open_button("↻", f"logs:{rest}"), open_button("‹ Back", f"docker:{rest}")),)
    rows = tuple(menu_row(*row) for row in back)
    try:
        found = await desk.proposals.look(request.actor, "docker_get_container_logs", container=rest, lines=25)
    except ToolFailed as error:
        return View(escape(str(error)), rows, outside=error.outside)
    lines = [desk.proposals.redact(line).replace("```", "'''")[:200] for line in found.lines]
    body = "\n".join(lines)[-3000:] or "(no output)"
    return View(f"**{escape(found.name)}** last lines\n\n```\n{body}\n```", rows, outside=True)


@page("do")
async def do(desk: Desk, request: Request, rest: str) -> View | None:
    """A change from a menu: a one-call run and its card, no model."""
    verb, _, target = rest.partition(":")
    name = target.rpartition("/")[2]
    await desk.opener.direct(
        request.conversation, request.actor, f"{verb.capitalize()} {name}", f"docker_{verb}_container",
        {"container": target}, trigger=f"menu:{request.update}", opened_by="button",
    )  # fmt: skip
    return None
