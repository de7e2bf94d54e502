"""What came of a change: the target is read again, the journal is told, and the receipt goes out."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from loguru import logger

from memory.database import DATABASE_ERRORS
from memory.models import RAN, CallRow, CallState
from memory.points import point
from memory.secrets import Redactor
from memory.stores import Stores
from memory.text import escaped, short_ids
from tools.gate import results
from tools.kit.change import Broken, Change, Done, Facts
from tools.kit.clients import Clients
from tools.kit.context import Access
from tools.kit.errors import CircuitOpen, Halfway, OutcomeUnknown, ToolFailed, Unreachable

T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """What a look has shown."""

    facts: Facts | None = None
    """The target as it is now; None when it cannot be seen."""
    held: bool = False
    """Whether it is as the change wants it."""
    failed: ToolFailed | None = None
    """Why it cannot be seen."""
    parts: dict[str, bool] = field(default_factory=dict)
    """Of several targets, by their ids, whether each that was to change is as wanted."""

    @staticmethod
    def of(change: Change[Any], before: Facts, now: Facts) -> "Seen":
        """What these facts say of a change that was begun from those."""
        return Seen(now, change.fits(before, now), None, change.parts(before, now))


Look = Callable[[float], Awaitable[Seen]]
"""Looks at the target, waiting up to so many seconds for what the change wants."""

BELOW = "See the receipt below."
"""What stays where it was told how far it is."""
LOUD_AFTER = 30.0
"""Seconds after the tap from which an outcome comes as a message of its own, with sound."""
LOOK_SECONDS = 5.0
"""Seconds that one look at the target may take."""
SETTLE_SECONDS = 2.0
"""How long an interrupted change is given to come to rest before it is judged."""
POLL = (0.1, 0.2, 0.4, 0.8, 1.0)
"""Seconds between looks at the target while the expectation does not hold yet, and nobody knows when it will."""
WATCHING = "It was accepted; I am watching what comes of it."


class Outcomes:
    """Looks, judges and tells."""

    def __init__(self, stores: Stores, clients: Clients, redact: Redactor) -> None:
        self._stores, self._clients, self._redact = stores, clients, redact

    async def survive(self, row: CallRow, seconds: float, work: Awaitable[T]) -> T | ToolFailed:
        """What a tool's own code comes to, or why it came to nothing."""
        try:
            async with asyncio.timeout(seconds):
                return await work
        except ToolFailed as error:
            return error
        except TimeoutError:
            return OutcomeUnknown(f"No answer within {seconds:.0f} s.")
        except Exception as error:  # one of the three places that must survive anything: a tool call
            logger.opt(exception=error).error("tool {} broke while changing something", row.tool)
            return OutcomeUnknown(f"The tool broke ({type(error).__name__}); the log has the details.")

    async def finish(self, row: CallRow, came: Done | Broken | ToolFailed, look: Look, within: float) -> None:
        """The outcome of what was tried: whatever the service has said of it, the target has the last word."""
        done, unknown = isinstance(came, Done), isinstance(came, ToolFailed) and came.sent
        detail = came.note if isinstance(came, Done) else came.words if isinstance(came, Broken) else str(came)
        seen = Seen()
        if not isinstance(came, Unreachable | CircuitOpen):  # of those not a byte has left
            # A lost answer is not waited for: one look is the evidence, and a person decides.
            waited = within if done or isinstance(came, Halfway) else 0.0
            looked = await self.survive(row, 2 * waited + LOOK_SECONDS, look(waited))
            seen = Seen(failed=looked) if isinstance(looked, ToolFailed) else looked
            if isinstance(came, Halfway) and any(seen.parts.values()):
                unknown = False  # what is done can be told from what is not
            if not done and not unknown:
                # A part that is done has its Undo; the whole is not called verified.
                detail, done = f"{detail} {_seen(row, seen)}", seen.held or any(seen.parts.values())
            elif done and seen.failed:
                detail = " ".join(filter(None, [detail, f"It cannot be seen now: {seen.failed}"]))
        state = CallState.UNKNOWN if unknown else CallState.DONE if done else CallState.FAILED
        stores, verified = self._stores, done and seen.held
        async with stores.database.transaction() as tx:
            if done and detail:  # in the service's words
                await stores.journal.update_facts(tx, row.id, {**row.before, "outside": True}, row.card)
            await stores.journal.finish(
                tx, row.id, state,
                detail=self.said(detail),
                after=results.stored_facts(seen.facts, fits=seen.held, parts=seen.parts) if seen.facts else None,
                verified=seen.held if done else None,
            )  # fmt: skip
            await stores.audit.record(tx, str(state), "gate", call=row.id, tool=row.tool, verified=verified)
            await self.announce(tx, row, state, verified)
            run = await stores.runs.get(row.run)
            if verified and run is not None and run.undo_of:
                await stores.nets.drop(tx, run.undo_of)  # it may hold secrets, and is of no more use
            point("finishing")
        point("finished")

    async def look(self, row: CallRow, change: Change[Any], within: float) -> Seen:
        """The target as it is now, waiting up to `within` seconds for the expectation."""
        client = await self._clients.get(row.service, Access.READ)
        clock = asyncio.get_running_loop().time
        deadline, waits, seen, told = clock() + within, iter(POLL), Seen(), False
        while True:
            pause = next(waits, POLL[-1])
            try:
                async with asyncio.timeout(max(LOOK_SECONDS, within)):
                    now = await change.facts.again(client)
            except (ToolFailed, TimeoutError) as error:
                # The last thing seen, if anything, is what is reported: it is not called verified.
                failed = error if isinstance(error, ToolFailed) else ToolFailed("No answer in time.")
                seen = seen if seen.facts else Seen(failed=failed)
            else:
                seen = Seen.of(change, change.facts, now)
                pause = pause if now.settles is None else now.settles
            if seen.held or clock() >= deadline:
                return seen
            if not told:
                told = True
                await self.told(row, WATCHING)
                point("watching")
            await asyncio.sleep(min(pause, max(0.0, deadline - clock())))

    async def came_of(self, row: CallRow, change: Change[Any]) -> Seen:
        """What is there after a change that was begun from a row's facts."""

        async def judged() -> Seen:
            before, seen = type(change.facts).model_validate_json(json.dumps(row.before["all"])), change.facts
            moving = results.moved(row.before, results.stored_facts(seen), "all")
            if moving and not change.fits(before, seen):  # it may be on its way: a start takes a moment
                await asyncio.sleep(SETTLE_SECONDS)
                seen = await seen.again(await self._clients.get(row.service, Access.READ))
            return Seen.of(change, before, seen)

        found = await self.survive(row, SETTLE_SECONDS + 1.0, judged())
        return Seen(change.facts) if isinstance(found, ToolFailed) else found

    async def close(
        self, row: CallRow, state: CallState, detail: str = "", *, outside: bool = False,
        after: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """An outcome without a single byte sent; `outside` when the detail quotes a service, `after` what is seen."""
        detail = self.said(detail)
        async with self._stores.database.transaction() as tx:
            if outside:
                await self._stores.journal.update_facts(tx, row.id, {**row.before, "outside": True}, row.card)
            if await self._stores.journal.finish(tx, row.id, state, detail=detail, after=after):
                await self._stores.approvals.withdraw(tx, row.id)
                await self._stores.audit.record(tx, str(state), "gate", call=row.id, tool=row.tool, detail=detail)
                await self.announce(tx, row, state, False)

    def said(self, words: object) -> str:
        """Why something came to nothing, as it may be stored and shown: a service's own words are in it."""
        return escaped(short_ids(self._redact(str(words))))

    async def told(self, row: CallRow, words: str) -> None:
        """Show how far a call that is under way has come, where its receipt will be. It is a nicety."""
        stores = self._stores
        with suppress(*DATABASE_ERRORS):
            run, approval = await stores.runs.get(row.run), await stores.approvals.latest(row.id)
            assert run is not None, "a call belongs to a run"
            kind, what = ("card", approval.card) if approval else ("receipt", row.id)
            async with stores.database.transaction() as tx:
                if await stores.journal.progressed(tx, row.id, words):
                    await stores.outbox.draw(tx, run.conversation, kind, what)

    async def announce(self, tx: Any, row: CallRow, state: CallState, verified: bool) -> None:
        stores = self._stores
        run = await stores.runs.get(row.run)
        approval, now = await stores.approvals.latest(row.id), await stores.journal.get(row.id)
        assert run is not None and now is not None, "a call belongs to a run"
        loud = is_loud(state, verified, approval.decided if approval else now.started, stores.database.now())
        if approval is not None and not loud:
            await stores.outbox.draw(tx, run.conversation, "card", approval.card)
        elif approval is not None:  # a tap on Undo is an approval without a card: then there is none to lead to it
            await stores.outbox.redraw(tx, "card", approval.card)
        if loud:
            await stores.outbox.move_down(tx, run.conversation, "receipt", row.id, text=BELOW, buttons=[])
        elif approval is None:
            await stores.outbox.draw(tx, run.conversation, "receipt", row.id)


def _seen(row: CallRow, seen: Seen) -> str:
    """What a look has shown after a no, in words."""
    if seen.facts is None:
        return "What is there now cannot be seen."
    if seen.held:
        return "But it is as was wanted."
    if any(seen.parts.values()):
        return ""  # what is done, and what is not, stands above it
    moved = results.moved(row.before, results.stored_facts(seen.facts), "all")
    return "And it is not as it was before." if moved else "It is as it was before."


def is_loud(state: CallState, verified: bool | None, since: float | None, ended: float) -> bool:
    """Whether an outcome comes as a message of its own, with sound: it is late after the tap, or not verified."""
    late = ended - (since or 0.0) > LOUD_AFTER
    return state in RAN and (late or not verified)
