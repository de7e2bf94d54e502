"""The bot as something that can be killed at a named moment. Nothing but this file's own command line arms it."""

import argparse
import functools
import json
import os
import random
import resource
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

MOST = resource.RLIM_INFINITY
QUICK_THROTTLE = 0.01
"""Seconds between two messages to a chat; the simulated Telegram does not mind."""


def parser() -> argparse.ArgumentParser:
    """What can be done to the bot. A moment is POINT:PASS, as in `started:1`."""
    root = argparse.ArgumentParser(prog="victim", description=__doc__)
    root.add_argument("--kill", default="", metavar="MOMENT", help="SIGKILL itself there")
    root.add_argument("--stop", default="", metavar="MOMENT", help="SIGSTOP itself there")
    root.add_argument("--full", default="", metavar="MOMENT", help="no file can grow from there on")
    root.add_argument("--full-for", type=float, default=0.0, metavar="SECONDS", help="and then it can again")
    root.add_argument("--read-only", default="", metavar="MOMENT", help="the database refuses writes from there on")
    root.add_argument("--pragmas", type=Path, metavar="FILE", help="write there how the database is open, at --stop")
    root.add_argument("--record", type=Path, help="write every moment that passes to this file")
    root.add_argument("--expiry", type=float, help="seconds that a card stays open")
    root.add_argument("--clock", type=float, default=0.0, help="seconds that the database's clock is off")
    root.add_argument("--deadline", type=float, help="most seconds that a change may take")
    root.add_argument("--conflict", type=float, help="seconds of 409 until it stops changing things")
    root.add_argument("--policy", type=int, help="the policy's version")
    root.add_argument("--schema", metavar="TOOL:KIND", help="give a tool an `optional` or a `required` new argument")
    root.add_argument("--kill-migration", type=int, metavar="N", help="SIGKILL itself inside the N-th migration")
    return root


def main(arguments: list[str]) -> int:
    """Arm what the command line says, then run the bot."""
    options = parser().parse_args(arguments)
    random.seed()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    arm(options)
    tune(options)
    import main as program

    sys.argv = ["main.py", "--env-file", os.devnull, "run"]
    return program.main()


def die() -> None:
    """What a power cut looks like to a process."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(options: argparse.Namespace) -> None:
    """Set the hook that counts named moments and strikes at the chosen ones."""
    from memory import points

    passes: Counter[str] = Counter()
    actions: dict[str, Callable[[], None]] = {
        options.kill: die,
        options.stop: functools.partial(pause, options.pragmas),
        options.full: functools.partial(fill_up, options.full_for),
        options.read_only: lock_database,
    }
    record = options.record.open("a", buffering=1) if options.record else None

    def hook(name: str) -> None:
        passes[name] += 1
        moment = f"{name}:{passes[name]}"
        if record is not None:
            record.write(f"{moment}\n")
        if action := actions.get(moment):
            action()

    if record is not None or any(actions):
        points.hook = hook


def pause(pragmas: Path | None) -> None:
    """Stand still until somebody sends SIGCONT."""
    if pragmas is not None:
        connection = opened[0]._writer._conn
        read = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")}
        pragmas.write_text(json.dumps(read))
    os.kill(os.getpid(), signal.SIGSTOP)


def fill_up(seconds: float) -> None:
    """From now on a write beyond the shortest file fails, as on a full disk; for some seconds, or for good."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, MOST))
    if seconds:
        threading.Timer(seconds, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MOST, MOST))).start()


def lock_database() -> None:
    """The writing connection becomes read-only, as on a file system that was remounted after an error."""
    from memory.database import Database

    for database in opened:
        assert isinstance(database, Database)
        database._writer._conn.execute("PRAGMA query_only=ON")


opened: list[Any] = []
"""Databases that this process has open."""


def tune(options: argparse.Namespace) -> None:
    """Shorten what would take minutes, and shift what the options say."""
    import time

    import bot.telegram.chats
    import memory.approvals
    import memory.database
    import scheduler.clock
    from bot.telegram.pace import Throttle

    Throttle.__init__.__defaults__ = (QUICK_THROTTLE, 1)
    bot.telegram.chats.GROUP_INTERVAL = QUICK_THROTTLE
    scheduler.clock.SOON = timedelta(seconds=0.5)
    original = memory.database.Database.open

    async def remembered(path: Path, **settings: Any) -> memory.database.Database:
        database = await original(path, clock=lambda: time.time() + options.clock, **settings)
        opened.append(database)
        return database

    memory.database.Database.open = remembered  # type: ignore[method-assign]
    if options.expiry is not None:
        memory.approvals.EXPIRY_SECONDS = options.expiry
    if options.conflict is not None:
        import bot.telegram.poller

        bot.telegram.poller.CONFLICT_SECONDS = options.conflict
    if options.policy is not None:
        set_policy(options.policy)
    if options.schema is not None:
        set_schema(*options.schema.split(":"))
    if options.deadline is not None:
        shorten_changes(options.deadline)
    if options.kill_migration is not None:
        break_migration(options.kill_migration)


def set_policy(version: int) -> None:
    """The rules of another release."""
    import tools.gate.gate
    import tools.gate.policy
    import tools.gate.standing

    for module in (tools.gate.policy, tools.gate.gate, tools.gate.standing):
        module.POLICY_VERSION = version  # type: ignore[attr-defined]


def set_schema(name: str, kind: str) -> None:
    """A tool of another release."""
    from tests.upgrade import upgrade
    from tools.kit.registry import discover

    tool = next(tool for service in discover() for tool in service.tools if tool.name == name)
    upgrade(tool, grace=(int, 10 if kind == "optional" else ...))
    if kind == "required":  # a release that asks for more than the target takes it off the pages, or would not start
        for page in tool.service.pages:
            page.verbs = tuple(verb for verb in page.verbs if verb is not tool)


def shorten_changes(seconds: float) -> None:
    """No change may take longer than this."""
    from tools.gate.execution import Execution

    original = Execution._do

    async def quick(self: Any, row: Any, change: Any) -> None:
        await original(self, row, replace(change, deadline=min(change.deadline, seconds)))

    Execution._do = quick  # type: ignore[method-assign]


def break_migration(number: int) -> None:
    """The power goes after the last statement of a migration and before its commit."""
    from memory import migrations

    step = migrations.MIGRATIONS[number - 1]

    async def broken(tx: Any) -> None:
        await step(tx)
        die()

    migrations.MIGRATIONS[number - 1] = broken


def preload() -> None:
    """Import what the bot imports in its first seconds, without running any of it."""
    import anthropic  # noqa: F401
    import cryptography.fernet  # noqa: F401
    import docker  # noqa: F401

    import main  # noqa: F401
    import tools.docker.session  # noqa: F401
    from tools.kit.registry import discover

    discover()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
