"""What is old is forgotten whole; what is open, unknown, undoable or remembered never is."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from memory import points
from memory.retention import DAY, LEAST_DAYS, Keep, Retention
from memory.stores import Stores
from tests.fakes import Clock, use
from tests.house import ADMIN, House
from tests.memory.test_audit import tamper, write

KEEP = Keep(LEAST_DAYS)
BOOKS = ("approvals", "calls", "cards", "messages", "outbox", "runs")


def retention(stores: Stores) -> Retention:
    return Retention(stores.database, stores.audit, KEEP)


async def counts(stores: Stores) -> dict[str, int]:
    found = {table: await stores.database.one(f"SELECT count(*) AS n FROM {table}") for table in BOOKS}
    return {table: row["n"] for table, row in found.items() if row is not None and row["n"]}


async def done(house: House, item: str = "lamp") -> str:
    """A request that was approved, carried out and told."""
    run = await house.ask(use("rack_switch_off", item=item))
    await house.tap()
    await house.deliver()
    return run


async def test_an_old_request_goes_with_all_that_belongs_to_it_and_not_a_day_too_early(build: Any) -> None:
    house = await build()
    await done(house)
    before = await counts(house.stores)
    assert set(before) == set(BOOKS)
    house.clock.move(LEAST_DAYS * DAY - 1)
    assert await retention(house.stores).prune() == 0 and await counts(house.stores) == before
    house.clock.move(2)
    assert await retention(house.stores).prune() == 1 and await counts(house.stores) == {}
    assert len(await house.audited("approved")) == 1, "that it was approved is known for longer"
    await done(house, "fan")
    assert await counts(house.stores) == before, "and everything goes on as ever"


async def waiting(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))


async def working(house: House) -> None:
    async with house.stores.database.transaction() as tx:
        line = {"conversation": ADMIN.id, "actor": ADMIN, "objective": "hi", "messages": [], "opened_by": "update"}
        await house.stores.runs.open(tx, **line, trigger="update:0")


async def unknown(house: House) -> None:
    house.rack.fault = "lost answer"
    await done(house)
    assert await house.states() == ["unknown"]


async def undoable(house: House) -> None:
    await done(house)
    async with house.stores.database.transaction() as tx:
        await tx.run("UPDATE calls SET undo_until = undo_until * 2")


async def remembered(house: House) -> None:
    run = await done(house)
    await house.stores.knowledge.add("The lamp is off at night.", ADMIN.id, tainted=False, run=run)


@pytest.mark.parametrize("kept", [working, waiting, unknown, undoable, remembered])
async def test_what_still_matters_stays_however_old(build: Any, kept: Any) -> None:
    house = await build()
    await kept(house)
    before = await counts(house.stores)
    house.clock.move(10 * 365 * DAY)
    assert await retention(house.stores).prune() == 0
    assert {**await counts(house.stores), "outbox": 0} == {**before, "outbox": 0}


async def test_killed_in_the_middle_everything_is_there_or_nothing(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await build()
    await done(house)
    before = await counts(house.stores)
    house.clock.move(LEAST_DAYS * DAY + 1)

    def die(name: str) -> None:
        if name == "forgetting":
            raise KeyboardInterrupt

    monkeypatch.setattr(points, "hook", die)
    with pytest.raises(KeyboardInterrupt):
        await retention(house.stores).prune()
    assert await counts(house.stores) == before


async def test_what_is_not_said_yet_and_when_a_schedule_was_last_served_stay(stores: Stores, clock: Clock) -> None:
    await stores.outbox.say("tg:1", "view", "late", text="x")
    for due in ("2026-01-01", "2026-01-02"):
        await stores.schedules.claim("digest", due)
        async with stores.database.transaction() as tx:
            await stores.schedules.served(tx, "digest", due, "done")
    clock.move(LEAST_DAYS * DAY + 1)
    await retention(stores).prune()
    assert len(await stores.outbox.open("tg:")) == 1
    rows = await stores.database.all("SELECT due FROM schedule_runs")
    assert [row["due"] for row in rows] == ["2026-01-02"], "or an old digest would be taken for one that is due"


# The audit log


async def archived(stores: Stores, clock: Clock, count: int = 5) -> list[Path]:
    """So many records that are old, and a young one."""
    await write(stores, count)
    clock.move(KEEP.audit_days * DAY + 1)
    await write(stores, 1)
    await retention(stores).prune()
    return sorted((stores.database.path.parent / "audit").iterdir())


async def test_old_records_are_in_a_file_and_the_chain_goes_on_from_them(stores: Stores, clock: Clock) -> None:
    [file] = await archived(stores, clock)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5] and file.stat().st_mode & 0o077 == 0
    assert [entry.seq for entry in await stores.audit.export()] == [6, 7]
    assert str(await stores.audit.verify()).startswith("2 records after 5 that are archived, chain intact")
    await write(stores, 1)
    assert (await stores.audit.verify()).intact and (await stores.audit.last(1))[0].seq == 8


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM meta WHERE key = 'audit anchor'",
        "UPDATE meta SET value = json_set(value, '$.seq', 6) WHERE key = 'audit anchor'",
        "UPDATE meta SET value = json_set(value, '$.mac', 'f') WHERE key = 'audit anchor'",
        "UPDATE meta SET value = 'no JSON' WHERE key = 'audit anchor'",
        "DELETE FROM audit WHERE seq = 6",
        "UPDATE meta SET value = json_set(value, '$.seq', 6, '$.mac', (SELECT mac FROM audit WHERE seq = 6))"
        " WHERE key = 'audit anchor'; DELETE FROM audit WHERE seq = 6",
    ],
)
async def test_whoever_moves_the_anchor_is_found_out(
    stores: Stores, clock: Clock, tmp_path: Path, statement: str
) -> None:
    await archived(stores, clock)
    for each in statement.split("; "):
        tamper(tmp_path, each)
    assert not (await stores.audit.verify()).intact


async def test_a_chain_that_somebody_has_edited_stays_where_it_can_be_looked_at(
    stores: Stores, clock: Clock, tmp_path: Path
) -> None:
    await write(stores, 5)
    tamper(tmp_path, "UPDATE audit SET actor = 'tg:2' WHERE seq = 3")
    clock.move(KEEP.audit_days * DAY + 1)
    await write(stores, 1)
    await retention(stores).prune()
    assert len(await stores.audit.export()) == 6 and (await stores.audit.verify()).broken_at == 3


async def test_nothing_goes_that_is_not_in_a_file(stores: Stores, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("in the way")
    await write(stores, 5)
    clock.move(KEEP.audit_days * DAY + 1)
    await write(stores, 1)
    with pytest.raises(OSError, match="audit"):
        await retention(stores).prune()
    assert len(await stores.audit.export()) == 6


async def test_what_the_anchor_does_not_stand_for_cannot_be_deleted(
    stores: Stores, clock: Clock, tmp_path: Path
) -> None:
    await archived(stores, clock)
    with sqlite3.connect(tmp_path / "rackhand.db") as raw, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute("DELETE FROM audit WHERE seq = 6")
    raw.close()
