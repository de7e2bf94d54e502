"""Fault rows F25–F28 and F42–F58: services, people, time and Telegram misbehave; nobody is killed."""

import asyncio
import json
import signal
import time

from lab.telegram.state import ADMIN, OPERATOR
from tests.e2e.harness import run_door
from tests.prove.cast import Cast
from tests.prove.kills import answers
from tests.prove.ordeal import KNOWN, NO, YES, Ordeal
from tests.prove.rows import row

AGAIN = r"^a1:.*:s$"
GROUP = -100_500
NOT_THEIRS = ("This is not for you.", "This card is not yours to decide.")


async def approve(stage: Ordeal, name: str = "radarr") -> None:
    """Ask for a stop and tap its card."""
    stage.say(f"stop {name}")
    stage.press(*await stage.shown(f"Stop {name}"))


@row("F25", "the engine takes a change and never answers")
async def f25(cast: Cast) -> None:
    """Unknown, and not tried again; also when the connection is cut after the work was done."""
    for lost in (False, True):
        async with cast.stage("--deadline", "0.7") as stage:
            await stage.polls()
            stage.lab.traffic.fault("docker", method="POST", stall=not lost, drop_after=lost)
            await approve(stage)
            await stage.quiet()
            assert stage.states() == ["unknown"] and len(stage.effects()) == 1, (stage.states(), stage.effects())
            assert len(stage.showing("outcome unknown", KNOWN)) == 1


@row("F26", "the connection is refused before any byte")
async def f26(cast: Cast) -> None:
    """Failed, and it may be asked for again."""
    async with cast.stage("--stop", "started:1") as stage:
        await approve(stage)
        await stage.stopped()
        await stage.engines_down()
        stage.bot.victim.signal(signal.SIGCONT)
        await stage.quiet()
        assert stage.states() == ["failed"] and not stage.effects(), (stage.states(), stage.effects())
        await stage.hear("Stop radarr: failed")


@row("F27", "502, 503, 504 to a change")
async def f27(cast: Cast) -> None:
    """Unknown, and not tried again."""
    for status in (502, 503, 504):
        async with cast.stage() as stage:
            await stage.polls()
            stage.lab.traffic.fault("docker", method="POST", status=status, body="Bad Gateway")
            await approve(stage)
            await stage.quiet()
            assert stage.states() == ["unknown"] and len(stage.effects()) == 1, (status, stage.states())


@row("F28", "429 to a change")
async def f28(cast: Cast) -> None:
    """Failed, not tried again by itself; a new request is a new approval."""
    async with cast.stage() as stage:
        await stage.polls()
        stage.lab.traffic.fault("docker", method="POST", status=429, headers={"Retry-After": "1"})
        await approve(stage)
        await stage.quiet()
        assert stage.states() == ["failed"] and len(stage.effects()) == 1, (stage.states(), stage.effects())
        await stage.hear("Stop radarr: failed")
        await stage.written("stop radarr")
        await stage.decide("^Stop radarr")
        assert stage.states() == ["failed", "done"]


@row("F42", "another program polls with the same token")
async def f42(cast: Cast) -> None:
    """After a while nothing is changed any more, and it says so; afterwards all is well again."""
    async with cast.stage("--conflict", "0.4", then=("--conflict", "0.4")) as stage:
        await stage.written("how is radarr?")
        asked = await run_door("ask", "stop radarr", "--json", env=stage.bot.env)
        assert asked.code == 3, asked
        stage.lab.traffic.fault("telegram", path="getUpdates$", status=409, body=CONFLICT, times=None)
        await stage.lab.telegram.updates.get(0, 100, 0.1, None)
        await stage.hear("Another program polls")
        stage.console = True
        run = json.loads(asked.out)["run"]
        done = await run_door("resume", run, "--approve", env=stage.bot.env)
        assert not stage.effects() and stage.states() == ["not started"], (done, stage.states())
        stage.lab.traffic.clear("telegram")
        await stage.written("stop sonarr")
        await stage.decide("Stop sonarr")
        assert stage.states() == ["not started", "done"]


CONFLICT = '{"ok": false, "error_code": 409, "description": "Conflict: terminated by other getUpdates request"}'


async def together(stage: Ordeal, *presses: tuple[str, int], chat: int = ADMIN) -> None:
    """Decisions that arrive in one batch: verb and person."""
    message, data = await stage.shown("Stop radarr", chat=chat)
    await stage.end()
    for verb, user in presses:
        stage.press(message, f"{data.rpartition(':')[0]}:{verb}", user)
    await stage.begin()
    await stage.quiet()


@row("F44", "two taps at the same moment")
async def f44(cast: Cast) -> None:
    """One wins, the other is told so."""
    async with cast.stage() as stage:
        await stage.written("stop radarr")
        await together(stage, ("y", ADMIN), ("y", ADMIN))
        assert stage.states() == ["done"] and stage.effects() == ["POST stop"]
        toasts = sorted(touch.toast or "" for touch in stage.evidence().touches)
        assert toasts == ["Already decided.", "Approved."], toasts


@row("F45", "approved and denied at the same moment")
async def f45(cast: Cast) -> None:
    """One outcome, and the effect agrees with it."""
    for verbs in ("yn", "ny"):
        async with cast.stage() as stage:
            await stage.written("stop radarr")
            await together(stage, *((verb, ADMIN) for verb in verbs))
            wanted = ["done"] if verbs[0] == "y" else ["denied"]
            assert stage.states() == wanted and len(stage.effects()) == wanted.count("done"), stage.states()


async def asked_in_the_group(stage: Ordeal) -> None:
    """An admin asks for radarr to be stopped, in a group where others may decide, too."""
    await stage.polls()
    stage.lab.telegram.group(GROUP, "Rack")
    stage.say("/pending", ADMIN, GROUP)
    reply = await stage.hear(".", GROUP)
    stage.say("stop radarr", ADMIN, GROUP, reply_to_message=reply.to_dict())


@row("F46", "two people approve")
async def f46(cast: Cast) -> None:
    """The first wins, by name."""
    async with cast.stage(TELEGRAM_CHATS=str(GROUP)) as stage:
        await asked_in_the_group(stage)
        await stage.quiet()
        await together(stage, ("y", OPERATOR), ("y", ADMIN), chat=GROUP)
        assert stage.states() == ["done"] and stage.effects() == ["POST stop"]
        assert stage.query("SELECT decided_by FROM approvals") == [(f"tg:{OPERATOR}",)]


@row("F47", "a tap after the expiry, and a clock that is set back")
async def f47(cast: Cast) -> None:
    """Expired for good."""
    async with cast.stage("--expiry", "0.6", timed=False) as stage:
        message, data = await stage.offered("stop radarr")
        await asyncio.sleep(0.7)
        await stage.pressed(message, data)
        assert stage.states() == ["expired"] and not stage.effects()
        await stage.restart("--clock", "-3600")
        await stage.pressed(message, data)
        assert stage.states() == ["expired"] and not stage.effects()
        again, button = stage.showing("Stop radarr", r"^a1:.*:s$")[-1]
        await stage.pressed(again, button)
        assert stage.showing("Stop radarr", YES) and not stage.effects()
    async with cast.stage(timed=False) as stage:
        message, data = await stage.offered("stop radarr")
        await stage.quiet()
        await stage.restart("--clock", "3600")
        await stage.pressed(message, data)
        await stage.restart("--clock", "-3600")
        await stage.pressed(message, data)
        assert stage.states() == ["expired"] and not stage.effects(), stage.states()


@row("F48", "somebody loses the right while the card is open")
async def f48(cast: Cast) -> None:
    """Denied as revoked, on the screen too, and their tap changes nothing; others who may decide it still can."""
    for settings in (
        {"TELEGRAM_OPERATORS": "", "TELEGRAM_VIEWERS": ""},
        {"TELEGRAM_OPERATORS": "", "TELEGRAM_VIEWERS": str(OPERATOR)},
        {"TELEGRAM_OPERATORS": f"{OPERATOR}:memory", "TELEGRAM_VIEWERS": ""},
    ):
        async with cast.stage() as stage:
            stage.say("stop radarr", OPERATOR)
            message, data = await stage.shown("Stop radarr", chat=OPERATOR)
            await stage.quiet()
            await stage.restart(**settings)
            await stage.until(lambda stage=stage: stage.states() == ["denied"], f"a revocation by {settings}")
            await stage.quiet()
            assert not stage.effects()
            assert stage.query("SELECT state, reason FROM approvals") == [("denied", "revoked")]
            shown = next(m for m in stage.lab.telegram.sent(OPERATOR) if m.message_id == message.message_id)
            assert "denied" in shown.text and "Revoked" in shown.text and not shown.buttons, shown.text
            query = stage.press(message, data, OPERATOR)
            assert await stage.toast(query) in NOT_THEIRS
            await stage.quiet()
            assert stage.states() == ["denied"] and not stage.effects(), stage.states()
            rejected = stage.query(
                "SELECT count(*) FROM audit WHERE kind = 'tap rejected' AND actor = ?", f"tg:{OPERATOR}"
            )
            assert rejected == [(1,)], rejected
    async with cast.stage(TELEGRAM_CHATS=str(GROUP)) as stage:
        await asked_in_the_group(stage)
        message, data = await stage.shown("Stop radarr", chat=GROUP)
        await stage.quiet()
        await stage.restart(TELEGRAM_OPERATORS="", TELEGRAM_VIEWERS="")
        assert await stage.toast(stage.press(message, data, OPERATOR)) in NOT_THEIRS
        await stage.quiet()
        assert stage.states() == ["waiting"] and not stage.effects(), stage.states()
        await stage.decide("Stop radarr", chat=GROUP)
        assert stage.states() == ["done"] and stage.effects() == ["POST stop"]


@row("F49", "the policy or the tool changes while a card is open")
async def f49(cast: Cast) -> None:
    """Superseded: nothing is sent, the card says what changed, and [Ask again] asks afresh, once, if it still fits."""
    for change, words in (
        (("--policy", "99"), "rules for approvals changed"),
        (("--schema", "docker_stop_container:optional"), "tool changed with an update"),
        (("--schema", "docker_stop_container:required"), "tool changed with an update"),
    ):
        async with cast.stage() as stage:
            message, data = await stage.offered("stop radarr")
            await stage.quiet()
            await stage.restart(*change)
            await stage.until(lambda stage=stage: stage.states() == ["not started"], f"{change} to be noticed")
            await stage.quiet()
            assert stage.query("SELECT state FROM approvals") == [("superseded",)]
            again, button = stage.showing(words, AGAIN)[-1]
            assert again.message_id == message.message_id and len(again.buttons) == 1, again.text
            assert words in await stage.toast(stage.press(message, data))
            await stage.quiet()
            assert stage.states() == ["not started"] and not stage.effects(), (change, stage.states())
            stage.press(again, button)
            stage.press(again, button)
            if "required" in change[1]:
                await stage.hear("no longer fits docker_stop_container.*grace")
                await stage.quiet()
                assert stage.states() == ["not started"] and not stage.effects(), stage.states()
                continue
            await stage.quiet()
            assert stage.states() == ["not started", "waiting"] and not stage.effects(), stage.states()
            assert len(stage.showing("Stop radarr", YES)) == 1 and not stage.showing(words, AGAIN)
            await stage.decide("Stop radarr")
            assert stage.states() == ["not started", "done"] and stage.effects() == ["POST stop"]


@row("F50", "the target changes between card and tap")
async def f50(cast: Cast) -> None:
    """Nothing runs, the difference is shown, and a new card decides."""
    async with cast.stage() as stage:
        stage.say("restart redis")
        await stage.shown("Restart redis")
        await stage.quiet()
        stage.lab.world.change_behind_back()
        await stage.pressed(*stage.showing("Restart redis", YES)[-1])
        await stage.hear("nothing ran.*running → paused")
        assert stage.states() == ["waiting"] and not stage.effects()
        await stage.decide("nothing ran", NO)
        assert stage.states() == ["denied"] and not stage.effects()


@row("F52", "the digest falls due while the bot is off")
async def f52(cast: Cast) -> None:
    """Sent once, called late; another restart does not send it again."""
    soon = time.strftime("%H:%M", time.gmtime(time.time() + 1800))
    async with cast.stage(timed=False, DIGEST_TIME=soon, TIMEZONE="UTC") as stage:
        await stage.written("how is radarr?")  # Telegram lets nobody write who was not written to first
        assert not stage.query("SELECT * FROM schedule_runs")
        await stage.restart("--clock", "7200")
        await stage.until(lambda: stage.query("SELECT 1 FROM outbox WHERE kind = 'digest'"), "the digest")
        await stage.quiet()
        for _ in range(2):
            stage.bot.kill()
            await stage.quiet()
        assert [r[0] for r in stage.query("SELECT state FROM schedule_runs")] == ["late"]
        assert stage.query("SELECT count(*) FROM outbox WHERE kind = 'digest' AND state = 'sent'") == [(1,)]


@row("F56", "the token is revoked while a card is open")
async def f56(cast: Cast) -> None:
    """Said, and gone on with; started again, exit 78; with a valid token again, the card still works."""
    async with cast.stage() as stage:
        await stage.written("stop radarr")
        token, stage.lab.telegram.token = stage.lab.telegram.token, "1:revoked"
        stage.lab.telegram.updates._wake()
        await stage.until(lambda: "Telegram rejects TELEGRAM_BOT_TOKEN" in stage.log(), "the trouble to be named")
        assert stage.exits == []
        await stage.end()
        await stage.begin()
        assert await stage.over() == 78
        assert stage.states() == ["waiting"] and not stage.effects()
        stage.lab.telegram.token = token
        await stage.begin()
        await stage.quiet()
        await stage.decide("Stop radarr")
        assert stage.states() == ["done"]


@row("F57", "Telegram is down for a while")
async def f57(cast: Cast) -> None:
    """Nothing restarts, nothing runs; what was to be said is said afterwards."""
    async with cast.stage() as stage:
        message, data = await stage.offered("stop radarr")
        await stage.quiet()
        stage.lab.traffic.fault("telegram", drop=True, times=None)
        stage.lab.telegram.updates._wake()
        await asyncio.sleep(0.3)
        stage.press(message, data)
        await asyncio.sleep(1.5)
        assert not stage.effects() and not stage.exits
        stage.lab.traffic.clear("telegram")
        await stage.quiet()
        assert stage.states() == ["done"] and stage.effects() == ["POST stop"] and not stage.exits


@row("F58", "Claude is down, overloaded, or rejects the key")
async def f58(cast: Cast) -> None:
    """The request ends in a sentence; commands and open cards work without a model."""
    async with cast.stage() as stage:
        await stage.written("stop radarr")
        stage.lab.claude.keys = set()
        stage.say("how is radarr?")
        await stage.hear("can't think now.*ANTHROPIC_API_KEY")
        stage.lab.claude.keys = None
        stage.lab.claude.cut = True
        stage.say("/containers")
        await stage.hear("running")
        await stage.decide("Stop radarr")
        assert stage.states() == ["done"] and stage.effects() == ["POST stop"]
        await stage.hear("Claude cannot be reached")
        assert answers(stage, "✓ Stopped radarr") == 1
