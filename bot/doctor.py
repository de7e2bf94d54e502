"""The doctor: what works, what does not, and what to do about it, a line each."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from bot.agent.claude import Claude
from bot.answers import UNKNOWN_TOKEN, is_a_stranger, refusal_of, result_of, stranger_at
from bot.core import Core
from bot.screen.render import escape
from bot.screen.view import View
from bot.settings.people import console_actor
from bot.settings.settings import Settings, secret_problems
from memory.database import WAL_RESET_FIXED
from memory.text import escaped
from tools.kit import Access, Service, ToolFailed
from tools.kit.reasons import unconnected
from tools.kit.transport import Bounded, Reads

LEAST_FREE = 200 << 20
ASK_SECONDS = 10.0
"""For Telegram's word on the token."""
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Check:
    """One finding; `level` is ok, warn or bad."""

    name: str
    level: str
    text: str
    outside: bool = False
    """Whether it quotes what a service has said."""


@dataclass(frozen=True)
class Polling:
    """How the long poll goes."""

    trouble: str
    age: float
    """Seconds since it last came back."""
    late: bool


class Doctor:
    """Looks at the parts; changes nothing."""

    def __init__(self, core: Core, polling: Callable[[], Polling] | None = None) -> None:
        """`polling` tells how the poll goes, where the bot runs."""
        self._core, self._polling = core, polling

    async def checks(self) -> list[Check]:
        """Every finding; whoever can be asked is asked, all of them at once."""
        unfit = {
            line.partition(":")[0]: line
            for line in secret_problems([self._core.settings, *self._core.clients.settings])
        }
        claude, telegram, services, audit = await asyncio.gather(
            self._claude(unfit.pop("ANTHROPIC_API_KEY", "")), self._telegram(), self._services(), self._audit()
        )
        unfit.pop("TELEGRAM_BOT_TOKEN", None)
        settings = [Check("settings", "bad", line) for line in unfit.values()]
        found = [await self._database(), self._vectors(), self._disk(), claude, audit]
        return [*found, *settings, *self._idle(), telegram, *services]

    async def view(self) -> View:
        """The findings in a message, the bad ones first."""
        order = {"bad": 0, "warn": 1, "ok": 2}
        marks = {"bad": "🔴", "warn": "🟡", "ok": "🟢"}
        found = sorted(await self.checks(), key=lambda check: order[check.level])
        lines = [f"{marks[c.level]} **{escape(c.name)}** {escape(c.text)}" for c in found]
        return View("\n".join(lines), outside=any(check.outside for check in found))

    async def as_json(self) -> list[dict[str, Any]]:
        """The findings for `doctor --json`."""
        return [asdict(check) for check in await self.checks()]

    async def _database(self) -> Check:
        database = self._core.stores.database
        version = ".".join(map(str, database.sqlite_version))
        if not await database.writable():
            return Check("database", "bad", f"{database.path} cannot be written: check the disk and its owner.")
        fixed = "" if database.sqlite_version >= WAL_RESET_FIXED else "; keep other writers away (WAL bug below 3.51.3)"
        return Check("database", "ok", f"SQLite {version} ({database.driver}), WAL, full sync{fixed}")

    def _vectors(self) -> Check:
        if self._core.stores.database.vectors:
            return Check("vectors", "ok", "sqlite-vec is loaded")
        return Check("vectors", "warn", "this Python cannot load sqlite-vec: recall by meaning is slower, still exact")

    def _disk(self) -> Check:
        free = shutil.disk_usage(self._core.settings.data_dir).free
        level = "ok" if free > LEAST_FREE else "bad"
        return Check("disk", level, f"{free / 2**30:.1f} GiB free in DATA_DIR")

    async def _claude(self, unfit: str) -> Check:
        settings, model = self._core.settings, self._core.model
        if not settings.anthropic_api_key.get_secret_value():
            return Check("claude", "warn", "ANTHROPIC_API_KEY is not set: commands work, free text does not")
        trouble = unfit or (await model.trouble() if isinstance(model, Claude) else "")
        return Check("claude", "bad" if trouble else "ok", trouble or f"answers as {settings.model_balanced}")

    def _idle(self) -> list[Check]:
        return [Check("settings", "warn", f"{name} is set, but not used yet") for name in self._core.settings.idle()]

    async def _audit(self) -> Check:
        chain = await self._core.stores.audit.verify()
        return Check("audit", "ok" if chain.broken_at is None else "bad", str(chain))

    async def _telegram(self) -> Check:
        if problems := self._core.settings.telegram_problems():
            return Check("telegram", "bad", " ".join(problems))
        trouble, name = await _who_am_i(self._core.settings)
        polling = self._polling and self._polling()
        if trouble or (trouble := polling.trouble if polling else ""):
            return Check("telegram", "bad", trouble)
        if polling is None:
            return Check("telegram", "warn", f"the bot is not running; Telegram knows it as {name}")
        level = "bad" if polling.late else "ok"
        return Check("telegram", level, f"last poll came back {polling.age:.0f} s ago, as {name}")

    async def _services(self) -> list[Check]:
        glances = await self._core.proposals.reads.glances(console_actor(), insist=True)
        clients, services = self._core.clients, {tool.service.name: tool.service for tool in self._core.tools.values()}
        shown = [name for name, service in services.items() if service.look and not service.own]
        idle = not any(map(clients.configured, shown))  # nothing to look after is no state to be well in
        off = [name for name in shown if not clients.configured(name)]
        found = [Check(name, "bad" if idle else "ok", f"not set up: {clients.absence(name)}") for name in off]
        for name, glance in glances.items():
            if isinstance(glance, ToolFailed):
                found.append(Check(name, "bad", str(glance), glance.outside))
            else:
                # Trouble of the service itself, such as a host that does not answer; its guests' is for /status.
                lost = [trouble for trouble in glance.troubles if trouble.where == name]
                said = [*(f"{trouble.name} {trouble.detail}" for trouble in lost), glance.summary]
                outside = any(trouble.outside for trouble in lost)
                found.append(Check(name, "bad" if lost else "ok", " · ".join(said), outside))
                found += [Check(name, "warn", text) for text in await self._advice(services[name])]
        return found

    async def _advice(self, service: Service[Any]) -> list[str]:
        if service.advise is None:
            return []
        return await service.advise(await self._core.clients.get(service.name, Access.READ))


async def _who_am_i(settings: Settings) -> tuple[str, str]:
    """What is wrong with the bot's own name at Telegram, or that name."""
    url = f"{settings.telegram_api_url.rstrip('/')}/bot{settings.telegram_bot_token.get_secret_value()}/getMe"
    inner = httpx.AsyncHTTPTransport(trust_env=False)
    transport = Bounded(inner, "Telegram", Reads(httpx.URL(), ()), Access.READ, MOST_BYTES)
    try:
        async with asyncio.timeout(ASK_SECONDS), httpx.AsyncClient(transport=transport, trust_env=False) as client:
            answer = await client.get(url, timeout=ASK_SECONDS)
    except (httpx.HTTPError, TimeoutError) as error:
        why, _ = unconnected(error) or ("no answer", "")
        return f"Telegram cannot be reached ({why}): check this machine's network, and TELEGRAM_API_URL.", ""
    me = result_of(answer)
    if isinstance(me, dict):
        return "", f"@{escaped(str(me.get('username')))}"
    if refusal_of(answer) in UNKNOWN_TOKEN:
        return "Telegram rejects TELEGRAM_BOT_TOKEN: get a new one from @BotFather.", ""
    if is_a_stranger(answer):
        return f"{stranger_at(url, answer.status_code)}.", ""
    return f"Telegram answered {answer.status_code}: try again in a minute.", ""
