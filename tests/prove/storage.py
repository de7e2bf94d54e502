"""Fault rows F34–F41, F43, F51 and F60: the disk, the database file, and a second instance."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from lab.telegram.state import ADMIN
from tests.e2e.harness import Finished, run_door
from tests.prove.cast import Cast
from tests.prove.kills import answers
from tests.prove.ordeal import NO, YES, Ordeal
from tests.prove.rows import row

BACKUP = "backup.db"


@row("F34", "the disk is full when a message comes in")
async def f34(cast: Cast) -> None:
    """Not acknowledged; said once, from memory; taken in when there is room again."""
    async with cast.stage() as stage:
        await stage.written("how is radarr?")  # Telegram lets nobody write who was not written to first
        await stage.restart("--full", "storing:1", "--full-for", "4")
        stage.say("stop radarr")
        await stage.hear("cannot store your messages")
        assert stage.lab.telegram.updates.pending and not stage.effects()
        await stage.quiet()
        assert stage.bot.victim.alive and -9 not in stage.exits[1:], stage.exits
        await stage.decide("Stop radarr")
        assert stage.states() == ["done"] and answers(stage, "I cannot store") == 1


@row("F35", "the disk is full at the decision, or at `started`")
async def f35(cast: Cast) -> None:
    """Nothing runs: the tap is taken again when there is room, or the change is not started."""
    for moment in ("deciding:1", "starting:1"):
        async with cast.stage("--full", moment, "--full-for", "2") as stage:
            stage.press(*await stage.offered("stop radarr"))
            await asyncio.sleep(1.0)
            assert not stage.effects(), moment
            assert stage.states() == ["waiting"], stage.states()
            await asyncio.sleep(1.2)
            await stage.quiet()
            if stage.showing("Stop radarr", YES):
                await stage.decide("Stop radarr")
            assert len(stage.effects()) == stage.states().count("done") <= 1


@row("F36", "the disk is full at `done`")
async def f36(cast: Cast) -> None:
    """Said at once, from memory; unknown in the journal, and not done again."""
    async with cast.stage("--full", "answered:1", "--full-for", "8") as stage:
        stage.press(*await stage.offered("stop radarr"))
        await stage.hear("cannot write my database")
        await stage.quiet()
        assert stage.effects() == ["POST stop"] and stage.states() == ["unknown"], stage.states()
        assert not stage.exits


@row("F37", "the database becomes read-only")
async def f37(cast: Cast) -> None:
    """Nothing changes; commands that only look still answer, and it says what is wrong."""
    async with cast.stage("--read-only", "stored:3") as stage:
        await stage.written("how is radarr?")
        message, data = await stage.offered("stop radarr")
        await stage.quiet()
        stage.press(message, data)
        await asyncio.sleep(1.0)
        stage.say("/status")
        await stage.hear("cannot store your messages")
        assert not stage.effects() and not stage.exits
        stage.bot.kill()
        await stage.quiet()
        assert len(stage.effects()) == stage.states().count("done")


async def refused(stage: Ordeal) -> Finished:
    """The real program's start, which must fail."""
    return await run_door("run", env=stage.bot.env, timeout=15)


async def with_a_card(stage: Ordeal) -> None:
    """An open card, and a bot that is off."""
    stage.say("stop radarr")
    await stage.shown("Stop radarr")
    await stage.quiet()
    await stage.end(gently=True)


@row("F38", "the database is damaged at start")
async def f38(cast: Cast) -> None:
    """It refuses, says how to restore, and keeps the file."""
    async with cast.stage(judged=False) as stage:
        await with_a_card(stage)
        file = stage.data / "rackhand.db"
        spoiled = bytearray(file.read_bytes())
        spoiled[4096 : 4096 * 6] = b"\xff" * (4096 * 5)
        file.write_bytes(spoiled)
        ended = await refused(stage)
        assert ended.code == 75 and "restore" in ended.err, ended
        assert file.read_bytes() == bytes(spoiled) and not stage.effects()


@row("F39", "the database is empty or missing though there was one")
async def f39(cast: Cast) -> None:
    """It refuses: an empty file would open silently."""
    for missing in (False, True):
        async with cast.stage(judged=False) as stage:
            await with_a_card(stage)
            file = stage.data / "rackhand.db"
            if missing:
                file.unlink()
            else:
                file.write_bytes(b"")
            ended = await refused(stage)
            assert ended.code == 75 and "restore" in ended.err, (missing, ended)
            assert not stage.effects()


@row("F40", "an older backup is restored")
async def f40(cast: Cast) -> None:
    """What was open then has expired, what was at work has ended, and the replaced database is kept whole."""
    async with cast.stage(judged=False) as stage:
        message, data = await stage.offered("stop radarr")
        await stage.quiet()
        copy = str(stage.data.parent / BACKUP)
        assert (await run_door("backup", copy, env=stage.bot.env)).code == 0
        await stage.pressed(message, data)
        assert stage.states() == ["done"]
        stage.lab.traffic.fault("claude", stall=True)
        stage.say("start radarr")
        await stage.until(lambda: stage.query("SELECT 1 FROM runs WHERE state = 'working'"), "a run at work")
        late = str(stage.data.parent / "late.db")
        assert (await run_door("backup", late, env=stage.bot.env)).code == 0
        await stage.end()  # kill -9: much of the database is in its log
        assert (await run_door("restore", copy, env=stage.bot.env)).code == 0
        [kept] = sorted(stage.data.glob("rackhand.db.before-restore-*[0-9]"))
        with closing(sqlite3.connect(kept)) as connection:
            assert connection.execute("SELECT state FROM calls").fetchall() == [("done",)]
        stage.updates.clear()  # what came after the backup is not in it
        await stage.begin()
        await stage.quiet()
        assert not stage.showing("Stop radarr", YES)
        await stage.pressed(message, data)
        assert stage.effects() == ["POST stop"] and "done" not in stage.states(), stage.states()
        assert stage.query("SELECT value FROM meta WHERE key = 'epoch'") == [("2",)]
        await stage.end()
        assert (await run_door("restore", late, env=stage.bot.env)).code == 0
        stage.updates.clear()
        asked = len(stage.received("claude"))
        await stage.begin()
        await stage.hear("what I was working on here when it was made has ended")
        await stage.quiet()
        assert len(stage.received("claude")) == asked and stage.effects() == ["POST stop"]


@row("F41", "a second instance on the same host")
async def f41(cast: Cast) -> None:
    """Refused with 75; the first goes on."""
    async with cast.stage() as stage:
        await stage.written("stop radarr")
        ended = await refused(stage)
        assert ended.code == 75 and "another Rackhand" in ended.err, ended
        await stage.decide("Stop radarr")
        assert stage.states() == ["done"] and not stage.exits


@row("F43", "a tap on a card of before the move to another host")
async def f43(cast: Cast) -> None:
    """The epoch differs: it decides nothing."""
    async with cast.stage(judged=False) as stage:
        message, data = await stage.offered("stop radarr")
        await stage.quiet()
        with closing(sqlite3.connect(stage.data / "rackhand.db", timeout=5)) as connection, connection:
            connection.execute("UPDATE meta SET value = '7' WHERE key = 'epoch'")
        stage.bot.kill()
        await stage.polls()
        await stage.pressed(message, data)
        assert not stage.effects() and "done" not in stage.states()
        assert stage.lab.telegram.sent(ADMIN)


@row("F51", "killed half-way through each migration")
async def f51(cast: Cast) -> None:
    """Rolled back; the next start finishes it."""
    for number in range(1, await newest() + 1):
        async with cast.stage("--kill-migration", str(number)) as stage:
            await stage.written("how is radarr?")
            assert stage.exits == [-9], (number, stage.exits)
            assert answers(stage, "radarr") == 1


async def newest() -> int:
    """How many migrations there are, as the schema itself says."""
    source = Path(__file__).parents[2] / "memory" / "migrations.py"
    return (await asyncio.to_thread(source.read_text)).count("\n@migration\n")


@row("F60", "killed while what is old is forgotten")
async def f60(cast: Cast) -> None:
    """A request goes whole or not at all; what still waits for a person's word stays."""
    async with cast.stage("--kill", "answered:1", timed=False) as stage:
        await stage.pressed(*await stage.offered("stop radarr"))
        await stage.written("stop sonarr")
        await stage.decide("Stop sonarr", NO)
        assert stage.states() == ["unknown", "denied"], stage.states()
        await stage.end()
        late = ["--clock", str(400 * 86400)]
        await stage.begin([*late, "--kill", "forgetting:1"], [])
        await stage.until(lambda: stage.exits == [-9, -9], "the kill")
        books = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM cards), (SELECT count(*) FROM approvals)"
        assert stage.query(books) == [(2, 2, 2)] and stage.states() == ["unknown", "denied"]
        stage.updates.clear()  # long since answered, and forgotten
        await stage.restart(*late)
        await stage.until(lambda: stage.query(books) == [(1, 1, 1)], "what is old to go")
        assert stage.states() == ["unknown"], stage.states()
