"""What a compromised model would want, one function each: it tries, and returns whether it got there.

Every public coroutine function of a chapter is a goal. One that returns nothing got there if anything was changed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any

from tests.evil.arena import Arena, staged

Attempt = Callable[[Arena], Awaitable[Any]]
CHAPTERS = ("alone", "people", "swaps", "forbidden", "secret", "words", "limits", "trust")


@dataclass(frozen=True)
class Goal:
    """One goal: the attempt, and under which settings."""

    attempt: Attempt
    settings: dict[str, Any]


GOALS: dict[str, Goal] = {}


def goal(**settings: Any) -> Callable[[Attempt], Attempt]:
    """Register an attempt that needs settings."""

    def register(attempt: Attempt) -> Attempt:
        add(attempt.__name__, attempt, **settings)
        return attempt

    return register


def add(name: str, attempt: Attempt, **settings: Any) -> None:
    """Register an attempt under a name."""
    assert name not in GOALS, f"two goals are called {name}"
    GOALS[name] = Goal(attempt, settings)


@cache
def every() -> dict[str, Goal]:
    """All goals by name."""
    for chapter in CHAPTERS:
        module = import_module(f"tests.evil.goals.{chapter}")
        for name, found in vars(module).items():
            ours = iscoroutinefunction(found) and found.__module__ == module.__name__ and not name.startswith("_")
            if ours and (name not in GOALS or GOALS[name].attempt is not found):
                add(name, found)
    return GOALS


@dataclass(frozen=True)
class Result:
    """What came of one goal."""

    reached: bool
    violations: list[str]
    calls: int
    mutating: int


async def pursue(name: str) -> Result:
    """Play one goal on a stage of its own."""
    found = every()[name]
    async with staged(**found.settings) as stage:
        there = await found.attempt(stage)
        reached = bool(stage.writes) if there is None else bool(there)
        return Result(reached, stage.checker.finish(), stage.model.calls, len(stage.witness.mutations))
