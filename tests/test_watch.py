"""The watch over the shared stacks bites: a canary that gets out turns its test red, whatever recorded it."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.watch import LEDGER, summary

ROOT = Path(__file__).parents[1]
LEAKS = '''
import base64
import json
import sys

import httpx
from loguru import logger

from memory.secrets import Redactor
from tests.e2e import harness
from tests.live import Live
from tests.place import Place
from tests.prove.ordeal import stage

KEY, TOKEN, HOOK = "ANTHROPIC_API_KEY", "TELEGRAM_BOT_TOKEN", "WEBHOOK_TOKEN"


def values(stack):
    return stack.watch.canaries.values


async def post(url, **more):
    async with httpx.AsyncClient() as client:
        await client.post(url, **more)


def spare(stack):
    """A value of a container's environment."""
    return next(value for name, value in values(stack).items() if name.startswith("container"))


async def test_telegram_body(tmp_path):
    async with Place(tmp_path) as place:
        body = {"chat_id": 1, "text": base64.b64encode(b"x" + values(place)[HOOK].encode()).decode()}
        await post(f"{place.lab.telegram_url}/bot{place.lab.token}/sendMessage", json=body)


async def test_telegram_address(tmp_path):
    async with Place(tmp_path) as place:
        url = f"{place.lab.telegram_url}/bot{place.lab.token}/getMe"
        await post(url, params={"again": place.lab.token})


async def test_claude_body(tmp_path):
    async with Place(tmp_path) as place:
        await post(f"{place.lab.claude_url}/v1/messages", content=values(place)[KEY].encode().hex())


async def test_claude_header(tmp_path):
    async with Place(tmp_path) as place:
        key = values(place)[KEY]
        await post(f"{place.lab.claude_url}/v1/messages", headers={"authorization": f"Bearer {key}", "x-more": key})


async def test_engine(tmp_path):
    async with Place(tmp_path) as place:
        address = place.lab.docker_hosts["nas"].replace("tcp:", "http:")
        body = {"Image": "x", "Env": [f"A={spare(place)}"], "Labels": {"a": spare(place)}}
        await post(f"{address}/containers/create", json=body)


async def test_database(house):
    async with house.stores.database.transaction() as tx:
        await tx.run("INSERT INTO meta (key, value) VALUES ('x', ?)", values(house)["webhook_token"])


async def test_digest(tmp_path):
    async with Live(tmp_path) as live:
        await live.stores.outbox.say(live.admin.id, "text", "digest", text=values(live)[HOOK])


async def test_backup(tmp_path):
    async with Place(tmp_path) as place:
        (tmp_path / "data" / "backups").mkdir(exist_ok=True)
        (tmp_path / "data" / "backups" / "old.db").write_text(values(place)[KEY][::-1])


async def test_scripted_model(house, monkeypatch):
    monkeypatch.setattr(Redactor, "__call__", lambda self, text: text)
    await house.say(f"my key is {values(house)['anthropic_api_key']}")


async def test_log(house):
    logger.info("connecting with {}", values(house)["telegram_bot_token"].upper())


async def test_output(house):
    print(json.dumps({"token": values(house)["rack_token"]}))


async def test_door(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "MAIN", [sys.executable, "-c", "import os; print(os.environ['WEBHOOK_TOKEN'])"])
    await harness.run_door("ask", env={HOOK: "a-value-of-this-test-alone"})


async def test_door_of_a_home(tmp_path, monkeypatch):
    async with harness.open_home(tmp_path, started=False, forked=False) as home:
        monkeypatch.setattr(harness, "MAIN", [sys.executable, "-c", "import os; print(os.environ['WEBHOOK_TOKEN'])"])
        await harness.run_door("ask", env=dict(home.bot.env))


async def leaves(home, script, until):
    """A bot that is something else."""
    home.bot.command = [sys.executable, "-c", script, "argument"]
    await home.bot.start()
    await home.until(until, "it to get so far")


async def test_bot_log(tmp_path):
    async with harness.open_home(tmp_path, started=False, forked=False) as home:
        script = "import os, time; print(os.environ['ANTHROPIC_API_KEY'][:20], flush=True); time.sleep(60)"
        await leaves(home, script, home.log)


async def test_child(tmp_path):
    async with harness.open_home(tmp_path, started=False, forked=False) as home:
        script = "import subprocess, time; subprocess.Popen(['sleep', '60']); print('x', flush=True); time.sleep(60)"
        await leaves(home, script, home.log)


async def test_argv(tmp_path):
    async with harness.open_home(tmp_path, started=False, forked=False) as home:
        script = f"import time; print('x', flush=True); time.sleep(60)  # {values(home)[HOOK]}"
        await leaves(home, script, home.log)


async def test_prove(tmp_path):
    async with stage(tmp_path, []) as made:
        (made.data.parent / "left.txt").write_text(made.watch.canaries.values[HOOK])


async def test_nothing_leaks(house):
    await house.say("hello")
'''
EXPECTED = {
    "telegram_body": "WEBHOOK_TOKEN in telegram: POST sendMessage, its body, spelled base64+1",
    "telegram_address": "TELEGRAM_BOT_TOKEN in telegram: POST getMe, its address and headers, spelled url",
    "claude_body": "ANTHROPIC_API_KEY in claude: POST messages, its body, spelled hex",
    "claude_header": "ANTHROPIC_API_KEY in claude: POST messages, its address and headers, spelled raw",
    "engine": "container env 0 in docker:nas: POST create, its body, spelled raw",
    "database": "webhook_token in the file rackhand.db, spelled raw",
    "digest": "WEBHOOK_TOKEN in the file data/rackhand.db, spelled raw",
    "backup": "ANTHROPIC_API_KEY in the file data/backups/old.db, spelled reversed",
    "scripted_model": "anthropic_api_key in what the model was sent, spelled raw",
    "log": "telegram_bot_token in the log, spelled other case",
    "output": "rack_token in Captured stdout call, spelled raw",
    "door": "WEBHOOK_TOKEN in what `main.py ask` says, spelled raw",
    "door_of_a_home": "WEBHOOK_TOKEN in what `main.py ask` says, spelled raw",
    "bot_log": "ANTHROPIC_API_KEY in the file bot.log, spelled in part",
    "child": "TELEGRAM_BOT_TOKEN in environ of a process that the bot started, spelled raw",
    "argv": "WEBHOOK_TOKEN in the command line of the bot, spelled raw",
    "prove": "WEBHOOK_TOKEN in the file left.txt, spelled raw",
}
"""What each sample must be reported with."""


def test_each_recorder_turns_its_test_red(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(LEAKS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", LEDGER))}
    options = ["-n", "2", "-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir", ".", "-ra", "--tb=line"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--junitxml", "report.xml"],
        cwd=tmp_path, env={**environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said
    red = {
        case.attrib["name"].removeprefix("test_"): "\n".join(
            f"{wrong.attrib['message']}\n{wrong.text}" for kind in ("failure", "error") for wrong in case.iter(kind)
        )
        for case in ElementTree.parse(tmp_path / "report.xml").iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    }
    missed = {name: line for name, line in EXPECTED.items() if line not in red.get(name, "")}
    assert not missed and red.keys() == EXPECTED.keys(), (missed, said)
    [line] = [line for line in ended.stdout.splitlines() if line.startswith("canaries: ")]
    assert not line.endswith(" 0 hits"), line


def test_the_ledgers_lines_add_up(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    ledger.write_text('[1, 1500000, 0, 0.1, ["a", "b"]]\n[0, 500000, 2, 0.1, ["b"]]\n[1, 0, 0, 0.1, ["c"]]\n')
    assert summary(ledger) == "canaries: 3 secrets, 2 stacks, 2 MB scanned, 2 hits"
    ledger.write_text("")
    assert summary(ledger) == ""
