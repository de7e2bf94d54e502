"""The emulator's topics: a thread is named rightly or the request is refused, and what is sent carries it."""

import pytest
from telegram.error import BadRequest, ChatMigrated, Forbidden

from lab.telegram import ADMIN
from tests.lab.telegram import Emulator, emulator

FORUM = -1001


async def a_topic(lab: Emulator) -> int:
    """A forum with one topic, which the bot has heard of."""
    lab.world.group(FORUM, "Homelab")
    topic = lab.world.open_topic(ADMIN, "Media", FORUM)
    (update,) = await lab.bot.get_updates()
    assert update.message is not None and update.message.forum_topic_created is not None
    assert (update.message.message_thread_id, update.message.is_topic_message) == (topic, True)
    return topic


async def test_what_is_written_in_a_topic_carries_it_both_ways() -> None:
    async with emulator() as lab:
        topic = await a_topic(lab)
        lab.world.send(ADMIN, "in the topic", FORUM, topic=topic)
        lab.world.send(ADMIN, "in General", FORUM)
        _, inside, general = [update.message for update in await lab.bot.get_updates()]
        assert (inside.message_thread_id, inside.is_topic_message, inside.chat.is_forum) == (topic, True, True)
        assert inside.reply_to_message is not None and inside.reply_to_message.forum_topic_created is not None
        assert (general.message_thread_id, general.is_topic_message) == (None, None)
        sent = await lab.bot.send_message(FORUM, "answer", message_thread_id=topic)
        plain = await lab.bot.send_message(FORUM, "answer")
        edited = await lab.bot.edit_message_text("edited", FORUM, sent.message_id)
        assert [m.message_thread_id for m in (sent, plain, edited) if not isinstance(m, bool)] == [topic, None, topic]
        assert [m.thread for m in lab.world.sent(FORUM)] == [topic, None]
        await lab.bot.send_chat_action(FORUM, "typing", message_thread_id=topic)
        assert lab.world.chats[FORUM].action_topic == topic


@pytest.mark.parametrize("thread", [1, 999_999])
async def test_an_unknown_thread_is_refused(thread: int) -> None:
    async with emulator() as lab:
        await a_topic(lab)
        lab.world.send(ADMIN, "hi")
        for chat in (FORUM, ADMIN):
            with pytest.raises(BadRequest, match="(?i)message thread not found"):
                await lab.bot.send_message(chat, "x", message_thread_id=thread)
            with pytest.raises(BadRequest, match="(?i)message thread not found"):
                await lab.bot.send_chat_action(chat, "typing", message_thread_id=thread)
        assert (await lab.call("sendMessage", chat_id=FORUM, text="x", message_thread_id="one"))["error_code"] == 400


async def test_a_topic_that_is_closed_or_deleted_takes_nothing() -> None:
    async with emulator() as lab:
        topic = await a_topic(lab)
        sent = await lab.bot.send_message(FORUM, "x", message_thread_id=topic)
        lab.world.close_topic(FORUM, topic)
        with pytest.raises(BadRequest, match="TOPIC_CLOSED|Topic_closed"):
            await lab.bot.send_message(FORUM, "x", message_thread_id=topic)
        lab.world.delete_topic(FORUM, topic)
        with pytest.raises(BadRequest, match="(?i)message thread not found"):
            await lab.bot.send_message(FORUM, "x", message_thread_id=topic)
        with pytest.raises(BadRequest, match="(?i)message to edit not found"):
            await lab.bot.edit_message_text("y", FORUM, sent.message_id)
        await lab.bot.send_message(FORUM, "General is there still")


async def test_a_private_chat_may_have_topics() -> None:
    async with emulator() as lab:
        lab.world.send(ADMIN, "hi")
        assert not (await lab.bot.get_me()).has_topics_enabled
        topic = lab.world.open_topic(ADMIN, "Media")
        assert (await lab.bot.get_me()).has_topics_enabled
        with pytest.raises(BadRequest, match="(?i)message thread not found"):
            await lab.bot.send_message(ADMIN, "there", message_thread_id=topic + 1)
        assert (await lab.bot.send_message(ADMIN, "here", message_thread_id=topic)).message_thread_id == topic


async def test_a_group_can_become_a_supergroup_and_throw_the_bot_out() -> None:
    async with emulator() as lab:
        lab.world.group(-100, "Home")
        lab.world.migrate(-100, -100200)
        with pytest.raises(ChatMigrated) as moved:
            await lab.bot.send_message(-100, "x")
        assert moved.value.new_chat_id == -100200
        assert (await lab.bot.send_message(-100200, "x")).chat.id == -100200
        lab.world.kick(-100200)
        with pytest.raises(Forbidden, match="(?i)bot was kicked from the supergroup chat"):
            await lab.bot.send_message(-100200, "x")
