"""The other doors: through the running bot's socket, and alone when nobody runs."""

import json
import os
from pathlib import Path

import pytest

from tests.e2e.harness import Home, open_home, run_door

DONE, FAILED, WAITING = 0, 1, 3


async def test_ask_and_resume_through_the_running_bot(home: Home) -> None:
    env = dict(home.bot.env)
    asked = await run_door("ask", "stop radarr", "--json", env=env)
    shown = json.loads(asked.out)
    assert asked.code == WAITING and shown["state"] == "waiting"
    assert [(call["title"], call["state"]) for call in shown["calls"]] == [("Stop radarr", "waiting")]
    assert not home.writes()

    denied = await run_door("resume", shown["run"], "--deny", env=env)
    assert "denied" in denied.out and not home.writes()
    again = await run_door("resume", shown["run"], "--approve", env=env)
    assert again.code == FAILED and "no open card" in again.err and not home.writes()

    shown = json.loads((await run_door("ask", "stop radarr", "--json", env=env)).out)
    approved = await run_door("resume", shown["run"], "--approve", env=env)
    assert approved.code == DONE and "Stop radarr: done ✓" in approved.out
    assert home.writes() == ["POST /containers/radarr/stop"]
    assert not [m for chat in home.lab.telegram.chats for m in home.lab.telegram.sent(chat)]


async def test_ask_and_resume_alone(tmp_path: Path) -> None:
    async with open_home(tmp_path, started=False) as home:
        env = dict(home.bot.env)
        asked = await run_door("ask", "stop radarr", "--json", env=env)
        shown = json.loads(asked.out)
        assert asked.code == WAITING and not home.writes()
        approved = await run_door("resume", shown["run"], "--approve", "--json", env=env)
        assert approved.code == DONE and json.loads(approved.out)["calls"][0]["verified"] is True
        assert home.writes() == ["POST /containers/radarr/stop"]
        assert not any(request.service == "telegram" for request in home.lab.traffic.requests)


async def test_doctor_alone_and_through_the_socket(home: Home) -> None:
    env = dict(home.bot.env)
    through = await run_door("doctor", "--json", env=env)
    checks = {check["name"]: check for check in json.loads(through.out)}
    assert through.code == DONE and checks["telegram"]["text"].startswith("last poll")
    assert all(check.keys() == {"name", "level", "text", "outside"} for check in checks.values())
    assert {"database", "disk", "claude", "audit", "docker"} <= checks.keys()
    await home.bot.stop()
    alone = await run_door("doctor", env=env)
    assert "the bot is not running" in alone.out and alone.code == DONE


async def test_doctor_fails_when_a_key_or_a_token_is_rejected(tmp_path: Path) -> None:
    async with open_home(tmp_path, started=False) as home:
        env = dict(home.bot.env)
        home.lab.claude.keys = set()
        alone = await run_door("doctor", env=env)
        assert alone.code == FAILED and "BAD  claude: Anthropic rejects ANTHROPIC_API_KEY" in alone.out
        home.lab.claude.keys, home.lab.telegram.token = None, "1:another"
        alone = await run_door("doctor", env=env)
        assert alone.code == FAILED and "BAD  telegram: Telegram rejects TELEGRAM_BOT_TOKEN" in alone.out


async def test_tools_lists_every_tool_without_any_configuration(tmp_path: Path) -> None:
    ended = await run_door("tools", "--json", env={"DATA_DIR": str(tmp_path / "data")})
    tools = json.loads(ended.out)
    assert ended.code == DONE and not (tmp_path / "data").exists()
    keys = {"name", "service", "area", "risk", "description", "input_schema", "undo"}
    assert all(tool.keys() == keys for tool in tools)
    docker = {tool["name"]: tool for tool in tools if tool["service"] == "docker"}
    assert len(docker) >= 15 and docker["docker_remove_container"]["risk"] == "destroy"
    assert docker["docker_list_containers"]["risk"] == "read" and docker["docker_stop_container"]["undo"]
    schema = docker["docker_stop_container"]["input_schema"]
    assert schema["required"] == ["container"] and schema["additionalProperties"] is False


async def test_an_answer_and_a_failure_have_their_exit_codes(home: Home) -> None:
    env = dict(home.bot.env)
    answered = await run_door("ask", "is jellyfin up?", env=env)
    assert answered.code == DONE and "jellyfin" in answered.out and "· done" in answered.out
    home.lab.claude.keys = set()
    rejected = await run_door("ask", "is jellyfin up?", env=env)
    assert rejected.code == FAILED and "ANTHROPIC_API_KEY" in rejected.out + rejected.err


async def test_what_destroys_is_said_yes_to_twice(tmp_path: Path) -> None:
    async with open_home(tmp_path, started=False) as home:
        env = dict(home.bot.env)
        shown = json.loads((await run_door("ask", "remove radarr", "--json", env=env)).out)
        once = await run_door("resume", shown["run"], "--approve", env=env)
        assert once.code == WAITING and "say so once more" in once.out and not home.writes()
        twice = await run_door("resume", shown["run"], "--approve", env=env)
        assert twice.code == DONE and "Remove radarr: done ✓" in twice.out
        assert any(write.startswith("DELETE /containers/") for write in home.writes())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--port", "99999"], "0 to 65535"),
        (["demo", "--port", "-1"], "0 to 65535"),
        (["ask", " "], "say what you want"),
    ],
)
async def test_arguments_that_cannot_be_meant_are_refused_in_words(arguments: list[str], words: str) -> None:
    ended = await run_door(*arguments, env={"PATH": os.environ["PATH"]})
    assert ended.code == 2 and words in ended.err and "Traceback" not in ended.err


async def test_a_data_dir_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    env = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path / "data")}
    ended = await run_door("doctor", env=env)
    assert ended.code == 78 and "I cannot write to the folder" in ended.err
