"""What Telegram knows: users, chats, messages with their history, and files."""

import time
from dataclasses import dataclass, field
from typing import Any

from lab.telegram.checks import bad_request, found_entities

ADMIN, OPERATOR, VIEWER, STRANGER = 1001, 1002, 1003, 6666
BOT_ID = 7_000_000_001

ACTION_SECONDS = 5.0


@dataclass(frozen=True)
class User:
    """A person, or the bot."""

    id: int
    first_name: str
    username: str
    is_bot: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The user as the Bot API shows it."""
        return {
            "id": self.id,
            "is_bot": self.is_bot,
            "first_name": self.first_name,
            "username": self.username,
            **({} if self.is_bot else {"language_code": "en"}),
        }


BOT = User(BOT_ID, "Rackhand", "rackhand_bot", is_bot=True)
PEOPLE = (
    User(ADMIN, "Admin", "admin"),
    User(OPERATOR, "Operator", "operator"),
    User(VIEWER, "Viewer", "viewer"),
    User(STRANGER, "Stranger", "stranger"),
)


@dataclass
class Topic:
    """A topic of a forum, or of a private chat with topics; its id is that of the message that opened it."""

    title: str
    closed: bool = False
    deleted: bool = False


@dataclass
class Chat:
    """A private chat (its id is the user's) or a group."""

    id: int
    type: str
    title: str
    username: str | None = None
    messages: dict[int, "Message"] = field(default_factory=dict)
    refusal: str | None = None
    """Why the bot may not write here, in Telegram's words; None when it may."""
    moved_to: int | None = None
    """The supergroup that this group has become."""
    action: str | None = None
    action_until: float = 0.0
    action_topic: int | None = None
    topics: dict[int, Topic] = field(default_factory=dict)
    """By thread id. General is none of them: what stands there carries no thread."""

    def to_dict(self) -> dict[str, Any]:
        """The chat as the Bot API shows it inside a message."""
        if self.type == "private":
            return {"id": self.id, "type": self.type, "first_name": self.title, "username": self.username}
        return {
            "id": self.id,
            "type": self.type,
            "title": self.title,
            **({"is_forum": True} if self.topics else {}),
        }

    def topic(self, thread: int) -> Topic:
        """A topic that can be written in, or Telegram's refusal."""
        found = self.topics.get(thread)
        if found is None or found.deleted:
            raise bad_request("message thread not found")
        if found.closed:
            raise bad_request("TOPIC_CLOSED")
        return found

    def message(self, message_id: int, what: str) -> "Message":
        """A message that still exists, or the refusal "message to <what> not found"."""
        found = self.messages.get(message_id)
        if found is None or found.deleted:
            raise bad_request(f"message to {what} not found")
        return found

    def live_action(self) -> str | None:
        """What the header says the bot is doing, unless that was long ago."""
        return self.action if self.action is not None and time.monotonic() < self.action_until else None


@dataclass
class Message:
    """A message as it is now, what the bot asked for word by word, and what it was before."""

    message_id: int
    chat: Chat
    sender: User
    content: dict[str, Any]
    """The changing fields of the Bot API's Message: text, caption, photo, reply_markup…"""
    request: dict[str, Any] = field(default_factory=dict)
    """Parameters of the bot's last request for this message, as sent; empty for a person's message."""
    method: str = ""
    date: int = field(default_factory=lambda: int(time.time()))
    edit_date: int | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    """Earlier contents, oldest first."""
    silent: bool = False
    thread: int | None = None
    """The topic it stands in; None for General and for chats without topics."""
    deleted: bool = False
    version: int = 0

    @property
    def text(self) -> str:
        """The text or the caption."""
        return str(self.content.get("text", self.content.get("caption", "")))

    @property
    def entities(self) -> list[dict[str, Any]]:
        """The entities of the text or the caption, as given by the sender."""
        return list(self.content.get("entities", self.content.get("caption_entities", [])))

    @property
    def from_bot(self) -> bool:
        """Whether the bot sent it."""
        return self.sender.is_bot

    @property
    def buttons(self) -> list[dict[str, Any]]:
        """The inline buttons, row by row in one list."""
        markup = self.content.get("reply_markup") or {}
        return [button for row in markup.get("inline_keyboard", []) for button in row]

    def button(self, text: str) -> str:
        """Callback data of the first button labelled with `text`; KeyError names the buttons there are."""
        for button in self.buttons:
            if text in button["text"] and "callback_data" in button:
                return str(button["callback_data"])
        raise KeyError(f"no button {text!r} in message {self.message_id}: {[b['text'] for b in self.buttons]}")

    def to_dict(self, *, nested: bool = False) -> dict[str, Any]:
        """The message as the Bot API shows it."""
        shown: dict[str, Any] = {
            "message_id": self.message_id,
            "date": self.date,
            "chat": self.chat.to_dict(),
            "from": self.sender.to_dict(),
            **({} if self.thread is None else {"message_thread_id": self.thread, "is_topic_message": True}),
            **{name: value for name, value in self.content.items() if name != "reply_to"},
        }
        for text, entities in (("text", "entities"), ("caption", "caption_entities")):
            if text in shown:
                found = found_entities(shown[text], shown.get(entities, []))
                shown.pop(entities, None)
                if found:
                    shown[entities] = found
        if self.edit_date is not None:
            shown["edit_date"] = self.edit_date
        replied = self.chat.messages.get(self.content.get("reply_to", 0))
        if replied is not None and not nested:
            shown["reply_to_message"] = replied.to_dict(nested=True)
        return shown


@dataclass(frozen=True)
class StoredFile:
    """A file on Telegram's servers."""

    file_id: str
    name: str
    path: str
    content: bytes


@dataclass
class Files:
    """Files by id, as uploaded by the bot or by people."""

    by_id: dict[str, StoredFile] = field(default_factory=dict)

    def add(self, name: str, content: bytes, folder: str) -> StoredFile:
        """Keep a file; its id and path are Telegram-like."""
        number = len(self.by_id) + 1
        suffix = name.rpartition(".")[2] if "." in name else "bin"
        stored = StoredFile(f"LABFILE{number:06d}", name, f"{folder}/file_{number}.{suffix}", content)
        self.by_id[stored.file_id] = stored
        return stored

    def at(self, path: str) -> StoredFile | None:
        """The file a download path leads to."""
        return next((f for f in self.by_id.values() if f.path == path), None)


def described(stored: StoredFile) -> dict[str, Any]:
    """The fields every file object of the Bot API has."""
    return {
        "file_id": stored.file_id,
        "file_unique_id": f"U{stored.file_id}",
        "file_size": len(stored.content),
    }


def image_kind(content: bytes) -> str | None:
    """The extension of an image Telegram takes as a photo, or None."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return "webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None


def image_size(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG or JPEG; a square for the other kinds, which nothing here measures."""
    if content.startswith(b"\x89PNG"):
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    at = 2
    while content.startswith(b"\xff\xd8") and at + 9 < len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(content[at + 7 : at + 9], "big"), int.from_bytes(content[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return 512, 512
