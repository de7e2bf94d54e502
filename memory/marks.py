"""What the program must remember of itself over a restart: a word, and how often."""

from memory.database import Database, Transaction

STOP_ALL, LOOKS = "panic", "looks"
"""That everything is stopped; how many recoveries in a row have begun to look."""


class Marks:
    """Words that are set or not."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def set(self, tx: Transaction, word: str) -> None:
        """Remember the word."""
        await tx.run("INSERT OR REPLACE INTO meta VALUES (?, '1')", word)

    async def clear(self, tx: Transaction, word: str) -> bool:
        """Forget the word; False when it was not set."""
        return await tx.run("DELETE FROM meta WHERE key = ?", word) > 0

    async def has(self, word: str) -> bool:
        """Whether the word is set."""
        return await self._db.one("SELECT 1 FROM meta WHERE key = ?", word) is not None

    async def count(self, tx: Transaction, word: str) -> int:
        """Set the word once more; how often that makes it since it was cleared."""
        await tx.run("INSERT INTO meta VALUES (?, '1') ON CONFLICT (key) DO UPDATE SET value = value + 1", word)
        row = await tx.one("SELECT CAST(value AS INTEGER) AS times FROM meta WHERE key = ?", word)
        return int(row["times"]) if row else 0
