"""What a message says: its words, and what Telegram has marked in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from telegram import Message, MessageEntity, User

from bot.screen.render.split import utf16

COMMAND = re.compile(r"/(\w{1,64})(?:@(\w{1,64}))?", re.ASCII)
UNMARKED = re.compile(rf"{COMMAND.pattern}(?=\s|\Z)", re.ASCII)
"""A command that nobody has marked as one, as simple clients send it."""
AFTER_A_MENTION = " \t\n,:"
ATTACHED = {
    "photo": "a photo", "video": "a video", "animation": "an animation", "document": "a file", "audio": "a recording",
    "voice": "a recording", "video_note": "a video", "sticker": "a sticker", "poll": "a poll", "location": "a place",
    "contact": "a contact",
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A slash command as it was written."""

    name: str
    addressee: str
    """The bot that it names, in lower case; empty when it names none."""
    rest: str


@dataclass(frozen=True)
class Words:
    """A message's words: its text, or the caption of what was sent."""

    line: str
    """Without the mention of the bot that it begins with."""
    command: Command | None
    mentioned: bool
    attached: str
    """What came with them that nobody reads: `a photo`."""


def words_of(message: Message, me: int, username: str) -> Words:
    """What somebody says to the bot with this id and name. Telegram counts in UTF-16 units, and names have no case."""
    text, marks = _marked(message)
    units = text.encode("utf-16-le", "surrogatepass")

    def cut(start: int, end: int | None = None) -> str:
        return units[2 * start : None if end is None else 2 * end].decode("utf-16-le", "surrogatepass")

    def names_me(mark: MessageEntity) -> bool:
        if mark.type == MessageEntity.TEXT_MENTION:
            return mark.user is not None and mark.user.id == me
        named = cut(mark.offset, mark.offset + mark.length)
        return mark.type == MessageEntity.MENTION and named.casefold() == f"@{username}".casefold()

    start = len(text) - len(text.lstrip())
    while before := next((mark for mark in marks if mark.offset == start and names_me(mark)), None):
        rest = cut(before.offset + before.length).lstrip(AFTER_A_MENTION)
        if not rest:
            break
        start = len(units) // 2 - utf16(rest)
    at_start = [mark for mark in marks if mark.offset == start]
    command = next((mark for mark in at_start if mark.type == MessageEntity.BOT_COMMAND), None)
    found = None
    if command is not None:
        found = COMMAND.fullmatch(cut(start, start + command.length))
    elif not at_start:
        found = UNMARKED.match(cut(start))
    line = cut(start).strip()
    return Words(
        line,
        Command(found[1].lower(), (found[2] or "").lower(), line[len(found[0]) :].strip()) if found else None,
        any(map(names_me, marks)),
        attachment_of(message),
    )


def attachment_of(message: Message) -> str:
    """What a message consists of beside its words: `a photo`; empty when it has nothing but words."""
    return next((name for kind, name in ATTACHED.items() if getattr(message, kind)), "")


def _marked(message: Message) -> tuple[str, Sequence[MessageEntity]]:
    if message.text is not None:
        return message.text, message.entities
    return message.caption or "", message.caption_entities


def check(user: User | None, message: Message | None) -> None:
    """Raise TypeError where a field that is used is of another kind: the library takes what it is given."""
    numbers: list[object] = [user.id] if user else []
    texts: list[object] = [user.first_name, user.last_name] if user else []
    for each in filter(None, (message, message.reply_to_message if message else None)):
        marks = (*each.entities, *each.caption_entities)
        numbers += [each.chat.id, each.message_id, *(n for mark in marks for n in (mark.offset, mark.length))]
        texts += [each.text, each.caption, each.media_group_id, each.quote.text if each.quote else None]
    if not all(isinstance(number, int) for number in numbers) or any(
        text is not None and not isinstance(text, str) for text in texts
    ):
        raise TypeError("a field of another kind")
