"""B51, B52: a database that others hold, or that lies where it must not."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from memory.database import Database, DatabaseBroken, pick_driver
from memory.filesystem import network_of
from tests.bad_inputs.rows import Bench, row


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
