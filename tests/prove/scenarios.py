"""What people do while the bot is being killed. Each script carries on whatever happens, as a person would."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lab.telegram.client import parts_of
from tests.prove.ordeal import ARM, NO, UNDO, YES, Ordeal

PASTE = "\n".join(["how is radarr?", *(f"{number:04d} the queue was restarted and went on" for number in range(240))])
"""A line that comes in three updates."""
Script = Callable[[Ordeal], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """A script, and what the bot needs for it."""

    name: str
    script: Script
    options: tuple[str, ...] = ()
    most_effects: int = 1
    """Mutating requests that the script may cause in all, whatever is killed when."""


SCENARIOS: dict[str, Scenario] = {}


def scenario(*options: str, most: int = 1) -> Callable[[Script], Script]:
    """Put a script on the list."""

    def add(script: Script) -> Script:
        name = script.__name__.replace("_", " ")
        SCENARIOS[name] = Scenario(name, script, options, most)
        return script

    return add


@scenario(most=0)
async def plain_question(stage: Ordeal) -> None:
    """No change is wanted."""
    await stage.written("how is radarr?")
    await stage.written("/containers")


@scenario()
async def one_change_approved(stage: Ordeal) -> None:
    """The usual case."""
    await stage.written("stop radarr")
    await stage.decide("Stop radarr")


@scenario(most=2)
async def two_changes_in_one_reply(stage: Ordeal) -> None:
    """One card, two calls."""
    await stage.written("stop radarr and sonarr")
    await stage.decide("2 changes")


@scenario(most=0)
async def a_denial(stage: Ordeal) -> None:
    """The person says no."""
    await stage.written("stop radarr")
    await stage.decide("Stop radarr", NO)


@scenario("--expiry", "0.7", most=0)
async def an_expiry(stage: Ordeal) -> None:
    """Nobody says anything; then it is too late."""
    await stage.written("stop radarr")
    found = stage.showing("Stop radarr", YES)
    await asyncio.sleep(0.8)
    for message, data in found:
        stage.press(message, data)
    await stage.quiet()


@scenario(most=2)
async def an_undo(stage: Ordeal) -> None:
    """Stopped, and taken back."""
    await stage.written("stop radarr")
    await stage.decide("Stop radarr")
    if stage.showing("Stopped radarr", UNDO):
        await stage.decide("Stopped radarr", UNDO)
        await stage.decide_if_shown("Start radarr")


@scenario(most=3)
async def three_cards_pending(stage: Ordeal) -> None:
    """Tapped in another order than they came."""
    for name in ("radarr", "sonarr", "gitea"):
        stage.say(f"stop {name}")
    await stage.quiet()
    for name in ("sonarr", "radarr", "gitea"):
        await stage.decide(f"Stop {name}")


@scenario(most=2)
async def a_removal_with_two_taps(stage: Ordeal) -> None:
    """A DESTROY: stop and delete."""
    await stage.written("remove radarr")
    await stage.decide("Remove radarr", ARM)
    await stage.decide_if_shown("Remove radarr")


@scenario()
async def a_double_tap(stage: Ordeal) -> None:
    """Twice before anything can happen."""
    message, data = await stage.offered("stop radarr")
    stage.press(message, data)
    await stage.pressed(message, data)


@scenario()
async def a_tap_that_comes_again(stage: Ordeal) -> None:
    """Telegram delivers the same update once more."""
    message, data = await stage.offered("stop radarr")
    stage.press(message, data)
    tap = stage.lab.telegram.updates.pending[-1]
    await stage.quiet()
    stage.lab.telegram.inject(tap)
    await stage.pressed(message, data)


@scenario(most=2)
async def one_by_one(stage: Ordeal) -> None:
    """A card for two, taken apart: the first runs, the second does not."""
    await stage.written("stop radarr and sonarr")
    await stage.decide("2 changes", r"^a1:.*:o$")
    await stage.decide_if_shown("Stop radarr", YES)
    await stage.decide_if_shown("Stop sonarr", NO)


@scenario()
async def somebody_else_was_faster(stage: Ordeal) -> None:
    """The target has moved between card and tap; the new card is approved."""
    await stage.written("restart redis")
    await stage.shown("Restart")
    stage.lab.world.change_behind_back()
    await stage.decide("Restart redis")


@scenario()
async def a_line_before_and_a_line_after(stage: Ordeal) -> None:
    """Talk around an open card."""
    stage.say("stop radarr")
    stage.say("/pending")
    await stage.shown("Stop radarr")
    stage.say("how is sonarr?")
    await stage.decide("Stop radarr")


@scenario(most=0)
async def a_long_paste(stage: Ordeal) -> None:
    """Several updates that are one line."""
    for part in parts_of(PASTE):
        stage.say(part)
    await stage.quiet()
    assert stage.query("SELECT objective FROM runs") == [(PASTE,)], stage.query("SELECT length(objective) FROM runs")
