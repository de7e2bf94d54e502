"""A chat that takes nothing any more: its cards end, and the owner is told once, with no word of what was said."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.telegram.state import ADMIN, OPERATOR, VIEWER
from tests.fakes import use
from tests.live import Live

GROUP, MOVED, ALERTS = -100, -100200, -300
STOP = use("docker_stop_container", container="nas/jellyfin")
CHATS = {"TELEGRAM_CHATS": f"{GROUP},{ALERTS}"}


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with Live(tmp_path, **CHATS) as live:
        live.lab.telegram.group(GROUP, "Family")
        await live.alive()
        yield live


def notices(live: Live, chat: int = ADMIN, words: str = "cannot write to|another number") -> list[str]:
    return [m.text for m in live.lab.telegram.sent(chat) if any(word in m.text for word in words.split("|"))]


async def state(live: Live) -> tuple[str, str, str]:
    """Of the newest card: its approval, why, and its run."""
    row = await live.stores.database.one(
        "SELECT approvals.state, approvals.reason, runs.state AS run FROM approvals JOIN cards ON cards.id = card"
        " JOIN runs ON runs.id = cards.run ORDER BY approvals.id DESC"
    )
    assert row is not None
    return row["state"], row["reason"], row["run"]


async def test_a_card_that_nobody_can_see_counts_as_denied(live: Live) -> None:
    secret = "what only the operator should read"
    await live.write("/help", ".", OPERATOR)
    live.lab.telegram.block(OPERATOR)
    live.model.script.append([STOP])
    live.say_as(f"stop jellyfin, {secret}", OPERATOR)
    await live.hear("cannot write to Operator .1002.*blocked by the user.*unblock me")
    await live.quiet()
    assert await state(live) == ("denied", "unseen", "failed") and await live.states() == ["denied"]
    assert [entry["reason"] for entry in await live.audited("denied")] == ["unseen"]
    for number in range(3):
        live.say_as(f"/cost {number}", OPERATOR)
    await live.alive()
    await live.quiet()
    assert len(notices(live)) == 1 and "jellyfin" not in notices(live)[0] and secret not in notices(live)[0]
    assert len(live.model.asked) == 1, "nobody pays for an answer that nobody can read"
    assert live.lab.world.hosts["nas"].get("jellyfin").alive


async def test_an_open_card_survives_that_another_message_is_refused(live: Live) -> None:
    live.model.script.append([STOP])
    card = await live.write("stop jellyfin", "Stop jellyfin", OPERATOR)
    live.lab.telegram.block(OPERATOR)
    live.say_as("/cost", OPERATOR)
    await live.hear("cannot write to")
    assert (await state(live))[0] == "pending" and card.buttons


async def test_a_card_that_alone_is_refused_ends_aloud(live: Live) -> None:
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: BUTTON_DATA_INVALID"}
    live.lab.traffic.fault("telegram", path="/sendMessage$", status=400, body=json.dumps(refusal))
    live.model.script.append([STOP])
    live.say_as("stop jellyfin")
    await live.hear("did not take this card")
    assert await state(live) == ("denied", "unseen", "failed") and notices(live) == []


@pytest.mark.parametrize("words", ["TOPIC_CLOSED", "chat not found", "not enough rights to send text messages"])
async def test_a_group_that_takes_nothing_is_named_with_the_reason(live: Live, words: str) -> None:
    refusal = {"ok": False, "error_code": 400, "description": f"Bad Request: {words}"}
    live.lab.traffic.fault("telegram", path="/sendMessage$", status=400, body=json.dumps(refusal))
    live.say_as("/cost", chat=GROUP)
    await live.hear(f"(?i)cannot write to the group -100 .*{words}.*let me write there")


async def test_a_group_that_threw_us_out_is_named_once(live: Live) -> None:
    live.lab.telegram.kick(GROUP)
    for number in range(3):
        live.say_as(f"/cost {number}", chat=GROUP)
    await live.hear("cannot write to the group -100 .*kicked.*Add me again")
    await live.quiet()
    assert len(notices(live)) == 1


async def test_a_group_that_became_a_supergroup_is_told_with_its_new_number(live: Live) -> None:
    live.lab.telegram.migrate(GROUP, MOVED)
    live.model.script.append([STOP])
    live.say_as("@rackhand_bot stop jellyfin", chat=GROUP)
    await live.hear(f"{GROUP} another number: {MOVED}.*TELEGRAM_CHATS")
    live.say_as("/cost", chat=GROUP)
    await live.quiet()
    assert len(notices(live)) == 1 and await state(live) == ("denied", "unseen", "failed")
    assert notices(live, MOVED) == []


@pytest.mark.parametrize("moved", [True, False])
async def test_the_alert_chat_itself_is_reported_to_the_first_admin(tmp_path: Path, moved: bool) -> None:
    async with Live(tmp_path, **CHATS, ALERT_CHAT=str(ALERTS)) as live:
        await live.alive()
        live.lab.telegram.group(ALERTS, "Alerts")
        if moved:
            live.lab.telegram.migrate(ALERTS, MOVED)
        else:
            live.lab.telegram.kick(ALERTS)
        await live.stores.outbox.say(f"tg:{ALERTS}", "view", "alert", text="tank is full", buttons=[])
        await live.hear("another number" if moved else "cannot write to the group -300 ")
        assert "tank" not in notices(live)[0]


async def test_two_who_cannot_be_told_of_each_other_make_no_loop(tmp_path: Path) -> None:
    async with Live(tmp_path, **CHATS, ALERT_CHAT=str(ALERTS)) as live:
        await live.alive()
        live.lab.telegram.group(ALERTS, "Alerts")
        live.lab.telegram.kick(ALERTS)
        live.lab.telegram.block(ADMIN)
        await live.write("/help", ".", VIEWER)
        before = len(live.calls_of("sendMessage"))
        live.lab.telegram.block(VIEWER)
        live.say_as("/cost", VIEWER)
        await live.dealt_with(live.lab.telegram.updates.pending[-1]["update_id"])
        await live.quiet()
        assert len(live.calls_of("sendMessage")) - before <= 4
        keys = await live.stores.database.all("SELECT key FROM outbox WHERE key LIKE 'unreachable:%'")
        assert sorted(row["key"] for row in keys) == sorted(f"unreachable:{who}" for who in (ADMIN, ALERTS, VIEWER))
