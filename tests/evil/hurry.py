"""The bot without its pauses, and time that stands still."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from bot.stream import Throttle
from tools.gate.execution import Execution

SHORT, LONG = 0.6, 6.0
"""Seconds of patience with an engine: short where they stall on purpose, long where a busy machine must not count."""


class Killed(BaseException):
    """The process has died at a named point."""


class Clock:
    """Time in an episode: it stands still between two actions."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


async def _nothing(*args: Any) -> None:
    """What a nicety does here."""


@contextmanager
def hurried(patience: float) -> Iterator[None]:
    """The bot without its pauses, which are there for people and for slow engines."""
    look = Execution._look

    async def glance(self: Any, row: Any, change: Any, within: float) -> Any:
        return await look(self, row, change, min(within, 0.05))

    with ExitStack() as stack:
        for name, value in {
            "bot.delivery.Throttle": lambda *_: Throttle(0.0),
            "bot.app.SWEEP_SECONDS": 3600.0,
            "bot.app.App._listen_for_signals": lambda self: None,
            "bot.app.App._warm_up": _nothing,
            "bot.app.App._introduce": lambda self, *_: self.bot.initialize(),
            "bot.poller.CONFLICT_SECONDS": -1.0,
            "bot.poller.random.uniform": lambda *_: 0.02,
            "tools.docker.facts.STEADY_SECONDS": 0.0,
            "tools.docker.hosts.READ_PATIENCE": patience,
            "tools.docker.hosts.WRITE_PATIENCE": patience,
            "tools.docker.images.LONG_PATIENCE": patience,
            "tools.docker.prune.LONG_PATIENCE": patience,
            "tools.docker.pull.LONG_PATIENCE": patience,
            "tools.gate.execution.POLL": (0.01,),
            "tools.gate.execution.Execution._look": glance,
            "tools.kit.breaker.FIRST_PAUSE": 0.001,
            "tools.kit.breaker.LONGEST_PAUSE": 0.001,
        }.items():
            stack.enter_context(patch(name, value))
        yield
