"""What each kind of row in the outbox says."""

from bot.menus.commands import nearest_command
from bot.screen.cards import Cards
from bot.screen.footer import footer
from bot.screen.plain import plain_results
from bot.screen.render import escape
from bot.screen.view import Button, View, view_of
from memory.models import Outgoing
from memory.runs import final_text
from memory.stores import Stores
from tools.gate.standing import FULL


class Drawing:
    """Draws rows of the outbox from what is stored now, so that a message is current whenever it is sent."""

    def __init__(self, stores: Stores, cards: Cards) -> None:
        self._stores, self._cards = stores, cards

    async def draw(self, row: Outgoing) -> View | None:
        """What the row says, or None when it has nothing left to say."""
        match row.kind:
            case "card":
                return await self._cards.card(row.payload["card"])
            case "receipt":
                return await self._cards.receipt(row.payload["call"])
            case "refused":
                return self._cards.refused(row.payload["plans"], row.payload["reason"])
            case "view" | "digest":
                return view_of(row.payload)
            case "stuck":
                return await self._stuck(row.payload["run"], row.payload["error"])
            case "answer":
                return await self._answer(row.payload["run"])
            case "verdict":
                return await self._verdict(row.payload["run"])
        return None

    async def _stuck(self, run_id: str, error: str) -> View:
        """Why a run has failed, the command that comes nearest to what was wanted, and what was done before."""
        run = await self._stores.runs.get(run_id)
        near = nearest_command(run.objective if run else "")
        hint = f"Without me thinking, {near} comes nearest; /help has the rest."
        return View(f"{escape(error)}\n\n{escape(hint)}\n\n{await footer(self._stores, run_id)}")

    async def _answer(self, run_id: str) -> View:
        """The model's answer, and under it what code knows of it."""
        answer = final_text(await self._stores.runs.messages(run_id))
        return View(f"{answer}\n\n{await footer(self._stores, run_id)}".strip())

    async def _verdict(self, run_id: str) -> View:
        """What came of a one-call run that left no journal row: refused, failed, or nothing to do."""
        found = plain_results(await self._stores.runs.messages(run_id)) or "Nothing to do."
        return View(escape(found), ((Button("Show them", "m:pending"),),) if FULL in found else ())
