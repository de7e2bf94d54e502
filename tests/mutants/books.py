"""The defences of what is kept and forgotten: name, file, its line, the line without it, and the test that holds it."""

RETENTION, DATABASE = "tests/memory/test_retention.py", "tests/memory/test_database.py"

BOOKS = [
    ("what is unknown is forgotten", "memory/retention.py", "AND ({OPEN} OR (undo", "AND ((undo", RETENTION),
    ("what can be undone is forgotten", "memory/retention.py", "AND undo_until > ?)))", "AND 0 > ?)))", RETENTION),
    ("where a memory came from is forgotten", "memory/retention.py",
     "WHERE memories.run = runs.id)", "WHERE 0)", RETENTION),
    ("what waits is forgotten", "memory/retention.py", "AND state NOT IN ('working', 'waiting')\n", "\n", RETENTION),
    ("what is not said yet is forgotten", "memory/retention.py", "AND state IN ('sent', 'dropped')", "", RETENTION),
    ("a broken chain is archived", "memory/audit.py", "or not whole or", "or", RETENTION),
    ("any anchor holds the chain", "memory/audit.py",
     "if hmac.compare_digest(str(proof), self._proof(seq, mac)) else None", "", RETENTION),
    ("records go before they are in a file", "memory/audit.py",
     "await asyncio.to_thread(_write_down, folder", "(folder", RETENTION),
    ("a full disk looks healthy", "memory/database.py",
     "await self.note_clock(tx)  # a value that is there already would never reach the disk", "pass", DATABASE),
    ("what was to be written later goes with another's mistake", "memory/database.py",
     "asyncio.current_task(), [*self._late]", "asyncio.current_task(), [self._late.pop() for _ in [*self._late]]",
     DATABASE),
    ("whoever writes waits for themselves", "memory/database.py",
     "if self._late and self._writing is not asyncio.current_task():", "if self._late:", DATABASE),
]  # fmt: skip
