"""Slash commands and menu pages. None of them needs the model."""

from dataclasses import replace
from difflib import get_close_matches

from bot.menus.chronicle import entry_line
from bot.menus.desk import Desk, Request
from bot.menus.menu import ALL, COMMANDS, PAGES, TYPED, command, page, typed
from bot.menus.uses import OLD, question, turn
from bot.screen.press import Press
from bot.screen.render import escape
from bot.screen.view import STATUS, View, bold, counted
from memory.models import CallRow, CallState, Card, Role
from tools.gate.policy import NEEDED, Autonomy
from tools.kit.service import Risk

MOST_NEAR = 3
FIRST = "status"
"""What /help begins with."""
LIFTED_NOTHING = "Nothing was lifted: /start alone does that."
HALTED_NOTHING = "Nothing was halted: /stop alone does that."


class Commands:
    """Runs commands and pages for people who may."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run(self, request: Request, name: str, rest: str) -> View | None:
        """The command's answer."""
        found = self._desk.menu.commands.get(name)
        if found is None:
            return self._no_such(request, name, rest)
        if not found.is_for(self._desk.access, request.actor.id):
            return View(f"/{name} needs {found.needs}.")
        return await found.run(self._desk, request, rest)

    def _no_such(self, request: Request, name: str, rest: str) -> View:
        """That there is no such command, with those that may have been meant."""
        menu = self._desk.menu
        mine = [c.name for c in menu.commands.values() if c.is_for(self._desk.access, request.actor.id)]
        near = get_close_matches(name, mine, n=MOST_NEAR) or [menu.nearest(name.replace("_", " "))[1:]]
        rows = [tuple(typed(each, rest) for each in near if each in mine), (typed("help"),)]
        return View(f"There is no {escape('/' + name[:32])}. Did you mean:", tuple(filter(None, rows)))

    async def page(self, request: Request, press: Press) -> tuple[View | None, str]:
        """The page that a button leads to, and the toast to go with it."""
        if press.key == TYPED:
            name, _, rest = press.verb.partition(":")
            return await self.run(request, name, rest), ""
        if (run := PAGES.get(press.key)) is not None:
            return await run(self._desk, request, press.verb), ""
        declared = self._desk.menu.pages.get(press.key)
        return await turn(self._desk, request, declared, press.verb) if declared else (None, OLD)


@command("start", "Say hello and show what I can do", yields=True, suggested=False)
async def start(desk: Desk, request: Request, rest: str) -> View:
    """Greeting; lifts a /stop all. The name of a target is only asked about."""
    if rest and (asked := await question(desk, request, "start", rest, LIFTED_NOTHING)):
        return asked
    lifted = ""
    if desk.access.overall(request.actor.id) >= Role.ADMIN and await desk.halt.lift(desk.stores, request.actor):
        lifted = "\n\nI am working again."
    role = desk.access.role(request.actor.id).name.lower()
    text = (
        f"**Rackhand** at your service, {escape(request.actor.name)} ({role}).\n"
        f"Ask in your own words, or use a command. {_promise(desk, request)}{lifted}"
    )
    return View(text, (desk.ways_on(request),))


def _promise(desk: Desk, request: Request) -> str:
    """What becomes of a change that this person asks for."""
    autonomy = desk.proposals.rules.autonomy
    if desk.access.role(request.actor.id) < NEEDED[Risk.CHANGE]:
        return "I look things up and answer; changes are for operators."
    if autonomy is Autonomy.OBSERVE:
        return "I only look, and say what I would have done."
    if autonomy is Autonomy.REVERSIBLE:
        return "What can be undone I do at once, with an Undo button; anything else needs your tap."
    return "I look first, and I change nothing without your tap."


@command("help", "List the commands", suggested=False)
async def help_(desk: Desk, request: Request, rest: str) -> View:
    """The commands this person may use: what shows something first, and what is done by name after that."""
    menu, by_name = desk.menu, desk.menu.uses.keys() - COMMANDS.keys()
    order = sorted(
        (c for c in menu.commands.values() if c.is_for(desk.access, request.actor.id)),
        key=lambda c: (c.name != FIRST, c.name not in menu.pages, c.name not in by_name),
    )
    lines = [f"/{c.name}{' NAME' if c.name in by_name else ''} – {c.summary}" for c in order]
    if desk.access.overall(request.actor.id) >= Role.ADMIN:
        lines.append("/stop all – Halt everything, in every chat, until /start")
    changes = desk.access.role(request.actor.id) >= NEEDED[Risk.CHANGE]
    examples = '"why is paperless down?"' + (', "restart jellyfin"' if changes else "")
    return View("\n".join(lines) + f"\n\nOr just write: {examples}.")


@command("new", "Begin a fresh conversation", suggested=False)
async def new(desk: Desk, request: Request, rest: str) -> View | None:
    """Forget what was said, and take up what was written behind it; pending cards stay."""
    async with desk.stores.database.transaction() as tx:
        await desk.stores.runs.forget(tx, request.conversation)
        await desk.stores.audit.record(tx, "new", request.actor.id, chat=request.conversation)
    if not rest:
        return View("Fresh start: I carry nothing over from before.")
    await desk.opener.say(
        request.conversation, request.actor, rest, trigger=f"update:{request.update}", update=request.update,
        around=request.around,
    )  # fmt: skip
    return None


@command("stop", "Halt what runs and void open cards", yields=True, suggested=False)
async def stop(desk: Desk, request: Request, rest: str) -> View:
    """Panic: at once, without the model. The name of a target is only asked about; `all` is nobody's name here."""
    everywhere = rest.rstrip(" .!").lower() == "all"
    if rest and not everywhere and (asked := await question(desk, request, "stop", rest, HALTED_NOTHING)):
        return asked
    if everywhere and desk.access.overall(request.actor.id) < Role.ADMIN:
        return View(f"/stop all needs an admin{ALL}.")
    if everywhere:
        await desk.halt.panic(desk.stores, request.actor)
    runs, cards = await desk.runner.stop(None if everywhere else request.conversation, request.actor)
    if not runs and not cards and not everywhere:
        return View("Nothing was running, and no card was open.", urgent=True)
    tail = " Nothing changes until /start." if everywhere else ""
    going = await desk.stores.journal.followed(None if everywhere else request.conversation)
    tail += f"\nWhat goes on by itself is not ended: {', '.join(escape(row.title) for row in going)}." if going else ""
    said = f"**Stopped.** {counted(runs, 'request')} halted, {counted(cards, 'card')} voided.{tail}"
    return View(said, ((typed("start"),),) if everywhere else (), urgent=True)


@command("pending", "Show what waits for you")
@page("pending")
async def pending(desk: Desk, request: Request, rest: str) -> View | None:
    """Open cards and unknown outcomes, drawn again at the bottom of the chat."""
    cards = await desk.stores.approvals.open_cards(request.conversation)
    mine = [card for card in cards if request.actor.id in card.allowed]
    unknown = await unknown_outcomes(desk, request)
    if not mine and not unknown:
        return View("Nothing waits for you.", ((STATUS,),))
    async with desk.stores.database.transaction() as tx:
        for card in mine[-8:]:
            # The newest message is the one that counts: a card that has scrolled away comes back, and its old
            # message loses its buttons.
            left = View(f"{await _titles(desk, card)}\nasked again below").stored()
            await desk.stores.outbox.move_down(tx, request.conversation, "card", card.id, **left)
        for row in unknown[-8:]:
            left = View(f"{bold(row.title)}\nsee the receipt below").stored()
            await desk.stores.outbox.move_down(tx, request.conversation, "receipt", row.id, **left)
    return None


async def unknown_outcomes(desk: Desk, request: Request) -> list[CallRow]:
    """Changes asked for here of which nobody knows yet whether they happened, and which this person may answer for."""
    rows = await desk.stores.journal.in_state(CallState.UNKNOWN)
    return [
        row
        for row in rows
        if (run := await desk.stores.runs.get(row.run)) and run.conversation == request.conversation
        if desk.access.role(request.actor.id, row.service) >= NEEDED[Risk(row.risk)]
    ]


async def _titles(desk: Desk, card: Card) -> str:
    """What a card asks for, a line each."""
    asked = await desk.stores.approvals.of_card(card.id)
    rows = [row for approval in asked if (row := await desk.stores.journal.get(approval.call))]
    return "\n".join(bold(row.title) for row in rows)


@command("cost", "What the model has cost")
async def cost(desk: Desk, request: Request, rest: str) -> View:
    """Today, seven days, and what is left."""
    midnight = desk.budget.midnight()
    spent = await desk.stores.usage.since(midnight)
    seven = await desk.stores.usage.since(midnight - 6 * 86_400)
    read = spent.tokens_in + spent.tokens_cached
    share = spent.tokens_cached / max(1, read)
    return View(
        f"**today ${spent.usd:.3f}** of ${desk.budget.daily:g}\n"
        f"{counted(spent.requests, 'request')} · {read:,} tokens in ({share:.0%} cached)"
        f" · {spent.tokens_out:,} out\n7 days ${seven.usd:.3f}\nat most ${desk.budget.task:g} a request"
    )


@command("audit", "The last entries of the audit log", Role.OPERATOR, everywhere=True)
async def audit(desk: Desk, request: Request, rest: str) -> View:
    """Newest first, and whether the chain holds."""
    count = min(int(rest), 50) if rest.isdecimal() else 10
    chain = await desk.stores.audit.verify()
    lines = [escape(await entry_line(desk, entry)) for entry in await desk.stores.audit.last(count)]
    return View(f"{bold(str(chain))}\n\n" + "\n".join(lines), outside=True)


@command("doctor", "Check myself and what I am connected to", Role.OPERATOR, everywhere=True)
async def doctor(desk: Desk, request: Request, rest: str) -> View:
    """Every check in a line."""
    found = await desk.doctor()
    again = replace(typed("doctor"), text="↻")
    return replace(found, text=f"{found.text}\n{desk.looked()}", buttons=((again,),))


@command("digest", "Send the daily digest now")
async def digest(desk: Desk, request: Request, rest: str) -> View:
    """What is down, what changed, what ran, what it cost."""
    return replace(await desk.digest(request.actor), buttons=(desk.ways_on(request),))


async def changes_line(desk: Desk) -> str:
    """`2 changes, both verified · 1 failed` for today."""
    rows = await desk.stores.journal.since(desk.budget.midnight())
    ran = [row for row in rows if row.state is CallState.DONE]
    verified = sum(1 for row in ran if row.verified)
    words = {len(ran): "all verified" if len(ran) > 2 else "both verified" if len(ran) == 2 else "verified"}
    parts = [f"{counted(len(ran), 'change')}, {words.get(verified, f'{verified} verified')}"] if ran else []
    for state in (CallState.FAILED, CallState.UNKNOWN):
        if count := sum(row.state is state for row in rows):
            parts.append(f"{count} {state}")
    return " · ".join(parts) or "no changes"
