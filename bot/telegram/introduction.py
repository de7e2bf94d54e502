"""What Telegram is told about the bot: its commands, to each chat those of its role."""

import asyncio
import contextlib
from collections.abc import Collection

from loguru import logger
from telegram import Bot, BotCommand, BotCommandScopeChat
from telegram.error import BadRequest, Forbidden, InvalidToken, TelegramError

from bot.menus.menu import Command
from bot.settings.people import TELEGRAM, Roster
from memory.models import Role

LOOK_AGAIN_SECONDS = 3.0
RETRY_SECONDS = 10.0


async def introduce(bot: Bot, access: Roster, commands: Collection[Command]) -> None:
    """Learn the bot's own name and offer its commands, for ever; a nicety, so whatever fails is only tried again."""
    while True:
        try:
            await bot.initialize()
            await _offer_commands(bot, access, commands)
        except InvalidToken:
            # The poller is the judge of the token; a server without setMyCommands answers the same way.
            return
        except TelegramError as error:
            logger.info("introduction failed ({}), trying again", type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)


async def _offer_commands(bot: Bot, access: Roster, commands: Collection[Command]) -> None:
    """To each chat that has written, the commands of its role; strangers are offered nothing."""
    await bot.delete_my_commands()
    offered: set[int] = set()
    while True:
        for chat in access.heard - offered:  # Telegram knows no other chat yet
            offers = [
                BotCommand(c.name, c.summary)
                for c in commands
                if (c.is_for(access, f"{TELEGRAM}{chat}") if chat > 0 else c.role <= Role.VIEWER)
            ]
            offered.add(chat)
            with contextlib.suppress(BadRequest, Forbidden):
                await bot.set_my_commands(offers, scope=BotCommandScopeChat(chat))
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
