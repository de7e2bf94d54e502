"""From a line, a tap or a command to a run: opened once for each trigger, in one commit with what asked for it."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from bot.screen.redraw import redraw_cards
from memory.database import Transaction
from memory.models import Actor, CallRow, Message
from memory.stores import Stores
from memory.text import Redactor, clean

LONGEST_LINE = 12_000
"""Characters of one objective; Telegram's own limit is 4096."""


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
        update: int | None = None, unattended: bool = False,
    ) -> str | None:  # fmt: skip
        """Open a run for a line; None when this trigger has opened one before."""
        original = text
        text, removed = clean(text[:LONGEST_LINE])
        text = self._redact(text)
        history, tainted = await self._stores.runs.history(conversation)
        now = datetime.now(self._zone)
        note = f" · {removed} invisible characters removed" if removed else ""
        line = f"[now {now:%A %Y-%m-%d %H:%M} {self._zone.key}{note}]\n{text}"
        messages = [*history, _user(line)]
        return await self._open(
            update,
            conversation=conversation, actor=actor, objective=text, messages=messages, opened_by=opened_by,
            trigger=trigger, unattended=unattended, tainted=tainted,
            noted={"original_sha256": _fingerprint(original), "removed": removed} if removed else {},
        )  # fmt: skip

    async def direct(
        self, conversation: str, actor: Actor, title: str, tool: str, args: dict[str, Any], *, trigger: str,
        opened_by: str, update: int | None = None, undo_of: CallRow | None = None, tainted: bool = False,
    ) -> str | None:  # fmt: skip
        """Open a one-call run: no model is asked. A call that comes from a tainted run stays tainted."""
        messages = [_user(title), _calling((tool, args))]

        async def claim(tx: Transaction, run: str) -> bool:
            return undo_of is None or await self._stores.journal.claim_undo(tx, undo_of.id, run)

        return await self._open(
            update, claim,
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
            await redraw_cards(self._stores, tx, conversation, calls, f"again:{run}")
            return won

        return await self._open(
            update, claim,
            conversation=conversation, actor=actor, objective=title, opened_by="button", trigger=trigger,
            messages=[_user(title), _calling(*((row.tool, row.args) for row in rows))], thinks=False,
            tainted=any(row.tainted for row in rows),
        )  # fmt: skip

    async def _open(
        self, update: int | None, claim: Callable[[Transaction, str], Awaitable[bool]] | None = None,
        noted: dict[str, Any] | None = None, **run: Any,
    ) -> str | None:  # fmt: skip
        """The run, and the end of the update that asked for it, in one commit; `noted` is for the audit log."""
        stores = self._stores
        try:
            async with stores.database.transaction() as tx:
                opened = await stores.runs.open(tx, **run)
                if update is not None:
                    await stores.inbox.done(tx, update)
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
        if opened:
            self._advance(opened, queued=run.get("thinks", True))
        return opened

    async def queued(self, conversation: str) -> int:
        """Requests that are being worked on or wait their turn here."""
        return len(await self._stores.runs.in_state("working", conversation=conversation))


def _calling(*calls: tuple[str, dict[str, Any]]) -> Message:
    """What a model would say to make these calls."""
    uses = [
        {"type": "tool_use", "id": f"call-{secrets.token_hex(6)}", "name": tool, "input": args} for tool, args in calls
    ]
    return {"role": "assistant", "content": uses}


def _user(text: str) -> Message:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def _fingerprint(text: str) -> str:
    """What tells later whether a text is the one that was sent, character for character."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
