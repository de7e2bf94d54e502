"""Cards and receipts on screen: written from the journal's rows, so they can be drawn again at any time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.screen.press import CARD, KNOWN, UNDO, Press
from bot.screen.render import escape
from bot.screen.view import (
    QUIET,
    STATUS,
    Button,
    Format,
    View,
    bold,
    cut,
    is_moment,
    past,
    seconds,
    short_id,
    try_again,
)
from memory.models import Approval, CallRow, CallState, Card
from memory.stores import Stores
from memory.text import short_ids
from tools.gate import results
from tools.gate.outcomes import is_loud
from tools.gate.policy import ONLY_LOOKING
from tools.gate.standing import WHY, ending, may_ask_again
from tools.kit.service import Risk

MARKS = {
    CallState.DONE: "✓", CallState.FAILED: "✗", CallState.UNKNOWN: "?", CallState.DENIED: "–",
    CallState.EXPIRED: "–", CallState.NOT_STARTED: "–", CallState.STARTED: "…",
    CallState.WAITING: "", CallState.PROPOSED: "",
}  # fmt: skip
PROVENANCE = {
    "outside": " ⚠ may come from text from outside", "inventory": " (from inventory)", "default": " (default)",
}  # fmt: skip
TRACE_SECONDS = 120.0
"""After it has begun, what is seen may still be its own doing: about as long as a change may take."""
CHANGE_NOTHING = "Nothing was changed. To allow changes: `AUTONOMY=ask`"


@dataclass(frozen=True)
class Plan:
    """What a card says of a change that has no row in the journal: it was refused."""

    tool: str
    risk: int
    targets: dict[str, dict[str, str]]
    card: dict[str, Any]
    before: dict[str, Any]

    @property
    def title(self) -> str:
        """Verb and target."""
        return str(self.card["title"])


Planned = CallRow | Plan


class Cards:
    """Draws cards and receipts."""

    def __init__(self, stores: Stores, form: Format) -> None:
        self._stores, self._keys, self._format = stores, stores.keys, form

    async def card(self, card_id: str) -> View | None:
        """The card as it stands now: open with buttons, or decided with outcomes."""
        card = await self._stores.approvals.card(card_id)
        if card is None:
            return None
        asked = [(a, row) for a in await self._stores.approvals.of_card(card_id) if (row := await self._row(a.call))]
        if all(approval.state == "pending" for approval, _ in asked):
            return self._open(card, [row for _, row in asked])
        return await self._closed(card, asked)

    async def _row(self, call: str) -> CallRow | None:
        return await self._stores.journal.get(call)

    # -- open ---------------------------------------------------------------------------------------------------

    def _open(self, card: Card, rows: list[CallRow]) -> View:
        if len(rows) == 1:
            return View(f"{self._question(rows[0])}\n\n{self._arguments(rows)}", self._answers(card, rows[0]))
        parts = [f"{number}\\. {self._question(row)}" for number, row in enumerate(rows, 1)]
        text = "\n\n".join([f"**{len(rows)} changes**, in this order", *parts, self._arguments(rows)])
        deny, single = Button("Deny", self._data(card, "n")), Button("One by one", self._data(card, "o"))
        if card.armed:
            return View(text, (self._yes(card, "Yes, run all of them"), (single,)))
        if max(row.risk for row in rows) == Risk.DESTROY:
            return View(text, ((deny, Button(f"Run all {len(rows)} …", self._data(card, "d"), "danger")), (single,)))
        return View(text, ((Button(f"Run all {len(rows)}", self._data(card, "y"), "success"),), (single, deny)))

    def refused(self, plans: list[dict[str, Any]], reason: str) -> View:
        """What a card would have said, what stands in its way, and no button that could run it."""
        rows = [Plan(**plan) for plan in plans]
        observing = reason == ONLY_LOOKING.reason
        mark, why = ("Would do", CHANGE_NOTHING) if observing else ("Not done", escape(reason))
        parts = [self._question(row) for row in rows]
        if len(rows) > 1:
            parts = [f"{number}\\. {part}" for number, part in enumerate(parts, 1)]
            parts.insert(0, f"**{mark}: {len(rows)} changes**, in this order")
        else:
            parts[0] = f"{mark}: {parts[0]}"
        return View("\n\n".join([*parts, why, self._arguments(rows)]))

    def _question(self, row: Planned) -> str:
        """What it will do, what that rests on, how it can be taken back."""
        card = row.card
        destroy = " · DESTROY" if row.risk == Risk.DESTROY else ""
        lines = [f"{bold(row.title)}{destroy}"]
        # The whole id stands below, in the quote; a name and where it runs are what a person knows it by.
        targets = [target["detail"] or short_id(target["id"]) for target in row.targets.values()]
        if len(targets) > 1:
            targets = [f"{each['name']} · {known}" for each, known in zip(row.targets.values(), targets, strict=True)]
        lines += map(escape, targets)
        if card.get("moved"):
            lines.append("**Changed meanwhile, nothing ran:**")
            moved = card["moved"].items()
            lines += [escape(self._change(row, row.before, name, *pair)) for name, pair in moved]
        else:
            lines.append(escape(self._facts(row, row.before, said=" ".join([row.title, *targets]))))
        if card["protected"]:
            lines.append(f"⚠ {escape(card['protected'])}")
        lines += [escape(note) for note in card["notes"]]
        if card["undo"]:
            lines.append(escape(f"undo: {card['undo']}"))
        elif not any("undo" in note.lower() for note in card["notes"]):
            lines.append("no undo")
        warned = [line for line in card["args"] if line["from"] == "outside"]
        # An id says less than the name above it, and stands whole in the quote below.
        ids = {name: target["id"] for name, target in row.targets.items()}
        for line in warned:
            what = "" if ids.get(line["name"]) == line["value"] and len(ids) == 1 else f" {line['value']}"
            lines.append(escape(f"⚠ {line['name']}{what} may come from text from outside"))
        return "\n".join(filter(None, lines))

    def _arguments(self, rows: Sequence[Planned]) -> str:
        """The expandable part: each call with every argument and where it came from."""
        lines = ["> [!more]"]
        for row in rows:
            lines.append(f"> {escape(row.tool)}")
            for line in row.card["args"]:
                target = row.targets.get(line["name"])
                meant = f" → {target['id']}" if target and target["id"] != line["value"] else ""
                text = f"{line['name']}: {line['value']}{meant}{PROVENANCE.get(line['from'], '')}"
                lines.append(f"> {escape(text)}")
        return "\n".join(lines)

    def _answers(self, card: Card, row: CallRow) -> tuple[tuple[Button, ...], ...]:
        deny = Button("Drop" if row.card.get("moved") else "Deny", self._data(card, "n"))
        if card.armed:
            # The second button names the target and stands elsewhere, so that a double tap cannot hit both.
            return (self._yes(card, f"Yes, {row.title[:1].lower()}{row.title[1:]}"),)
        label = "Approve new" if row.card.get("moved") else cut(row.title)
        if row.risk == Risk.DESTROY:
            return ((deny, Button(f"{label} …", self._data(card, "d"), "danger")),)
        return ((Button(label, self._data(card, "y"), "success"), deny),)

    def _yes(self, card: Card, text: str) -> tuple[Button, ...]:
        return (Button(cut(text), self._data(card, "y"), "danger"), Button("Deny", self._data(card, "n")))

    def _data(self, card: Card, verb: str) -> str:
        return Press(CARD, self._stores.approvals.key(card.id), verb).data

    # -- closed -------------------------------------------------------------------------------------------------

    async def _closed(self, card: Card, asked: list[tuple[Approval, CallRow]]) -> View:
        parts, rows = [], []
        for approval, row in asked:
            if approval.state == "superseded" and not approval.reason and row.state is not CallState.NOT_STARTED:
                parts.append(f"~~{escape(row.title)}~~\nasked again below")
            else:
                parts.append(await self._outcome(row, approval))
                rows += [] if self._loud(row, approval) else await self._buttons(row, alone=len(asked) == 1)
        lapsed = [row for approval, row in asked if may_ask_again(approval)]
        if any(row.asked_again for row in lapsed):
            parts.append("asked again below")
        elif lapsed:
            rows.append((Button("Ask again", self._data(card, "s")),))
        return View("\n\n".join(parts), tuple(rows))

    async def _outcome(self, row: CallRow, approval: Approval) -> str:
        if row.settled and self._loud(row, approval):
            return f"{bold(row.title)}\nsee the receipt below"
        if row.state is CallState.WAITING and (ended := ending(approval)):
            row = replace(row, state=ended, detail=WHY.get(approval.reason, ""))  # as it is a moment later
        elif row.state is CallState.WAITING:
            return f"{bold(row.title)}\napproved …"
        return await self.receipt_text(row, approval)

    def _loud(self, row: CallRow, approval: Approval) -> bool:
        """Whether the outcome came as a message of its own."""
        return is_loud(row.state, row.verified, approval.decided, row.ended or 0.0)

    # -- receipts -----------------------------------------------------------------------------------------------

    async def receipt(self, call: str) -> View | None:
        """What happened to one call, with Undo while the net lasts."""
        row = await self._row(call)
        if row is None:
            return None
        approval = await self._stores.approvals.latest(call)
        return View(await self.receipt_text(row, approval), tuple(await self._buttons(row)))

    async def receipt_text(self, row: CallRow, approval: Approval | None) -> str:
        """Outcome first, then before → after, then who approved it."""
        lines = [self._headline(row)]
        if row.state is CallState.UNKNOWN:
            lines += [self._untold(row), escape(await self._who(row, approval)), self._evidence(row)]
            return "\n".join(filter(None, lines))
        if row.after is not None:
            old, new = row.before["shown"], row.after["shown"]
            # Of what is gone nothing else is told: its volumes, say, may well be there still.
            told = ("state",) if new.get("state") == "gone" else new
            changed = results.moved(row.before, row.after)
            moved = [name for name in told if name in changed and new[name] not in (None, "none")]
            told = [name for name in moved if name not in QUIET]
            lines += [escape(self._change(row, row.after, name, old.get(name), new[name])) for name in told]
            if not moved:
                lines.append(escape(f"now: {self._facts(row, row.after)}"))
        if row.detail:
            lines.append(escape(row.detail))
        if row.safety:
            lines.append(escape(f"{'kept for Undo' if row.undo else 'made before'}: {row.safety['words']}"))
        if row.undone_by:
            lines.append("Undo: see below")  # and nothing more: what came of it has a receipt of its own
        lines.append(escape(await self._who(row, approval)))
        return "\n".join(filter(None, lines))

    def _untold(self, row: CallRow) -> str:
        """When it began, why nobody knows what came of it, and what hints at it."""
        begun = f"Begun at {self._format.moment(row.started)}." if row.started else ""
        words = [begun, row.detail, "I do not know whether it happened."]
        if hint := trace(row):
            words.append(f"{hint[0]} {self._format.moment(hint[1])}, so it probably did.")
        return escape(" ".join(filter(None, words)))

    def _evidence(self, row: CallRow) -> str:
        """The expandable part below an unknown outcome: each fact before and now, and what was asked for."""
        lines = ["> [!more]"]
        if row.after is not None:
            moved = results.moved(row.before, row.after, "all")
            told = [name for name in moved if name in row.after["shown"] or is_moment(row.after, name)]
            lines += [f"> {escape(self._change(row, row.after, name, *moved[name]))}" for name in told]
            lines += [] if told else [f"> {escape(f'before and now: {self._facts(row, row.after)}')}"]
        asked = [f"{line['name']}: {short_ids(line['value'])}" for line in row.card["args"]]
        return "\n".join([*lines, *(f"> {escape(line)}" for line in asked)])

    def _change(self, row: Planned, stored: dict[str, Any], name: str, old: Any, new: Any) -> str:
        old, new = _by_name(row, old), _by_name(row, new)
        return self._format.change(name, old, new, moment=is_moment(stored, name))

    def _facts(self, row: Planned, stored: dict[str, Any], said: str = "") -> str:
        shown = {name: _by_name(row, value) for name, value in stored["shown"].items()}
        return self._format.facts({**stored, "shown": shown}, said=said)

    def _headline(self, row: CallRow) -> str:
        took = f" · {seconds(row.ended - row.started)}" if row.started and row.ended else ""
        mark = MARKS[row.state]
        told = results.parts(row) if row.state is CallState.DONE else {}
        missing = [name for name, came in told.items() if came != "done"]
        if 0 < len(missing) < len(told):
            done = f"{len(told) - len(missing)} of {len(told)} done"
            return f"**?** {bold(row.title)}: **{done}**, not verified: {escape(', '.join(missing))}"
        if row.state is CallState.DONE and not row.verified:
            return f"**?** {bold(row.title)}: started, not verified{took}"
        if row.state is CallState.DONE:
            return f"{mark} {bold(past(row.title))}{took}"
        if row.state is CallState.UNKNOWN:
            return f"**?** {bold(row.title)}: **outcome unknown**"
        state = "under way" if row.state is CallState.STARTED else row.state
        return f"{mark} {bold(row.title)}: {state}"

    async def _who(self, row: CallRow, approval: Approval | None) -> str:
        if approval is None or approval.decided_by is None or approval.reason:
            return "" if row.needs_tap else "ran without a card"
        at, name = self._format.moment(approval.decided or 0.0), await self._stores.runs.name_of(approval.decided_by)
        return f"by {name}, {at}" if approval.state == "denied" else f"approved {at} by {name}"

    async def _buttons(self, row: CallRow, *, alone: bool = True) -> list[tuple[Button, ...]]:
        """Undo while it lasts, named unless it stands alone; for an unknown outcome what a person can answer.

        What failed and was asked for by hand can be asked once more; of a model's the answer says what is next.
        """
        if row.state is CallState.UNKNOWN:
            key = self._keys.button("known", row.id)
            happened, did_not, again = (Press(KNOWN, key, verb).data for verb in "ynr")
            answers = (Button("It happened", happened), Button("It did not", did_not))
            return [answers] if row.asked_again else [answers, (Button("Ask again", again),)]
        lasts = (row.undo_until or 0.0) > self._stores.database.steady()
        if row.state is CallState.DONE and row.undo and not row.undone_by and lasts:
            text = "↩ Undo" if alone else cut(f"↩ Undo: {row.title}")
            return [(Button(text, Press(UNDO, self._keys.button("undo", row.id)).data),)]
        if row.state is CallState.FAILED and len(await self._stores.journal.of_run(row.run)) == 1:
            run = await self._stores.runs.get(row.run)
            return [(try_again(row.run), STATUS)] if run and not run.thinks and not run.undo_of else []
        return []


def _by_name(row: Planned, value: Any) -> Any:
    """A fact that tells of several targets by their ids, by their names."""
    names = {target["id"]: target["name"] for target in row.targets.values()}
    alike = len(set(names.values())) < len(names)
    return value if alike or not isinstance(value, dict) else {names.get(key, key): part for key, part in value.items()}


def trace(row: CallRow) -> tuple[str, datetime] | None:
    """What the target itself says of a change whose outcome is unknown: its words and its moment.

    Only where all is as the change wants it, and the moment lies in the time in which it may have run; what came later
    may have had any other cause.
    """
    if row.after is None or row.started is None or not row.after.get("fits"):
        return None
    was, now = row.before["all"], row.after["all"]
    for name in sorted(row.after["moments"], key=lambda name: name != "started"):
        if now.get(name) and now[name] != was.get(name):
            at = datetime.fromisoformat(now[name])
            if int(row.started) <= at.timestamp() <= row.started + TRACE_SECONDS:  # some know whole seconds only
                return _said_of(name, now.get("state"), again=bool(was.get(name))), at
    return None


def _said_of(moment: str, state: Any, *, again: bool) -> str:
    if moment == "started":
        return f"It was started{' again' if again else ''} at"
    return f"It has been {state} since" if moment == "since" and state else f"Its “{moment.replace('_', ' ')}” is now"
