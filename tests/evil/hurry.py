"""The bot without its pauses and without what is costly to start, and time that stands still."""

import gc
import pickle
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from lab.world import World
from tests.hurry import HURRY
from tools.gate.outcomes import Outcomes

SHORT, LONG = 0.6, 6.0
"""Seconds of patience with an engine: short where they stall on purpose, long where a busy machine must not count."""


class Killed(BaseException):
    """The process has died at a named point."""


async def _nothing(*args: Any) -> None:
    """What a nicety does here."""


@cache
def _packed(seed: int) -> bytes:
    made = World(seed)
    for host in made.hosts.values():
        host.containers()  # the logs of the last hours are written once, too
    return pickle.dumps(made)


def world(seed: int) -> World:
    """A fresh homelab of its own; the first of each seed is built, the others are copies of it."""
    packed = _packed(seed)
    gc.disable()  # thousands of small objects at once, none of them garbage
    try:
        made: World = pickle.loads(packed)
    finally:
        gc.enable()
    made.latency = made.health_after = 0.0
    return made


@contextmanager
def hurried(patience: float) -> Iterator[None]:
    """The bot without its pauses, which are there for people and for slow engines."""
    look = Outcomes.look

    async def glance(self: Any, row: Any, change: Any, within: float) -> Any:
        return await look(self, row, change, min(within, 0.05))

    with ExitStack() as stack:
        for name, value in {
            **HURRY,
            "bot.telegram.upkeep.SWEEP_SECONDS": 3600.0,
            "bot.telegram.app.App._listen_for_signals": lambda self: None,
            "bot.telegram.app.App._warm_up": _nothing,
            "bot.telegram.app.introduce": lambda bot, *_: bot.initialize(),
            "bot.telegram.poller.CONFLICT_SECONDS": -1.0,
            "bot.telegram.poller.random.uniform": lambda *_: 0.02,
            "tools.docker.facts.STEADY_SECONDS": 0.0,
            "tools.docker.hosts.READ_PATIENCE": patience,
            "tools.docker.hosts.WRITE_PATIENCE": patience,
            "tools.docker.images.LONG_PATIENCE": patience,
            "tools.docker.prune.LONG_PATIENCE": patience,
            "tools.docker.sweep.LONG_PATIENCE": patience,
            "tools.docker.disk.MEASURING": patience,
            "tools.docker.images.MEASURING": patience,
            "tools.docker.removal.MEASURING": patience,
            "tools.docker.stock.MEASURING": patience,
            "tools.docker.stock.LOOKING": patience,
            "tools.docker.pull.LONG_PATIENCE": patience,
            "tools.gate.outcomes.POLL": (0.01,),
            "tools.gate.outcomes.Outcomes.look": glance,
            "tools.kit.breaker.FIRST_PAUSE": 0.001,
            "tools.kit.breaker.LONGEST_PAUSE": 0.001,
        }.items():
            stack.enter_context(patch(name, value))
        yield
