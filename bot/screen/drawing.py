"""What each kind of row in the outbox says."""

from collections.abc import Awaitable, Callable
from typing import Any

from bot.screen.cards import Cards
from bot.screen.charts import chart_text, charts_of, sketch
from bot.screen.footer import DID_NOT_WORK, footer
from bot.screen.plain import plain_results, without_words
from bot.screen.press import PAGE, Press
from bot.screen.render import escape
from bot.screen.view import STATUS, Button, Format, View, try_again, view_of
from memory.models import CallState, Outgoing
from memory.runs import final_text
from memory.stores import Stores
from tools.gate.results import is_refusal
from tools.gate.standing import FULL


class Drawing:
    """Draws rows of the outbox from what is stored now, so that a message is current whenever it is sent."""

    def __init__(
        self, stores: Stores, cards: Cards, nearest: Callable[[str], str], ways_on: Callable[[str], tuple[Button, ...]],
        progress: Callable[[str], Awaitable[View | None]], form: Format,
    ) -> None:  # fmt: skip
        """`nearest`: the command that comes nearest to a line; `ways_on`: what a conversation is led to by a digest.

        `progress`: what is to be seen of a run.
        """
        self._stores, self._cards, self._nearest, self._ways_on = stores, cards, nearest, ways_on
        self._progress, self._form = progress, form

    async def draw(self, row: Outgoing) -> View | None:
        """What the row says, or None when it has nothing left to say."""
        match row.kind:
            case "card":
                return await self._cards.card(row.payload["card"])
            case "receipt":
                return await self._cards.receipt(row.payload["call"])
            case "refused":
                return self._cards.refused(row.payload["plans"], row.payload["reason"])
            case "view":
                return view_of(row.payload)
            case "digest":
                return View(row.payload["text"], (self._ways_on(row.conversation),))
        return await self._of_run(row.kind, row.payload)

    async def _of_run(self, kind: str, payload: dict[str, Any]) -> View | None:
        """What is said of a run as a whole."""
        match kind:
            case "stuck":
                return await self._stuck(payload["run"], payload["error"])
            case "answer":
                return await self._answer(payload["run"])
            case "chart":
                return await self._chart(payload["run"], payload["use"])
            case "progress":
                return await self._progress(payload["run"])
            case "verdict":
                return await self._verdict(payload["run"])
        return None

    async def _stuck(self, run_id: str, error: str) -> View:
        """Why a run has failed, what was found before, and the command that comes nearest to what was wanted."""
        run = await self._stores.runs.get(run_id)
        found = plain_results(await self._stores.runs.messages(run_id))
        # What has been done is not offered once more.
        near = "" if await self._took_effect(run_id) else self._nearest(run.objective if run else "")
        hint = f"Without me thinking, {near} comes nearest; /help has the rest." if near else ""
        parts = [escape(error), escape(found), escape(hint), await footer(self._stores, run_id)]
        return View("\n\n".join(filter(None, parts)), await self._what_next(run_id))

    async def _answer(self, run_id: str) -> View:
        """The model's answer, or what was found where it has no words, and under it what code knows of it."""
        messages = await self._stores.runs.messages(run_id)
        answer, below = final_text(messages), await footer(self._stores, run_id)
        text = f"{answer or escape(without_words(messages))}\n\n{below}".strip()
        return View(text, () if answer and DID_NOT_WORK not in below else await self._what_next(run_id))

    async def _chart(self, run_id: str, use: str) -> View | None:
        """A picture of what the model has read in a run."""
        found = charts_of(await self._stores.runs.messages(run_id)).get(use)
        return View(chart_text(found, self._form), picture=sketch(found, self._form)) if found else None

    async def _verdict(self, run_id: str) -> View:
        """What came of a one-call run that left no journal row: refused, failed, or nothing to do."""
        found = plain_results(await self._stores.runs.messages(run_id)) or "Nothing to do."
        show_them = ((Button("Show them", Press(PAGE, "pending").data),),)
        return View(escape(found), show_them if FULL in found else await self._what_next(run_id))

    async def _what_next(self, run_id: str) -> tuple[tuple[Button, ...], ...]:
        """The obvious next steps where something has failed: the same once more, unless it has taken effect; a look."""
        run = await self._stores.runs.get(run_id)
        if run is None or run.unattended:
            return ((STATUS,),)
        failed = any(
            block.get("is_error") and not is_refusal(block["content"])
            for message in await self._stores.runs.messages(run_id)
            for block in message["content"]
            if block["type"] == "tool_result"
        )
        may = run.undo_of is None and (run.thinks or failed) and not await self._took_effect(run_id)
        return ((*((try_again(run_id),) if may else ()), STATUS),)

    async def _took_effect(self, run_id: str) -> bool:
        """Whether something of the run was changed, or may have been."""
        rows = await self._stores.journal.of_run(run_id)
        return any(row.state in (CallState.DONE, CallState.UNKNOWN) for row in rows)
