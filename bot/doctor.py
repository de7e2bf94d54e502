"""The doctor: what works, what does not, and what to do about it, a line each."""

import shutil
import time
from dataclasses import asdict, dataclass
from typing import Any

from bot.core import Core
from bot.screen.render import escape
from bot.settings.people import console_actor
from bot.telegram.poller import POLL_SECONDS, Poller
from memory.database import WAL_RESET_FIXED
from tools.kit.errors import ToolFailed

LEAST_FREE = 200 << 20


@dataclass(frozen=True)
class Check:
    """One finding; `level` is ok, warn or bad."""

    name: str
    level: str
    text: str


class Doctor:
    """Looks at the parts; changes nothing."""

    def __init__(self, core: Core, poller: Poller | None = None) -> None:
        self._core, self._poller = core, poller

    async def checks(self) -> list[Check]:
        """Every finding."""
        found = [await self._database(), self._vectors(), self._disk(), self._claude(), await self._audit()]
        return [*found, *self._idle(), self._telegram(), *await self._services()]

    async def text(self) -> str:
        """The findings as Markdown, the bad ones first."""
        order = {"bad": 0, "warn": 1, "ok": 2}
        marks = {"bad": "🔴", "warn": "🟡", "ok": "🟢"}
        found = sorted(await self.checks(), key=lambda check: order[check.level])
        return "\n".join(f"{marks[c.level]} **{escape(c.name)}** {escape(c.text)}" for c in found)

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

    def _claude(self) -> Check:
        if not self._core.settings.anthropic_api_key.get_secret_value():
            return Check("claude", "warn", "ANTHROPIC_API_KEY is not set: commands work, free text does not")
        return Check("claude", "ok", f"key set, model {self._core.settings.model_balanced}")

    def _idle(self) -> list[Check]:
        return [Check("settings", "warn", f"{name} is set, but not used yet") for name in self._core.settings.idle()]

    async def _audit(self) -> Check:
        verdict = await self._core.stores.audit.verify()
        return Check("audit", "ok" if verdict.broken_at is None else "bad", str(verdict))

    def _telegram(self) -> Check:
        problems = self._core.settings.telegram_problems()
        if problems:
            return Check("telegram", "bad", " ".join(problems))
        if self._poller is None:
            return Check("telegram", "warn", "the bot is not running")
        if self._poller.trouble:
            return Check("telegram", "bad", self._poller.trouble)
        age = time.monotonic() - (self._poller.last_completed or self._poller.first_poll or time.monotonic())
        level = "ok" if age < POLL_SECONDS + 20 else "bad"
        return Check("telegram", level, f"last poll came back {age:.0f} s ago")

    async def _services(self) -> list[Check]:
        glances = await self._core.proposals.glances(console_actor())
        found = []
        for name, glance in glances.items():
            if not self._core.clients.configured(name):
                found.append(Check(name, "ok", "not set up"))
            elif isinstance(glance, ToolFailed):
                found.append(Check(name, "bad", str(glance)))
            else:
                # Trouble of the service itself, such as a host that does not answer; its guests' is for /status.
                lost = [f"{trouble.name} {trouble.detail}" for trouble in glance.troubles if trouble.where == name]
                found.append(Check(name, "bad" if lost else "ok", " · ".join([*lost, glance.summary])))
        return found
