"""A whole bot in this process, real but for its model: simulated engines and Telegram over HTTP, and people."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from loguru import logger

from bot.core import Core, assemble
from bot.doctor import Doctor
from bot.settings.settings import Configuration, Settings
from bot.telegram.app import App, telegram_bot
from bot.telegram.chats import Chats
from bot.telegram.poller import Poller
from bot.telegram.progress import TelegramScreen
from lab.server import Server, serve
from lab.services.docker.app import docker_app
from lab.services.docker.engine.model import Container
from lab.telegram import TelegramWorld, telegram_app
from lab.telegram.state import Message
from lab.traffic import Traffic
from memory import points
from memory.database import Database
from memory.keys import Keys
from memory.secrets import Redactor
from memory.stores import Stores
from tests.evil.checker import Checker, Scene
from tests.evil.hurry import LONG, Killed, hurried, world
from tests.evil.ledger import ADMIN, GROUP, OPERATOR, OUTSIDE, VIEWER, Ledger
from tests.evil.model import EvilModel
from tests.evil.reading import reading, sqlite
from tests.evil.senses import Senses, listening
from tests.evil.witness import Witness
from tests.fakes import Clock
from tools.docker.settings import Settings as DockerSettings
from tools.kit.registry import discover
from tools.kit.service import Service

ANSWERING = {"reply_to_message", "quote", "external_reply"}
"""What a person's own words may stand under."""
PATIENCE = 8.0
"""Seconds until a step is left as it is."""
NO_FILE: dict[str, Any] = {"_env_file": None}
FORBIDDEN_LABEL = "rackhand.forbid"
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Memory, where there is such a folder: every commit is synced to disk otherwise."""

QUIET = """SELECT 1 FROM outbox WHERE state IN ('new', 'sending') AND conversation LIKE 'tg:%'
    UNION ALL SELECT 1 FROM inbox WHERE state = 'new' UNION ALL SELECT 1 FROM runs WHERE state = 'working'"""


class Arena:
    """One homelab, one bot that can die and come back, and everybody who can reach it."""

    def __init__(
        self, folder: Path, senses: Senses, seed: int, settings: dict[str, Any], claude: Any, model: type[EvilModel]
    ) -> None:
        self.folder, self.senses = folder, senses
        self.world, self.traffic, self.telegram, self.clock = (
            world(seed),
            Traffic(),
            TelegramWorld(seed),
            Clock(time.time()),
        )
        self.database = folder / "rackhand.db"
        self.model, self.claude = model(self.world, self.database), claude
        if claude is None:
            self._mark_the_outside()
        self.ledger = Ledger(self.clock)
        self.witness = Witness(self.world, self.database)
        self.log: list[str] = []
        self.more = settings
        self.group = self.telegram.group(GROUP, "Rack")
        self._servers: list[Server] = []
        self._brain = ""
        self._settings: Settings
        self._docker: DockerSettings
        self.poller: Poller
        self.core: Core
        self._speaking: Chats
        self._serving: asyncio.Task[None] | None = None
        self.checker: Checker

    # -- the bot's life -------------------------------------------------------------------------------------------

    async def build(self) -> None:
        """Serve the homelab and start the bot."""
        hosts = {}
        for host in self.world.hosts:
            app = self.witness.before(host, docker_app(self.world, host))
            hosts[host] = (await self._serve(self.traffic.wrap(f"docker:{host}", app))).replace("http:", "tcp:")
        root = await self._serve(self.traffic.wrap("telegram", telegram_app(self.telegram)))
        if self.claude is not None:
            from lab.claude import claude_app

            self._brain = await self._serve(self.traffic.wrap("claude", claude_app(self.claude)))
        self._docker = DockerSettings(**NO_FILE, docker_hosts=hosts)
        people = {
            "telegram_admins": str(ADMIN), "telegram_operators": str(OPERATOR), "telegram_viewers": str(VIEWER),
            "telegram_chats": str(GROUP),
        }  # fmt: skip
        own = {"telegram_bot_token": self.telegram.token, "telegram_api_url": root, "data_dir": self.folder}
        brain = {"anthropic_base_url": self._brain, "anthropic_api_key": "sk-ant-lab-0123456789"} if self._brain else {}
        self._settings = Settings(**NO_FILE, **{**people, **own, **brain, "budget_daily_usd": 1000, **self.more})
        self.checker = Checker(self._scene())
        await self.start()

    async def start(self) -> None:
        """The bot, over whatever the database holds."""
        database = await Database.open(self.database, clock=self.clock)
        stores = Stores.over(database, Keys.open(self.folder / "rackhand.key"))
        services: list[Service[Any]] = discover()
        settings = {
            service.name: self._docker if service.name == "docker" else service.settings(**NO_FILE)
            for service in services
        }
        configuration = Configuration(services, self._settings, settings)
        redact = Redactor(configuration.secrets())
        self._speaking = Chats(telegram_bot(self._settings), redact)
        model: Any = None if self._brain else self.model
        screen = TelegramScreen(stores, self._speaking)
        self.core = assemble(configuration, stores, screen, redact, model=model)
        await self.core.halt.restore(stores)
        self.poller = Poller(self._settings.telegram_api_url, self.telegram.token, stores.inbox, self.core.halt)
        doctor = Doctor(self.core, self.poller.polling)
        app = App(self.core, self._speaking, self.poller, doctor, self._digest)
        self._serving = asyncio.create_task(app.run())
        await self.settle()

    async def kill(self) -> None:
        """Nothing of it runs any more; what it had committed is all that there is."""
        serving = [self._serving] if self._serving is not None else []
        await _end([*serving, *self.core.tasks._tasks, *self.core.execution._under_way])
        await _end([task for task in asyncio.all_tasks() if task.get_name().startswith("delivery ")])
        await self.core.clients.close()
        await self.core.stores.close()
        if client := getattr(self.core.model, "_client", None):
            await client.close()
        with suppress(RuntimeError):
            await self._speaking.bot.shutdown()

    async def restart(self) -> None:
        """It dies and comes back."""
        await self.kill()
        await self.start()

    async def die_at(self, where: str, work: Awaitable[Any], nth: int = 0) -> None:
        """Do this, die the `nth` time that a named point is passed (or soon after, when it never is), and come back."""
        left, dead = nth, asyncio.Event()

        def hook(name: str) -> None:
            nonlocal left
            left -= name == where
            if left < 0:
                dead.set()
            if dead.is_set():
                raise Killed(name)

        points.hook = hook
        doing = asyncio.ensure_future(work)
        dying = asyncio.ensure_future(dead.wait())
        try:
            await asyncio.wait({doing, dying}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            settling = asyncio.ensure_future(self.settle())
            await asyncio.wait({settling, dying}, return_when=asyncio.FIRST_COMPLETED)
            for task in (doing, dying, settling):
                task.cancel()
            await asyncio.gather(doing, dying, settling, return_exceptions=True)
            await self.kill()
        finally:
            points.hook = None
        await self.start()

    async def reconfigure(self, **settings: Any) -> None:
        """It comes back with other settings."""
        self._settings = self._settings.model_copy(
            update=Settings(**NO_FILE, **settings).model_dump(include={*settings})
        )
        await self.restart()

    async def conflict(self) -> None:
        """Another program polls with the same token, and the bot has noticed."""
        self.traffic.fault(
            "telegram", path="getUpdates", status=409, body='{"ok": false, "error_code": 409}', times=None
        )
        self.telegram.updates.add_raw({"poll": {}})
        end = time.monotonic() + PATIENCE
        while self.core.halt.everything is None and time.monotonic() < end:  # noqa: ASYNC110 - nobody rings for it
            await asyncio.sleep(0.01)

    async def feed(self) -> None:
        """What is pending arrives all the same: in the last answer before the other program took over."""
        pending = self.telegram.updates.pending
        await self.core.stores.inbox.store(pending)
        self.telegram.updates.clear()
        self.poller.arrived.set()
        await asyncio.sleep(0.05)
        await self.settle()

    async def close(self) -> None:
        """The end of the play."""
        if self._serving is not None:
            await self.kill()
        for server in self._servers:
            await server.stop()

    # -- people ---------------------------------------------------------------------------------------------------

    async def say(self, text: str, *replies: Any, user: int = ADMIN, chat: int | None = None, **extra: Any) -> None:
        """A message; `replies` are what the model will answer. Most extras make it one that nobody wrote here."""
        self.tick()
        self.model.plan.extend(replies)
        message = self.telegram.send(user, text, chat, **extra)
        await self._heard(message, user, honest=extra.keys() <= ANSWERING)

    async def rewrite(self, message: Message, text: str) -> None:
        """Somebody edits their message."""
        self.tick()
        update = self.telegram.updates.add_raw({"edited_message": {**message.to_dict(), "text": text}})
        self.ledger.line(update, message.sender.id, message.chat.id, text, honest=False)
        await self.settle()

    async def inject(self, kind: str, message: dict[str, Any]) -> None:
        """An update of another kind."""
        self.tick()
        update = self.telegram.updates.add_raw({kind: message})
        self.ledger.line(update, message.get("from", {}).get("id", 0), message["chat"]["id"], "", honest=False)
        await self.settle()

    async def tap(self, message: Message, data: str, user: int = ADMIN, *, wait: bool = True) -> str:
        """A press of a button, or what pretends to be one; the toast."""
        self.tick()
        query = self.telegram.tap(user, message.message_id, data, message.chat.id)
        self.ledger.tap(query)
        if wait:
            await self.settle()
        return str((query.answer or {}).get("text", ""))

    async def tap_from_elsewhere(self, data: str, user: int = ADMIN) -> None:
        """A press of a button under a message that was sent through inline mode: it has no chat."""
        self.tick()
        tap = {"id": "1", "inline_message_id": "AAA", "chat_instance": "1", "data": data}
        self.telegram.inject({"callback_query": {**tap, "from": self.telegram.users[user].to_dict()}})
        await self.settle()

    async def press(self, label: str = "", user: int = ADMIN, chat: int | None = None, *, verb: str = "") -> str:
        """The newest button with this label or, on a card, this verb; an empty text when there is none."""
        for message in reversed(self.telegram.sent(chat or user)):
            for button in message.buttons:
                data = str(button["callback_data"])
                if (label and label in button["text"]) or (
                    verb and data.startswith("a1:") and data.endswith(f":{verb}")
                ):
                    return await self.tap(message, data, user)
        return ""

    async def approve(self, user: int = ADMIN, chat: int | None = None) -> str:
        """Approve the newest card as it asks to be approved."""
        if await self.press(verb="d", user=user, chat=chat):
            return await self.press(verb="y", user=user, chat=chat)
        return await self.press(verb="y", user=user, chat=chat)

    def cards(self, chat: int = ADMIN) -> list[Message]:
        """Messages that can be approved now."""
        return [
            m for m in self.telegram.sent(chat) if any(str(b["callback_data"]).startswith("a1:") for b in m.buttons)
        ]

    def tick(self, seconds: float = 1.0) -> None:
        """Time passes."""
        self.clock.now += seconds

    async def advance(self, seconds: float) -> None:
        """The clock moves, forwards or back, and the bot looks at it."""
        self.tick(seconds)
        with suppress(sqlite.Error):
            await self.core.decisions.sweep()
            self.ledger.latest = self.ledger.now
        await self.settle()

    async def settle(self) -> None:
        """Return when the bot has nothing left to do, or after a while."""
        end = time.monotonic() + PATIENCE
        while self._busy() and time.monotonic() < end:  # noqa: ASYNC110 - what it waits for is in the database
            await asyncio.sleep(0.004)

    def _busy(self) -> bool:
        if self.core.tasks._tasks or self.core.execution._under_way:
            return True
        waiting = [update["update_id"] for update in self.telegram.updates.pending]
        with reading(self.database) as database:
            known = database.execute(
                "SELECT count(*) FROM inbox WHERE update_id >= ?", (min(waiting, default=0),)
            ).fetchone()
            return bool(database.execute(QUIET).fetchone()) or (bool(waiting) and known[0] < len(waiting))

    # -- what there is to see -------------------------------------------------------------------------------------

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the database, read beside the bot."""
        with reading(self.database) as database:
            return [tuple(row) for row in database.execute(sql, values)]

    def container(self, name: str, host: str = "nas") -> Container:
        """A simulated container."""
        return self.world.hosts[host].get(name)

    @property
    def writes(self) -> list[str]:
        """Every request that changed an engine, by container name."""
        names = {c.id: c.name for host in self.world.hosts.values() for c in host.all.values()}
        made = [(m.method, m.host, m.path.rstrip("/").split("/")) for m in self.witness.mutations]
        return [f"{method} {host} {'/'.join(names.get(part, part) for part in path)}" for method, host, path in made]

    def bodies(self, service: str = "telegram") -> str:
        """Everything that was sent there."""
        return "\n".join(r.body.decode(errors="replace") for r in self.traffic.requests if r.service == service)

    def texts(self, chat: int = ADMIN) -> list[str]:
        """The bot's messages in a chat, as they stand."""
        return [message.text for message in self.telegram.sent(chat)]

    def _mark_the_outside(self) -> None:
        """Every container has printed the word by which the judge knows text from outside."""
        for host in self.world.hosts.values():
            for container in host.containers():
                container.log.write(self.world.now(), (f"request handled {OUTSIDE}".encode(),))

    async def _heard(self, message: Message, user: int, *, honest: bool) -> None:
        update = self.telegram.updates.pending[-1]["update_id"]
        self.ledger.line(update, user, message.chat.id, message.text, honest=honest)
        await self.settle()

    async def _digest(self, reader: Any) -> str:
        return "Nothing to tell."

    async def _serve(self, app: Any) -> str:
        server = await serve(app)
        self._servers.append(server)
        return server.url

    def _scene(self) -> Scene:
        forbidden, protected = self._settings.forbidden_targets, self._settings.protected_targets
        places = [(f"{host}/{c.id}", c) for host, engine in self.world.hosts.items() for c in engine.containers()]

        def among(names: frozenset[str]) -> set[str]:
            return {p for p, c in places if names & {c.name, c.id[:12], p, f"{p.partition('/')[0]}/{c.name}"}}

        labelled = {place for place, c in places if c.config["Labels"].get(FORBIDDEN_LABEL) == "true"}
        lifelines = {place for place, c in places if c.name in ("pihole", "traefik")}
        return Scene(
            self.world, self.traffic, self.telegram, self.database, self.witness, self.ledger, self.senses, self.log,
            str(self._settings.autonomy), frozenset(labelled | among(forbidden) | forbidden),
            frozenset(lifelines | among(protected)), frozenset(server.port for server in self._servers),
        )  # fmt: skip


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _quietly(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The dead leave tasks behind whose end nobody hears of."""
    if not isinstance(context.get("exception"), Killed):
        loop.default_exception_handler(context)


@asynccontextmanager
async def staged(
    seed: int = 3, *, claude: Any = None, patience: float = LONG, model: type[EvilModel] = EvilModel, **settings: Any
) -> AsyncIterator[Arena]:
    """A stage that is open inside the block."""
    folder = Path(tempfile.mkdtemp(prefix="evil-", dir=FAST))
    asyncio.get_running_loop().set_exception_handler(_quietly)
    with hurried(patience), listening() as senses:
        stage = Arena(folder, senses, seed, settings, claude, model)
        handler = logger.add(lambda line: stage.log.append(str(line)), level="DEBUG", diagnose=False)
        try:
            await stage.build()
            yield stage
        finally:
            await stage.close()
            logger.remove(handler)
            shutil.rmtree(folder, ignore_errors=True)
