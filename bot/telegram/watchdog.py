"""The truth for systemd: ready once polling, alive while attempts to poll come back and the database takes writes."""

import asyncio
import os
import socket
import time

from bot.telegram.poller import POLL_SECONDS, Poller
from memory.database import Database

STALE_SECONDS = POLL_SECONDS + 60.0
"""A dead line is no reason to be restarted: a new start does not mend it, and the status says why nothing is heard. An
attempt that never comes back is one, and so is being deaf: whether the token is dead, only a new start can tell."""


def notify(state: str) -> None:
    """Tell systemd, when it listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            sock.sendall(state.encode())


async def healthy(poller: Poller, database: Database) -> bool:
    """Whether the bot tries to hear, remembers, and could not do better after a new start."""
    tried = poller.last_completed or poller.first_poll
    if tried is None:
        return False
    tried = max(tried, poller.resting_until)
    if time.monotonic() - min(tried, poller.deaf_since or tried) > STALE_SECONDS:
        return False
    return await database.writable()


async def keep_watch(poller: Poller, database: Database) -> None:
    """Feed the watchdog at half its period, for as long as that is honest."""
    period = int(os.environ.get("WATCHDOG_USEC", "0")) / 2_000_000 or 30.0
    notify("READY=1")
    while True:
        notify(f"STATUS={poller.trouble or 'Listening.'}")
        if await healthy(poller, database):
            notify("WATCHDOG=1")
        await asyncio.sleep(period)
