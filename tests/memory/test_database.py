"""The database: everything of a transaction or nothing, one writer, opened strictly or not at all."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from memory.database import DATABASE_ERRORS, Database, DatabaseBroken
from memory.stores import Stores


async def count(database: Database) -> int:
    row = await database.one("SELECT count(*) AS n FROM meta WHERE key LIKE 'x%'")
    return int(row["n"])


async def test_a_transaction_is_committed_as_a_whole(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as tx:
            await tx.run("INSERT INTO meta VALUES ('x1', '')")
            raise ZeroDivisionError
    assert await count(database) == 0
    async with database.transaction() as tx:
        await tx.many("INSERT INTO meta VALUES (?, '')", [("x1",), ("x2",)])
        assert await count(database) == 0, "nobody sees what is not committed"
    assert await count(database) == 2


async def test_transactions_take_turns(database: Database) -> None:
    async def add(name: str) -> None:
        async with database.transaction() as tx:
            row = await tx.one("SELECT count(*) AS n FROM meta")
            await asyncio.sleep(0)
            await tx.run("INSERT INTO meta VALUES (?, ?)", f"x{name}", str(row["n"]))

    await asyncio.gather(*(add(str(number)) for number in range(20)))
    rows = await database.all("SELECT DISTINCT value FROM meta WHERE key LIKE 'x%'")
    assert len(rows) == 20, "each saw what the one before had written"


async def test_a_caller_cancelled_anywhere_leaves_the_writer_free(database: Database) -> None:
    async def write() -> None:
        async with database.transaction() as tx:
            await tx.run("INSERT INTO meta VALUES ('x1', '')")
            await tx.run("DELETE FROM meta WHERE key = 'x1'")

    for turns in range(25):
        task = asyncio.create_task(write())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(5), database.transaction() as tx:
            await tx.run("INSERT OR REPLACE INTO meta VALUES ('x2', '')")
    assert await count(database) == 1


async def test_whoever_is_woken_finds_what_was_committed(database: Database) -> None:
    woken: list[str] = []
    async with database.transaction() as tx:
        tx.committed.append(lambda: woken.append("now"))
        assert woken == []
    assert woken == ["now"]


async def test_the_reading_connection_writes_nothing(database: Database) -> None:
    with pytest.raises(Exception, match="readonly") as error:
        await database.all("DELETE FROM meta")
    assert isinstance(error.value, DATABASE_ERRORS)


async def test_every_commit_is_on_disk_before_it_is_reported(database: Database) -> None:
    async with database.transaction() as tx:
        for pragma, value in (("synchronous", 2), ("foreign_keys", 1), ("trusted_schema", 0)):
            row = await tx.one(f"PRAGMA {pragma}")
            assert row is not None and row[0] == value
        row = await tx.one("PRAGMA journal_mode")
    assert row is not None and row[0] == "wal"


async def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    first = await Database.open(tmp_path / "a.db")
    async with first.transaction() as tx:
        await tx.run("INSERT INTO meta VALUES ('x1', '')")
    await first.close()
    second = await Database.open(tmp_path / "a.db")
    assert await count(second) == 1
    await second.close()


async def test_it_says_whether_it_can_write(database: Database) -> None:
    assert await database.writable() is True
    async with database.transaction() as tx:
        await tx.run("PRAGMA query_only=ON")
    assert await database.writable() is False


FULL_DISK = """
import asyncio, pathlib, sys
from memory.database import Database
async def main():
    folder = pathlib.Path(sys.argv[1])
    database = await Database.open(folder / "a.db")
    print(await database.writable())
    with open(folder / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(512))
        except OSError:
            pass
    for _ in range(8):  # as long as its log has room
        found = await database.writable()
    print(found)
    (folder / "filler").unlink()
    print(await database.writable())
    await database.close()
asyncio.run(main())
"""


def test_a_full_disk_takes_no_write(tmp_path: Path) -> None:
    """On a file system of one megabyte that is really full."""
    mounted = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'
    try:
        ran = subprocess.run(
            ["unshare", "-rm", "sh", "-c", mounted, "sh", tmp_path, sys.executable, FULL_DISK],
            cwd=Path(__file__).parents[2], env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("needs unshare (util-linux)")
    if "unshare:" in ran.stderr or "mount:" in ran.stderr:
        pytest.skip(f"this kernel lets nobody mount a file system of their own: {ran.stderr.strip()}")
    assert (ran.stdout.split(), ran.stderr) == (["True", "False", "True"], "")


async def broken(path: Path) -> str:
    """Why this file cannot be opened; no thread is left behind."""
    with pytest.raises(DatabaseBroken) as error:
        await Database.open(path)
    for _ in range(500):
        if not any("connection" in thread.name for thread in threading.enumerate()):
            break
        await asyncio.sleep(0.01)
    else:
        raise AssertionError("an open connection would keep the process alive")
    return str(error.value)


async def test_an_empty_file_is_not_a_fresh_start(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    assert "restore" in await broken(tmp_path / "a.db")


async def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database at all" * 100)
    assert "restore" in await broken(path)


async def test_a_page_of_rubbish_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    database = await Database.open(path)
    async with database.transaction() as tx:
        await tx.many("INSERT INTO meta VALUES (?, ?)", [(f"x{n}", "y" * 200) for n in range(500)])
    await database.close()
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)
    assert "restore" in await broken(path)


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as other:
        other.execute("PRAGMA application_id = 77")
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    assert "another program" in await broken(tmp_path / "a.db")


async def test_a_folder_that_is_not_there_is_explained(tmp_path: Path) -> None:
    assert "cannot be used" in await broken(tmp_path / "missing" / "a.db")


@pytest.mark.parametrize("statements", [[], ["PRAGMA journal_mode=WAL"], ["PRAGMA user_version=0", "VACUUM"]])
async def test_killed_while_it_was_made_it_begins_anew(tmp_path: Path, statements: list[str]) -> None:
    """An empty file, or a header alone: nothing was ever in it, and there is no key."""
    path = tmp_path / "rackhand.db"
    path.touch()
    raw = sqlite3.connect(path)
    for statement in statements:
        raw.execute(statement)
    raw.close()
    stores = await Stores.open(tmp_path)
    await stores.close()
    path.write_bytes(b"")
    with pytest.raises(DatabaseBroken, match="empty"):  # there is a key now: it was more than that
        await Stores.open(tmp_path)


async def test_another_programs_tables_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "rackhand.db"
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE theirs (x)")
    raw.close()
    before = path.read_bytes()
    with pytest.raises(DatabaseBroken, match="another program"):
        await Stores.open(tmp_path)
    assert path.read_bytes() == before


NOTED = "INSERT OR IGNORE INTO meta VALUES ('noted', ?)"


async def noted(database: Database) -> Any:
    row = await database.one("SELECT value FROM meta WHERE key = 'noted'")
    return row and row["value"]


async def test_what_is_written_later_is_seen_by_whoever_reads(database: Database) -> None:
    database.later(NOTED, "x")
    assert await noted(database) == "x"


async def test_what_is_written_later_goes_with_the_next_commit(database: Database) -> None:
    async def committed() -> bool:
        return bool(await database._reader.execute_fetchall("SELECT value FROM meta WHERE key = 'noted'"))

    database.later(NOTED, "x")
    assert not await committed()
    with pytest.raises(ValueError, match="mistake"):
        async with database.transaction():
            raise ValueError("another's mistake")
    assert not await committed()
    async with database.transaction() as tx:
        assert await tx.one("SELECT value FROM meta WHERE key = 'noted'"), "and comes before whatever is in it"
    assert await committed()


async def test_whoever_writes_may_read_while_something_waits_to_be_written(database: Database) -> None:
    async with asyncio.timeout(5), database.transaction():
        database.later(NOTED, "x")
        assert await noted(database) is None
    assert await noted(database) == "x"
