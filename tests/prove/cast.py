"""One run: its stages, each judged when it is over, and what was wrong."""

import asyncio
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.prove.checker import violations
from tests.prove.ordeal import Ordeal, stage
from tests.prove.scenarios import SCENARIOS


@dataclass
class Cast:
    """What a run needs, and what it has found."""

    wrong: list[str] = field(default_factory=list)
    struck: bool = True
    """Whether the kill that was planned came to pass."""

    @asynccontextmanager
    async def stage(
        self, *first: str, then: tuple[str, ...] = (), judged: bool = True, timed: bool = True, **settings: str
    ) -> AsyncIterator[Ordeal]:
        """A stage whose evidence is judged at the end of the block.

        The bot starts with the options `first`, and each time it has died with the options `then`.
        """
        folder = Path(tempfile.mkdtemp(prefix="rackhand-prove-"))
        try:
            async with stage(folder, list(first), list(then), **settings) as made:
                await made.begin()
                yield made
                if judged:
                    evidence = made.evidence()
                    evidence.timed = timed
                    self.wrong += violations(evidence)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def play(self, name: str, *harm: str) -> list[str]:
        """A scenario from beginning to end, the bot armed with `harm` until it dies; the moments it passed."""
        found = SCENARIOS[name]
        with tempfile.NamedTemporaryFile("r", prefix="rackhand-moments-") as record:
            listed = () if harm else ("--record", record.name)
            async with self.stage(*found.options, *harm, *listed, then=found.options) as made:
                await found.script(made)
                await made.quiet()
                self.count(made, found.most_effects)
                self.struck = -9 in made.exits
            return record.read().split()

    async def strike(self, name: str, seed: int) -> None:
        """A scenario during which the bot is killed at random times, once or more often."""
        found, chance = SCENARIOS[name], random.Random(seed)
        async with self.stage(*found.options, then=found.options) as made:
            killer = asyncio.create_task(self._kill(made, chance))
            try:
                await found.script(made)
                await made.quiet()
            finally:
                killer.cancel()
                await asyncio.gather(killer, return_exceptions=True)
            await made.quiet()
            self.count(made, found.most_effects)
            self.struck = -9 in made.exits

    async def _kill(self, made: Ordeal, chance: random.Random) -> None:
        for _ in range(chance.choice((1, 1, 1, 2))):
            await asyncio.sleep(chance.uniform(0.0, 0.9))
            made.bot.kill()

    def count(self, made: Ordeal, most: int) -> None:
        """No more requests than the whole script may cause."""
        effects = made.effects()
        if len(effects) > most:
            self.wrong.append(f"{len(effects)} effects, at most {most}: {effects}")


@dataclass
class Result:
    """How one run ended."""

    name: str
    wrong: list[str]
    seconds: float
    struck: bool = True
    moments: list[str] = field(default_factory=list)


async def judged(name: str, part: object) -> Result:
    """A run's result: whatever it raises is a violation. `part` is called with the cast."""
    cast, began, moments = Cast(), time.monotonic(), None
    try:
        moments = await part(cast)  # type: ignore[operator]
    except (AssertionError, TimeoutError, LookupError, StopIteration, sqlite3.Error, OSError) as error:
        cast.wrong.append(f"{type(error).__name__}: {error}")
    return Result(name, cast.wrong, time.monotonic() - began, cast.struck, moments or [])
