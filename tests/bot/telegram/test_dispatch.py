"""From updates to consequences: what crashes us is said, and strangers cannot fill our books."""

import asyncio
import json
from pathlib import Path

import pytest

from bot.runs.decisions import MOST_NOTED_A_MINUTE
from lab.telegram.state import ADMIN, VIEWER
from memory.inbox import MAX_ATTEMPTS
from memory.stores import Stores
from tests.fakes import use
from tests.live import Live


async def test_a_stranger_who_taps_fastest_does_not_fill_the_audit_log(tmp_path: Path) -> None:
    async with Live(tmp_path, TELEGRAM_CHATS="-100") as live:
        person = {"id": 4711, "is_bot": False, "first_name": "X"}
        chat = {"id": -100, "type": "supergroup", "title": "Home"}
        message = {"message_id": 1, "date": 1_700_000_000, "chat": chat, "text": "a card"}
        for number in range(MOST_NOTED_A_MINUTE + 5):
            query = {"id": str(number), "from": person, "chat_instance": "1", "data": "a1:x:y", "message": message}
            await live.inject(callback_query=query)
        reasons = [entry["reason"] for entry in await live.audited("tap rejected")]
        assert reasons == ["stranger"] * MOST_NOTED_A_MINUTE


async def test_what_is_set_aside_is_said_in_the_same_commit(stores: Stores) -> None:
    await stores.inbox.store([{"update_id": 1}])
    for _ in range(MAX_ATTEMPTS):
        assert await stores.inbox.attempt(1)

    async def broken(tx: object) -> None:
        raise OSError("killed right here")

    with pytest.raises(OSError, match="right here"):
        await stores.inbox.attempt(1, broken)
    assert [number for number, _ in await stores.inbox.pending()] == [1], "neither was committed"


async def test_a_message_that_crashes_us_is_set_aside_and_said(tmp_path: Path) -> None:
    async with Live(tmp_path) as live:
        await live.alive()
        await live.stores.inbox.store([live.a_message("hello", 77)])
        for _ in range(MAX_ATTEMPTS):
            await live.stores.inbox.attempt(77)
        live.poller.arrived.set()
        assert await live.dealt_with(77) == "quarantined"
        await live.hear("update 77.*set it aside")


async def test_what_is_taken_back_from_the_list_leaves_it(tmp_path: Path) -> None:
    async with Live(tmp_path) as live:
        for name in ("jellyfin", "paperless"):
            live.model.script.append([use("docker_stop_container", container=f"nas/{name}")])
            card = await live.write(f"stop {name}", f"Stop {name}")
            await live.press_as(card, card.button(f"Stop {name}"))
            await live.hear(f"✓ Stopped {name}")
        listed = await live.write("/undo", "What can be taken back")
        assert await live.press_as(listed, listed.button("↩ 2. Stop jellyfin")) == "Taking it back."
        drawn = await live.hear("What can be taken back")
        assert drawn.message_id == listed.message_id
        assert [button["text"] for button in drawn.buttons] == ["↩ 1. Stop paperless", "↻"]
        await live.hear("✓ Started jellyfin")


async def test_a_line_that_came_too_soon_is_kept_with_what_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Live(tmp_path) as live:
        answered = await live.write("/cost", "today")
        monkeypatch.setattr("bot.telegram.dispatch.MOST_QUEUED", 0)
        live.lab.telegram.reply(ADMIN, answered, "is that much?")
        busy = await live.hear("still busy")
        assert not live.model.asked
        monkeypatch.undo()
        await live.press_as(busy, busy.button("Try again"))
        await live.hear("Done")
        said = live.model.asked[0].messages[-1]["content"]
        assert said[0]["text"].endswith("]\nis that much?") and answered.text in said[1]["text"]


@pytest.mark.parametrize(("line", "button", "then"), [("hello", "Try again", "Done"), ("/cost", "/cost", "today")])
async def test_what_has_lain_too_long_is_a_tap_away(tmp_path: Path, line: str, button: str, then: str) -> None:
    async with Live(tmp_path) as live:
        await live.alive()
        raw = json.dumps(live.a_message(line, 77))
        async with live.stores.database.transaction() as tx:
            await tx.run("INSERT INTO inbox (update_id, raw, received) VALUES (77, ?, 0)", raw)
        live.poller.arrived.set()
        late = await live.hear("more than a day ago")
        assert not live.model.asked
        await live.press_as(late, late.button(button))
        await live.hear(then)


@pytest.mark.parametrize(
    ("line", "button", "then"),
    [
        ("/statsu", "/status", "need you"), ("/restrat jellyfin", "/restart jellyfin", "Restart jellyfin"),
        ("/show_my_containers", "/containers", "running"), ("/hlep", "/help", "/status"),
        ("/stpo", "/stop", "Nothing was running"), ("/x" + "y" * 62, "/status", "need you"),
    ],
)  # fmt: skip
async def test_a_command_that_is_none_offers_the_near_ones(tmp_path: Path, line: str, button: str, then: str) -> None:
    async with Live(tmp_path) as live:
        asked = await live.write(line, "Did you mean")
        await live.press_as(asked, asked.button(button))
        await live.hear(then)


async def test_a_line_of_nothing_that_can_be_seen_costs_nothing(tmp_path: Path) -> None:
    async with Live(tmp_path) as live:
        await live.write("\u200b\u2060 \u200b", "text only")
        assert not live.model.asked


async def test_nobody_is_offered_what_is_not_theirs(tmp_path: Path) -> None:
    async with Live(tmp_path) as live:
        asked = await live.write("/audti", "Did you mean", VIEWER)
        assert "/audit" not in [button["text"] for button in asked.buttons]
        await live.press_as(asked, "m:do:audit", VIEWER)
        await live.hear("needs an operator", VIEWER)


def in_group(group: int, **fields: object) -> dict[str, object]:
    """A message of the admin's in a group, as Telegram would send it."""
    person = {"id": ADMIN, "is_bot": False, "first_name": "Admin"}
    chat = {"id": group, "type": "supergroup", "title": "Home"}
    return {"message_id": 5, "date": 1_700_000_000, "from": person, "chat": chat, **fields}


async def test_a_group_that_became_a_supergroup_is_not_left_and_not_obeyed(tmp_path: Path) -> None:
    async with Live(tmp_path, TELEGRAM_CHATS="-100") as live:
        await live.alive()
        await live.inject(message=in_group(-100, migrate_to_chat_id=-100200))
        await live.inject(message=in_group(-100200, migrate_from_chat_id=-100))
        await live.hear("-100200.*TELEGRAM_CHATS")
        await live.inject(message=in_group(-100200, text="/status"))
        await live.quiet()
        assert live.calls_of("leaveChat") == []
        assert [call["body"] for call in live.calls_of("sendMessage") if b"chat_id=-100" in call["body"]] == []
        await live.inject(message=in_group(-666, migrate_from_chat_id=-667, text="/status"))
        await live.until(lambda: live.calls_of("leaveChat"), "a group that nobody has configured to be left")
        assert len(live.calls_of("leaveChat")) == 1


@pytest.mark.parametrize("fields", [{"pinned_message": None}, {"text": "what a day"}, {"caption": "a photo"}])
async def test_what_people_say_to_each_other_is_not_answered(tmp_path: Path, fields: dict[str, object]) -> None:
    async with Live(tmp_path, TELEGRAM_CHATS="-100") as live:
        await live.alive()
        await live.inject(message=in_group(-100, **fields))
        await live.quiet()
        assert [call["body"] for call in live.calls_of("sendMessage") if b"chat_id=-100" in call["body"]] == []


async def test_a_line_is_heard_before_the_bot_knows_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Telegram may take its time to tell it; whoever wrote while the bot was off has waited long enough."""
    monkeypatch.setattr("bot.telegram.app.introduce", lambda *_: asyncio.Event().wait())
    async with Live(tmp_path) as live:
        assert live.telegram.bot._bot_user is None
        assert "today" in (await live.write("/cost", "today")).text
