"""The long poll: raw updates, committed to the inbox before the next request acknowledges them."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from loguru import logger

from bot.answers import UNKNOWN_TOKEN, asked_to_wait, is_a_stranger, refusal_of, result_of, stranger_at
from bot.doctor import Polling
from bot.runs.halt import Halt
from memory.database import DATABASE_ERRORS
from memory.inbox import Inbox
from memory.points import point
from tools.kit import Access
from tools.kit.transport import Bounded, Reads

POLL_SECONDS = 25
LONGEST_ATTEMPT = POLL_SECONDS + 15.0
"""Seconds for a request and its whole answer, however slowly it comes."""
CONFLICT_SECONDS = 60.0
FORGET_OFFSET_SECONDS = 6 * 86_400.0
"""After a week without updates Telegram's next id is random: an old offset could then hide new updates."""
REBUILD_SECONDS = 180.0
MOST_REJECTIONS = 3
"""Times in a row that Telegram must have rejected the token, from the start on, before that is believed."""
LONGEST_BACKOFF = 30.0
MOST_BYTES = 8 << 20
"""Decoded bytes of one answer: a hundred updates of the longest kind are far less."""
HIGHEST_UPDATE = 1 << 62
WEBHOOK = "a webhook is set for this token: take it away with the Bot API's deleteWebhook"
CONFLICT = "Another program polls Telegram with this bot's token; I change nothing until it stops."
REJECTED = "Telegram rejects TELEGRAM_BOT_TOKEN"
REMEDY = "get a new one from @BotFather"
OR_THE_ADDRESS = f"{REMEDY}, or mend TELEGRAM_API_URL: it must be the root of a Bot API server"
STRAY = "Telegram refuses to hand out messages ({}), although it knows the token"


class TokenRejected(Exception):
    """Telegram has never known the token since the start."""


class Poller:
    """Offset 0 at each start, duplicates dropped by the inbox: nothing is acknowledged before it is stored."""

    def __init__(
        self,
        api_url: str,
        token: str,
        inbox: Inbox,
        halt: Halt,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = f"{api_url.rstrip('/')}/bot{token}/"
        self._inbox, self._halt, self._clock, self._sleep = inbox, halt, clock, sleep
        self.arrived = asyncio.Event()
        self.first_poll: float | None = None
        self.last_completed: float | None = None
        """When an attempt last came back, well or not (monotonic)."""
        self.last_answered: float | None = None
        """When something last answered, be it with a refusal (monotonic)."""
        self.resting_until = 0.0
        """Until when it waits before the next attempt (monotonic)."""
        self.trouble = ""
        """Why nothing arrives, in words; empty while all is well."""
        self.hearing_since: float | None = None
        """Since when each answer has been a good one (monotonic); None until there is one, and in trouble."""
        self.deaf_since: float | None = None
        """Since when something answers and withholds the messages (monotonic); None while Telegram is only away."""
        self.storage_trouble = ""
        """What to tell people when messages cannot be stored."""
        self._offset: int | None = None
        self._failures = self._rejections = 0
        self._heard = False
        self._conflict_since: float | None = None
        self._last_conflict = 0.0
        self._brief = False
        self._last_update = clock()

    async def run(self) -> None:
        """Poll for ever. Raises TokenRejected."""
        while True:
            # A wedged connection pool looks like an endless timeout: a fresh client cures it.
            async with self._client() as client:
                built = self._clock()
                while self._clock() - max(built, self.last_answered or 0.0) < REBUILD_SECONDS:
                    await self._once(client)

    def _client(self) -> httpx.AsyncClient:
        timeout = httpx.Timeout(10.0, read=POLL_SECONDS + 10.0, pool=5.0)
        transport = Bounded(
            httpx.AsyncHTTPTransport(trust_env=False),
            "Telegram",
            Reads(httpx.URL(), ()),
            Access.WRITE,  # getUpdates is a POST, and acknowledges
            MOST_BYTES,
        )
        # Compressed, a small answer could cost the time and the memory of a large one.
        headers = {"Accept-Encoding": "identity"}
        return httpx.AsyncClient(
            transport=transport, headers=headers, timeout=timeout, trust_env=False, follow_redirects=False
        )

    async def _once(self, client: httpx.AsyncClient) -> None:
        if self._clock() - self._last_update > FORGET_OFFSET_SECONDS:
            self._offset = None
        # After a conflict it asks briefly: a good answer must not wait for somebody's next message.
        patience = 0 if self._brief else POLL_SECONDS
        body: dict[str, Any] = {"timeout": patience, "allowed_updates": ["message", "callback_query"]}
        if self._offset is not None:
            body["offset"] = self._offset
        self.first_poll = self.first_poll or self._clock()
        try:
            response = await self._ask(client, "getUpdates", body)
        except httpx.DecodingError as error:
            self.last_answered = self._clock()
            await self._back_off(f"Telegram's answer cannot be read ({type(error).__name__})")
            return
        except (httpx.HTTPError, TimeoutError) as error:
            await self._back_off(f"Telegram cannot be reached ({type(error).__name__})")
            return
        self.last_completed = self.last_answered = self._clock()
        await self._answered(client, response)

    async def _ask(self, client: httpx.AsyncClient, method: str, body: dict[str, Any]) -> httpx.Response:
        async with asyncio.timeout(LONGEST_ATTEMPT):
            return await client.post(self._url + method, json=body)

    async def _answered(self, client: httpx.AsyncClient, response: httpx.Response) -> None:
        if response.status_code == 409 and b"webhook" in response.content[:1000]:
            await self._back_off(WEBHOOK, deaf=True)
            return
        if response.status_code == 409:
            self._conflict()
            await self._back_off("another program polls with this token")
            return
        updates = result_of(response)
        if not isinstance(updates, list):
            await self._refused(client, response)
            return
        self._failures, self._rejections, self._brief, self._heard = 0, 0, False, True
        self.deaf_since, self.hearing_since = None, self.hearing_since or self._clock()
        self._undisturbed()
        known = [update for update in updates if _numbered(update)]
        if known:
            await self._store(known)
        elif updates:  # they cannot be acknowledged, so they come again at once
            await self._back_off("Telegram sends updates without a number")

    async def _refused(self, client: httpx.AsyncClient, response: httpx.Response) -> None:
        """Back off from an answer that brings no updates; one stray refusal ends nothing. Raises TokenRejected."""
        status = response.status_code
        if is_a_stranger(response):
            await self._back_off(stranger_at(self._url, status), deaf=True)
        elif refusal_of(response) not in UNKNOWN_TOKEN:
            await self._back_off(f"Telegram answered {status}", asked_to_wait(response))
        elif (knows := await self._knows_the_token(client)) is None:
            await self._back_off(f"Telegram answered {status}", deaf=True)
        elif knows:
            self._rejections = 0
            await self._back_off(STRAY.format(status), deaf=True)
        else:
            self._rejections += 1
            remedy = OR_THE_ADDRESS if status == 404 else REMEDY
            # Once it has worked, whatever is wrong may pass: only a new start finds out that the token is dead.
            if self._rejections >= MOST_REJECTIONS and not self._heard:
                raise TokenRejected(f"TELEGRAM_BOT_TOKEN: Telegram rejects it; {remedy}.")
            await self._back_off(f"{REJECTED}; {remedy}", deaf=True)

    async def _knows_the_token(self, client: httpx.AsyncClient) -> bool | None:
        """Whether Telegram refuses this one request, or rejects the token for everything; None: it does not say."""
        try:
            response = await self._ask(client, "getMe", {})
        except (httpx.HTTPError, TimeoutError):
            return None
        if result_of(response) is not None:
            return True
        return False if refusal_of(response) in UNKNOWN_TOKEN else None

    async def _store(self, known: list[dict[str, Any]]) -> None:
        point("received")
        try:
            await self._inbox.store(known)
        except DATABASE_ERRORS as error:
            self.storage_trouble = (
                f"I cannot store your messages ({error}): free some disk. I change nothing meanwhile."
            )
            await self._back_off(f"the database cannot be written ({error})")
            return
        self.storage_trouble = ""
        self._offset = max(update["update_id"] for update in known) + 1
        self._last_update = self._clock()
        point("stored")
        self.arrived.set()

    def polling(self) -> Polling:
        """How it goes."""
        now = self._clock()
        age = now - (self.last_completed or self.first_poll or now)
        return Polling(self.trouble, age, age >= POLL_SECONDS + 20)

    def _conflict(self) -> None:
        self._brief, self._last_conflict = True, self._clock()
        self._conflict_since = self._conflict_since or self._last_conflict
        if self._last_conflict - self._conflict_since > CONFLICT_SECONDS and not self._halt.everything:
            logger.error(CONFLICT)
            self._halt.everything = CONFLICT

    def _undisturbed(self) -> None:
        """A good answer ends a conflict only after a while without a bad one.

        Two programs end each other's polls in turn: to each of them every other answer is a good one.
        """
        if self._conflict_since is not None and self._clock() - self._last_conflict < CONFLICT_SECONDS:
            return
        self.trouble, self._conflict_since = "", None
        if self._halt.everything == CONFLICT:
            self._halt.everything = None

    async def _back_off(self, trouble: str, at_least: float = 0.0, *, deaf: bool = False) -> None:
        if trouble != self.trouble:
            logger.warning("polling: {}", trouble)
        self.trouble, self.hearing_since = trouble, None
        self.deaf_since = (self.deaf_since or self._clock()) if deaf else None
        self._failures += 1
        self.last_completed = self._clock()
        wait = min(LONGEST_BACKOFF, 2.0 ** min(self._failures - 1, 10)) * random.uniform(0.75, 1.0)
        wait = max(wait, min(at_least, 300.0))
        self.resting_until = self.last_completed + wait
        await self._sleep(wait)


def _numbered(update: Any) -> bool:
    number = update.get("update_id") if isinstance(update, dict) else None
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < HIGHEST_UPDATE
