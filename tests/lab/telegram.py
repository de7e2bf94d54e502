"""The emulator with the real python-telegram-bot client on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from telegram import Bot

from lab.server import serve
from lab.telegram import TelegramWorld, telegram_app

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
"""A PNG of one pixel."""


@dataclass
class Emulator:
    """The simulated Telegram, its address, and a client of the library the bot uses."""

    world: TelegramWorld
    url: str
    bot: Bot
    http: httpx.AsyncClient

    def client(self, token: str | None = None) -> Bot:
        """Another client, not yet initialised."""
        return Bot(token or self.world.token, base_url=f"{self.url}/bot")

    async def call(self, method: str, **fields: object) -> dict[str, object]:
        """A request as JSON, without a client in between."""
        answer = await self.http.post(f"/bot{self.world.token}/{method}", json=fields)
        decoded: dict[str, object] = answer.json()
        assert answer.status_code == decoded.get("error_code", 200)
        return decoded


@asynccontextmanager
async def emulator(*, flood: bool = False) -> AsyncIterator[Emulator]:
    """A running emulator in which nobody has written yet."""
    world = TelegramWorld(seed=7, flood=flood)
    server = await serve(telegram_app(world))
    bot = Bot(world.token, base_url=f"{server.url}/bot", base_file_url=f"{server.url}/file/bot")
    try:
        async with httpx.AsyncClient(base_url=server.url, timeout=5) as http, bot:
            yield Emulator(world, server.url, bot, http)
    finally:
        await server.stop()
