"""Backup and restore: nothing that was committed is lost, and nothing that was pending comes back."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import memory.backup as backups
from memory import migrations
from memory.database import Database, DatabaseBroken
from memory.journal import Journal
from memory.models import CallState
from memory.stores import Stores
from tests.fakes import use
from tests.house import ADMIN, House
from tests.memory.rows import a_call, a_card, a_done_call, a_run


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


async def audited(stores: Stores, count: int) -> None:
    for number in range(count):
        async with stores.database.transaction() as tx:
            await stores.audit.record(tx, "run", ADMIN.id, number=number)


async def killed(folder: Path, target: Path, records: int = 5) -> Path:
    """What kill -9 leaves of a database: nearly everything is in its log. `target` is a backup of before."""
    stores = await Stores.open(folder)
    await backups.backup(stores.database, target)
    await audited(stores, records)
    crashed = folder.with_name("crashed")
    shutil.copytree(folder, crashed)
    await stores.close()
    assert (crashed / "rackhand.db-wal").stat().st_size > 4096
    return crashed


async def test_the_replaced_database_is_kept_whole(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    folder = await killed(tmp_path / "data", tmp_path / "old.db")
    kept = await backups.restore(tmp_path / "old.db", folder)
    assert kept is not None and rows(kept, "SELECT count(*) FROM audit") == [(5,)]
    assert rows(folder / "rackhand.db", "SELECT kind FROM audit") == [("restored",)]
    assert not (folder / "rackhand.db.restoring").exists()


async def test_what_was_kept_can_itself_be_restored_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    folder = await killed(tmp_path / "data", tmp_path / "old.db")
    kept = await backups.restore(tmp_path / "old.db", folder)
    second = await backups.restore(kept, folder)
    assert second is not None and second != kept and kept.exists(), "a second restore leaves the first one's alone"
    assert rows(second, "SELECT kind FROM audit") == [("restored",)]
    assert rows(folder / "rackhand.db", "SELECT count(*) FROM audit") == [(6,)]


async def test_the_log_of_an_attempt_that_died_is_not_taken_for_the_backups_own(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    folder = await killed(tmp_path / "data", tmp_path / "old.db")
    shutil.copyfile(folder / "rackhand.db-wal", folder / "rackhand.db.restoring-wal")
    await backups.restore(tmp_path / "old.db", folder)
    assert rows(folder / "rackhand.db", "SELECT kind FROM audit") == [("restored",)]


async def test_a_damaged_database_is_replaced_and_kept_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    folder = await killed(tmp_path / "data", tmp_path / "old.db")
    (folder / "rackhand.db").write_bytes(b"rubbish" * 1000)
    kept = await backups.restore(tmp_path / "old.db", folder)
    assert kept is not None and kept.read_bytes() == b"rubbish" * 1000
    assert kept.with_name(f"{kept.name}-wal").exists() and not (folder / "rackhand.db-wal").exists()
    assert rows(folder / "rackhand.db", "PRAGMA quick_check") == [("ok",)]


async def test_a_restore_that_dies_leaves_the_old_database_or_none(
    build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house: House = await build()  # not judged at the end: what was approved after the backup is not in it
    card = await house.card(use("rack_switch_off", item="lamp"))
    await backups.backup(house.stores.database, tmp_path / "b.db")
    await house.tap("y", card=card)
    house.rack.items["rack/0001"].state = "on"
    await house.core.stores.close()

    async def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(backups, "_end_everything", dies)
        with pytest.raises(KeyboardInterrupt):
            await backups.restore(tmp_path / "b.db", house.folder)
    await house.open()
    await house.recover()
    assert await house.tap("y", card=card) == "Already decided." and house.rack.log == ["switch off lamp"]

    await house.core.stores.close()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying_replace(after=1))
        with pytest.raises(KeyboardInterrupt):
            await backups.restore(tmp_path / "b.db", house.folder)
    with pytest.raises(DatabaseBroken, match="restore FILE"):
        await Stores.open(house.folder)
    await backups.restore(tmp_path / "b.db", house.folder)
    await house.open()
    assert await house.tap("y", card=card) == "Too late: this card has expired. Tap Ask again."
    assert house.rack.log == ["switch off lamp"]


def dying_replace(after: int) -> Any:
    """`Path.replace` that kills whoever renames once more than so often."""
    original, done = Path.replace, []

    def replace(self: Path, target: Any) -> Path:
        if len(done) >= after:
            raise KeyboardInterrupt
        done.append(target)
        return original(self, target)

    return replace


async def test_a_restored_run_is_over_and_so_is_a_restored_line(build: Any, tmp_path: Path) -> None:
    house: House = await build(autonomy="reversible")
    entered, never = asyncio.Event(), asyncio.Event()

    async def slow(_: Any) -> None:
        entered.set()
        await never.wait()

    house.model.script.append(slow)
    run = await house.core.opener.say(ADMIN.id, ADMIN, "switch the lamp off", trigger="update:1")
    await entered.wait()
    await house.stores.inbox.store([{"update_id": 7, "message": {"text": "switch the fan off"}}])
    await backups.backup(house.stores.database, tmp_path / "b.db")
    await house.core.runner.stop(ADMIN.id, ADMIN)
    await house.settle()
    await house.core.stores.close()
    await backups.restore(tmp_path / "b.db", house.folder)
    await house.open()
    house.model.script.append([use("rack_switch_off", item="lamp")])
    await house.recover()
    assert (await house.run(run)).state == "failed" and house.rack.log == []
    assert await house.stores.inbox.pending() == []
    said = [payload["text"] for kind, payload in await house.deliver() if kind == "view"]
    assert said == [backups.ENDED]


async def test_what_was_started_is_unknown_and_said(stores: Stores, tmp_path: Path) -> None:
    run = await a_run(stores)
    await a_call(stores, run, "begun", needs_tap=False)
    await a_call(stores, run, "open")
    await a_card(stores, run, "open")
    async with stores.database.transaction() as tx:
        assert await stores.journal.start(tx, "begun", 1, None)
    await backups.backup(stores.database, tmp_path / "b.db")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert await backups.restore(tmp_path / "b.db", elsewhere) is None
    restored = await Stores.open(elsewhere)
    states = {row.id: row.state for row in await restored.journal.of_run(run)}
    assert states == {"begun": CallState.UNKNOWN, "open": CallState.NOT_STARTED}
    assert await restored.approvals.open_cards() == []
    assert [row.kind for row in await restored.outbox.open("tg:1")] == ["receipt", "view", "card"]
    await restored.close()


async def test_what_a_restored_request_was_about_to_use_up_can_be_used(stores: Stores, tmp_path: Path) -> None:
    run = await a_run(stores)
    await a_done_call(stores, run, "done")
    await a_call(stores, run, "lapsed")
    undo, again = await a_run(stores, "t2", undo_of="done"), await a_run(stores, "t3")
    async with stores.database.transaction() as tx:
        await stores.journal.finish(tx, "lapsed", CallState.EXPIRED)
        assert await stores.journal.claim_undo(tx, "done", undo)
        assert await stores.journal.claim_again(tx, ["lapsed"], again)
    await backups.backup(stores.database, tmp_path / "b.db")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    await backups.restore(tmp_path / "b.db", elsewhere)
    restored = await Database.open(elsewhere / "rackhand.db", clock=stores.database.now)
    async with restored.transaction() as tx:
        assert await Journal(restored).claim_undo(tx, "done", "r9")
        assert await Journal(restored).claim_again(tx, ["lapsed"], "r9")
    await restored.close()


async def test_an_older_schema_is_copied_as_it_is(stores: Stores, tmp_path: Path, monkeypatch: Any) -> None:
    async def newer(tx: Any) -> None:
        await tx.run("CREATE TABLE brand_new (x)")

    async with stores.database.transaction() as tx:
        before = await tx.one("PRAGMA user_version")
    monkeypatch.setattr(migrations, "MIGRATIONS", [*migrations.MIGRATIONS, newer])
    beside = await Database.open(tmp_path / "rackhand.db", as_it_is=True)
    await backups.backup(beside, tmp_path / "b.db")
    await beside.close()
    for path in (tmp_path / "b.db", tmp_path / "rackhand.db"):
        assert rows(path, "PRAGMA user_version") == [(before[0],)]
        assert rows(path, "SELECT name FROM sqlite_master WHERE name = 'brand_new'") == []


async def test_a_place_that_cannot_be_written_is_said_in_a_sentence(stores: Stores, tmp_path: Path) -> None:
    with pytest.raises(DatabaseBroken, match="cannot be written"):
        await backups.backup(stores.database, tmp_path / "nowhere" / "b.db")
    (tmp_path / "unreadable.db").mkdir()
    with pytest.raises(DatabaseBroken, match="is not a file"):
        await backups.restore(tmp_path / "unreadable.db", tmp_path)


async def test_a_database_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseBroken, match="not there"):
        await Database.open(tmp_path / "rackhand.db", as_it_is=True)
    assert not (tmp_path / "rackhand.db").exists()


@pytest.mark.parametrize("content", [b"# Rackhand\n" * 200, b"", b"foreign", b"newer"])
async def test_a_file_that_is_no_backup_is_blamed_by_its_own_name(tmp_path: Path, content: bytes) -> None:
    given, folder = tmp_path / "README.md", tmp_path / "data"
    folder.mkdir()
    given.write_bytes(content)
    if content in (b"foreign", b"newer"):
        given.unlink()
        if content == b"newer":
            await (await Database.open(given)).close()
        with closing(sqlite3.connect(given)) as other, other:
            other.execute("CREATE TABLE more (x)")
            if content == b"newer":
                other.execute("PRAGMA user_version = 999")
    with pytest.raises(DatabaseBroken) as refused:
        await backups.restore(given, folder)
    said = str(refused.value)
    assert str(given) in said and "restoring" not in said and "restore FILE" not in said and "DATA_DIR" not in said
    assert ("update, or" if content == b"newer" else "made by `python main.py backup`") in said
