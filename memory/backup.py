"""Backup and restore: a copy that has been checked, and a restore that voids everything that was pending."""

import asyncio
import contextlib
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path

from memory.database import DATABASE_ERRORS, Database, DatabaseBroken
from memory.filesystem import sync
from memory.keys import Keys
from memory.marks import STOP_ALL
from memory.models import CallState
from memory.stores import Stores

RESTORED = "A backup was restored: what was under way then is unknown."
ENDED = "A backup was restored: what I was working on here when it was made has ended. Say it again if you want it."
BESIDE = ("-wal", "-shm")
"""What SQLite keeps beside a database. Without its log a database lacks what was committed last."""


async def backup(database: Database, target: Path) -> None:
    """A consistent, checked copy at `target`, which must not exist yet, with the schema as it is.

    Never a file copy: that loses commits. Raises DatabaseBroken when it cannot be written.
    """
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)
    await database.copy_to(partial)
    await (await Database.open(partial, as_it_is=True)).close()
    await asyncio.to_thread(_settle, partial)
    partial.rename(target)


async def restore(source: Path, folder: Path) -> Path | None:
    """Put a backup in place; returns where the replaced database was kept.

    A restored backup is a time machine: pending cards expire, what was started is unknown, and nothing is carried on.
    That is written into it before it is in place: killed anywhere, the next start finds the old database, or none and
    refuses. Raises DatabaseBroken.
    """
    if not await asyncio.to_thread(source.is_file):
        raise DatabaseBroken(f"{source} is not a file: name a backup made by `python main.py backup`.")
    target, fresh = folder / "rackhand.db", folder / "rackhand.db.restoring"
    try:
        await asyncio.to_thread(_copy, source, fresh)
    except OSError as error:
        raise DatabaseBroken(f"{source} cannot be copied to {folder} ({error.strerror}).") from None
    try:
        await _void(fresh, folder / "rackhand.key", panic=await asyncio.to_thread(_panics, target))
    except DatabaseBroken as error:
        what, _, advice = str(error).rpartition(": ")
        if str(fresh) not in what:
            raise
        named = what.replace(str(fresh), str(source))  # the copy's name says nothing to whoever named the file
        advice = advice if advice.startswith("update") else "name a backup made by `python main.py backup`."
        raise DatabaseBroken(f"{named}: {advice}") from error
    await asyncio.to_thread(_settle, fresh)
    kept = await asyncio.to_thread(_set_aside, target)
    fresh.replace(target)
    await asyncio.to_thread(sync, folder)
    return kept


def _copy(source: Path, target: Path) -> None:
    """The database and its log; what an earlier attempt left there is gone."""
    for end in ("", *BESIDE):
        target.with_name(target.name + end).unlink(missing_ok=True)
    for end in ("", "-wal"):
        beside = source.with_name(source.name + end)
        if beside.exists():
            shutil.copyfile(beside, target.with_name(target.name + end))


def _settle(closed: Path) -> None:
    """One file that is on the disk, and its owner's alone: closing has folded the log into it."""
    for end in BESIDE:
        closed.with_name(closed.name + end).unlink(missing_ok=True)
    closed.chmod(0o600)
    sync(closed)


def _set_aside(target: Path) -> Path | None:
    """Keep a database with all that is beside it under a name of its own, whatever state it is in."""
    kept = target.with_name(f"{target.name}.before-restore-{datetime.now():%Y%m%d-%H%M%S-%f}")
    found = [end for end in ("", *BESIDE) if target.with_name(target.name + end).exists()]
    # The database goes first: killed in between, the next start finds none, and says that one must be restored.
    for end in found:
        target.with_name(target.name + end).replace(kept.with_name(kept.name + end))
    return kept if found else None


def _panics(replaced: Path) -> bool:
    """Whether everything was stopped in the database that goes; one that cannot be read does not say."""
    try:
        with contextlib.closing(sqlite3.connect(f"{replaced.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return database.execute("SELECT 1 FROM meta WHERE key = ?", (STOP_ALL,)).fetchone() is not None
    except DATABASE_ERRORS:
        return False


async def _void(path: Path, key: Path, *, panic: bool) -> None:
    """Whatever a restored database believes to be open has ended, and those who waited for it are told.

    A `/stop all` that was given since the backup was made holds on.
    """
    stores = Stores.over(await Database.open(path), Keys.open(key))
    try:
        await _end_everything(stores)
        if panic:
            async with stores.database.transaction() as tx:
                await stores.marks.set(tx, STOP_ALL)
    finally:
        await stores.close()


async def _end_everything(stores: Stores) -> None:
    calls = await stores.journal.in_state(CallState.PROPOSED, CallState.WAITING, CallState.STARTED)
    cards, runs = await stores.approvals.open_cards(), await stores.runs.in_state("working", "waiting")
    at = {run.id: run.conversation for run in runs}
    async with stores.database.transaction() as tx:
        await stores.approvals.expire(tx, everything=True)
        await stores.approvals.next_epoch(tx)
        for row in calls:
            begun = row.state is CallState.STARTED
            await stores.journal.finish(
                tx, row.id, CallState.UNKNOWN if begun else CallState.NOT_STARTED, detail=RESTORED
            )
            its = await stores.runs.get(row.run)
            if begun and its is not None:  # also when its run was stopped meanwhile
                await stores.outbox.draw(tx, its.conversation, "receipt", row.id)
        for run in runs:
            await stores.runs.set_state(tx, run.id, "failed", ENDED)
            await stores.journal.release_again(tx, run.id)
            if run.undo_of is not None:
                await stores.journal.release_undo(tx, run.undo_of, run.id)
        epoch = await stores.approvals.epoch(tx)
        for conversation in dict.fromkeys(at.values()):
            await stores.outbox.add(
                tx, conversation, "view", f"restored:{epoch}:{conversation}", text=ENDED, buttons=[]
            )
        for card in cards:
            await stores.outbox.draw(tx, card.conversation, "card", card.id)
        await tx.run("UPDATE inbox SET state = 'done' WHERE state = 'new'")
        await stores.audit.record(tx, "restored", "console", calls=len(calls), runs=len(runs))
