"""Pages that keep nobody waiting: what is there soon is shown, and the rest when it has come."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from bot.screen.view import View
from tools.kit.hurry import Hurry

SOON = 2.0
"""Seconds for which a page waits for everybody whom it asks."""


async def soon(look: Callable[[], Awaitable[View]]) -> View:
    """What can be seen soon; where somebody is asked still, its `rest` is the whole."""
    hurry = Hurry(SOON)

    async def rest() -> View:
        await hurry.over()
        with hurry:
            return await look()

    with hurry:
        view = await look()
    return replace(view, rest=rest) if hurry.late else view
