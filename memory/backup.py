"""Backup and restore: a copy that has been checked, and a restore that voids everything that was pending."""

import asyncio
import os
import shutil
from pathlib import Path

from memory.database import Database, DatabaseBroken
from memory.models import CallState
from memory.stores import Stores

RESTORED = "A backup was restored: what was under way then is unknown."


async def backup(database: Database, target: Path) -> None:
    """A consistent, checked copy at `target`, which must not exist yet. Never a file copy: that loses commits."""
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    await database.copy_to(partial)
    copy = await Database.open(partial)
    await copy.close()
    for leftover in (f"{partial.name}-wal", f"{partial.name}-shm"):
        partial.with_name(leftover).unlink(missing_ok=True)
    partial.chmod(0o600)
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.rename(target)


async def restore(source: Path, folder: Path) -> Path | None:
    """Put a backup in place; returns where the replaced database was kept.

    A restored backup is a time machine: pending cards expire, and what was started is unknown.
    """
    if not await asyncio.to_thread(source.is_file):
        raise DatabaseBroken(f"{source} is not a file: name a backup made by `python main.py backup`.")
    target, kept = folder / "rackhand.db", None
    fresh = folder / "rackhand.db.restoring"
    shutil.copyfile(source, fresh)
    checked = await Database.open(fresh)
    await checked.close()
    if target.exists():
        kept = folder / "rackhand.db.before-restore"
        target.replace(kept)
        for leftover in ("rackhand.db-wal", "rackhand.db-shm"):
            (folder / leftover).unlink(missing_ok=True)
    fresh.replace(target)
    stores = await Stores.open(folder)
    await _void(stores)
    await stores.close()
    return kept


async def _void(stores: Stores) -> None:
    open_calls = await stores.journal.in_state(CallState.PROPOSED, CallState.WAITING, CallState.STARTED)
    open_cards = await stores.approvals.open_cards()
    async with stores.database.transaction() as tx:
        await stores.approvals.expire(tx, everything=True)
        await stores.approvals.next_epoch(tx)
        for row in open_calls:
            if row.state is CallState.STARTED:
                await stores.journal.finish(tx, row.id, CallState.UNKNOWN, detail=RESTORED)
            else:
                await stores.journal.finish(tx, row.id, CallState.NOT_STARTED, detail=RESTORED)
        for card in open_cards:
            await stores.outbox.add(tx, card.conversation, "card", f"card:{card.id}:restored", card=card.id)
        await stores.audit.record(tx, "restored", "console", calls=len(open_calls))
