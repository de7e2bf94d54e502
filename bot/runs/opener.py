"""From a line, a tap or a command to a run: opened once for each trigger, in one commit with what asked for it."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from bot.screen.redraw import redraw_cards
from bot.screen.view import STATUS, stored_buttons, try_again
from memory.database import Transaction
from memory.models import Actor, CallRow, Message, Run
from memory.secrets import Redactor
from memory.stores import Stores
from memory.text import clean, shortened
from tools.gate import taint

LONGEST_LINE = 12_000
"""Characters of one objective; what is pasted in parts may be longer, and loses its middle."""
LONGEST_QUOTE = 4_000


@dataclass(frozen=True)
class Quote:
    """What a line answers."""

    text: str
    outside: bool
    """Whether it may hold text that nobody here has written."""


@dataclass(frozen=True)
class Around:
    """What comes with a line in a chat."""

    message: int | None = None
    """The message that it stands in."""
    parts: tuple[int, ...] = ()
    """Further updates that it came in."""
    attached: str = ""
    """What is beside it and nobody reads: `a photo`."""
    quote: Quote | None = None


ALONE = Around()
OURS = "[a message of yours]\n"
TOO_LONG = "That was long: of {:,} characters I left {:,} out, from the middle."


class Used(Exception):
    """What a run was to be opened for has been used up already."""


class Advance(Protocol):
    """What carries an opened run on."""

    def __call__(self, run: str, *, queued: bool = False) -> object:
        """`queued`: after the conversation's working run."""


class Opener:
    """Opens runs."""

    def __init__(self, stores: Stores, advance: Advance, zone: ZoneInfo, redact: Redactor) -> None:
        self._stores, self._advance, self._zone, self._redact = stores, advance, zone, redact

    async def say(
        self, conversation: str, actor: Actor, text: str, *, trigger: str, opened_by: str = "text",
        update: int | None = None, unattended: bool = False, around: Around = ALONE, aside: str = "",
    ) -> str | None:  # fmt: skip
        """Open a run for a line; None when this trigger has opened one before.

        `aside`: why it is kept for [Try again] and not acted on now.
        """
        original, quote = text, around.quote
        text, removed = clean(text)
        text, left_out = shortened(self._redact(text), LONGEST_LINE)  # uncut, so that no secret is cut in two
        history, tainted = await self._stores.runs.history(conversation)
        now = datetime.now(self._zone)
        notes = [f"now {now:%A %Y-%m-%d %H:%M} {self._zone.key}"]
        notes += [f"{removed} invisible characters removed"] if removed else []
        notes += [f"{around.attached} came with this, which you cannot see"] if around.attached else []
        notes += ["it answers the text below"] if quote else []
        blocks = [f"[{' · '.join(notes)}]\n{text}", *([self._quoted(quote)] if quote else [])]
        return await self._open(
            update, around.parts,
            conversation=conversation, actor=actor, objective=text, messages=[*history, _user(*blocks)],
            opened_by=opened_by, trigger=trigger, unattended=unattended, message=around.message,
            tainted=tainted or (quote is not None and quote.outside),
            told=TOO_LONG.format(len(original), left_out) if left_out and not aside else "", aside=aside,
            noted={"original_sha256": _fingerprint(original), "removed": removed, "left_out": left_out}
            if removed or left_out
            else {},
        )  # fmt: skip

    async def repeat(self, run: Run, *, trigger: str) -> str | None:
        """Say the line of a run once more, with whatever came with it then; None when that has been done."""
        around = Around(run.message, quote=_quote_of(await self._stores.runs.messages(run.id), run.objective))
        return await self.say(run.conversation, run.actor, run.objective, trigger=trigger, around=around)

    def _quoted(self, quote: Quote) -> str:
        """What the model is shown of the message that a line answers."""
        text, _ = shortened(self._redact(clean(quote.text)[0]), LONGEST_QUOTE)
        return taint.wrap(text) if quote.outside else f"{OURS}{text}"

    async def direct(
        self, conversation: str, actor: Actor, title: str, tool: str, args: dict[str, Any], *, trigger: str,
        opened_by: str, update: int | None = None, undo_of: CallRow | None = None, tainted: bool = False,
    ) -> str | None:  # fmt: skip
        """Open a one-call run: no model is asked. A call that comes from a tainted run stays tainted."""
        messages = [_user(title), _calling((tool, args))]

        async def claim(tx: Transaction, run: str) -> bool:
            return undo_of is None or await self._stores.journal.claim_undo(tx, undo_of.id, run)

        return await self._open(
            update, claim=claim,
            conversation=conversation, actor=actor, objective=title, messages=messages, opened_by=opened_by,
            trigger=trigger, thinks=False, undo_of=undo_of.id if undo_of else None, tainted=tainted,
        )  # fmt: skip

    async def again(
        self, conversation: str, actor: Actor, rows: list[CallRow], *, trigger: str, update: int
    ) -> str | None:
        """Open a run of these stored calls, with fresh facts and without a model; None when one has been opened."""
        title = rows[0].title if len(rows) == 1 else f"{len(rows)} changes once more"
        calls = [row.id for row in rows]

        async def claim(tx: Transaction, run: str) -> bool:
            won = await self._stores.journal.claim_again(tx, calls, run)
            await redraw_cards(self._stores, tx, conversation, calls)
            return won

        return await self._open(
            update, claim=claim,
            conversation=conversation, actor=actor, objective=title, opened_by="button", trigger=trigger,
            messages=[_user(title), _calling(*((row.tool, row.args) for row in rows))], thinks=False,
            tainted=any(row.tainted for row in rows),
        )  # fmt: skip

    async def _open(
        self, update: int | None, parts: tuple[int, ...] = (), *,
        claim: Callable[[Transaction, str], Awaitable[bool]] | None = None,
        told: str = "", aside: str = "", noted: dict[str, Any] | None = None, **run: Any,
    ) -> str | None:  # fmt: skip
        """The run, what the person is `told` of it, and the end of the updates that asked for it, in one commit.

        `aside`: why it ends before it has begun. `noted` is for the audit log.
        """
        stores = self._stores
        try:
            async with stores.database.transaction() as tx:
                opened = await stores.runs.open(tx, **run)
                await stores.inbox.done(tx, update, *parts)
                if opened and (told or aside):
                    buttons = stored_buttons(((try_again(opened), STATUS),) if aside else ())
                    await stores.outbox.add(
                        tx, run["conversation"], "view", f"told:{opened}", run=opened, text=aside or told,
                        buttons=buttons,
                    )  # fmt: skip
                if opened and aside:
                    await stores.runs.set_state(tx, opened, "failed", aside)
                if opened and claim and not await claim(tx, opened):
                    raise Used
                if opened:
                    await stores.audit.record(
                        tx, "run", run["actor"].id, run=opened, opened_by=run["opened_by"], objective=run["objective"],
                        **(noted or {}),
                    )  # fmt: skip
        except Used:
            if update is not None:
                await stores.inbox.handled(update)
            return None
        if opened and not aside:
            self._advance(opened, queued=run.get("thinks", True))
        return opened

    async def queued(self, conversation: str) -> int:
        """Requests that are being worked on or wait their turn here."""
        return len(await self._stores.runs.in_state("working", conversation=conversation))


def _quote_of(messages: list[Message], line: str) -> Quote | None:
    """What a line came with when it was said."""
    for blocks in (message["content"] for message in reversed(messages) if message["role"] == "user"):
        if len(blocks) == 2 and blocks[0].get("text", "").endswith(f"]\n{line}"):
            text = blocks[1]["text"]
            return Quote(taint.unwrapped(text).removeprefix(OURS), not text.startswith(OURS))
    return None


def _calling(*calls: tuple[str, dict[str, Any]]) -> Message:
    """What a model would say to make these calls."""
    uses = [
        {"type": "tool_use", "id": f"call-{secrets.token_hex(6)}", "name": tool, "input": args} for tool, args in calls
    ]
    return {"role": "assistant", "content": uses}


def _user(*texts: str) -> Message:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def _fingerprint(text: str) -> str:
    """What tells later whether a text is the one that was sent, character for character."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
