"""What is made before a change: after the tap, before a byte of the change itself; without it there is none."""

import asyncio
from typing import Any

import pytest

from tests.fakes import use
from tests.house import ADMIN, House
from tests.tape import Tape
from tools.kit import OutcomeUnknown, Refused

WIPE = use("tape_wipe", tape="tape")


async def test_it_is_made_after_the_tap_and_undo_is_worked_out_from_it(home: House, tape: Tape) -> None:
    await home.ask(WIPE)
    assert "undo: put back what was copied before" in await home.text() and tape.log == []

    async def seen() -> None:
        row = await home.call()
        assert (row.state, row.safety, row.undo) == ("started", {}, None), "it is in the journal, and Undo is not yet"

    tape.on_copy = seen
    await home.tap()
    row = await home.call()
    assert tape.log == ["copy", "hold 0"] and (row.state, row.verified) == ("done", True)
    text, buttons = await home.receipt()
    assert "kept for Undo: copy before-wipe" in text and buttons == ["↩ Undo"]
    await home.undo(row)
    assert tape.log[2:] == ["hold 3"] and tape.backups == 3 and await home.states() == ["done", "done"]


@pytest.mark.parametrize("error", [Refused("No room."), OutcomeUnknown("No answer."), RuntimeError("a bug")])
async def test_when_it_fails_nothing_was_changed(home: House, tape: Tape, error: Exception) -> None:
    async def fail() -> None:
        raise error

    tape.on_copy = fail
    await home.ask(WIPE)
    await home.tap()
    row = await home.call()
    assert tape.log == ["copy"] and (row.state, row.undo) == ("failed", None)
    text, buttons = await home.receipt()
    assert "safety net could not be made" in text and "Nothing was changed." in text and buttons == []


async def test_a_stop_meanwhile_is_a_stop(home: House, tape: Tape) -> None:
    async def stop() -> None:
        await home.core.runner.stop(ADMIN.id, ADMIN)

    tape.on_copy = stop
    await home.ask(WIPE)
    await home.tap()
    await home.core.execution.drain(5.0)
    row = await home.call()
    assert tape.log == ["copy"] and row.state == "failed" and "You said stop. Nothing was changed." in row.detail
    assert "made before: copy before-wipe" in (await home.receipt())[0]


@pytest.mark.parametrize("out_of_reach", [False, True])
async def test_what_has_moved_meanwhile_is_not_changed(home: House, tape: Tape, out_of_reach: bool) -> None:
    async def move() -> None:
        tape.backups, tape.out_of_reach = 9, out_of_reach

    tape.on_copy = move
    await home.ask(WIPE)
    await home.tap()
    row = await home.call()
    assert tape.log == ["copy"] and tape.backups == 9
    assert row.state == "failed" and row.detail.endswith("Nothing was changed.")


async def test_killed_while_it_is_made_nothing_was_changed(home: House, tape: Tape) -> None:
    reached = asyncio.Event()

    async def hang() -> Any:
        reached.set()
        await asyncio.Event().wait()

    tape.on_copy = hang
    await home.ask(WIPE)
    await home.deliver()
    await home.press("y", card=await home.newest_card())
    await reached.wait()
    await home.crash()
    await home.recover()
    await home.settle()
    row = await home.call()
    assert row.state == "failed" and "Nothing was changed." in row.detail and tape.log == ["copy"]
