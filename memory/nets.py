"""Undo nets: what must be known to take a change back, encrypted with the key outside the database."""

import base64
import json
import secrets
from typing import Any

from memory.database import Database, Transaction
from memory.keys import Keys

KEEP_SECONDS = 24 * 3600.0


class Nets:
    """Sealed JSON that lives as long as its Undo."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._db = database
        self._key = base64.urlsafe_b64encode(keys.derive("nets"))

    async def seal(self, tx: Transaction, call: str, content: dict[str, Any]) -> str:
        """Keep a net; returns its id."""
        from cryptography.fernet import Fernet

        net = f"net-{secrets.token_hex(8)}"
        sealed = Fernet(self._key).encrypt(json.dumps(content).encode())
        await tx.run("INSERT INTO nets VALUES (?, ?, ?, ?)", net, call, sealed, self._db.steady() + KEEP_SECONDS)
        return net

    async def open(self, net: str) -> dict[str, Any] | None:
        """The net, or None when it has lapsed."""
        from cryptography.fernet import Fernet

        row = await self._db.one("SELECT sealed FROM nets WHERE id = ? AND expires > ?", net, self._db.steady())
        if row is None:
            return None
        content: dict[str, Any] = json.loads(Fernet(self._key).decrypt(row["sealed"]))
        return content

    async def drop(self, tx: Transaction, call: str) -> None:
        """Forget what a call's Undo needed: it has been used."""
        await tx.run("DELETE FROM nets WHERE call = ?", call)

    async def prune(self) -> int:
        """Delete lapsed nets; returns how many."""
        async with self._db.transaction() as tx:
            return await tx.run("DELETE FROM nets WHERE expires <= ?", self._db.steady())
