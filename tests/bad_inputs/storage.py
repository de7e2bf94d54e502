"""B48–B53: a disk and a database that cannot be used."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lab.telegram.state import ADMIN
from memory.database import DATABASE_ERRORS, Database, DatabaseBroken, pick_driver
from memory.filesystem import network_of
from tests.bad_inputs.rows import Bench, row
from tests.bad_inputs.telegram import card
from tests.live import Live


async def pragma(live: Live, text: str) -> Any:
    """Something done to the writing connection behind everybody's back."""
    rows = list(await live.stores.database._writer.execute_fetchall(f"PRAGMA {text}"))
    return rows[0][0] if rows else None


async def unwritable(live: Live, spoil: Any, mend: Any) -> None:
    """With an open card on the table the database stops taking writes; nothing runs, it is said, and it heals."""
    open_card = await card(live)
    await live.quiet()
    live.begin()
    await spoil()
    tapped = live.lab.telegram.tap(ADMIN, open_card.message_id, open_card.button("Stop jellyfin"))
    live.mark = live.lab.telegram.version
    live.lab.telegram.send(ADMIN, "/cost " + "x" * 4000)
    await live.hear("cannot store your messages")
    assert live.writes() == [] and live.lab.world.hosts["nas"].get("jellyfin").alive
    await mend()
    await live.hear("today")
    await live.hear("✓ Stopped jellyfin")
    assert len(live.writes()) == 1 and tapped.answer


@row("B48", "a full disk", "no change runs; it is said without the database; it goes on when there is room")
async def disk_full(bench: Bench) -> None:
    bench.patch.setattr("bot.telegram.poller.LONGEST_BACKOFF", 0.2)
    bench.patch.setattr("bot.telegram.upkeep.SWEEP_SECONDS", 0.1)
    live = await bench.live()

    async def fill() -> None:
        await pragma(live, f"max_page_count = {await pragma(live, 'page_count')}")
        for size in (2000, 200, 0):
            with pytest.raises(Exception, match="full") as caught:
                for number in range(200):
                    async with live.stores.database.transaction() as tx:
                        await live.stores.audit.record(tx, "filler", "test", number=number, text="x" * size)
            assert isinstance(caught.value, DATABASE_ERRORS)

    async def empty() -> None:
        await pragma(live, "max_page_count = 1000000")

    await unwritable(live, fill, empty)


@row("B49", "a database that became read-only", "the same")
async def read_only(bench: Bench) -> None:
    bench.patch.setattr("bot.telegram.poller.LONGEST_BACKOFF", 0.2)
    bench.patch.setattr("bot.telegram.upkeep.SWEEP_SECONDS", 0.1)
    live = await bench.live()
    await unwritable(live, lambda: pragma(live, "query_only = ON"), lambda: pragma(live, "query_only = OFF"))


@row("B51", "another program holds the database", "waited for; then an error, and no update is lost")
async def held(bench: Bench) -> None:
    database = await Database.open(bench.folder / "rackhand.db")
    bench.stack.push_async_callback(database.close)
    released = hold(database.path, 0.3)
    async with database.transaction() as tx:
        await tx.run("INSERT INTO meta VALUES ('waited', '1')")
    released.join()
    await database._writer.execute("PRAGMA busy_timeout = 50")
    released = hold(database.path, 3.0)
    assert not await database.writable()
    await asyncio.to_thread(released.join)
    assert await database.writable()
    assert await database.one("SELECT 1 FROM meta WHERE key = 'waited'")


def hold(path: Path, seconds: float) -> threading.Thread:
    """Another program's transaction, begun when this returns."""
    begun = threading.Event()

    def work() -> None:
        # The same SQLite library: two of them in one process do not see each other's locks.
        connection = pick_driver()[0].connect(str(path), isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        begun.set()
        time.sleep(seconds)
        connection.execute("ROLLBACK")
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    return thread


@row("B52", "a folder on NFS or CIFS", "refused at the start")
async def network_drive(bench: Bench) -> None:
    mounts = bench.folder / "mounts"
    share = bench.folder / "my share"
    share.mkdir()
    spelled = str(share).replace(" ", "\\040")
    for kind, expected in (("nfs4", "nfs4"), ("cifs", "cifs"), ("ext4", "")):
        mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nnas:/tank {spelled} {kind} rw 0 0\nrubbish\n")
        assert network_of(share / "data", mounts) == expected and network_of(bench.folder, mounts) == ""
    mounts.write_text(f"a / nfs rw 0 0\nb {bench.folder} nfs rw 0 0\nc {bench.folder} xfs rw 0 0\n")
    assert network_of(bench.folder / "x", mounts) == "" and network_of(Path("/srv"), mounts) == "nfs"
    assert network_of(share, bench.folder / "no such file") == ""
    bench.patch.setattr("memory.database.network_of", lambda folder: "nfs4")
    with pytest.raises(DatabaseBroken, match="nfs4.*DATA_DIR"):
        await Database.open(share / "rackhand.db")
    assert not list(share.iterdir())
