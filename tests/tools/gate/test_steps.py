"""A change in steps: the journal knows the one that has begun; and what Undo would leave is never run untapped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from memory.models import CallState
from tests.fakes import use
from tests.generated.stages import nas, outdated_jellyfin
from tests.place import Place, without_waits


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    without_waits(monkeypatch)
    async with Place(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("last", "step"), [(1, "Pulling"), (4, "Giving its name"), (6, "Stopping the old"), (8, "Waiting until")]
)
async def test_cut_off_at_a_step_it_says_which_and_can_be_finished(
    place: Place, monkeypatch: pytest.MonkeyPatch, last: int, step: str
) -> None:
    left = iter(range(last, 0, -1))

    def point(name: str) -> None:
        if name == "stepped" and next(left) == 1:
            raise asyncio.CancelledError  # the process dies

    monkeypatch.setattr("tools.gate.execution.point", point)
    run = await place.ask(use("docker_update_container", **await outdated_jellyfin(place)))
    with suppress(asyncio.CancelledError):
        await place.approve()
    [row] = await place.calls(run)
    assert row.state is CallState.STARTED and row.detail.startswith(step), "the step is kept before it begins"
    monkeypatch.setattr("tools.gate.execution.point", lambda name: None)
    await place.again()
    assert await place.core.recovery.run() == 1
    [unknown] = await place.calls(run)
    assert unknown.state is CallState.UNKNOWN and f"The last step: {row.detail}." in unknown.detail
    assert sum(c.alive for c in nas(place).containers() if c.name.startswith("jellyfin")) <= 1
    await place.known(unknown, "r")
    if await place.has_card():
        await place.approve()
    alive = [c.name for c in nas(place).containers() if c.name.startswith("jellyfin") and c.alive]
    assert alive == ["jellyfin"]
    assert len([c for c in nas(place).containers() if c.name.startswith("jellyfin")]) == 2


async def test_what_undo_would_leave_is_never_run_untapped(place: Place) -> None:
    await place.again(AUTONOMY="reversible")
    await place.ask(use("docker_stop_container", container="nas/sonarr"))
    assert not await place.has_card(), "what can be taken back whole runs by itself"
    await place.ask(use("docker_update_container", **await outdated_jellyfin(place)))
    assert await place.has_card() and "Undo is partial" in "".join(await place.texts())
