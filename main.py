"""Rackhand's command line and composition root: puts the parts together, and is imported by no one."""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

from bot.settings.settings import BadConfiguration, configured
from bot.terminal import doors
from memory.models import Actor
from memory.secrets import Redactor
from tools.kit.registry import BrokenService

OK, UNUSABLE, CONFIGURATION = 0, 75, 78
"""Exit codes; the last two as in sysexits.h: starting again may help (EX_TEMPFAIL), or cannot (EX_CONFIG)."""


async def run(options: argparse.Namespace) -> int:
    """The bot."""
    from bot.core import opened
    from bot.doctor import Doctor
    from bot.screen.digest import TelegramNotifier
    from bot.screen.view import Format, View
    from bot.settings.logs import set_up
    from bot.settings.people import TELEGRAM, console_actor
    from bot.telegram.app import App, telegram_bot
    from bot.telegram.chats import Chats
    from bot.telegram.poller import Poller
    from bot.telegram.progress import TelegramScreen
    from scheduler.clock import Clock, plan_digest
    from scheduler.digests import Digests

    configuration = configured(options.env_file, bot=True)
    settings, redact = configuration.settings, Redactor(configuration.secrets())
    set_up(settings.log_level, redact)
    chats = Chats(telegram_bot(settings), redact)
    async with opened(configuration, redact, lambda stores: TelegramScreen(stores, chats)) as core:
        token = settings.telegram_bot_token.get_secret_value()
        poller = Poller(settings.telegram_api_url, token, core.stores.inbox, core.halt)
        digests = Digests(core.stores, core.proposals, core.access, console_actor())
        notifier = TelegramNotifier(core.stores.outbox, Format(settings.zone))
        clock = Clock(core.stores, digests, notifier, settings.zone, settings.keep)

        async def digest(reader: Actor) -> View:
            return notifier.view((await digests.gather(reader))[0])

        digest_to = f"{TELEGRAM}{settings.digest_chat or settings.first_admin}"
        await plan_digest(core.stores, digest_to, settings.digest_time)
        doctor = Doctor(core, poller.polling)

        @asynccontextmanager
        async def door() -> AsyncIterator[None]:
            from bot.terminal.control import (
                Control,
                control_socket,
            )  # it brings a web server: not before the first poll

            async with control_socket(Control(core, doctor), settings.data_dir / "control.sock"):
                yield

        await App(core, chats, poller, doctor, digest).run(clock.run(), door=door())
    return OK


def demo(options: argparse.Namespace) -> NoReturn:
    """The lab with a bot in it. Only the lab's settings reach the bot, never those of a real service."""
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
    root.add_argument("--env-file", type=existing, default=Path(".env"), help="settings file (default: .env)")
    commands = root.add_subparsers(dest="door", metavar="COMMAND")
    root.set_defaults(work=run)

    def door(name: str, work: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(work=work)
        return added

    door("run", run, "run the bot (the default)")
    show = door("demo", demo, "a simulated homelab with a chat page; no account, no network")
    show.add_argument("--port", type=port, default=8080)
    show.add_argument("--seed", type=int, default=1, help="which story the homelab tells")
    asked = door("ask", doors.ask, "run one objective; exit 0 done, 1 failed, 3 waiting for approval")
    asked.add_argument("objective", type=words)
    decided = door("resume", doors.resume, "decide a waiting run")
    decided.add_argument("run")
    choice = decided.add_mutually_exclusive_group(required=True)
    choice.add_argument("--approve", action="store_true")
    choice.add_argument("--deny", action="store_true")
    looked = door("doctor", doors.doctor, "check everything")
    listed = door("tools", doors.tools, "list every tool")
    for each in (asked, decided, looked, listed):
        each.add_argument("--json", action="store_true")
    door("env", doors.env, "print .env.example")
    door("backup", doors.backup, "copy the database, checked").add_argument("file", type=Path, nargs="?")
    door("restore", doors.restore, "put a backup in place").add_argument("file", type=Path)
    checked = door("audit", doors.audit, "check or print the audit log")
    checked.add_argument("what", choices=("verify", "export"))
    checked.add_argument(
        "--head", type=head, metavar="SEQ:HEX", help="records and head of an earlier check: they must still be in it"
    )
    return root


def existing(text: str) -> Path:
    """A file that somebody has named and therefore counts on."""
    path = Path(text)
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise argparse.ArgumentTypeError(f"there is no {text}") from None
    except PermissionError:
        pass  # said by what reads it, as every other trouble with it
    return path


def port(text: str) -> int:
    """A TCP port."""
    if not re.fullmatch(r"\d{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError("use a number from 0 to 65535")
    return int(text)


def words(text: str) -> str:
    """Something to do."""
    if not text.strip():
        raise argparse.ArgumentTypeError("say what you want")
    return text


def head(text: str) -> str:
    """A place in the audit chain, as a digest or `audit verify` named it."""
    if not re.fullmatch(r"[1-9]\d*:[0-9a-fA-F]{8,64}", text):
        raise argparse.ArgumentTypeError("use the number of records and their head, as in 123:1a2b3c4d")
    return text


def main() -> int:
    """The exit code of the door that was asked for; a configuration error is a line for each setting, never a trace."""
    from bot.core import AlreadyRunning
    from bot.telegram.poller import TokenRejected
    from memory.database import DatabaseBroken

    os.umask(0o077)  # whatever is written here is its owner's alone
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
