"""B57–B62, B87: what Telegram and the people on it can send."""

import asyncio
import json
from typing import Any

from bot.telegram.dispatch import TOO_MANY
from lab.telegram.state import ADMIN, BOT, STRANGER, Message, User
from tests.bad_inputs.rows import Bench, row
from tests.fakes import use
from tests.live import Live

GROUP, FOREIGN_GROUP = -100200, -100666
STOP = "docker_stop_container"
SEND = "/sendMessage$"


def refusal(code: int, description: str, **parameters: Any) -> dict[str, Any]:
    """An answer of the Bot API."""
    more = {"parameters": parameters} if parameters else {}
    return {"status": code, "body": json.dumps({"ok": False, "error_code": code, "description": description, **more})}


async def card(live: Live, name: str = "jellyfin") -> Message:
    """An open card in the admin's chat."""
    live.model.script.append([use(STOP, container=f"nas/{name}")])
    return await live.write(f"stop {name}", f"Stop {name}")


@row("B57", "429 with a retry_after, also an absurd one", "waited for, and said once")
async def flood(bench: Bench) -> None:
    live = await bench.live()
    live.lab.traffic.fault("telegram", path=SEND, **refusal(429, "Too Many Requests: retry after 1", retry_after=1))
    await live.write("/cost", "today")
    assert [call["status"] for call in live.calls_of("sendMessage")] == [429, 200]
    live.lab.traffic.fault("telegram", path=SEND, **refusal(429, "Too Many Requests", retry_after=300))
    live.say_as("/help")
    await live.until(lambda: len(live.calls_of("sendMessage")) == 3, "the attempt")
    await asyncio.sleep(0.2)
    assert len(live.calls_of("sendMessage")) == 3, "held for as long as Telegram asks"
    row_ = await live.stores.database.one("SELECT count(*) AS open FROM outbox WHERE state IN ('new', 'sending')")
    assert row_ is not None and row_["open"] == 1
    await live.until(lambda: live.poller.last_completed, "polling to go on beside it")


MALFORMED: tuple[dict[str, Any], ...] = (
    {"message": {"message_id": "x", "chat": 7, "date": []}},
    {"message": None},
    {"message": []},
    {"message": {}},
    {"message": {"message_id": 1, "date": 0, "chat": {"id": ADMIN, "type": "private"}, "text": "no from"}},
    {"message": {"message_id": 1, "date": 0, "chat": {"id": {}, "type": 5}, "from": {"id": "me"}, "text": "hm"}},
    {"message": {"message_id": 1, "date": 0, "chat": {"id": ADMIN, "type": "private"}, "text": 7,
                 "from": {"id": ADMIN, "is_bot": False, "first_name": "Admin"}}},
    {"message": {"message_id": 1, "date": 10**30, "chat": {"id": ADMIN, "type": "private"}, "text": 7}},
    {"callback_query": "not an object"},
    {"callback_query": {"id": "1", "from": {"id": ADMIN, "is_bot": False, "first_name": "A"}, "chat_instance": "1"}},
    {"callback_query": {"id": "2", "from": {"id": ADMIN, "is_bot": False, "first_name": "A"}, "chat_instance": "1",
                        "data": "a1:x:y",
                        "message": {"message_id": 5, "date": 0, "chat": {"id": ADMIN, "type": "private"}}}},
    {"callback_query": {"id": "3", "from": {"id": ADMIN, "is_bot": False, "first_name": "A"}, "chat_instance": "1",
                        "inline_message_id": "abc", "data": "a1:x:y"}},
    {"edited_message": {}},
    {"channel_post": {"message_id": 1, "date": 0, "chat": {"id": -5, "type": "channel"}, "text": "/stop all"}},
    {"a_new_kind_of_update": {"deep": [1, 2, {"x": None}]}},
    {},
)  # fmt: skip


@row(
    "B59", "malformed and unknown updates, without `from`, without a message, without a number", "set aside; it goes on"
)
async def malformed(bench: Bench) -> None:
    live = await bench.live()
    numbers = [await live.inject(**update) for update in MALFORMED]
    states = [await live.dealt_with(number) for number in numbers]
    assert set(states) == {"done", "quarantined"} and "quarantined" in states
    await live.alive()
    for raw in (
        '{"ok": true, "result": [{"message": {"text": "no number"}}]}',
        '{"ok": true, "result": [null, 7, "x", [], {"update_id": "7"}, {"update_id": true}]}',
        f'{{"ok": true, "result": [{{"update_id": {2**70}}}, {{"update_id": -1}}]}}',
        '{"ok": true, "result": {"update_id": 1}}',
        '{"ok": true}',
        "[]",
        "[" * 50_000,
        "<html>",
        "",
    ):
        bench.patch.setattr("bot.telegram.poller.LONGEST_BACKOFF", 0.01)
        await live.receives(raw=raw)
    polls = [r for r in live.lab.traffic.requests if r.path.endswith("getUpdates")]
    assert len(polls) < 200, "no hot loop"
    assert not live.lab.world.hosts["nas"].get("jellyfin").restart_count


@row("B60", "pictures, voice, files of 50 MB, stickers, polls, places, contacts", "text only; nothing is downloaded")
async def not_text(bench: Bench) -> None:
    live = await bench.live()
    file = {"file_id": "F", "file_unique_id": "U", "file_size": 50_000_000}
    kinds: tuple[dict[str, Any], ...] = (
        {"photo": [{**file, "width": 9, "height": 9}]},
        {"voice": {**file, "duration": 3}},
        {"document": file},
        {"sticker": {**file, "type": "regular", "width": 1, "height": 1, "is_animated": False, "is_video": False}},
        {"location": {"latitude": 1.0, "longitude": 2.0}},
        {"contact": {"phone_number": "1", "first_name": "x"}},
        {"dice": {"emoji": "🎲", "value": 3}},
    )
    for number, kind in enumerate(kinds):
        update = live.a_message("", update=100 + number, **kind)
        del update["message"]["text"]
        await live.receives(update)
        await live.dealt_with(100 + number)
    await live.until(lambda: said(live).count("I read text only") == len(kinds), "a word on each")
    assert not live.calls_of("getFile") and not live.model.asked


def said(live: Live, chat: int = ADMIN) -> str:
    return "\n".join(message.text for message in live.lab.telegram.sent(chat))


@row(
    "B61", "a hundred messages at once, while one is being worked on", "in order, up to a limit; commands come through"
)
async def a_hundred(bench: Bench) -> None:
    live, gate = await bench.live(), asyncio.Event()

    async def wait(asked: Any) -> str:
        await gate.wait()
        return "first"

    live.model.script.append(wait)
    for number in range(100):
        live.lab.telegram.send(ADMIN, f"question {number}")
    await live.write("/stop", "Stopped")
    gate.set()
    await live.alive()
    rows = await live.stores.database.all("SELECT objective FROM runs WHERE error IS NOT ? ORDER BY rowid", TOO_MANY)
    assert [r["objective"] for r in rows] == [f"question {n}" for n in range(len(rows))] and 1 <= len(rows) <= 6


@row(
    "B62", "strangers, in private and in groups; a group nobody configured; channels; anonymous admins", "no word; left"
)
async def strangers(bench: Bench) -> None:
    live = await bench.live(TELEGRAM_CHATS=str(GROUP))
    live.lab.telegram.group(GROUP, "Family")
    live.lab.telegram.group(FOREIGN_GROUP, "Trap")
    live.lab.telegram.users[1087968824] = User(1087968824, "Group", "GroupAnonymousBot", is_bot=True)
    live.say_as("/status", STRANGER)
    live.say_as("/status", STRANGER, chat=GROUP)
    live.say_as("/stop all", 1087968824, chat=GROUP)
    live.say_as("/status", ADMIN, chat=FOREIGN_GROUP)
    await live.inject(
        channel_post={"message_id": 1, "date": 0, "chat": {"id": -7, "type": "channel"}, "text": "/status"}
    )
    await live.alive()
    await live.until(lambda: live.lab.telegram.chats[FOREIGN_GROUP].refusal, "the bot to leave")
    for chat in (STRANGER, GROUP, FOREIGN_GROUP):
        assert [message for message in live.lab.telegram.messages(chat) if message.sender.id == BOT.id] == []
    assert live.lab.telegram.chats[GROUP].refusal is None
    assert live.core.access.strangers >= 3 and not live.halt.everything and not live.model.asked
    open_card = await card(live)
    query = live.lab.telegram.tap(STRANGER, open_card.message_id, open_card.button("Stop jellyfin"), chat=ADMIN)
    assert "not for you" in await live.toast(query)
    assert not live.writes() and [r for r in await live.audited("tap rejected") if r["reason"] == "stranger"]


@row("B87", "names with marks, endless names, people without a name", "the number is the key")
async def odd_names(bench: Bench) -> None:
    live = await bench.live()
    for number, name in enumerate(("\u202eAdmin", "A" * 5000, " ", "**[x](tg://user?id=1)**", "\U000e0041" * 20, "")):
        update = live.a_message("/start", update=50 + number)
        update["message"]["from"] = {"id": ADMIN, "is_bot": False, "first_name": name}
        await live.receives(update)
        await live.until(lambda seen=number + 1: said(live).count("at your service") == seen, f"a greeting of {name!r}")
    impostor = User(STRANGER, "Admin", "admin")
    live.lab.telegram.users[STRANGER] = impostor
    live.say_as("/status", STRANGER)
    await live.alive()
    assert live.lab.telegram.sent(STRANGER) == [] and "\u202e" not in said(live)


@row("B58", "a progress message whose sending failed and that did arrive", "not doubled; its Stop takes it away")
async def progress_left_behind(bench: Bench) -> None:
    bench.patch.setattr("bot.telegram.progress.PATIENCE", 0.0)
    live, gate = await bench.live(), asyncio.Event()

    async def wait(asked: Any) -> str:
        await gate.wait()
        return "It is up."

    live.model.script.append(wait)
    live.lab.traffic.fault("telegram", path=SEND, drop_after=True)
    left = await live.write("is jellyfin up?", "Thinking")
    gate.set()
    await live.hear("It is up")
    await live.quiet()
    assert [message.text for message in live.lab.telegram.sent(ADMIN)].count("Thinking …") == 1
    assert len(left.buttons) == 1, "nothing but Stop"
    assert "ended already" in await live.press_as(left, left.button("Stop"))
    await live.until(lambda: left not in live.lab.telegram.sent(ADMIN), "the leftover to go")
    [answer] = [message for message in live.lab.telegram.sent(ADMIN) if "It is up" in message.text]
    assert await live.press_as(answer, "s:someone-elses") == "It has ended already."
    await live.alive()
    assert any("It is up" in message.text for message in live.lab.telegram.sent(ADMIN)), "nothing else is taken away"
