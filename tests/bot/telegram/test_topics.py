"""A conversation is a chat and its topic: whatever is asked in a topic is answered, decided and remembered there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.runs.decisions import LATE
from bot.settings.people import Roster, conversation_of, place_of
from bot.settings.settings import Settings
from bot.telegram.delivery import FALLEN
from lab.telegram.state import ADMIN, OPERATOR, Message
from memory.models import Role
from tests.fakes import use
from tests.live import Live
from tools.kit.service import Risk

FORUM = -100
STOP = use("docker_stop_container", container="nas/jellyfin")


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    """A bot in a forum."""
    async with Live(tmp_path, group=FORUM) as live:
        yield live


def topic(live: Live, chat: int = FORUM) -> int:
    return live.lab.telegram.open_topic(ADMIN, "Media", chat)


async def write(live: Live, text: str, answer: str, thread: int | None, chat: int = FORUM) -> Message:
    live.say_as(text, chat=chat, topic=thread)
    return await live.hear(answer, chat)


def threads(live: Live, chat: int = FORUM) -> set[int | None]:
    """Where in the chat the bot has written."""
    return {message.thread for message in live.lab.telegram.sent(chat)}


async def a_card(live: Live, thread: int | None, chat: int = FORUM) -> Message:
    live.model.script.append([STOP])
    return await write(live, "@rackhand_bot stop jellyfin", "Stop jellyfin", thread, chat)


@pytest.mark.parametrize("place", [(-100, None), (-100, 7), (42, None), (42, 7)])
def test_a_conversation_names_a_chat_and_its_topic(place: tuple[int, int | None]) -> None:
    assert place_of(conversation_of(*place)) == place
    assert conversation_of(-100) == "tg:-100", "rows from before there were topics stay valid"
    assert place_of("console:0") == (0, None)


@pytest.mark.parametrize("chat", [FORUM, 1])
def test_who_may_approve_goes_by_the_chat(chat: int) -> None:
    people = {"telegram_admins": "1", "telegram_operators": "2", "telegram_chats": "-100"}
    roster = Roster(Settings(_env_file=None, **people))  # type: ignore[call-arg, arg-type]
    for risk in Risk:
        whole, part = conversation_of(chat), conversation_of(chat, 7)
        assert roster.approvers(part, risk, "docker") == roster.approvers(whole, risk, "docker") != []
    assert roster.highest(conversation_of(chat, 7), "docker") is Role.ADMIN
    assert roster.approvers(conversation_of(-200, 7), Risk.READ, "docker") == []


@pytest.mark.parametrize("chat", [FORUM, ADMIN])
async def test_everything_stays_in_the_topic(live: Live, chat: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.telegram.progress.PATIENCE", 0.0)
    await live.write("/cost", "today")
    if chat == FORUM:
        live.lab.telegram.chats[ADMIN].messages.clear()
    thread = topic(live, chat)
    before = {message.message_id for message in live.lab.telegram.sent(chat)}
    menu = await write(live, "/containers", "running", thread, chat)
    await live.press_as(menu, menu.button("‹ Back"))
    await live.hear("today", chat)
    shown = await a_card(live, thread, chat)
    await write(live, "/pending", "Stop jellyfin", thread, chat)
    telegram, since = live.lab.telegram, live.mark
    newest = await telegram.wait_for(lambda: telegram.newest(chat, "Stop jellyfin", since=since, data="a1:"))
    live.model.script.append("It is off.")
    assert await live.press_as(newest, newest.button("Stop jellyfin")) == "Approved."
    await live.hear("It is off", chat)
    receipt = await live.hear("✓ Stopped jellyfin", chat)
    live.mark = live.lab.telegram.version
    assert await live.press_as(receipt, receipt.button("Undo")) == "Taking it back."
    await live.hear("✓ Started jellyfin", chat)
    await live.quiet()
    said = [m for m in live.lab.telegram.sent(chat) if m.message_id not in before]
    assert shown.thread == thread and {m.thread for m in said} == {thread}
    assert live.lab.telegram.chats[chat].action_topic == thread
    sends = [call["body"] for call in live.calls_of("sendMessage")]
    assert any(b"Thinking" in body and f"message_thread_id={thread}".encode() in body for body in sends), "progress"


async def test_a_card_is_decided_only_from_its_own_topic(live: Live) -> None:
    one, other = topic(live), topic(live)
    shown = await a_card(live, one)
    data = shown.button("Stop jellyfin")
    for thread in (other, None):
        elsewhere = await write(live, "/cost", "today", thread)
        assert elsewhere.thread == thread and await live.press_as(elsewhere, data) == LATE
    for thread in (other, None):
        assert "Nothing" in (await write(live, "/pending", ".", thread)).text
    assert live.lab.world.hosts["nas"].get("jellyfin").alive
    live.model.script.append("It is off.")
    assert await live.press_as(shown, data, OPERATOR) == "Approved."
    await live.quiet()
    assert not live.lab.world.hosts["nas"].get("jellyfin").alive


async def test_what_was_said_in_a_topic_is_remembered_there(live: Live) -> None:
    one, other = topic(live), topic(live)
    for thread, line in ((one, "alpha"), (other, "beta"), (one, "gamma")):
        live.model.script.append(f"about {line}")
        await write(live, f"@rackhand_bot {line}", f"about {line}", thread)
    told = str(live.model.asked[-1])
    assert "alpha" in told and "beta" not in told


async def test_a_thread_that_is_no_topic_is_only_a_chain_of_answers(live: Live) -> None:
    person, chat = {"id": ADMIN, "is_bot": False, "first_name": "A"}, {"id": FORUM, "type": "supergroup", "title": "H"}
    for number, thread in enumerate((5, "x")):
        fields = {"message_thread_id": thread, **({"is_topic_message": True} if thread == "x" else {})}
        message = {"message_id": number, "date": 1, "from": person, "chat": chat, "text": "/cost", **fields}
        live.mark = live.lab.telegram.version
        await live.inject(message=message)
        assert (await live.hear("today", FORUM)).thread is None


@pytest.mark.parametrize("chat", [FORUM, ADMIN])
async def test_opening_a_topic_is_no_question(live: Live, chat: int) -> None:
    await live.alive()
    topic(live, chat)
    before = len(live.lab.telegram.sent(chat))
    await live.alive()
    await live.quiet()
    assert len(live.lab.telegram.sent(chat)) - before == (1 if chat == ADMIN else 0)


# -- a topic that is closed or gone ---------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["close_topic", "delete_topic"])
async def test_what_a_shut_topic_does_not_take_is_said_in_general(live: Live, end: str) -> None:
    thread = topic(live)
    asked = asyncio.Event()

    async def shut(*_: Any) -> Any:
        getattr(live.lab.telegram, end)(FORUM, thread)
        asked.set()
        return [STOP]

    live.model.script.append(shut)
    live.say_as("@rackhand_bot stop jellyfin", chat=FORUM, topic=thread)
    await asyncio.wait_for(asked.wait(), 10)
    card = await live.hear("Stop jellyfin", FORUM)
    assert card.thread is None and card.text.startswith(FALLEN)
    bold = next(entity for entity in card.entities if entity["type"] == "bold")
    assert card.text.encode("utf-16-le")[2 * bold["offset"] :].decode("utf-16-le").startswith("Stop jellyfin")
    other = await write(live, "/cost", "today", None)
    assert await live.press_as(other, card.button("Stop jellyfin")) == LATE, "any message of General will not do"
    live.model.script.append("It is off.")
    assert await live.press_as(card, card.button("Stop jellyfin")) == "Approved."
    answer = await live.hear("It is off", FORUM)
    assert answer.thread is None and answer.text.startswith(FALLEN)
    await live.quiet()
    dropped = await live.stores.database.all("SELECT error FROM outbox WHERE state = 'dropped'")
    assert dropped == [] and not live.lab.world.hosts["nas"].get("jellyfin").alive


async def test_a_long_message_from_a_shut_topic_has_its_note_ahead(live: Live) -> None:
    thread = topic(live)
    live.lab.telegram.close_topic(FORUM, thread)
    await live.stores.outbox.say(conversation_of(FORUM, thread), "view", "long", text="x" * 4090, buttons=[])
    await live.quiet()
    assert [m.text[:5] for m in live.lab.telegram.sent(FORUM)] == [FALLEN[:5], "xxxxx"]
