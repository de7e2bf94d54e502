"""Budgets: the most that a request can cost is set aside before it is made, so that no reply passes a limit."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.agent.model import OutOfBudget
from bot.agent.prices import cost, output_for
from memory.models import Message
from memory.usage import Tokens, Usage

CHARACTERS_PER_TOKEN = 2
"""Of our own prompt and tools, which are English and JSON: those have three and more. Other text counts one."""
LEAST_OUTPUT = 1000
"""Tokens for thinking and answering without which a request is not worth its price."""


class Reservation:
    """What is set aside for one request."""

    def __init__(self, usage: Usage, row: int, model: str, tokens: Tokens) -> None:
        self._usage, self._row, self._model = usage, row, model
        self.max_tokens = tokens.output
        """The longest reply, thinking included, that the budget pays for."""
        self.settled = False

    def settle(self, tokens: Tokens, *, hour_write: int) -> None:
        """Book what the request has really used."""
        self._usage.settle(self._row, tokens, cost(self._model, tokens, hour_write=hour_write))
        self.settled = True

    def keep(self) -> None:
        """What the request has used is not known: all that was set aside stays booked."""
        self.settled = True

    def release(self) -> None:
        """There was no reply: nothing was used."""
        self._usage.release(self._row)


class Budget:
    """A limit for each run and one for each day."""

    def __init__(self, usage: Usage, *, task: float, daily: float, zone: ZoneInfo) -> None:
        self._usage, self.task, self.daily, self._zone = usage, task, daily, zone

    def midnight(self) -> float:
        """When today began, as a Unix time."""
        today = datetime.now(self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return today.timestamp()

    @asynccontextmanager
    async def reserve(
        self, run: str, model: str, prefix: int, messages: list[Message], *, most: int, least: int = LEAST_OUTPUT
    ) -> AsyncIterator[Reservation]:
        """Set aside the price of this prompt and of up to `most` tokens of reply, fewer where money is short.

        `prefix` is the characters of system prompt and tools. Raises OutOfBudget when not even `least` tokens can be
        paid. The row stands in the books until the request is settled, also across a crash.
        """
        async with self._usage.database.transaction() as tx:  # or two runs would both spend what is left
            size = _size(await self._usage.last_of(tx, run, model), prefix, messages)
            kept = min(size, prefix // CHARACTERS_PER_TOKEN)
            spent = await self._usage.usd(tx, run, self.midnight())
            tokens = Tokens(0, 0, size, self._affordable(model, spent, Tokens(0, 0, size, most), kept, least))
            row = await self._usage.record(tx, run, model, tokens, cost(model, tokens, hour_write=kept))
        reservation = Reservation(self._usage, row, model, tokens)
        try:
            yield reservation
        finally:
            if not reservation.settled:
                reservation.release()

    def _affordable(self, model: str, spent: tuple[float, float], wanted: Tokens, kept: int, least: int) -> int:
        """Tokens of reply that both limits pay for, at the dearest: nothing is cached, everything is written to it."""
        task, today = spent
        of_task = output_for(model, self.task - task, wanted, hour_write=kept)
        of_day = output_for(model, self.daily - today, wanted, hour_write=kept)
        if of_task < least:
            raise OutOfBudget(
                f"This task has cost up to ${task:.3f} and its next step could pass BUDGET_TASK_USD (${self.task:g})."
            )
        if of_day < least:
            raise OutOfBudget(
                f"Today has cost up to ${today:.2f} and the next step could pass BUDGET_DAILY_USD (${self.daily:g})."
                " It is free again at midnight; commands work without the model."
            )
        return min(wanted.output, of_task, of_day)


def _size(last: Tokens | None, prefix: int, messages: list[Message]) -> int:
    """The most tokens that a prompt can have: what the last request had, and one for each newer character."""
    if last is None:
        return prefix // CHARACTERS_PER_TOKEN + _characters(messages)
    replies = [number for number, message in enumerate(messages, 1) if message["role"] == "assistant"]
    return last.prompt + last.output + _characters(messages[replies[-1] if replies else 0 :])


def _characters(messages: list[Message]) -> int:
    """A tokenizer's tokens are at least a byte each, and in this spelling no character is shorter than its bytes."""
    return len(json.dumps(messages))
