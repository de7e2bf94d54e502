"""The lab as one object: every simulated service running in this event loop, and the way to each."""

import json
import secrets
import shutil
import ssl
import tempfile
from pathlib import Path
from types import TracebackType

from starlette.types import ASGIApp

from lab.claude import Claude, claude_app
from lab.kit.twin import discover, intents
from lab.page import page_app
from lab.server import LineServer, Server, serve
from lab.services.docker.app import docker_app
from lab.supervisor import Supervisor
from lab.telegram import ADMIN, OPERATOR, VIEWER, TelegramWorld, telegram_app
from lab.traffic import Traffic, lines, never
from lab.view import View
from lab.world import World


class Lab:
    """A running lab, as an async context manager; leaving it ends everything it started."""

    def __init__(
        self,
        seed: int = 1,
        port: int = 0,
        directory: Path | None = None,
        flood: bool = False,
        real_claude: bool = False,
    ) -> None:
        """`port` is the page's (0: a free one); without a `directory` a temporary one is used and removed.

        With `real_claude` the bot gets no address and no key of the stand-in, and so uses its own.
        """
        self.seed = seed
        self.traffic = Traffic()
        self.telegram = TelegramWorld(seed, flood=flood)
        self.world = World(seed)
        self.world.card = self.telegram.card
        self.twins = {twin.name: twin(seed) for twin in discover()}
        self.claude = Claude(seed, intents())
        self.supervisor: Supervisor | None = None
        self.telegram_url = self.claude_url = self.page_url = ""
        self.docker_hosts: dict[str, str] = {}
        self.registries: dict[str, str] = {}
        self._reached: dict[str, str] = {}
        """The variables of the twins; before they are served, without their addresses."""
        for twin in self.twins.values():
            self._reached |= twin.environment(dict.fromkeys([*twin.apps(), *twin.sessions()], ""))
        claude = None if real_claude else self.claude
        self._view = View(self.telegram, self.traffic, self.world, claude, services=list(self.twins.values()))
        self._port = port
        self._real_claude = real_claude
        self._claude_key = f"sk-ant-lab-{secrets.token_hex(12)}"
        self._temporary = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="rackhand-lab-"))
        self._servers: list[Server | LineServer] = []

    @property
    def token(self) -> str:
        """The bot's token at the simulated Telegram."""
        return self.telegram.token

    async def __aenter__(self) -> "Lab":
        """Start the services; OSError when the page's port is taken."""
        try:
            await self._start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the bot, then the services, and remove a temporary directory."""
        if self.supervisor is not None:
            await self.supervisor.stop()
        for server in self._servers:
            await server.stop()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    async def supervise(self, command: list[str]) -> Supervisor:
        """Start the bot as a child process that is restarted when it dies; its log is `bot.log`."""
        self.supervisor = Supervisor(command, self.environment(), self.directory / "bot.log")
        self._view.supervisor = self.supervisor
        await self.supervisor.start()
        return self.supervisor

    def environment(self) -> dict[str, str]:
        """Environment variables that point a bot at this lab."""
        claude = {} if self._real_claude else self._claude_environment()
        return {
            "TELEGRAM_BOT_TOKEN": self.token,
            "TELEGRAM_API_URL": self.telegram_url,
            "TELEGRAM_ADMINS": str(ADMIN),
            "TELEGRAM_OPERATORS": str(OPERATOR),
            "TELEGRAM_VIEWERS": str(VIEWER),
            **claude,
            "DOCKER_HOSTS": json.dumps(self.docker_hosts),
            "DOCKER_REGISTRIES": json.dumps(self.registries),
            **self._reached,
            "AUTONOMY": "ask",
            "DATA_DIR": str(self.directory / "data"),
        }

    def _claude_environment(self) -> dict[str, str]:
        return {"ANTHROPIC_BASE_URL": self.claude_url, "ANTHROPIC_API_KEY": self._claude_key}

    async def _start(self) -> None:
        self.page_url = (await self._serve(page_app(self._view), self._port)).url
        self.telegram_url = (await self._serve(self._wrapped("telegram", telegram_app(self.telegram)))).url
        self.claude_url = (await self._serve(self._wrapped("claude", claude_app(self.claude)))).url
        for host in self.world.hosts:
            server = await self._serve(self._wrapped(f"docker:{host}", docker_app(self.world, host)))
            self.docker_hosts[host] = server.url.replace("http://", "tcp://")
        registry = await self._serve(self._wrapped("registry", self.world.registries.app()))
        self.registries = {name: f"{registry.url}/{name}" for name in self.world.registries.names()}
        for twin in self.twins.values():
            wrapped = {
                host: self.traffic.wrap(f"{twin.name}:{host}", app, twin.changes) for host, app in twin.apps().items()
            }
            urls = {host: (await self._serve(app, tls=twin.tls(host))).url for host, app in wrapped.items()}
            for host, session in twin.sessions().items():
                handler = lines(self.traffic, f"{twin.name}:{host}", session, twin.changes)
                self._servers.append(await LineServer(handler).start())
                urls[host] = self._servers[-1].url
            self._reached |= twin.environment(urls)

    def _wrapped(self, service: str, app: ASGIApp) -> ASGIApp:
        return self.traffic.wrap(service, app, never if service in ("telegram", "claude") else None)

    async def _serve(self, app: ASGIApp, port: int = 0, tls: ssl.SSLContext | None = None) -> Server:
        server = await serve(app, port=port, tls=tls)
        self._servers.append(server)
        return server
