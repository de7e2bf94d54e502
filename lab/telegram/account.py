"""Bot API methods about the bot itself, its command menu, chats, taps and files."""

import json
import time
from typing import Any

from lab.telegram.checks import (
    CALLBACK_ANSWER_LIMIT,
    CHAT_ACTIONS,
    DOWNLOAD_LIMIT,
    bad_request,
    check_commands,
    utf16,
    words,
)
from lab.telegram.params import Params
from lab.telegram.sending import thread_of
from lab.telegram.state import ACTION_SECONDS, BOT, described
from lab.telegram.world import QUERY_SECONDS, TelegramWorld

SCOPES = words(
    "default all_private_chats all_group_chats all_chat_administrators",
    "chat chat_administrators chat_member",
)


def get_me(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """The bot."""
    return {
        **BOT.to_dict(),
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": any(chat.type == "private" and chat.topics for chat in world.chats.values()),
    }


def delete_webhook(world: TelegramWorld, params: Params) -> bool:
    """True: there never is a webhook here."""
    if params.flag("drop_pending_updates"):
        world.updates.clear()
    return True


def get_webhook_info(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """No webhook, and how many updates wait."""
    return {
        "url": "",
        "has_custom_certificate": False,
        "pending_update_count": len(world.updates.pending),
    }


def answer_callback_query(world: TelegramWorld, params: Params) -> bool:
    """True; the person sees the text as a toast or an alert. A tap is answered once, and not late."""
    query = world.queries.get(params.text("callback_query_id"))
    text = params.text("text")
    if query is None or query.answer is not None or time.monotonic() - query.at > QUERY_SECONDS:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if utf16(text) > CALLBACK_ANSWER_LIMIT:
        raise bad_request("MESSAGE_TOO_LONG")
    query.answer = {"text": text, "show_alert": params.flag("show_alert")}
    world.touch(query)
    return True


def send_chat_action(world: TelegramWorld, params: Params) -> bool:
    """True; the header says so for a few seconds."""
    chat = world.chat(params.integer("chat_id"))
    action = params.text("action")
    if action not in CHAT_ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat.action_topic = thread_of(chat, params)
    chat.action, chat.action_until = action, time.monotonic() + ACTION_SECONDS
    world.touch()
    return True


def get_file(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Where to download a file."""
    stored = world.files.by_id.get(params.text("file_id"))
    if stored is None:
        raise bad_request("invalid file_id")
    if len(stored.content) > DOWNLOAD_LIMIT:
        raise bad_request("file is too big")
    return {**described(stored), "file_path": stored.path}


def set_my_commands(world: TelegramWorld, params: Params) -> bool:
    """True; the menu of that scope shows these commands."""
    world.commands[_scope(world, params)] = check_commands(params.object("commands"))
    world.touch()
    return True


def get_my_commands(world: TelegramWorld, params: Params) -> list[dict[str, str]]:
    """The commands set for exactly that scope and language."""
    return world.commands.get(_scope(world, params), [])


def delete_my_commands(world: TelegramWorld, params: Params) -> bool:
    """True; that scope has no commands of its own any more."""
    world.commands.pop(_scope(world, params), None)
    world.touch()
    return True


def get_chat(world: TelegramWorld, params: Params) -> dict[str, Any]:
    """Everything about a chat."""
    chat = world.chat(params.integer("chat_id"))
    gifts = (
        "unlimited_gifts",
        "limited_gifts",
        "unique_gifts",
        "premium_subscription",
        "gifts_from_channels",
    )
    full: dict[str, Any] = {
        **chat.to_dict(),
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, False),
    }
    return full


def leave_chat(world: TelegramWorld, params: Params) -> bool:
    """True; the bot is no longer in the group."""
    chat = world.chat(params.integer("chat_id"))
    if chat.type == "private":
        raise bad_request("chat member status can't be changed in private chats")
    chat.refusal = "bot is not a member of the supergroup chat"
    return True


def _scope(world: TelegramWorld, params: Params) -> tuple[str, str]:
    scope = params.object("scope") or {"type": "default"}
    kind = scope.get("type") if isinstance(scope, dict) else None
    if kind not in SCOPES:
        raise bad_request(f"can't parse BotCommandScope: {json.dumps(scope)[:100]}")
    if "chat_id" in scope:
        kind = f"{kind}:{world.chat(scope['chat_id']).id}"
    elif kind in ("chat", "chat_administrators", "chat_member"):
        raise bad_request("chat not found")
    return kind, params.text("language_code")
