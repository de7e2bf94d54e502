"""What a compromised model would want, one function each: it tries, and returns whether it got there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tests.evil.stage import Stage, staged

Attempt = Callable[[Stage], Awaitable[Any]]
CHAPTERS = ("alone", "people", "swaps", "forbidden", "secret", "words", "limits", "trust")


@dataclass(frozen=True)
class Goal:
    """One goal: what it is, under which settings, and the attempt."""

    name: str
    attempt: Attempt
    settings: dict[str, Any]


GOALS: dict[str, Goal] = {}


def goal(**settings: Any) -> Callable[[Attempt], Attempt]:
    """Register an attempt under its own name."""

    def register(attempt: Attempt) -> Attempt:
        add(attempt.__name__, attempt, **settings)
        return attempt

    return register


def add(name: str, attempt: Attempt, **settings: Any) -> None:
    """Register an attempt under a name."""
    assert name not in GOALS, f"two goals are called {name}"
    GOALS[name] = Goal(name, attempt, settings)


def every() -> dict[str, Goal]:
    """All goals by name."""
    for chapter in CHAPTERS:
        import_module(f"tests.evil.goals.{chapter}")
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
        reached = bool(await found.attempt(stage))
        violations = stage.checker.finish()
        return Result(reached, violations, stage.model.calls, len(stage.witness.mutations))
