"""Carries runs on, from wherever they stand to their end and what is said of it; halts them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol
from zoneinfo import ZoneInfo

from loguru import logger

from bot.agent.loop import Loop
from bot.agent.model import RunStopped, open_calls
from bot.runs.halt import Halt
from bot.runs.tasks import Tasks
from bot.screen.charts import charts_of
from bot.screen.redraw import redraw_cards, redraw_receipt
from bot.screen.render import escape
from bot.screen.view import Format, View, stored_buttons, try_again
from memory.approvals import EXPIRY_SECONDS, SETTINGS
from memory.database import Transaction
from memory.models import Actor, CallState, Card, Message, Run, RunState
from memory.stores import Stores
from tools.gate.results import refusals
from tools.gate.standing import UNSEEN, WHY

MOST_RECOVERIES = 3
MOST_CHARTS = 3
"""Pictures below an answer."""
LATE_SECONDS = 600.0
"""An interrupted run that has lain for longer is not carried on: the world has moved, and so has whoever asked."""


class Screen(Protocol):
    """Where a run's progress is shown."""

    def begin(self, run: Run) -> None:
        """A run is at work."""

    def doing(self, run: str, line: str) -> None:
        """What it is doing now."""

    async def end(self, run: str) -> None:
        """It has answered, waits, or is over."""

    async def view(self, run: str) -> View | None:
        """What is to be seen of it now; None when that is over."""


class NoScreen:
    """For doors without one: nothing is shown."""

    def begin(self, run: Run) -> None:
        """Nothing to show."""

    def doing(self, run: str, line: str) -> None:
        """Nothing to show."""

    async def end(self, run: str) -> None:
        """Nothing to show."""

    async def view(self, run: str) -> View | None:
        """Nothing to show."""
        return None


class Runner:
    """Carries runs on. One working run a conversation; waiting ones don't count."""

    def __init__(
        self, stores: Stores, loop: Loop, halt: Halt, screen: Screen, tasks: Tasks, zone: ZoneInfo,
        follows: Callable[[str], bool],
    ) -> None:  # fmt: skip
        """`follows` tells of a run whether something that it has begun goes on by itself."""
        self._stores, self._loop, self._halt, self._screen = stores, loop, halt, screen
        self._tasks, self._zone, self._follows = tasks, zone, follows
        self._turn: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._working: dict[str, asyncio.Task[None]] = {}

    # -- working ------------------------------------------------------------------------------------------------

    def advance(self, run: str, *, queued: bool = False) -> asyncio.Task[None]:
        """Carry a run on in the background; `queued`: after the conversation's working run."""
        task = self._tasks.spawn(
            self._work(run, queued), name=f"run {run}", broken=lambda error: self._broken(run, error)
        )
        self._working[run] = task
        task.add_done_callback(lambda done: self._working.pop(run, None) if self._working.get(run) is done else None)
        return task

    async def _work(self, run_id: str, queued: bool) -> None:
        run = await self._stores.runs.get(run_id)
        if run is None:
            return
        if queued:
            async with self._turn[run.conversation]:
                await self._advance(run)
        else:
            await self._advance(run)

    async def _advance(self, run: Run) -> None:
        if run.thinks:
            self._screen.begin(run)
        # Its card has lapsed long ago, while I was off: what is open is settled, and nothing new is thought up.
        late = run.state == "waiting" and self._idle(run) > EXPIRY_SECONDS + LATE_SECONDS
        if run.state == "waiting":
            async with self._stores.database.transaction() as tx:
                await self._stores.runs.set_state(tx, run.id, "working")
        try:
            ended = await self._loop.advance(run.id, thinking=not late)
        except RunStopped as stopped:
            await self._conclude(run.id, error=str(stopped))
        else:
            if ended == "waiting":
                async with self._stores.database.transaction() as tx:
                    await self._stores.runs.set_state(tx, run.id, "waiting")
            else:
                await self._conclude(run.id)
        finally:
            await self._screen.end(run.id)

    async def _broken(self, run: str, error: Exception) -> None:
        await self._conclude(run, error=f"Something broke in here ({type(error).__name__}); the log has the details.")

    async def _conclude(self, run_id: str, error: str | None = None) -> None:
        """The end of a run and what is said about it, in one commit. Doing it again changes nothing."""
        stores = self._stores
        async with stores.database.transaction() as tx:
            run = await stores.runs.get(run_id, tx)
            assert run is not None, "only stored runs are worked on"
            messages = await stores.runs.messages(run_id, tx)
            rows = await stores.journal.of_run(run_id, tx)
            await stores.runs.set_state(tx, run_id, "failed" if error else "done", error)
            if error is not None:
                await stores.outbox.add(tx, run.conversation, "stuck", f"stuck:{run_id}", run=run_id, error=error)
            elif run.thinks and messages[-1]["role"] == "assistant":  # be it without a word: then code finds some
                await stores.outbox.add(tx, run.conversation, "answer", f"answer:{run_id}", run=run_id)
                for use in list(charts_of(messages))[-MOST_CHARTS:]:
                    await stores.outbox.add(tx, run.conversation, "chart", f"chart:{run_id}:{use}", run=run_id, use=use)
            elif not run.thinks and len(rows) < _untold(messages):
                await stores.outbox.add(tx, run.conversation, "verdict", f"verdict:{run_id}", run=run_id)
            await self._give_back(tx, run)

    async def _give_back(self, tx: Transaction, run: Run) -> None:
        """What a run has used up and has not needed can be used again: an Undo, an [Ask again]."""
        if run.undo_of:
            await self._stores.journal.release_undo(tx, run.undo_of, run.id)
            await redraw_receipt(self._stores, tx, run, run.undo_of)
        if calls := await self._stores.journal.release_again(tx, run.id):
            await redraw_cards(self._stores, tx, run.conversation, calls)

    # -- stopping and starting again ----------------------------------------------------------------------------

    async def stop(self, conversation: str | None, actor: Actor) -> tuple[int, int]:
        """Halt before the next request and void pending cards: how many runs and cards. None: everywhere."""
        stores = self._stores
        runs = await stores.runs.in_state("working", "waiting", conversation=conversation)
        cards = await stores.approvals.open_cards(conversation)
        for run in runs:
            self._halt.stop(run.id)
        async with stores.database.transaction() as tx:
            for card in cards:
                await stores.approvals.supersede(tx, card.id)
            for run in runs:
                await self._halt_run(tx, run)
            await stores.audit.record(tx, "stop", actor.id, runs=[run.id for run in runs], cards=len(cards))
            for card in cards:
                await stores.outbox.draw(tx, card.conversation, "card", card.id)
        for run in runs:
            if task := self._working.get(run.id):
                task.cancel()
        return len(runs), len(cards)

    async def _halt_run(self, tx: Transaction, run: Run) -> None:
        await self._end_run(tx, run, "stopped", "Stopped by you.", "You said stop.")

    async def _end_run(self, tx: Transaction, run: Run, state: RunState, error: str, why: str) -> None:
        """End a run with whatever it has not begun; what has begun is carried to its receipt elsewhere."""
        stores = self._stores
        await stores.runs.set_state(tx, run.id, state, error)
        for call in await stores.journal.not_begun(tx, run.id):
            await stores.approvals.withdraw(tx, call)
            await stores.journal.finish(tx, call, CallState.NOT_STARTED, detail=why)
        await self._give_back(tx, run)

    async def stop_run(self, run_id: str, actor: Actor, conversation: str) -> bool:
        """Halt one working run of this conversation; False when it has ended or is another's."""
        run = await self._stores.runs.get(run_id)
        if run is None or run.state != "working" or run.conversation != conversation:
            return False
        self._halt.stop(run_id)
        async with self._stores.database.transaction() as tx:
            await self._halt_run(tx, run)
            await self._stores.audit.record(tx, "stop", actor.id, runs=[run_id], cards=0)
        if task := self._working.get(run_id):
            task.cancel()
        return True

    async def unseen(self, card: Card) -> None:
        """End a card that could not be shown, and its run: silence is denial, and nobody would read what comes next."""
        stores, why = self._stores, WHY[UNSEEN]
        run = await stores.runs.get(card.run)
        assert run is not None, "a card belongs to a run"
        calls = [approval.call for approval in await stores.approvals.of_card(card.id) if approval.state == "pending"]
        async with stores.database.transaction() as tx:
            if not await stores.approvals.close(tx, card.id, "denied", UNSEEN):
                return
            for call in calls:
                await stores.journal.finish(tx, call, CallState.DENIED, detail=why)
            await stores.audit.record(tx, "denied", SETTINGS, card=card.id, calls=calls, reason=UNSEEN)
            await self._end_run(tx, run, "failed", why, why)
            # Where only the card was refused, this still arrives.
            await stores.outbox.add(tx, run.conversation, "view", f"unseen:{card.id}", text=escape(why), buttons=[])
        self._halt.stop(run.id)

    async def adrift(self) -> set[str]:
        """Open runs that nobody works on and that wait for no person: what a full disk may leave behind."""
        found = await self._stores.runs.in_state("working", "waiting")
        waiting = {run.id for run in found if run.state == "waiting" and await self._still_waiting(run)}
        return {run.id for run in found} - waiting - self._working.keys()

    async def recover(self, only: set[str] | None = None) -> int:
        """Carry on what a crash interrupted (these runs only), each a limited number of times; set late ones aside."""
        open_runs = await self._stores.runs.in_state("working", "waiting")
        found = [run for run in open_runs if (only is None or run.id in only) and run.id not in self._working]
        for run in found:
            asks = await self._still_waiting(run)
            if run.state == "waiting" and asks:
                continue
            if run.state == "working" and not asks and self._idle(run) > LATE_SECONDS:
                await self._set_aside(run)
                continue
            if await self._stores.runs.attempt(run.id) > MOST_RECOVERIES:
                logger.error("run {} given up after {} recoveries", run.id, MOST_RECOVERIES)
                await self._conclude(run.id, error="This request has crashed me several times; I have set it aside.")
                continue
            self.advance(run.id, queued=run.thinks)
        return len(found)

    def _idle(self, run: Run) -> float:
        """Seconds since a run last moved on; a clock that was set back by as much proves no less that it is old."""
        return abs(self._stores.database.now() - run.updated)

    async def _set_aside(self, run: Run) -> None:
        """End an interrupted run that nobody expects to go on any more, and say so: no model, no change."""
        stores = self._stores
        asked = Format(self._zone).moment(run.created, stores.database.now())
        words = (
            f"You asked this at {asked}, and I was interrupted while I worked on it: “{run.objective[:200]}”."
            " I did not go on with it; say it again if you still want it."
        )
        again = stored_buttons(((try_again(run.id),),)) if run.thinks and not run.unattended else []
        async with stores.database.transaction() as tx:
            await self._end_run(tx, run, "failed", words, "I was interrupted before it began.")
            await stores.outbox.add(tx, run.conversation, "view", f"late:{run.id}", text=escape(words), buttons=again)
            await stores.audit.record(tx, "set aside", "clock", run=run.id)

    async def _still_waiting(self, run: Run) -> bool:
        if self._follows(run.id):
            return True
        pending = {card.run for card in await self._stores.approvals.open_cards()}
        return run.id in pending and bool(open_calls(await self._stores.runs.messages(run.id)))


def _untold(messages: list[Message]) -> int:
    """How many calls a run was opened for, but for those that were refused on a message of their own."""
    wanted = sum(1 for message in messages for block in message["content"] if block["type"] == "tool_use")
    return wanted - sum(1 for plan in refusals(messages) if plan.get("shown"))
