"""What a message answers, and whose words that are."""

from telegram import Message

from bot.runs.opener import Quote
from bot.settings.people import conversation_of
from bot.telegram.words import attachment_of
from memory.outbox import Outbox

UNSEEN = "({}, which you cannot see)"


async def quote_of(message: Message, me: int, outbox: Outbox) -> Quote | None:
    """What a message answers: the part that the person has marked, or the whole; None when it answers nothing.

    Whatever is not our own is from outside, and so is what we have said after reading such text.
    """
    replied, marked = message.reply_to_message, message.quote
    if replied is not None and replied.forum_topic_created:
        replied = None  # in a topic every message stands under the one that opened it
    text = (replied.text or replied.caption or "") if replied is not None else ""
    if marked is not None and (marked.is_manual or not text):
        text = marked.text
    if text:
        return Quote(text, await _is_from_outside(replied, me, outbox))
    if replied is not None:
        return Quote(UNSEEN.format(attachment_of(replied) or "a message without text"), False)
    return Quote(UNSEEN.format("a message from elsewhere"), False) if message.external_reply else None


async def _is_from_outside(replied: Message | None, me: int, outbox: Outbox) -> bool:
    if replied is None or replied.from_user is None or replied.from_user.id != me:
        return True
    return await outbox.may_show_outside(conversation_of(replied.chat.id), replied.message_id)
