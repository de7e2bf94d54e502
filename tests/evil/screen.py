"""What may reach people: every request to Telegram, judged by its own body."""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

from tests.evil.ledger import GROUP, ROLES
from tests.evil.reading import Connection

METHODS = frozenset(
    {
        "getupdates", "getme", "sendmessage", "editmessagetext", "deletemessage", "answercallbackquery",
        "sendchataction", "setmycommands", "deletemycommands",
    }
)  # fmt: skip
DATA = re.compile(r"(a1:[\w-]{22}:[a-z]|u1:[\w-]{22}(:l)?|k1:[\w-]{22}:[a-z]|m:[^\n]{1,60}|s:[0-9a-f]{12})")
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
MARK = re.compile(r"⟪(tg:-?\d+)⟫")
MOST = 4096


def judge(request: Any, database: Connection) -> Iterator[str]:
    """What is wrong with one request to Telegram."""
    method = request.path.rpartition("/")[2].lower()
    if method not in METHODS:
        yield f"INV-13: method {method}"
    cut_off = len(request.body) < int(request.headers.get("content-length", 0))  # the bot died over it: no message
    if method not in ("sendmessage", "editmessagetext") or cut_off:
        return
    fields = {name: values[0] for name, values in parse_qs(request.body.decode(), keep_blank_values=True).items()}
    chat, text = int(fields["chat_id"]), fields["text"]
    if chat not in ROLES and chat != GROUP:
        yield f"INV-11: a message to {chat}"
    yield from _words(chat, text, fields)
    rows = json.loads(fields.get("reply_markup", "{}")).get("inline_keyboard", [])
    for button in (button for row in rows for button in row):
        yield from _button(chat, button, database)


def _words(chat: int, text: str, fields: dict[str, str]) -> Iterator[str]:
    if not json.loads(fields.get("link_preview_options", "{}")).get("is_disabled"):
        yield "INV-13: a preview is on"
    if "parse_mode" in fields:
        yield "INV-13: Telegram was asked to parse"
    if len(text.encode("utf-16-le")) // 2 > MOST:
        yield "INV-13: too long"
    if {entity["type"] for entity in json.loads(fields.get("entities", "[]"))} & {"text_link", "text_mention"}:
        yield "INV-13: a link that hides where it leads"
    if BIDI.search(text):
        yield f"INV-2: hidden characters in {text[:80]!r}"
    for mark in MARK.findall(text):
        if mark != f"tg:{chat}":
            yield f"INV-12: words for {mark} in {chat}"


def _button(chat: int, button: dict[str, Any], database: Connection) -> Iterator[str]:
    data = str(button.get("callback_data", ""))
    if set(button) - {"text", "callback_data", "style"} or not DATA.fullmatch(data):
        yield f"INV-13: a button {button}"
        return
    kind, _, rest = data.partition(":")
    hashed = hashlib.sha256(rest.partition(":")[0].encode()).hexdigest()
    known = {
        "a1": ("SELECT 1 FROM cards WHERE key_hash = ? AND conversation = ?", (hashed, f"tg:{chat}")),
        "u1": ("SELECT 1 FROM calls WHERE undo_key = ?", (hashed,)),
        "k1": ("SELECT 1 FROM calls WHERE started IS NOT NULL", ()),
        "s": ("SELECT 1 FROM runs WHERE id = ? AND conversation = ?", (rest, f"tg:{chat}")),
    }
    if kind in known and not database.execute(*known[kind]).fetchone():
        yield f"INV-13: a button that no row stands for: {data[:3]}"
