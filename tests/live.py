"""The whole bot in this process: poller, dispatch, delivery and core over a lab's HTTP, and the people who use it."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from bot.doctor import Doctor
from bot.screen.view import View
from bot.telegram.app import App, telegram_bot
from bot.telegram.chats import Chats
from bot.telegram.poller import Poller
from bot.telegram.progress import TelegramScreen
from lab.telegram.state import ADMIN, Message
from lab.telegram.world import Query
from memory.models import Actor
from memory.secrets import Redactor
from memory.stores import Stores
from tests.place import Place

PATIENCE = 10.0
"""Seconds to wait for something that must happen."""


class Live(Place):
    """A place whose bot polls, answers and is spoken to through simulated Telegram."""

    def __init__(self, folder: Path, *, group: int | None = None, model: Any = "scripted", **settings: str) -> None:
        """`group`: a chat of everybody's, in which the bot may speak."""
        people = {"TELEGRAM_ADMINS": str(ADMIN), "TELEGRAM_OPERATORS": "1002", "TELEGRAM_VIEWERS": "1003"}
        if group is not None:
            people["TELEGRAM_CHATS"] = str(group)
        super().__init__(folder, model=model, **{**people, **settings})
        if group is not None:
            self.lab.telegram.group(group, "Home")
        self.admin = Actor(f"tg:{ADMIN}", "Admin")
        self.mark = 0
        self._bot: asyncio.Task[None] | None = None

    def screen(self, stores: Stores, redact: Redactor) -> Any:
        self.telegram = Chats(telegram_bot(self.settings), redact)
        return TelegramScreen(stores, self.telegram)

    async def open(self) -> None:
        await super().open()
        self.poller = Poller(self.lab.telegram_url, self.lab.token, self.stores.inbox, self.halt)
        self.app = App(self.core, self.telegram, self.poller, Doctor(self.core, self.poller.polling), self._digest)
        self._bot = asyncio.create_task(self.app.run())
        await self.until(lambda: self.poller.first_poll, "the first poll")

    async def __aexit__(self, *error: Any) -> None:
        self.app.stop()
        if self._bot is not None:
            await asyncio.gather(self._bot, return_exceptions=True)
        for request in self.telegram.bot._request:
            await request.shutdown()
        await super().__aexit__(*error)

    async def _digest(self, asker: Actor) -> View:
        return View("All well.")

    # People

    def say_as(self, text: str, user: int = ADMIN, chat: int | None = None, **extra: Any) -> Message:
        """Write a message; nothing is waited for."""
        self.mark = self.lab.telegram.version
        return self.lab.telegram.send(user, text, chat, **extra)

    async def hear(self, pattern: str, user: int = ADMIN) -> Message:
        """The bot's newest message that was sent or edited since the last action and matches."""
        since, telegram = self.mark, self.lab.telegram
        return await telegram.wait_for(lambda: telegram.newest(user, pattern, since=since), PATIENCE)

    async def write(self, text: str, pattern: str, user: int = ADMIN) -> Message:
        """Write something and wait for the answer that matches."""
        self.say_as(text, user)
        return await self.hear(pattern, user)

    async def inject(self, **update: Any) -> int:
        """An update exactly as given; its id, once it has been dealt with."""
        number = self.lab.telegram.inject(update)
        await self.dealt_with(number)
        return number

    def a_message(self, text: str, update: int = 1, **fields: Any) -> dict[str, Any]:
        """An update with a line of the admin's, as Telegram would send it."""
        person = {"id": ADMIN, "is_bot": False, "first_name": "Admin"}
        chat = {"id": ADMIN, "type": "private", "first_name": "Admin"}
        message = {"message_id": 1, "date": 1_700_000_000, "from": person, "chat": chat, "text": text, **fields}
        return {"update_id": update, "message": message}

    async def receives(self, *updates: Any, raw: str | None = None) -> None:
        """Let the next poll be answered with these updates, or with a body that is not even JSON."""
        body = raw if raw is not None else json.dumps({"ok": True, "result": list(updates)})
        self.lab.traffic.fault("telegram", path="/getUpdates$", status=200, body=body)
        await self.alive()

    async def dealt_with(self, update: int) -> str:
        """The state in which the inbox leaves an update."""

        async def state() -> str:
            row = await self.stores.database.one("SELECT state FROM inbox WHERE update_id = ?", update)
            return row["state"] if row and row["state"] != "new" else ""

        return await self.until(state, f"update {update}")

    async def press_as(self, message: Message, data: str, user: int = ADMIN) -> str:
        """Send a button's data; the toast."""
        self.mark = self.lab.telegram.version
        query = self.lab.telegram.tap(user, message.message_id, data, message.chat.id)
        return await self.toast(query)

    async def toast(self, query: Query) -> str:
        answer = await self.lab.telegram.wait_for(lambda: query.answer, PATIENCE)
        return str(answer.get("text", ""))

    async def alive(self) -> None:
        """The loop goes on: the next message of a person is answered."""
        await self.write("/cost", "today")

    async def quiet(self) -> None:
        """Return once everything has been said and no run is at work."""
        open_work = (
            "SELECT 1 FROM outbox WHERE state IN ('new', 'sending')"
            " UNION ALL SELECT 1 FROM runs WHERE state = 'working'"
        )

        async def nothing() -> bool:
            return await self.stores.database.one(open_work) is None

        await self.until(nothing, "the bot to have nothing left to do")

    async def until(self, condition: Any, what: str) -> Any:
        """The first true result of a function, which may be a coroutine's."""
        end = time.monotonic() + PATIENCE
        while True:
            found = condition()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            assert self._bot is None or not self._bot.done(), f"the bot has ended: {self._bot}"
            assert time.monotonic() < end, f"waited for {what}"
            await asyncio.sleep(0.01)

    def calls_of(self, method: str) -> list[dict[str, Any]]:
        """What was asked of Telegram by that method, sent as form or JSON."""
        found = (r for r in self.lab.traffic.requests if r.service == "telegram")
        return [{"body": r.body, "status": r.status} for r in found if r.path.endswith(f"/{method}")]
