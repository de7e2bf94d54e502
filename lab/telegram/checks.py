"""What Telegram accepts: limits of texts, entities, keyboards and commands, and how it refuses the rest."""

import json
import re
from typing import Any


def words(*lines: str) -> frozenset[str]:
    """The words of some lines, as a set."""
    return frozenset(" ".join(lines).split())


TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
ENTITY_LIMIT = 100
ENTITY_PAYLOAD = 9500
"""Bytes of all entities of one message together; many long links reach it before the count does."""
CALLBACK_DATA_LIMIT = 64
CALLBACK_ANSWER_LIMIT = 200
BUTTONS_PER_ROW = 8
BUTTONS_PER_KEYBOARD = 100
PHOTO_LIMIT = 10 * 1024 * 1024
UPLOAD_LIMIT = 50 * 1024 * 1024
DOWNLOAD_LIMIT = 20 * 1024 * 1024
COMMANDS_LIMIT = 100
COMMAND = re.compile(r"[a-z0-9_]{1,32}\Z")
DESCRIPTION_LIMIT = 256

ENTITY_TYPES = words(
    "mention hashtag cashtag bot_command url email phone_number bold italic underline strikethrough spoiler",
    "blockquote expandable_blockquote code pre text_link text_mention custom_emoji",
)
BUTTON_ACTIONS = words(
    "callback_data url copy_text web_app login_url switch_inline_query switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat callback_game pay",
)
BUTTON_STYLES = words("primary success danger")
REPLY_MARKUPS = ("inline_keyboard", "keyboard", "remove_keyboard", "force_reply")
CHAT_ACTIONS = words(
    "typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker",
    "find_location record_video_note upload_video_note",
)
FOUND = re.compile(
    r"(?P<email>(?<![\w.@/-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<url>https?://[^\s<>\"]+)"
    r"|(?P<bot_command>(?<![\w/@<>])/[A-Za-z0-9_]{1,32}(?:@\w{3,32})?(?![\w/]))"
    r"|(?P<mention>(?<![\w/@])@[A-Za-z0-9_]{3,32}(?!\w))"
)
"""What Telegram marks by itself in a text, each under the name of its kind; no mention is one inside an address."""


class ApiError(Exception):
    """A refusal in Telegram's own words, with its HTTP status and parameters."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def bad_request(reason: str, **parameters: int) -> ApiError:
    """The refusal of a request that can never succeed as it is."""
    return ApiError(400, f"Bad Request: {reason}", **parameters)


def forbidden(reason: str) -> ApiError:
    """The refusal of a chat the bot has no access to."""
    return ApiError(403, f"Forbidden: {reason}")


def utf16(text: str) -> int:
    """Length in UTF-16 code units, the unit of every limit and offset in Telegram."""
    return len(text.encode("utf-16-le")) // 2


def check_text(text: str, *, limit: int = TEXT_LIMIT, what: str = "message") -> None:
    """Refuse an empty or too long text."""
    if what == "message" and not text.strip():
        raise bad_request("message text is empty")
    if utf16(text) > limit:
        raise bad_request(f"{what} is too long")


def check_entities(text: str, entities: Any) -> list[dict[str, Any]]:
    """The entities of a text, each of a known type and inside the text, or a refusal."""
    if entities is None:
        return []
    if not isinstance(entities, list) or not all(isinstance(e, dict) for e in entities):
        raise bad_request("can't parse entities: expected an Array of MessageEntity")
    if len(entities) > ENTITY_LIMIT:
        raise bad_request(f"too many entities: {len(entities)} > {ENTITY_LIMIT} (Telegram drops the rest)")
    if sum(len(json.dumps(e, separators=(",", ":")).encode()) for e in entities) > ENTITY_PAYLOAD:
        raise bad_request("ENTITIES_TOO_LONG")
    units = text.encode("utf-16-le")
    for entity in entities:
        _check_entity(units, entity)
    return entities


def _check_entity(units: bytes, entity: dict[str, Any]) -> None:
    kind, offset, length = entity.get("type"), entity.get("offset"), entity.get("length")
    if kind not in ENTITY_TYPES:
        raise bad_request(f'can\'t parse entities: unsupported MessageEntity type "{kind}"')
    if not isinstance(offset, int) or not isinstance(length, int) or offset < 0 or length <= 0:
        raise bad_request("can't parse entities: offset and length must be positive integers")
    if (offset + length) * 2 > len(units):
        raise bad_request(
            f"entity beginning at UTF-16 offset {offset} ends after the end of the text "
            f"at UTF-16 offset {offset + length}"
        )
    for edge, word in ((offset, "begins"), (offset + length, "ends")):
        if _splits_symbol(units, edge):
            raise bad_request(f"entity {word} in a middle of a UTF-16 symbol at offset {edge}")
    if kind == "text_link" and not re.match(r"(https?|tg|mailto|tel|ton)://?\S", str(entity.get("url", ""))):
        raise bad_request("can't parse entities: text_link without a valid URL")


def _splits_symbol(units: bytes, edge: int) -> bool:
    if not 0 < edge * 2 < len(units):
        return False
    return 0xDC <= units[edge * 2 + 1] <= 0xDF  # a low surrogate right behind the edge


def check_markup(markup: Any) -> dict[str, Any] | None:
    """A reply markup whose inline keyboard Telegram would show, or a refusal."""
    if markup is None or markup == {}:
        return None
    if not isinstance(markup, dict) or not any(key in markup for key in REPLY_MARKUPS):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" not in markup:
        return markup
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request('field "inline_keyboard" must be of type Array of Array')
    rows = [row for row in rows if row]
    if any(len(row) > BUTTONS_PER_ROW for row in rows):
        raise bad_request(f"more than {BUTTONS_PER_ROW} inline keyboard buttons in a row")
    if sum(map(len, rows)) > BUTTONS_PER_KEYBOARD:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    for row in rows:
        for button in row:
            _check_button(button)
    return {"inline_keyboard": rows} if rows else None


def _check_button(button: Any) -> None:
    if not isinstance(button, dict) or not str(button.get("text") or "").strip():
        raise bad_request("can't parse inline keyboard button: text must be non-empty")
    actions = BUTTON_ACTIONS & button.keys()
    if not actions:
        raise bad_request("can't parse inline keyboard button: text buttons are unallowed here")
    if len(actions) > 1:
        raise bad_request(f"can't parse inline keyboard button: several actions {sorted(actions)}")
    if "style" in button and button["style"] not in BUTTON_STYLES:
        raise bad_request("can't parse inline keyboard button: invalid button style specified")
    if "callback_data" in button:
        data = button["callback_data"]
        if not isinstance(data, str) or not 1 <= len(data.encode()) <= CALLBACK_DATA_LIMIT:
            raise bad_request("BUTTON_DATA_INVALID")
    if "url" in button and not re.match(r"(https?|tg)://\S", str(button["url"])):
        raise bad_request("inline keyboard button URL is invalid")
    if "copy_text" in button and not 1 <= len(str(button["copy_text"].get("text", ""))) <= 256:
        raise bad_request("BUTTON_COPY_TEXT_INVALID")


def check_commands(commands: Any) -> list[dict[str, str]]:
    """A list of commands the menu can show, or a refusal."""
    if not isinstance(commands, list):
        raise bad_request("can't parse BotCommand: expected an Array of BotCommand")
    if len(commands) > COMMANDS_LIMIT:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not isinstance(command, dict) or not COMMAND.match(str(command.get("command", ""))):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= utf16(str(command.get("description", ""))) <= DESCRIPTION_LIMIT:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return [{"command": c["command"], "description": c["description"]} for c in commands]


def found_entities(text: str, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The given entities plus what Telegram finds by itself outside code: commands, mentions and addresses."""
    taken = [
        (e["offset"], e["offset"] + e["length"])
        for e in given
        if e["type"] in ("code", "pre", "text_link", "text_mention", *FOUND.groupindex)
    ]
    found = list(given)
    for match in FOUND.finditer(text):
        start = utf16(text[: match.start()])
        end = start + utf16(match.group())
        if not any(start < last and first < end for first, last in taken):
            found.append({"type": match.lastgroup, "offset": start, "length": end - start})
    return sorted(found, key=lambda e: (e["offset"], -e["length"]))
