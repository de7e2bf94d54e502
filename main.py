"""Rackhand's command line and composition root: puts the parts together, and is imported by no one."""

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

from bot.settings import BadConfiguration, Settings, load
from memory.text import Redactor
from tools.kit.registry import BrokenService, discover
from tools.kit.service import Service, ServiceSettings

OK, FAILED, UNUSABLE, CONFIGURATION = 0, 1, 75, 78
Configured = tuple[Settings, list[Service[Any]], dict[str, ServiceSettings]]


def configured(options: argparse.Namespace) -> Configured:
    """Settings and services. Raises BadConfiguration with every problem at once."""
    services = discover()
    settings, of_services = load(services, options.env_file)
    return settings, services, of_services


async def run(options: argparse.Namespace) -> int:
    """The bot."""
    import time

    from bot.app import App
    from bot.core import Lock, assemble
    from bot.halt import Halt
    from bot.logs import set_up
    from bot.notifier import TelegramNotifier
    from bot.poller import Poller
    from bot.view import Format
    from memory.stores import Stores
    from scheduler.clock import Clock, plan_digest
    from scheduler.digests import Digests

    began = time.monotonic()
    settings, services, of_services = configured(options)
    if problems := settings.telegram_problems():
        raise BadConfiguration("\n".join(problems))
    redact = Redactor(settings.secrets())
    set_up(settings.log_level, redact)
    Lock(settings.data_dir).take()
    stores = await Stores.open(settings.data_dir)
    halt = Halt()
    poller = Poller(
        settings.telegram_api_url, settings.telegram_bot_token.get_secret_value().strip(), stores.inbox, halt
    )
    polling = asyncio.create_task(poller.run(), name="poll")  # first of all: nobody waits while the rest is loaded
    app = App(settings, stores, redact)
    core = assemble(settings, services, of_services, stores, app.screen, redact, halt)
    digests = Digests(stores, core.proposals, core.owner)
    notifier = TelegramNotifier(stores.outbox, Format(settings.zone))
    clock = Clock(stores, digests, notifier, settings.zone)
    await plan_digest(stores, f"tg:{settings.digest_chat or settings.first_admin}", settings.digest_time)

    async def digest() -> str:
        return notifier.write((await digests.gather())[0])

    try:
        await app.run(core, digest, poller, [polling, asyncio.create_task(clock.run(), name="clock")], began)
    finally:
        await core.close(app.shutdown_seconds)
    return OK


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
    import httpx

    from bot.doctor import Doctor

    settings, *_ = configured(options)
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
    import httpx

    from bot.console import exit_code, lines
    from bot.control import Control
    from bot.doctor import Doctor

    settings, *_ = configured(options)
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
    import httpx

    transport = httpx.AsyncHTTPTransport(uds=str(settings.data_dir / "control.sock"))
    return httpx.AsyncClient(transport=transport, base_url="http://rackhand", timeout=180.0, trust_env=False)


@contextlib.asynccontextmanager
async def _alone(options: argparse.Namespace) -> AsyncIterator[Any]:
    """The core without a bot, under the lock."""
    from bot.core import Lock, assemble
    from bot.halt import Halt
    from bot.logs import set_up
    from bot.screen import NoScreen
    from memory.stores import Stores

    settings, services, of_services = configured(options)
    redact = Redactor(settings.secrets())
    set_up("WARNING", redact)
    Lock(settings.data_dir).take()
    core = assemble(settings, services, of_services, await Stores.open(settings.data_dir), NoScreen(), redact, Halt())
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


def demo(options: argparse.Namespace) -> NoReturn:
    """The lab and a bot in it. Only the lab's settings reach the bot: never a real service's."""
    keep = ("PATH", "HOME", "LANG", "LC_ALL", "TERM", "TMPDIR", "ANTHROPIC_API_KEY", "SSL_CERT_FILE", "SSL_CERT_DIR")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    here = Path(__file__).resolve().parent
    bot = [sys.executable, str(here / "main.py"), "--env-file", os.devnull, "run"]
    command = [sys.executable, "-m", "lab", "--port", str(options.port), "--seed", str(options.seed), "--", *bot]
    os.chdir(here)
    os.execve(sys.executable, command, environment)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="main.py", description="A safe pair of hands in your homelab.")
    root.add_argument("--env-file", type=Path, default=Path(".env"), help="settings file (default: .env)")
    doors = root.add_subparsers(dest="door", metavar="COMMAND")
    root.set_defaults(work=run)

    def door(name: str, work: Any, text: str) -> argparse.ArgumentParser:
        added = doors.add_parser(name, help=text, description=text)
        added.set_defaults(work=work)
        return added

    door("run", run, "run the bot (the default)")
    show = door("demo", demo, "a simulated homelab with a chat page; no account, no network")
    show.add_argument("--port", type=int, default=8080)
    show.add_argument("--seed", type=int, default=1, help="which story the homelab tells")
    asked = door("ask", ask, "run one objective; exit 0 done, 1 failed, 3 waiting for approval")
    asked.add_argument("objective")
    decided = door("resume", resume, "decide a waiting run")
    decided.add_argument("run")
    choice = decided.add_mutually_exclusive_group(required=True)
    choice.add_argument("--approve", action="store_true")
    choice.add_argument("--deny", action="store_true")
    for each in (asked, decided, door("doctor", doctor, "check everything"), door("tools", tools, "list every tool")):
        each.add_argument("--json", action="store_true")
    door("env", env, "print .env.example")
    return root


def main() -> int:
    """Run a door; a configuration error is one line for each setting, never a trace."""
    from bot.core import AlreadyRunning
    from bot.poller import TokenRejected
    from memory.database import DatabaseBroken

    options = parser().parse_args()
    try:
        if options.work is demo:
            demo(options)
        code: int = asyncio.run(options.work(options))
        return code
    except (BadConfiguration, TokenRejected, BrokenService) as error:
        print(error, file=sys.stderr)
        return CONFIGURATION
    except (AlreadyRunning, DatabaseBroken) as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
