"""A strict emulator of the Telegram Bot API, and the people who talk to the bot through it."""

from lab.telegram.app import telegram_app
from lab.telegram.state import ADMIN, BOT, OPERATOR, STRANGER, VIEWER, Chat, Message, User
from lab.telegram.world import Query, TelegramWorld

__all__ = [
    "ADMIN",
    "BOT",
    "OPERATOR",
    "STRANGER",
    "VIEWER",
    "Chat",
    "Message",
    "Query",
    "TelegramWorld",
    "User",
    "telegram_app",
]
