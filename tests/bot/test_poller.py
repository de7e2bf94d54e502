"""The poller against a strict Telegram: two programs with one token end each other's polls in turn."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.halt import PANIC, Halt
from bot.poller import CONFLICT, Poller
from lab.lab import Lab
from memory.stores import Stores


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end, f"waited for {what}"
        await asyncio.sleep(0.02)


async def test_of_two_that_poll_in_turn_both_hold_still(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("CONFLICT_SECONDS", 1.0), ("LONGEST_BACKOFF", 0.1), ("POLL_SECONDS", 2)):
        monkeypatch.setattr(f"bot.poller.{name}", seconds)
    async with Lab(1, directory=tmp_path / "lab") as lab:
        ours, theirs = Halt(), Halt()
        polling = [
            asyncio.create_task(Poller(lab.telegram_url, lab.token, stores.inbox, halt).run())
            for halt in (ours, theirs)
        ]
        try:
            # Every other answer that each of them gets is a good one: that must not count as the end of it.
            await until(lambda: ours.everything == theirs.everything == CONFLICT, "both to hold still")
            polling[1].cancel()
            await until(lambda: ours.everything is None, "the one that is left to work again")
        finally:
            for task in polling:
                task.cancel()
            await asyncio.gather(*polling, return_exceptions=True)


async def test_the_end_of_a_conflict_lifts_no_panic(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.poller.CONFLICT_SECONDS", 0.0)
    halt = Halt()
    poller = Poller("http://127.0.0.1:1", "1:x", stores.inbox, halt)
    poller._conflict()
    await asyncio.sleep(0.01)
    poller._conflict()
    assert halt.everything == CONFLICT
    halt.everything = PANIC
    poller._undisturbed()
    assert halt.everything == PANIC
