"""Budgets: looked at before every request, never after."""

from datetime import datetime
from zoneinfo import ZoneInfo

from bot.agent.model import OutOfBudget
from bot.agent.prices import cost
from memory.usage import Tokens, Usage

CHARACTERS_PER_TOKEN = 3
EXPECTED_OUTPUT = 800
"""Tokens; a typical reply. The estimate decides whether a request is made, the real figure is what is booked."""


class Budget:
    """A limit for each run and one for each day."""

    def __init__(self, usage: Usage, *, task: float, daily: float, zone: ZoneInfo) -> None:
        self._usage, self.task, self.daily, self._zone = usage, task, daily, zone

    def midnight(self) -> float:
        """When today began, as a Unix time."""
        today = datetime.now(self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return today.timestamp()

    async def check(self, run: str, model: str, characters: int, cached: int = 0) -> None:
        """Raise OutOfBudget when this request would pass a limit."""
        fresh = max(0, characters // CHARACTERS_PER_TOKEN - cached)
        estimate = cost(model, Tokens(fresh, cached, 0, EXPECTED_OUTPUT))
        task, today = (await self._usage.of_run(run)).usd, (await self._usage.since(self.midnight())).usd
        if task + estimate > self.task:
            raise OutOfBudget(
                f"This task has cost ${task:.3f} and its next step would pass BUDGET_TASK_USD (${self.task:g})."
            )
        if today + estimate > self.daily:
            raise OutOfBudget(
                f"Today has cost ${today:.2f} and the next step would pass BUDGET_DAILY_USD (${self.daily:g})."
                " It is free again at midnight; commands work without the model."
            )
