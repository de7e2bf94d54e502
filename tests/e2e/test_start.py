"""Bad beginnings and good ends: configuration, second instances, broken databases, missing services, signals."""

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from lab.lab import Lab
from lab.telegram.state import ADMIN, STRANGER, VIEWER
from tests.e2e.harness import MAIN, ROOT, Home, bound_by_permissions, environment, open_home, run_door

CONFIGURATION, UNUSABLE = 78, 75
TOKEN = "7000000001:" + "A" * 35
"""Looks like a bot's token."""


def settings(tmp_path: Path, **more: str) -> dict[str, str]:
    """A configuration with nothing wrong in it, but for what is given; nothing listens where it points."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    fine = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_API_URL": "http://127.0.0.1:9",
        "TELEGRAM_ADMINS": "1001",
        "DOCKER_HOSTS": '{"nas": "tcp://127.0.0.1:9"}',
        "DATA_DIR": str(tmp_path / "data"),
    }
    return {**kept, **fine, **more}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"TELEGRAM_BOT_TOKEN": ""}, ["TELEGRAM_BOT_TOKEN: not set", "@BotFather"]),
        ({"TELEGRAM_ADMINS": ""}, ["TELEGRAM_ADMINS: no admin", "@userinfobot"]),
        ({"DOCKER_HOSTS": '{"attic": '}, ["DOCKER_HOSTS", "JSON object"]),
        ({"DIGEST_TIME": "25:99"}, ["DIGEST_TIME", "HH:MM"]),
    ],
)
async def test_a_wrong_setting_is_named_with_its_remedy(
    tmp_path: Path, wrong: dict[str, str], named: list[str]
) -> None:
    ended = await run_door("run", env=settings(tmp_path, **wrong))
    assert ended.code == CONFIGURATION and ended.out == ""
    [line] = ended.err.splitlines()
    assert all(word in line for word in named)
    assert not any(value and value in line for value in wrong.values())


async def test_a_token_that_telegram_rejects(tmp_path: Path) -> None:
    async with Lab(directory=tmp_path) as lab:
        ended = await run_door("run", env=environment(lab, TELEGRAM_BOT_TOKEN=TOKEN))
    assert ended.code == CONFIGURATION
    assert "TELEGRAM_BOT_TOKEN: Telegram rejects it" in ended.err and TOKEN not in ended.err
    assert "Traceback" not in ended.err


async def test_a_second_instance_leaves_the_first_alone(home: Home) -> None:
    ended = await run_door("run", env=dict(home.bot.env))
    assert ended.code == UNUSABLE
    assert "DATA_DIR" in ended.err.splitlines()[-1] and "Traceback" not in ended.err
    await home.ask("/cost", "today")
    assert home.bot.starts == 1


async def test_a_folder_too_deep_for_a_socket_is_said(tmp_path: Path) -> None:
    ended = await run_door("run", env=settings(tmp_path, DATA_DIR=str(tmp_path / ("deep" * 30))))
    assert ended.code == CONFIGURATION and "Traceback" not in ended.err
    assert ended.err.splitlines()[-1].startswith("DATA_DIR: I cannot make a socket at ")


def _newer(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 4000")
        connection.commit()


def _read_only(database: Path) -> None:
    database.chmod(0o400)
    database.parent.chmod(0o500)


@pytest.mark.parametrize("spoil", [_newer, _read_only])
async def test_a_database_that_cannot_be_trusted_stops_it_in_one_line(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    env = settings(tmp_path)
    assert (await run_door("doctor", "--json", env=env)).code in (0, 1)  # makes the database
    [database] = (tmp_path / "data").glob("*.db")
    try:
        spoil(database)
        before = database.read_bytes()
        ended = await run_door("run", env=env, before=bound_by_permissions())
        assert database.read_bytes() == before
    finally:
        database.parent.chmod(0o700)
    assert ended.code == UNUSABLE
    assert "Traceback" not in ended.err
    [line] = ended.err.splitlines()
    assert str(database) in line


@pytest.mark.parametrize("locked", [".", ".env"])
async def test_settings_that_may_not_be_read_are_said_in_one_line(tmp_path: Path, locked: str) -> None:
    """The file itself, or the folder that it lies in."""
    file = tmp_path / "settings" / ".env"
    file.parent.mkdir()
    file.write_text("TIMEZONE=UTC\n")
    (file.parent / locked).chmod(0o000)
    try:
        ended = await run_door("--env-file", str(file), "doctor", env=settings(tmp_path), before=bound_by_permissions())
    finally:
        file.parent.chmod(0o700)
    assert ended.code == CONFIGURATION and ended.err == f"{file}: cannot be read (Permission denied).\n"


async def test_a_settings_file_that_is_named_and_not_there_is_said(tmp_path: Path) -> None:
    ended = await run_door("--env-file", str(tmp_path / "rackhand.env"), "doctor", env=settings(tmp_path))
    assert ended.code == 2 and f"there is no {tmp_path}/rackhand.env" in ended.err


async def test_docker_unreachable_is_said_and_stops_nothing(tmp_path: Path) -> None:
    gone = json.dumps({"nas": "tcp://127.0.0.1:9"})
    async with open_home(tmp_path, DOCKER_HOSTS=gone) as home:
        status = await home.ask("/status", "nas")
        assert "🔴 nas · docker · cannot be reached (connection refused)" in status.text
        await home.ask("/containers", "🔴.*nas")
        await home.ask("what is wrong?", "nas does not answer")
        doctor = await home.ask("/doctor", "docker")
        assert re.search("🔴 docker nas", doctor.text)


async def test_without_a_claude_key_commands_work_and_free_text_says_why(tmp_path: Path) -> None:
    async with open_home(tmp_path, ANTHROPIC_API_KEY="") as home:
        answer = await home.ask("what is wrong?", "can't think")
        assert "ANTHROPIC_API_KEY is not set" in answer.text and "/status" in answer.text
        await home.ask("/status", "need")
        assert "ANTHROPIC_API_KEY" in (await home.ask("/doctor", "claude")).text


async def test_a_claude_key_that_is_rejected(home: Home) -> None:
    home.lab.claude.keys = set()
    answer = await home.ask("what is wrong?", "can't think")
    assert "rejects ANTHROPIC_API_KEY" in answer.text and "/status" in answer.text
    await home.ask("/status", "need")


async def test_a_spent_budget_is_said_before_a_cent_more(tmp_path: Path) -> None:
    async with open_home(tmp_path, BUDGET_DAILY_USD="0") as home:
        answer = await home.ask("what is wrong?", "BUDGET_DAILY_USD")
        assert "/status" in answer.text and not home.lab.claude.requests
        await home.ask("/status", "need")


async def test_sigterm_ends_it_well_and_the_next_start_goes_on(home: Home) -> None:
    home.say("restart jellyfin")
    card = await home.card("Restart jellyfin")
    await home.quiet()
    await home.bot.stop()
    assert home.bot.returncode == 0
    assert not (home.data / "control.sock").exists()
    await home.start()
    home.tap(card, "Restart jellyfin")
    await home.hear("✓ Restarted jellyfin")


async def test_polling_comes_first(home: Home) -> None:
    first = next(request for request in home.lab.traffic.requests)
    assert first.path.endswith("/getUpdates")


async def test_each_person_is_offered_what_they_may_do(home: Home) -> None:
    await home.ask("/start", "service")
    await home.ask("/start", "service", VIEWER)
    offered = home.lab.telegram.commands_for
    await home.until(lambda: offered(ADMIN) and offered(VIEWER), "the command menus")
    admins, viewers = ({entry["command"] for entry in offered(user)} for user in (ADMIN, VIEWER))
    assert {"status", "stop", "pending", "undo", "containers", "restart", "logs"} <= admins
    assert (
        viewers < admins and {"status", "stop", "containers", "logs"} <= viewers and not {"undo", "restart"} & viewers
    )
    assert not offered(STRANGER)


def left_in(folder: Path) -> list[Path]:
    """What is still in a folder."""
    return list(folder.iterdir())


async def test_the_demo_takes_the_next_free_port_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *MAIN, "demo", "--port", str(port), cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        address = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        process.send_signal(signal.SIGINT)
        said = (await asyncio.wait_for(process.stderr.read(), 60)).decode()
        assert await asyncio.wait_for(process.wait(), 60) == 0
    assert f"Port {port} is taken; using " in said and f"127.0.0.1:{port}" not in address
    assert sys.executable not in said and not left_in(tmp_path)
