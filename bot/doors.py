"""The terminal's doors: through the running bot's socket, or alone under the lock when nobody holds it."""

import argparse
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime
from typing import Any

import httpx

from bot.settings import BadConfiguration, Settings, configured
from memory.text import Redactor
from tools.kit.registry import discover

OK, FAILED = 0, 1


async def ask(options: argparse.Namespace) -> int:
    """One objective from the terminal."""
    return await _through(
        options, "/ask", {"objective": options.objective}, lambda control: _ask_here(control, options)
    )


async def resume(options: argparse.Namespace) -> int:
    """A decision from the terminal."""
    path, body = f"/runs/{options.run}/decide", {"approve": options.approve}
    return await _through(options, path, body, lambda control: _resume_here(control, options))


async def doctor(options: argparse.Namespace) -> int:
    """Every check in a line."""
    from bot.doctor import Doctor

    settings, *_ = configured(options.env_file)
    async with _socket(settings) as client:
        try:
            checks = (await client.get("/doctor")).json()
        except httpx.TransportError:
            async with _alone(options) as core:
                checks = await Doctor(core).as_json()
    if options.json:
        print(json.dumps(checks, indent=2))
    else:
        marks = {"ok": "ok  ", "warn": "warn", "bad": "BAD "}
        print("\n".join(f"{marks[check['level']]} {check['name']}: {check['text']}" for check in checks))
    return FAILED if any(check["level"] == "bad" for check in checks) else OK


async def _through(
    options: argparse.Namespace, path: str, body: dict[str, Any], here: Callable[[Any], Coroutine[Any, Any, Any]]
) -> int:
    """Through the running bot's socket; alone when nobody holds the lock."""
    from bot.console import exit_code, lines
    from bot.control import Control
    from bot.doctor import Doctor

    settings, *_ = configured(options.env_file)
    async with _socket(settings) as client:
        try:
            answer = await client.post(path, json=body)
            shown = answer.json()
        except httpx.TransportError:
            async with _alone(options) as core:
                shown = await here(Control(core, Doctor(core)))
    if "run" not in shown:
        print(shown["error"], file=sys.stderr)
        return FAILED
    print(json.dumps(shown, indent=2, ensure_ascii=False) if options.json else lines(shown))
    return exit_code(shown)


async def _ask_here(control: Any, options: argparse.Namespace) -> Any:
    return await control.wait(await control.ask(options.objective))


async def _resume_here(control: Any, options: argparse.Namespace) -> Any:
    refusal = await control.decide(options.run, options.approve)
    return {"error": refusal} if refusal else await control.wait(options.run)


def _socket(settings: Settings) -> Any:
    transport = httpx.AsyncHTTPTransport(uds=str(settings.data_dir / "control.sock"))
    return httpx.AsyncClient(transport=transport, base_url="http://rackhand", timeout=180.0, trust_env=False)


@contextlib.asynccontextmanager
async def _alone(options: argparse.Namespace) -> AsyncIterator[Any]:
    """The core without a bot, under the lock."""
    from bot.core import Lock, assemble
    from bot.halt import Halt
    from bot.logs import set_up
    from bot.screen import NoScreen
    from memory.embeddings import embedder_called
    from memory.stores import Stores

    settings, services, of_services = configured(options.env_file)
    redact = Redactor(settings.secrets())
    set_up("WARNING", redact)
    Lock(settings.data_dir).take()
    stores = await Stores.open(settings.data_dir, embedder_called(settings.embedder))
    core = assemble(
        settings,
        services,
        of_services,
        stores,
        NoScreen(),
        redact,
        Halt(),
    )
    try:
        await core.recovery.run()
        yield core
    finally:
        await core.close(20.0)


async def tools(options: argparse.Namespace) -> int:
    """The catalogue of every service, configured or not."""
    from bot.catalogue import describe, table

    described = describe(discover())
    print(json.dumps(described, indent=2) if options.json else table(described))
    return OK


async def env(options: argparse.Namespace) -> int:
    """`.env.example`, from the settings themselves."""
    from bot.catalogue import env_example

    print(env_example(Settings, discover()), end="")
    return OK


async def backup(options: argparse.Namespace) -> int:
    """A checked copy of the database, also while the bot runs."""
    from memory import backup as backups
    from memory.database import Database

    settings, *_ = configured(options.env_file)
    target = options.file or settings.data_dir / f"backup-{datetime.now():%Y%m%d-%H%M%S}.db"
    if target.exists():
        raise BadConfiguration(f"{target} exists already: name another file.")
    database = await Database.open(settings.data_dir / "rackhand.db")
    try:
        await backups.backup(database, target)
    finally:
        await database.close()
    print(f"{target} (keep {settings.data_dir / 'rackhand.key'} with it: without the key its Undo buttons are dead)")
    return OK


async def restore(options: argparse.Namespace) -> int:
    """A backup put in place, with everything pending voided."""
    from bot.core import Lock
    from memory import backup as backups

    settings, *_ = configured(options.env_file)
    Lock(settings.data_dir).take()
    kept = await backups.restore(options.file, settings.data_dir)
    print("Restored. Open cards have expired." + (f" The old database is {kept}." if kept else ""))
    return OK


async def audit(options: argparse.Namespace) -> int:
    """The audit chain, checked or printed."""
    from dataclasses import asdict

    from memory.stores import Stores

    settings, *_ = configured(options.env_file)
    stores = await Stores.open(settings.data_dir)
    try:
        verdict = await stores.audit.verify()
        if options.what == "export":
            print("\n".join(json.dumps(asdict(entry)) for entry in await stores.audit.export()))
        else:
            print(verdict)
    finally:
        await stores.close()
    return OK if verdict.broken_at is None else FAILED
