"""Simulated Telegram as a whole, and the people in it: what a test or a visitor does by hand."""

import asyncio
import random
import re
import string
import time
from collections.abc import Callable
from typing import Any, TypeVar

from lab.telegram.checks import CAPTION_LIMIT, TEXT_LIMIT, bad_request, forbidden, utf16
from lab.telegram.client import parts_of
from lab.telegram.flood import Flood
from lab.telegram.state import BOT, PEOPLE, Chat, Files, Message, Topic, User, described, image_kind, image_size
from lab.telegram.updates import Updates

T = TypeVar("T")

NO = frozenset({"Deny", "Drop"})
"""What a bot's card can be answered with, whatever else is on it."""
QUERY_SECONDS = 15.0 * 60
"""How long a button tap can be answered."""
LOOK_AGAIN = 0.02
"""Seconds between two looks of `wait_for` when nothing in Telegram has changed."""


class Query:
    """A tap on an inline button and the bot's answer to it."""

    def __init__(self, query_id: str, user: User, message: Message, data: str) -> None:
        self.id = query_id
        self.user = user
        self.message = message
        self.data = data
        self.at = time.monotonic()
        self.answer: dict[str, Any] | None = None
        """`text` and `show_alert` as the bot answered; None while it has not."""
        self.version = 0


class TelegramWorld:
    """The state of simulated Telegram and the people's side of it."""

    def __init__(self, seed: int = 1, *, flood: bool = False) -> None:
        chance = random.Random(seed)
        self.token = f"{BOT.id}:LAB" + "".join(chance.choices(string.ascii_letters + string.digits, k=32))
        self.users: dict[int, User] = {user.id: user for user in PEOPLE}
        self.chats: dict[int, Chat] = {}
        self.files = Files()
        self.updates = Updates(chance.randrange(10**8, 9 * 10**8))
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.queries: dict[str, Query] = {}
        self.flood: Flood | None = Flood() if flood else None
        self.version = 0
        """Rises with every change a person could see."""
        self._next_message = chance.randrange(100, 900)
        self._next_query = chance.randrange(10**17, 10**18)
        self._changed = asyncio.Event()

    # What people do

    def send(self, user: int, text: str, chat: int | None = None, *, topic: int | None = None, **extra: Any) -> Message:
        """Write a message as `user`, in the private chat with the bot unless `chat` says otherwise.

        In a topic it counts as a reply to the message that opened it, as Telegram shows it.
        """
        _check_length(text, TEXT_LIMIT)
        if topic is not None:
            self._chat_of(user, chat).topic(topic)
            extra = {"reply_to": topic, **extra}
        return self._from_person(user, chat, {"text": text, **extra}, topic)

    def paste(self, user: int, text: str, chat: int | None = None, **extra: Any) -> list[Message]:
        """Send a text of any length: what is longer than a message comes as several."""
        return [self.send(user, part, chat, **extra) for part in parts_of(text)]

    def reply(self, user: int, message: Message, text: str, *, quote: str = "") -> list[Message]:
        """Answer a message, or (`quote`) a part of it that `user` has marked."""
        extra: dict[str, Any] = {"reply_to": message.message_id}
        if quote:
            position = utf16(message.text[: message.text.index(quote)])
            extra["quote"] = {"text": quote, "position": position, "is_manual": True}
        return self.paste(user, text, message.chat.id, topic=message.thread, **extra)

    def album(self, user: int, contents: list[bytes], captions: list[str], chat: int | None = None) -> list[Message]:
        """Send several pictures at once, each with its caption or none (an empty text)."""
        self._next_query += 1
        album = str(self._next_query)
        pairs = zip(contents, captions, strict=True)
        return [self.photo(user, content, caption, chat, media_group_id=album) for content, caption in pairs]

    def photo(self, user: int, content: bytes, caption: str = "", chat: int | None = None, **extra: Any) -> Message:
        """Send a picture as `user`."""
        _check_length(caption, CAPTION_LIMIT)
        stored = self.files.add(f"photo.{image_kind(content) or 'jpg'}", content, "photos")
        width, height = image_size(content)
        fields: dict[str, Any] = {"photo": [{**described(stored), "width": width, "height": height}], **extra}
        return self._from_person(user, chat, fields | ({"caption": caption} if caption else {}))

    def edit(self, user: int, message_id: int, text: str, chat: int | None = None) -> Message:
        """Change the text of an own message."""
        _check_length(text, TEXT_LIMIT)
        message = self._chat_of(user, chat).messages[message_id]
        if message.sender.id != user:
            raise ValueError(f"message {message_id} was not sent by {user}")
        self.change(message, {**message.content, "text": text})
        self.updates.add("edited_message", message.to_dict())
        return message

    def tap(self, user: int, message_id: int, data: str, chat: int | None = None) -> Query:
        """Tap an inline button that carries `data`, or pretend to: a hostile client can send anything."""
        message = self._chat_of(user, chat).messages[message_id]
        self._next_query += 1
        query = Query(str(self._next_query), self.users[user], message, data)
        self.queries[query.id] = query
        payload = {
            "id": query.id,
            "from": query.user.to_dict(),
            "message": message.to_dict(),
            "chat_instance": str(message.chat.id * 7919),
            "data": data,
        }
        self.updates.add("callback_query", payload)
        self.touch()
        return query

    def inject(self, update: dict[str, Any]) -> int:
        """Queue an update exactly as given, well-formed or not; its id."""
        return self.updates.add_raw(update)

    def block(self, user: int) -> None:
        """Block the bot: it can no longer write to `user`."""
        self._chat_of(user, None).refusal = "bot was blocked by the user"

    def kick(self, group: int) -> None:
        """Throw the bot out of a group."""
        self.chats[group].refusal = "bot was kicked from the supergroup chat"

    def migrate(self, group: int, to: int) -> Chat:
        """Make a group a supergroup with another id; the old id leads nowhere any more."""
        self.chats[group].moved_to = to
        return self.group(to, self.chats[group].title)

    def group(self, chat_id: int, title: str) -> Chat:
        """A supergroup with the bot in it; people write there with `send(..., chat=chat_id)`."""
        chat = Chat(chat_id, "supergroup", title)
        self.chats[chat_id] = chat
        return chat

    def open_topic(self, user: int, title: str, chat: int | None = None) -> int:
        """A new topic of a group, or of the private chat with the bot; its thread id."""
        place = self._chat_of(user, chat)
        opening = {"name": title, "icon_color": 7322096}
        message = self.post(place, self.users[user], {"forum_topic_created": opening})
        message.thread = message.message_id
        place.topics[message.message_id] = Topic(title)
        self.updates.add("message", message.to_dict())
        return message.message_id

    def close_topic(self, chat: int, topic: int) -> None:
        """Close a topic: nobody may write there, and what stands there stays."""
        self.chats[chat].topics[topic].closed = True

    def delete_topic(self, chat: int, topic: int) -> None:
        """Delete a topic with everything in it."""
        place = self.chats[chat]
        place.topics[topic].deleted = True
        for message in place.messages.values():
            message.deleted = message.deleted or message.thread == topic
        self.touch()

    # What a test looks at

    def messages(self, chat: int) -> list[Message]:
        """Messages of a chat that still exist, oldest first; none before anybody wrote."""
        known = self.chats.get(chat)
        return [m for m in known.messages.values() if not m.deleted] if known else []

    def sent(self, chat: int) -> list[Message]:
        """The bot's messages in a chat, oldest first."""
        return [m for m in self.messages(chat) if m.from_bot]

    def newest(self, chat: int, pattern: str, *, since: int = 0, data: str = "") -> Message | None:
        """The bot's newest message in a chat that matches, among those that were sent or edited after version `since`.

        `pattern` is a regular expression searched in the text; `data` is how the data of one of its buttons must begin.
        """
        wanted = re.compile(pattern, re.S)
        for message in reversed(self.sent(chat)):
            shown = not data or any(str(b.get("callback_data", "")).startswith(data) for b in message.buttons)
            if message.version > since and shown and wanted.search(message.text):
                return message
        return None

    def card(self) -> str:
        """What the newest message says that can be answered with a no; empty when there is none."""
        shown = [m for chat in self.chats.values() for m in chat.messages.values() if m.from_bot and not m.deleted]
        cards = [m for m in shown if any(button.get("text") in NO for button in m.buttons)]
        return max(cards, key=lambda message: message.version).text if cards else ""

    def commands_for(self, chat_id: int) -> list[dict[str, str]]:
        """The command menu a person sees in a private chat."""
        for scope in (f"chat:{chat_id}", "all_private_chats", "default"):
            if (scope, "") in self.commands:
                return self.commands[scope, ""]
        return []

    async def wait_for(self, predicate: Callable[[], T | None], timeout: float = 5.0) -> T:  # noqa: ASYNC109
        """The predicate's first true result; TimeoutError shows what the chats say instead."""
        end = time.monotonic() + timeout
        while not (result := predicate()):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {timeout} s; the chats say:\n{self._last_words()}")
            try:
                await asyncio.wait_for(self._changed.wait(), LOOK_AGAIN)
            except TimeoutError:
                continue
        return result

    async def wait_changed(self, seconds: float) -> None:
        """Return when anything a person could see has changed, or after `seconds`."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    # What the Bot API does

    def chat(self, chat_id: int | str) -> Chat:
        """A chat the bot may write to, or Telegram's refusal."""
        known = self.chats.get(chat_id) if isinstance(chat_id, int) else None
        if known is None:
            if chat_id in self.users:
                raise forbidden("bot can't initiate conversation with a user")
            raise bad_request("chat not found")
        if known.refusal is not None:
            raise forbidden(known.refusal)
        if known.moved_to is not None:
            raise bad_request("group chat was upgraded to a supergroup chat", migrate_to_chat_id=known.moved_to)
        return known

    def post(self, chat: Chat, sender: User, content: dict[str, Any], **details: Any) -> Message:
        """Put a message into a chat."""
        self._next_message += 1
        message = Message(self._next_message, chat, sender, content, **details)
        chat.messages[message.message_id] = message
        if sender.is_bot:
            chat.action = None
        self.touch(message)
        return message

    def change(self, message: Message, content: dict[str, Any], request: dict[str, Any] | None = None) -> None:
        """Replace what a message says, keeping what it said."""
        message.history.append(message.content)
        message.content = content
        message.edit_date = int(time.time())
        if request is not None:
            message.request = request
        self.touch(message)

    def touch(self, seen: Message | Query | None = None) -> None:
        """Note a visible change and wake whoever waits for one."""
        self.version += 1
        if seen is not None:
            seen.version = self.version
        self._changed.set()
        self._changed = asyncio.Event()

    def _from_person(self, user: int, chat: int | None, content: dict[str, Any], thread: int | None = None) -> Message:
        message = self.post(self._chat_of(user, chat), self.users[user], content, thread=thread)
        self.updates.add("message", message.to_dict())
        return message

    def _chat_of(self, user: int, chat: int | None) -> Chat:
        if chat is not None and chat != user:
            return self.chats[chat]
        person = self.users[user]
        return self.chats.setdefault(user, Chat(user, "private", person.first_name, person.username))

    def _last_words(self) -> str:
        lines = [
            f"{chat.id} {message.message_id} {message.sender.first_name}: {message.text[:300]!r}"
            for chat in self.chats.values()
            for message in self.messages(chat.id)[-5:]
        ]
        return "\n".join(lines) or "nothing"


def _check_length(text: str, limit: int) -> None:
    """Telegram takes no more from people than from bots."""
    if utf16(text) > limit:
        raise ValueError(f"{utf16(text)} units are more than the {limit} of one message")
