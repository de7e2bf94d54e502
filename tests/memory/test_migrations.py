"""Migrations: each once, each whole, and never backwards. The triggers they leave make illegal steps impossible."""

import itertools
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory import migrations
from memory.database import APPLICATION_ID, Database, DatabaseBroken, Transaction
from memory.models import CallState
from memory.stores import Stores
from tests.memory.rows import a_call, a_card, a_run, decide

LEGAL = {
    "proposed": {"waiting", "started", "not started", "failed"},
    "waiting": {"started", "denied", "expired", "not started", "failed"},
    "started": {"done", "failed", "unknown"},
    "unknown": {"done", "failed"},
}


async def version(database: Database) -> int:
    row = await database.one("PRAGMA user_version")
    assert row is not None
    return int(row[0])


async def test_a_fresh_database_has_every_migration(database: Database) -> None:
    assert await version(database) == len(migrations.MIGRATIONS)
    row = await database.one("PRAGMA application_id")
    assert row is not None and row[0] == APPLICATION_ID


async def test_opening_again_migrates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await Database.open(tmp_path / "a.db")).close()

    async def never(tx: Transaction) -> None:
        raise AssertionError

    monkeypatch.setattr(migrations, "MIGRATIONS", [never] * len(migrations.MIGRATIONS))
    await (await Database.open(tmp_path / "a.db")).close()


async def test_a_new_migration_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await Database.open(tmp_path / "a.db")).close()

    async def add(tx: Transaction) -> None:
        await tx.run("CREATE TABLE added (x)")

    monkeypatch.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, add])
    for _ in range(2):
        database = await Database.open(tmp_path / "a.db")
        assert await database.all("SELECT * FROM added") == []
        assert await version(database) == len(migrations.MIGRATIONS)
        await database.close()


async def test_a_migration_that_breaks_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await Database.open(tmp_path / "a.db")).close()

    async def breaks(tx: Transaction) -> None:
        await tx.run("CREATE TABLE half (x)")
        await tx.run("CREATE TABLE half (x)")

    with monkeypatch.context() as changed:
        changed.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, breaks])
        with pytest.raises(DatabaseBroken):
            await Database.open(tmp_path / "a.db")
    database = await Database.open(tmp_path / "a.db")
    assert await database.all("SELECT * FROM sqlite_master WHERE name = 'half'") == []
    await database.close()


async def test_a_newer_database_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await Database.open(tmp_path / "a.db")).close()
    monkeypatch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:-1])
    with pytest.raises(DatabaseBroken, match="newer"):
        await Database.open(tmp_path / "a.db")


async def test_what_was_asked_before_versions_were_kept_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:4])
        await (await Database.open(tmp_path / "a.db")).close()
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("INSERT INTO approvals (call, card, args_hash, shown_hash) VALUES ('c', 'k', 'h', 's')")
    connection.close()
    database = await Database.open(tmp_path / "a.db")
    [row] = await database.all("SELECT * FROM approvals")
    assert (row["state"], row["schema_version"], row["reason"]) == ("pending", "", "")
    await database.close()


async def test_what_stood_on_the_screen_before_rows_knew_where_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:10])
        await (await Database.open(tmp_path / "a.db")).close()
    run = (
        "INSERT INTO runs (id, conversation, actor, actor_name, objective, opened_by, thinks, created, updated, state,"
    )
    row = "INSERT INTO outbox (conversation, created, key, kind, payload, state, message)"
    with sqlite3.connect(tmp_path / "a.db") as connection:
        for name, state in (("r1", "working"), ("r2", "done")):
            connection.execute(
                f"{run} progress) VALUES (?, 'tg:1', 'a', 'A', 'o', 'text', 1, 0, 0, ?, 7)", (name, state)
            )
        card = "INSERT INTO cards (id, run, conversation, key_hash, allowed, policy, epoch, created, expires, message)"
        connection.execute(f"{card} VALUES ('k1', 'r1', 'tg:1', 'h', '[]', 1, 1, 0, 0, 42)")
        for values in (
            ("card:k1", "card", '{"card": "k1"}', "sent", 41),
            ("card:k1:again:5", "card", '{"card": "k1"}', "sent", 42),
            ("card:k1:approved", "card", '{"card": "k1"}', "sending", None),
            ("card:k1:c1:done", "card", '{"card": "k1"}', "new", None),
            ("receipt:c1:unknown", "receipt", '{"call": "c1"}', "sent", 43),
            ("receipt:c1:done:by-person", "receipt", '{"call": "c1"}', "sent", 43),
            ("answer:r2", "answer", '{"run": "r2"}', "new", None),
        ):
            connection.execute(f"{row} VALUES ('tg:1', 0, ?, ?, ?, ?, ?)", values)
    connection.close()
    database = await Database.open(tmp_path / "a.db")
    rows = await database.all("SELECT key, message, state FROM outbox WHERE key NOT LIKE '%:%:%' ORDER BY key")
    assert [tuple(found) for found in rows] == [
        ("answer:r2", None, "new"), ("card:k1", 42, "new"), ("progress:r1", 7, "new"), ("receipt:c1", 43, "sent"),
    ]  # fmt: skip
    assert await database.all("SELECT 1 FROM outbox WHERE state <> 'sent' AND key LIKE '%:%:%'") == []
    await database.close()


# -- triggers, by hand ----------------------------------------------------------------------------------------------


@pytest.fixture
async def raw(stores: Stores, tmp_path: Path) -> AsyncIterator[sqlite3.Connection]:
    """Somebody with a database browser, and one call of each kind."""
    run = await a_run(stores)
    await a_call(stores, run, "asks")
    await a_call(stores, run, "runs", needs_tap=False)
    await a_call(stores, run, "destroys", risk=2)
    await a_card(stores, run, "asks")
    connection = sqlite3.connect(tmp_path / "rackhand.db", isolation_level=None)
    yield connection
    connection.close()


@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(map(str, CallState), 2)))
def test_only_legal_steps_can_be_taken(raw: sqlite3.Connection, old: str, new: str) -> None:
    raw.execute("DROP TRIGGER calls_legal_steps")
    raw.execute("UPDATE calls SET state = ? WHERE id = 'runs'", (old,))
    [trigger] = [step for step in _triggers() if "calls_legal_steps" in step]
    raw.execute(trigger)
    if new in LEGAL.get(old, set()):
        raw.execute("UPDATE calls SET state = ? WHERE id = 'runs'", (new,))
    else:
        with pytest.raises(sqlite3.IntegrityError, match="illegal step"):
            raw.execute("UPDATE calls SET state = ? WHERE id = 'runs'", (new,))


def _triggers() -> list[str]:
    source = Path(migrations.__file__).read_text()
    return [part for text in source.split('"""') for part in text.split(";;") if "CREATE TRIGGER" in part]


KEEPS, ASKING = "a call keeps its arguments", "a call that asks keeps asking"


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE calls SET state = 'started' WHERE id = 'asks'", "nothing starts without its approval"),
        ("UPDATE calls SET needs_tap = 0 WHERE id = 'asks'", ASKING),
        ("UPDATE calls SET risk = 1 WHERE id = 'destroys'", ASKING),
        ("UPDATE calls SET args = '{}' WHERE id = 'asks'", KEEPS),
        ("UPDATE calls SET args_hash = 'other' WHERE id = 'asks'", KEEPS),
        ("UPDATE calls SET tool = 'rack_other' WHERE id = 'asks'", KEEPS),
        ("UPDATE calls SET run = 'other' WHERE id = 'asks'", KEEPS),
        ("INSERT INTO calls (id, run, position, tool, risk, args, args_hash, targets, card, before, needs_tap, tainted,"
         " proposed, epoch, state) SELECT 'new', run, 9, tool, risk, args, args_hash, targets, card, before, needs_tap,"
         " tainted, proposed, epoch, 'started' FROM calls WHERE id = 'asks'", "a call begins as proposed"),
        ("INSERT INTO approvals (call, card, state, args_hash, shown_hash, decided_by) SELECT 'destroys', card,"
         " 'approved', args_hash, shown_hash, 'me' FROM approvals", "an approval begins as pending"),
        ("INSERT INTO approvals (call, card, args_hash, shown_hash) SELECT call, card, args_hash, shown_hash"
         " FROM approvals", "UNIQUE"),
        ("UPDATE approvals SET state = 'approved'", "CHECK"),
        ("UPDATE approvals SET schema_version = 'other'", "keeps what it was asked under"),
    ],
)  # fmt: skip
def test_what_the_schema_refuses(raw: sqlite3.Connection, statement: str, why: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=why):
        raw.execute(statement)


async def test_an_approval_for_other_arguments_starts_nothing(stores: Stores, raw: sqlite3.Connection) -> None:
    raw.execute("UPDATE approvals SET args_hash = 'other', state = 'approved', decided_by = 'tg:1'")
    with pytest.raises(sqlite3.IntegrityError, match="without its approval"):
        raw.execute("UPDATE calls SET state = 'started' WHERE id = 'asks'")


async def test_an_approval_of_another_call_starts_nothing(stores: Stores, raw: sqlite3.Connection) -> None:
    run = await a_run(stores, "t2")
    assert await decide(stores, await a_card(stores, run, await a_call(stores, run, "the same, another time")))
    with pytest.raises(sqlite3.IntegrityError, match="without its approval"):
        raw.execute("UPDATE calls SET state = 'started' WHERE id = 'asks'")


@pytest.mark.parametrize("approve", [True, False])
async def test_a_decided_approval_stays_decided(stores: Stores, raw: sqlite3.Connection, approve: bool) -> None:
    row = await stores.database.one("SELECT id FROM cards")
    assert row is not None and await decide(stores, row["id"], approve)
    for state in ("pending", "expired", *(["denied"] if approve else ["approved", "superseded"])):
        with pytest.raises(sqlite3.IntegrityError, match="stays decided"):
            raw.execute("UPDATE approvals SET state = ?", (state,))
