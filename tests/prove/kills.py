"""Fault rows F01–F24, F29–F32 and F59: the process dies, at a named moment or in the middle of something."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lab.telegram.client import parts_of
from lab.telegram.state import ADMIN
from tests.prove.cast import Cast
from tests.prove.ordeal import KNOWN, YES, Ordeal
from tests.prove.rows import row
from tests.prove.scenarios import PASTE, SCENARIOS

STOP = "one change approved"


@asynccontextmanager
async def struck(cast: Cast, moment: str, name: str = STOP) -> AsyncIterator[Ordeal]:
    """The scenario's stage after the bot was killed at this moment, came back, and everything has settled."""
    found = SCENARIOS[name]
    async with cast.stage(*found.options, "--kill", moment, then=found.options) as stage:
        await found.script(stage)
        await stage.quiet()
        assert stage.exits == [-9], f"exits {stage.exits}: the kill at {moment} missed"
        yield stage


async def outcome(cast: Cast, moment: str, states: list[str], effects: list[str], name: str = STOP) -> None:
    """The scenario ends in these states and with these requests."""
    async with struck(cast, moment, name) as stage:
        assert stage.states() == states, stage.states()
        assert stage.effects() == effects, stage.effects()


def answers(stage: Ordeal, pattern: str) -> int:
    """How many messages start like this."""
    return sum(message.text.startswith(pattern) for message in stage.lab.telegram.sent(ADMIN))


@row("F01", "killed after getUpdates, before the inbox commit")
async def f01(cast: Cast) -> None:
    """Redelivered."""
    await outcome(cast, "storing:1", ["done"], ["POST stop"])


@row("F02", "killed after the inbox commit, before the acknowledgement")
async def f02(cast: Cast) -> None:
    """Delivered twice, taken once."""
    async with struck(cast, "stored:1") as stage:
        assert stage.states() == ["done"] and stage.effects() == ["POST stop"]
        assert answers(stage, "✓ Stopped radarr") == 1


@row("F03", "killed after the acknowledgement, before handling")
async def f03(cast: Cast) -> None:
    """Replayed from the inbox."""
    await outcome(cast, "handling:1", ["done"], ["POST stop"])


@row("F04", "killed while a batch of 100 is stored")
async def f04(cast: Cast) -> None:
    """Each once: 99 taps on nothing, and one that opens a page."""
    async with cast.stage() as stage:
        await stage.polls()
        message = stage.say("how is radarr?")
        await stage.quiet()
        await stage.end()
        for _ in range(99):
            stage.press(message, "x:nothing")
        stage.say("stop radarr")
        await stage.begin(["--kill", "storing:1"], [])
        await stage.quiet()
        rows = stage.query("SELECT count(*), sum(state = 'done'), max(attempts) FROM inbox")
        assert rows == [(101, 101, 1)], rows
        await stage.decide("Stop radarr")


@row("F05", "killed in the handler, before the model is asked")
async def f05(cast: Cast) -> None:
    """The turn starts again."""
    await outcome(cast, "thinking:1", ["done"], ["POST stop"])


@row("F06", "killed while the model's answer streams in")
async def f06(cast: Cast) -> None:
    """No tool had run; the model is asked again."""
    async with cast.stage() as stage:
        stage.lab.claude.pace = 0.3
        stage.say("how is radarr?")
        await stage.until(lambda: len(stage.received("claude", begun=True)) > 1, "the second answer to begin")
        await asyncio.sleep(0.1)
        stage.bot.kill()
        stage.lab.claude.pace = 0.0
        await stage.quiet()
        assert answers(stage, "radarr") == 1, [m.text for m in stage.lab.telegram.sent(ADMIN)]


@row("F07", "killed with the model's answer, before it is committed")
async def f07(cast: Cast) -> None:
    """Asked again."""
    await outcome(cast, "thought:1", ["done"], ["POST stop"])


@row("F08", "killed while a read runs")
async def f08(cast: Cast) -> None:
    """It may run again."""
    async with cast.stage() as stage:
        await stage.polls()
        stage.lab.traffic.fault("docker", method="GET", path="/json$", delay=0.4, times=None)
        stage.say("how is radarr?")
        await stage.until(lambda: stage.received("docker:nas"), "a read to begin")
        stage.bot.kill()
        stage.lab.traffic.clear("docker")
        await stage.quiet()
        assert answers(stage, "radarr") == 1 and not stage.effects()


@row("F09", "killed with the approval committed, before the card is sent")
async def f09(cast: Cast) -> None:
    """The outbox sends it, once."""
    async with cast.stage("--kill", "asked:1") as stage:
        await stage.written("stop radarr")
        assert len(stage.showing("Stop radarr", YES)) == 1 and not stage.effects()
        await stage.decide("Stop radarr")
        assert stage.states() == ["done"]


@row("F10", "killed with the card sent, before its message is stored")
async def f10(cast: Cast) -> None:
    """Two cards, of which the newer one works."""
    async with cast.stage("--kill", "sent:1") as stage:
        await stage.written("stop radarr")
        (older, data), (newer, same) = stage.showing("Stop radarr", YES)
        assert data == same and "(resent)" in newer.text
        assert "newer message" in await stage.toast(stage.press(older, data))
        assert not stage.effects()
        await stage.pressed(newer, data)
        assert stage.states() == ["done"] and stage.effects() == ["POST stop"]


@row("F11", "restarted while a card is open")
async def f11(cast: Cast) -> None:
    """Its buttons and its expiry stay."""
    async with cast.stage() as stage:
        await stage.written("stop radarr")
        before = stage.query("SELECT id, expires FROM cards")
        stage.bot.kill()
        await stage.quiet()
        assert stage.query("SELECT id, expires FROM cards") == before and not stage.effects()
        await stage.decide("Stop radarr")
        assert stage.states() == ["done"]


@row("F12", "killed with the tap in the inbox, before it decides")
async def f12(cast: Cast) -> None:
    """Replayed."""
    await outcome(cast, "handling:2", ["done"], ["POST stop"])


@row("F13", "killed inside the deciding transaction")
async def f13(cast: Cast) -> None:
    """Rolled back, then done again."""
    async with struck(cast, "deciding:1") as stage:
        assert stage.states() == ["done"] and stage.effects() == ["POST stop"]
        assert stage.query("SELECT count(*) FROM audit WHERE kind = 'approved'") == [(1,)]


@row("F14", "killed after the decision, before `started`")
async def f14(cast: Cast) -> None:
    """Approved but not started: said, and not run late."""
    for moment in ("decided:1", "starting:1"):
        async with struck(cast, moment) as stage:
            assert stage.states() == ["not started"] and not stage.effects(), (stage.states(), stage.effects())
            await stage.hear("Stop radarr.*not started.*interrupted before it began")


@row("F15", "killed after `started`, before the request leaves")
async def f15(cast: Cast) -> None:
    """Unknown, with a look that finds no trace."""
    async with struck(cast, "started:1") as stage:
        assert stage.states() == ["unknown"] and not stage.effects()
        await stage.hear("outcome unknown.*no trace")
        found = stage.showing("outcome unknown", f"{KNOWN}.*:r")
        await stage.pressed(*found[-1])  # "Ask again" is a new approval
        assert not stage.effects()
        await stage.decide("^Stop radarr")
        assert stage.effects() == ["POST stop"] and stage.states() == ["unknown", "done"]


@row("F16", "killed with the request sent and no answer yet")
async def f16(cast: Cast) -> None:
    """Unknown; the engine did it, and nobody does it again."""
    async with cast.stage() as stage:
        await half_way(stage)
        stage.bot.kill()
        await stage.quiet()
        assert stage.states() == ["unknown"] and len(stage.effects()) == 1
        message, data = stage.showing("outcome unknown", f"{KNOWN}.*:y")[-1]
        await stage.pressed(message, data)
        assert stage.states() == ["done"] and len(stage.effects()) == 1


async def half_way(stage: Ordeal, delay: float = 0.5) -> None:
    """Approve a change whose request then takes a while."""
    message, data = await stage.offered("stop radarr")
    stage.lab.traffic.fault("docker", method="POST", delay=delay)
    stage.press(message, data)
    await stage.until(stage.effects, "the request to leave")


@row("F17", "killed with the answer, before `done` is committed")
async def f17(cast: Cast) -> None:
    """Unknown, with a look that shows that it happened."""
    for moment in ("answered:1", "finishing:1"):
        async with struck(cast, moment) as stage:
            assert stage.states() == ["unknown"] and stage.effects() == ["POST stop"], stage.states()
            await stage.hear("outcome unknown.*(running → exited|[Aa]lready)")
    async with struck(cast, "watching:1", "an undo") as stage:
        assert stage.states() == ["done", "unknown"] and stage.effects() == ["POST stop", "POST start"], stage.states()
        assert not answers(stage, "… Start radarr"), "nothing says that somebody watches"


@row("F18", "killed after `done`, before the outbox sends it")
async def f18(cast: Cast) -> None:
    """Said once."""
    async with struck(cast, "finished:1") as stage:
        assert stage.states() == ["done"] and answers(stage, "✓ Stopped radarr") == 1


@row("F19", "killed with the answer sent, before the outbox notes it")
async def f19(cast: Cast) -> None:
    """Said twice, the second time as a repeat."""
    async with struck(cast, "sent:2") as stage:
        texts = [m.text for m in stage.lab.telegram.sent(ADMIN) if "is stopped now" in m.text]
        assert len(texts) == 2 and "(resent)" in texts[1] and "(resent)" not in texts[0], texts


@row("F20", "the same tap is delivered again")
async def f20(cast: Cast) -> None:
    """Ignored by its id, and as a new tap told so."""
    async with cast.stage() as stage:
        message, data = await stage.offered("stop radarr")
        stage.press(message, data)
        tap = stage.lab.telegram.updates.pending[-1]
        await stage.quiet()
        stage.lab.telegram.inject(tap)
        assert "lready decided" in await stage.toast(stage.press(message, data))
        assert stage.effects() == ["POST stop"] and stage.states() == ["done"]


@row("F21", "killed between recovery and its commit")
async def f21(cast: Cast) -> None:
    """Recovery finds the same again."""
    async with cast.stage("--kill", "started:1") as stage:
        stage.bot.arguments = [["--kill", "recovering:1"], []]
        await SCENARIOS[STOP].script(stage)
        await stage.quiet()
        assert stage.exits == [-9, -9] and stage.states() == ["unknown"] and not stage.effects(), stage.exits
        assert answers(stage, "? Stop radarr") == 1


@row("F22", "killed in every recovery, three times")
async def f22(cast: Cast) -> None:
    """After that it recovers without the part that kills it; and an update that always kills is set aside."""
    async with cast.stage("--kill", "started:1") as stage:
        stage.bot.arguments = [["--kill", "recovering:1"]]
        await SCENARIOS[STOP].script(stage)
        await stage.quiet()
        assert stage.exits == [-9] * 4, stage.exits
        assert stage.states() == ["unknown"] and not stage.effects()
        assert answers(stage, "? Stop radarr") == 1
    async with cast.stage("--kill", "handling:1", then=("--kill", "handling:1"), judged=False) as stage:
        stage.say("how is radarr?")
        await stage.hear("crashed me several times")
        assert stage.exits == [-9, -9, -9], stage.exits
        assert stage.query("SELECT state FROM inbox") == [("quarantined",)]


@row("F23", "killed between two changes of one reply")
async def f23(cast: Cast) -> None:
    """The first has happened, the second is not started; both are listed."""
    async with struck(cast, "finished:1", "two changes in one reply") as stage:
        assert stage.states() == ["done", "not started"] and stage.effects() == ["POST stop"]
        await stage.hear("Stopped radarr.*Stop sonarr: not started")


@row("F24", "three cards open, one tapped, restarted")
async def f24(cast: Cast) -> None:
    """The others still work."""
    async with cast.stage() as stage:
        for name in ("radarr", "sonarr", "gitea"):
            stage.say(f"stop {name}")
        await stage.quiet()
        await stage.decide("Stop sonarr")
        stage.bot.kill()
        await stage.quiet()
        assert sorted(stage.states()) == ["done", "waiting", "waiting"]
        await stage.decide("Stop radarr")
        await stage.decide("Stop gitea")
        assert stage.states() == ["done"] * 3 and stage.effects() == ["POST stop"] * 3


@row("F29", "SIGTERM with a change running")
async def f29(cast: Cast) -> None:
    """It is waited for."""
    async with cast.stage() as stage:
        await half_way(stage, delay=0.6)
        assert await stage.end(gently=True) == 0
        assert stage.states() == ["done"], stage.states()
        await stage.begin([])
        await stage.quiet()
        assert stage.effects() == ["POST stop"] and answers(stage, "✓ Stopped radarr") == 1


@row("F30", "the event loop hangs and the watchdog kills")
async def f30(cast: Cast) -> None:
    """As the moment it hits."""
    async with cast.stage("--stop", "answered:1") as stage:
        stage.press(*await stage.offered("stop radarr"))
        await stage.stopped()
        stage.bot.kill()
        await stage.quiet()
        assert stage.states() == ["unknown"] and stage.effects() == ["POST stop"]


@row("F32", "the host loses power after `started`")
async def f32(cast: Cast) -> None:
    """A kill cannot show this: that every commit reaches the disk is read back from the connection."""
    with tempfile.NamedTemporaryFile("r", prefix="rackhand-pragmas-") as pragmas:
        async with cast.stage("--stop", "started:1", "--pragmas", pragmas.name) as stage:
            stage.press(*await stage.offered("stop radarr"))
            await stage.stopped()
            read = json.loads(pragmas.read())
            assert read == {"synchronous": 2, "journal_mode": "wal"}, read
            assert stage.states() == ["started"]
            stage.bot.kill()
            await stage.quiet()
            assert stage.states() == ["unknown"]


@row("F59", "killed between two parts of a long paste")
async def f59(cast: Cast) -> None:
    """What was acknowledged waits for the rest: one run has all of it."""
    parts = parts_of(PASTE)
    for held in range(1, len(parts)):
        async with cast.stage() as stage:
            await stage.polls()
            for part in parts[:held]:
                stage.say(part)
            await stage.until(lambda stage=stage: not stage.lab.telegram.updates.pending, "the first ones to be taken")
            stage.bot.kill()
            for part in parts[held:]:
                stage.say(part)
            await stage.quiet()
            assert stage.query("SELECT objective FROM runs") == [(PASTE,)] and stage.exits == [-9]
