"""The database as an outsider reads it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sqlite: Any = sqlite3
if not hasattr(sqlite3.Connection, "enable_load_extension"):
    # The same library as the bot's: two copies of SQLite in one process undo each other's locks on a file.
    try:
        from pysqlite3 import dbapi2 as sqlite  # noqa: F811
    except ImportError:
        sqlite = sqlite3

Connection = Any
Row = Any


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A connection that can only read; rows by column name."""
    connection = sqlite.connect(f"file:{path}?mode=ro", uri=True)
    connection.row_factory = sqlite.Row
    try:
        yield connection
    finally:
        connection.close()
