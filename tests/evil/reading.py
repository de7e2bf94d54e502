"""The database as an outsider reads it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any


def _library() -> Any:
    """The library that the bot uses: two copies of SQLite in one process undo each other's locks on a file."""
    if not hasattr(sqlite3.Connection, "enable_load_extension"):
        with suppress(ImportError):
            return import_module("pysqlite3.dbapi2")
    return sqlite3


sqlite = _library()
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
