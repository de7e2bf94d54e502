"""The database: one writing connection, one reading, opened strictly or not at all."""

import asyncio
import contextlib
import importlib.util
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import aiosqlite

from memory import migrations
from memory.clock import Steady
from memory.filesystem import network_of

try:
    from pysqlite3 import dbapi2
except ImportError:  # there is none for this machine
    dbapi2 = None

DRIVERS: tuple[ModuleType, ...] = (sqlite3, dbapi2) if dbapi2 else (sqlite3,)
DATABASE_ERRORS: tuple[type[Exception], ...] = tuple(module.Error for module in DRIVERS)
"""What a database raises, whichever driver it is."""

Row = Any
"""A `sqlite3.Row` of whichever driver is in use: index by column name."""

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=5000",
    "trusted_schema=OFF",
)
"""FULL, because the bot may be told to reboot the machine it runs on."""

APPLICATION_ID = 0x52484E44  # "RHND"

WAL_RESET_FIXED = (3, 51, 3)
"""Older SQLite may corrupt a WAL that two connections write; ours has one writer."""


class DatabaseBroken(Exception):
    """The database cannot be trusted or written. `str()` says what to do."""


def pick_driver() -> tuple[ModuleType, bool]:
    """The sqlite3 module to use and whether it can load sqlite-vec.

    The standard library where it can load extensions, else pysqlite3, else the standard library without vectors.
    """
    loadable = next((module for module in DRIVERS if hasattr(module.Connection, "enable_load_extension")), None)
    return loadable or sqlite3, loadable is not None


class Transaction:
    """The writing connection inside one `BEGIN IMMEDIATE … COMMIT`.

    Its statements run at once, on the event loop: they touch a few rows that are in memory, and to have a thread do
    it takes longer. What waits for the disk, the beginning and the commit, is a thread's.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.committed: list[Callable[[], None]] = []
        """Called once it is committed: whoever is woken earlier would find nothing."""

    async def run(self, sql: str, *values: Any) -> int:
        """Number of rows changed."""
        return int(self._connection.execute(sql, values).rowcount)

    async def many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """The same statement for every row."""
        self._connection.executemany(sql, rows)

    async def one(self, sql: str, *values: Any) -> Row | None:
        """The first row, or None."""
        rows = await self.all(sql, *values)
        return rows[0] if rows else None

    async def all(self, sql: str, *values: Any) -> list[Row]:
        """Every row."""
        return list(self._connection.execute(sql, values).fetchall())


class Database:
    """Reads see what is committed; writes go one after another through `transaction()`, or `later`."""

    def __init__(self, path: Path, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self.path = path
        self.now = clock
        self.steady = Steady(clock, monotonic)
        self.vectors = False
        self.driver = ""
        self.sqlite_version: tuple[int, ...] = ()
        self._lock = asyncio.Lock()
        self._writing: asyncio.Task[Any] | None = None
        self._late: list[tuple[str, tuple[Any, ...]]] = []
        self._connections: list[aiosqlite.Connection] = []
        self._writer: aiosqlite.Connection
        self._at_once: Any
        self._reader: aiosqlite.Connection

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        as_it_is: bool = False,
    ) -> "Database":
        """The database at `path`, migrated; `as_it_is`: it must be there, and keeps its schema.

        Raises DatabaseBroken.
        """
        self = cls(path, clock, monotonic)
        module, loadable = pick_driver()
        self.driver = module.__name__
        self.sqlite_version = tuple(module.sqlite_version_info)
        size = await asyncio.to_thread(_size, path)
        if kind := await asyncio.to_thread(network_of, path.parent):
            raise DatabaseBroken(
                f"{path.parent} lies on {kind}, a network file system: set DATA_DIR to a local folder."
            )
        if size is None and as_it_is:
            raise DatabaseBroken(f"{path} is not there: set DATA_DIR to the folder that holds it.")
        if size == 0:
            raise DatabaseBroken(f"{path} is empty: restore a backup with `python main.py restore FILE`.")
        if size and await asyncio.to_thread(_foreign, path):
            # Before a connection is made: turning on WAL already rewrites the file's header.
            raise DatabaseBroken(f"{path} belongs to another program: set DATA_DIR to a folder of its own.")
        try:
            self._writer, self._at_once = await self._connect(module, loadable)
            if size is not None:
                await self._check()
            if not as_it_is:
                await self._migrate()
            for row in await self._writer.execute_fetchall("SELECT CAST(value AS REAL) FROM meta WHERE key = 'clock'"):
                self.steady.seen(row[0])
            self._reader, _ = await self._connect(module, loadable)
            await self._reader.execute("PRAGMA query_only=ON")
        except BaseException as error:
            await self.close()  # an open connection has a thread that would keep the process alive
            if isinstance(error, DATABASE_ERRORS):
                raise DatabaseBroken(
                    f"{path} cannot be used ({error}): check the disk, or `python main.py restore FILE`."
                ) from error
            raise
        return self

    async def _connect(self, module: ModuleType, loadable: bool) -> tuple[aiosqlite.Connection, Any]:
        """A connection with a thread of its own, and the same without."""
        bare = await asyncio.to_thread(module.connect, str(self.path), isolation_level=None, check_same_thread=False)
        connection = aiosqlite.Connection(lambda: bare, iter_chunk_size=64)
        await connection
        self._connections.append(connection)
        connection.row_factory = module.Row
        for pragma in PRAGMAS:
            await connection.execute(f"PRAGMA {pragma}")
        if loadable:
            await self._load_vectors(connection)
        return connection, bare

    async def _load_vectors(self, connection: aiosqlite.Connection) -> None:
        package = importlib.util.find_spec("sqlite_vec")
        if package is None or package.origin is None:
            return
        await connection.enable_load_extension(True)
        try:
            # By its path: importing the package would load NumPy, 11 MB for nothing.
            await connection.load_extension(str(Path(package.origin).with_name("vec0")))
            self.vectors = True
        except DATABASE_ERRORS:
            self.vectors = False
        finally:
            await connection.enable_load_extension(False)

    async def _check(self) -> None:
        rows = list(await self._writer.execute_fetchall("PRAGMA quick_check(1)"))
        if rows[0][0] != "ok":
            raise DatabaseBroken(f"{self.path} is damaged: restore a backup with `python main.py restore FILE`.")

    async def _migrate(self) -> None:
        """Bring the schema to this version, each step in its own transaction."""
        async with self.transaction() as tx:
            version_row, id_row = await tx.one("PRAGMA user_version"), await tx.one("PRAGMA application_id")
        version = version_row[0] if version_row else 0
        async with self.transaction() as tx:
            strange = version == 0 and await tx.one("SELECT 1 FROM sqlite_master")
        if strange or (id_row and id_row[0] not in (0, APPLICATION_ID)):
            raise DatabaseBroken(f"{self.path} belongs to another program: set DATA_DIR to a folder of its own.")
        if version > len(migrations.MIGRATIONS):
            raise DatabaseBroken(f"{self.path} was written by a newer Rackhand: update, or restore an older backup.")
        for number, step in enumerate(migrations.MIGRATIONS[version:], start=version + 1):
            async with self.transaction() as tx:
                await step(tx)
                await tx.run(f"PRAGMA user_version = {number}")
                await tx.run(f"PRAGMA application_id = {APPLICATION_ID}")

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Everything inside is committed together, or nothing is."""
        async with self._lock:
            self._writing, late = asyncio.current_task(), [*self._late]
            try:
                await self._writer.execute("BEGIN IMMEDIATE")
                tx = Transaction(self._at_once)
                for sql, values in late:
                    await tx.run(sql, *values)
                yield tx
                await self._writer.execute("COMMIT")
                del self._late[: len(late)]
            except BaseException:
                # Cancelled in the middle of a statement, the driver's thread may still begin or commit: the
                # rollback is queued behind it, and finds nothing to do when the commit went through.
                await asyncio.shield(self._rollback())
                raise
            finally:
                self._writing = None
        for wake in tx.committed:
            wake()

    def later(self, sql: str, *values: Any) -> None:
        """Write this with whatever is committed next, and before anything is read: only a crash can lose it.

        A commit of which nobody knows whether it went through writes it again: it must come to the same.
        """
        self._late.append((sql, values))

    async def _catch_up(self) -> None:
        """Commit what was to be written later; who is writing now has seen to that, or it comes next."""
        if self._late and self._writing is not asyncio.current_task():
            with contextlib.suppress(*DATABASE_ERRORS):  # whoever only reads can do so on a full disk
                async with self.transaction():
                    pass

    async def _rollback(self) -> None:
        with contextlib.suppress(*DATABASE_ERRORS):
            await self._writer.execute("ROLLBACK")

    async def one(self, sql: str, *values: Any) -> Row | None:
        """The first committed row, or None."""
        rows = await self.all(sql, *values)
        return rows[0] if rows else None

    async def all(self, sql: str, *values: Any) -> list[Row]:
        """Every committed row."""
        await self._catch_up()
        return list(await self._reader.execute_fetchall(sql, values))

    async def writable(self) -> bool:
        """Whether a write goes through now."""
        try:
            async with self.transaction() as tx:
                await self.note_clock(tx)  # a value that is there already would never reach the disk
        except DATABASE_ERRORS:
            return False
        return True

    async def note_clock(self, tx: Transaction) -> float:
        """Now by the clock that only moves on, noted so that a restart goes on from there."""
        now = self.steady()
        await tx.run("UPDATE meta SET value = ? WHERE key = 'clock'", now)
        tx.committed.append(partial(self.steady.noted, now))
        return now

    async def copy_to(self, target: Path) -> None:
        """A consistent copy at a path that does not exist yet. Raises DatabaseBroken when it cannot be written."""
        async with self._lock:
            try:
                await self._writer.execute("VACUUM INTO ?", (str(target),))
            except DATABASE_ERRORS as error:
                raise DatabaseBroken(f"{target} cannot be written ({error}): check that disk and its owner.") from error

    async def close(self) -> None:
        """Both connections closed, the log folded back into the file."""
        await self._catch_up()
        while self._connections:
            await self._connections.pop().close()


def _foreign(path: Path) -> bool:
    """Whether a SQLite file carries another program's id. One with a log beside it may not show ours yet."""
    with path.open("rb") as file:
        header = file.read(100)
    sqlite = header.startswith(b"SQLite format 3\0")
    return sqlite and not log_of(path).exists() and header[68:72] != APPLICATION_ID.to_bytes(4, "big")


def log_of(path: Path) -> Path:
    """The write-ahead log beside a database."""
    return path.with_name(f"{path.name}-wal")


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None
