"""The terminal's doors: through the running bot's socket, or alone under the lock when nobody holds it."""

import argparse
import contextlib
import json
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from bot.settings.settings import BadConfiguration, Settings, configured
from memory.secrets import Redactor
from tools.kit.registry import discover

if TYPE_CHECKING:  # imported where they are used: a door that only asks the running bot opens at once
    from bot.core import Core
    from bot.terminal.control import Control
    from memory.database import Database

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

    async def here() -> Any:
        async with _alone(options) as core:
            return await Doctor(core).as_json()

    settings = configured(options.env_file).settings
    checks = await _answer(settings, "GET", "/doctor", here)
    if options.json:
        print(json.dumps(checks, indent=2))
    else:
        marks = {"ok": "ok  ", "warn": "warn", "bad": "BAD "}
        print("\n".join(f"{marks[check['level']]} {check['name']}: {check['text']}" for check in checks))
    return FAILED if any(check["level"] == "bad" for check in checks) else OK


async def _through(
    options: argparse.Namespace, path: str, body: dict[str, Any], here: Callable[["Control"], Coroutine[Any, Any, Any]]
) -> int:
    """Show the run that the running bot answers with or, when none runs, `here`; the exit code."""
    from bot.doctor import Doctor
    from bot.terminal.console import exit_code, lines
    from bot.terminal.control import Control

    async def alone() -> Any:
        async with _alone(options) as core:
            return await here(Control(core, Doctor(core)))

    settings = configured(options.env_file).settings
    shown = await _answer(settings, "POST", path, alone, json=body)
    if "run" not in shown:
        print(shown["error"], file=sys.stderr)
        return FAILED
    print(json.dumps(shown, indent=2, ensure_ascii=False) if options.json else lines(shown))
    return exit_code(shown)


async def _ask_here(control: "Control", options: argparse.Namespace) -> Any:
    return await control.wait(await control.ask(options.objective))


async def _resume_here(control: "Control", options: argparse.Namespace) -> Any:
    refusal = await control.decide(options.run, options.approve)
    return {"error": refusal} if refusal else await control.wait(options.run)


async def _answer(
    settings: Settings, method: str, path: str, here: Callable[[], Awaitable[Any]], **request: Any
) -> Any:
    """What the running bot answers through its socket or, when none runs, what `here` comes to."""
    transport = httpx.AsyncHTTPTransport(uds=str(settings.data_dir / "control.sock"))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://rackhand", timeout=180.0, trust_env=False
    ) as client:
        try:
            answer = await client.request(method, path, **request)
        except httpx.TransportError:
            answer = None
    if answer is None:
        return await here()
    if "json" not in answer.headers.get("content-type", ""):
        why = "is of an older release" if answer.status_code == 404 else "could not do this; its log says why"
        raise BadConfiguration(f"The running bot {why}: stop it, and try again.")
    return answer.json()


@contextlib.asynccontextmanager
async def _alone(options: argparse.Namespace) -> AsyncIterator["Core"]:
    """The core without a bot, under the lock."""
    from bot.core import opened
    from bot.runs.runner import NoScreen
    from bot.settings.logs import set_up

    configuration = configured(options.env_file)
    redact = Redactor(configuration.secrets())
    set_up("WARNING", redact)
    async with opened(configuration, redact, lambda stores: NoScreen()) as core:
        await core.recovery.run()
        yield core


async def tools(options: argparse.Namespace) -> int:
    """The catalogue of every service, configured or not."""
    from bot.terminal.catalogue import describe, table

    described = describe(discover())
    print(json.dumps(described, indent=2) if options.json else table(described))
    return OK


async def env(options: argparse.Namespace) -> int:
    """`.env.example`, from the settings themselves."""
    from bot.terminal.catalogue import env_example

    print(env_example(Settings, discover()), end="")
    return OK


async def backup(options: argparse.Namespace) -> int:
    """A checked copy of the database, made by whoever holds it. An older schema stays as it is."""
    from bot.terminal.control import copied

    async def here() -> Any:
        async with _at_rest(settings) as database:
            return await copied(database, settings.data_dir)

    settings = _with_database(options)
    target = options.file.absolute() if options.file else None
    if target and target.exists():
        raise BadConfiguration(f"{target} exists already: name another file.")
    if target and not target.parent.is_dir():
        raise BadConfiguration(f"{target.parent} is not a folder: name a file in one that is there.")
    answer = await _answer(settings, "POST", "/backup", here)
    if "error" in answer:
        print(answer["error"], file=sys.stderr)
        return FAILED
    # The bot may see other folders than whoever asks, so it writes into its own.
    made = settings.data_dir / answer["name"]
    if target:
        made = _moved(made, target)
    print(f"{made} (keep {settings.data_dir / 'rackhand.key'} with it: without the key its Undo buttons are dead)")
    return OK


def _moved(made: Path, target: Path) -> Path:
    try:
        return Path(shutil.move(made, target))
    except OSError as error:
        raise BadConfiguration(f"{target} cannot be written ({error.strerror}): the backup is {made}.") from None


async def restore(options: argparse.Namespace) -> int:
    """A backup put in place, with everything pending voided."""
    from bot.core import take_lock
    from memory import backup as backups

    settings = configured(options.env_file).settings
    take_lock(settings.data_dir)
    kept = await backups.restore(options.file, settings.data_dir)
    print("Restored. Open cards have expired." + (f" The old database is {kept}." if kept else ""))
    return OK


async def audit(options: argparse.Namespace) -> int:
    """The audit chain, checked or printed."""
    from bot.terminal.control import audited
    from memory.keys import Keys
    from memory.stores import Stores

    head, entries = options.head or "", options.what == "export"

    async def here() -> Any:
        if not key.exists():
            raise BadConfiguration(f"{key} is missing: the chain can only be checked with the key it was made with.")
        async with _at_rest(settings) as database:
            return await audited(Stores.over(database, Keys.open(key)).audit, head, entries)

    settings = _with_database(options)
    key = settings.data_dir / "rackhand.key"
    asked = {"head": head, **({"entries": "1"} if entries else {})}
    answer = await _answer(settings, "GET", "/audit", here, params=asked)
    if entries:
        print("\n".join(json.dumps(entry) for entry in answer["entries"]))
    if not entries or not answer["intact"]:
        print(answer["chain"], file=sys.stderr if entries else sys.stdout)
    return OK if answer["intact"] else FAILED


def _with_database(options: argparse.Namespace) -> Settings:
    """The settings of a bot that has run before: a door that only looks begins nothing."""
    settings = configured(options.env_file).settings
    if not (settings.data_dir / "rackhand.db").exists():
        raise BadConfiguration(f"DATA_DIR: there is no database in {settings.data_dir.absolute()}.")
    return settings


@contextlib.asynccontextmanager
async def _at_rest(settings: Settings) -> AsyncIterator["Database"]:
    """The database of a bot that does not run, under the lock. A door never migrates it."""
    from bot.core import take_lock
    from memory.database import Database

    take_lock(settings.data_dir)
    database = await Database.open(settings.data_dir / "rackhand.db", as_it_is=True)
    try:
        yield database
    finally:
        await database.close()
