"""The audit log: whoever edits it breaks it where they did."""

import sqlite3
from pathlib import Path

import pytest

from memory.audit import Audit
from memory.keys import Keys
from memory.stores import Stores


async def write(stores: Stores, count: int) -> None:
    for number in range(count):
        async with stores.database.transaction() as tx:
            await stores.audit.record(tx, "run", "tg:1", number=number, text="é \u202e")


def tamper(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "rackhand.db") as raw:
        for trigger in ("audit_append_only_u", "audit_append_only_d"):
            raw.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        raw.execute(statement)
    raw.close()


async def test_an_untouched_chain_holds(stores: Stores) -> None:
    assert (await stores.audit.verify()).records == 0
    await write(stores, 5)
    verdict = await stores.audit.verify()
    assert (verdict.records, verdict.broken_at) == (5, None)
    last = (await stores.audit.last(1))[0]
    assert last.mac.endswith(verdict.head) and last.data["number"] == 4
    assert [entry.seq for entry in await stores.audit.export()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET data = '{\"number\":9}' WHERE seq = 3", "UPDATE audit SET actor = 'tg:2' WHERE seq = 3",
        "UPDATE audit SET kind = 'other' WHERE seq = 3", "UPDATE audit SET at = at + 1 WHERE seq = 3",
        "UPDATE audit SET mac = 'f' WHERE seq = 3", "UPDATE audit SET mac = 'é' WHERE seq = 3",
        "UPDATE audit SET data = 'not even JSON' WHERE seq = 3", "UPDATE audit SET data = '[]' WHERE seq = 3",
    ],
)  # fmt: skip
async def test_an_edit_breaks_the_chain_there(stores: Stores, tmp_path: Path, statement: str) -> None:
    await write(stores, 5)
    tamper(tmp_path, statement)
    verdict = await stores.audit.verify()
    assert verdict.broken_at == 3 and "chain broken at 3" in str(verdict)
    assert len(await stores.audit.export()) == 5, "what somebody made of it can be read, too"
    assert all(isinstance(entry.data, dict) for entry in await stores.audit.last(5))


async def test_a_removal_breaks_the_chain(stores: Stores, tmp_path: Path) -> None:
    await write(stores, 5)
    tamper(tmp_path, "DELETE FROM audit WHERE seq = 3")
    assert (await stores.audit.verify()).broken_at == 4


async def test_another_key_does_not_verify(stores: Stores) -> None:
    await write(stores, 2)
    assert (await Audit(stores.database, Keys(b"other" * 8)).verify()).broken_at == 1


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
async def test_it_is_append_only(stores: Stores, tmp_path: Path, statement: str) -> None:
    await write(stores, 1)
    with sqlite3.connect(tmp_path / "rackhand.db") as raw, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute(statement)
    raw.close()


async def test_a_record_is_committed_with_what_it_tells_of(stores: Stores) -> None:
    with pytest.raises(ZeroDivisionError):
        async with stores.database.transaction() as tx:
            await stores.audit.record(tx, "run", "tg:1")
            raise ZeroDivisionError
    assert (await stores.audit.verify()).records == 0
