"""The doctor asks: Telegram, Anthropic and every host; what is wrong comes with what to do about it."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bot import doctor
from bot.doctor import Check, Doctor
from lab.claude.errors import error_body
from tests.place import Place

TELEGRAM_SAYS = '{"ok": false, "error_code": %d, "description": "%s"}'
Opening = Callable[..., Awaitable[Place]]

OTHERS = ("PIHOLE_URL", "PORTAINER_URL", "PROXMOX_URL", "PBS_URL", "UPS_URL")
"""Where there could be something to look after beside containers."""


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Opening]:
    """A bot over the lab, which also plays Claude."""
    async with AsyncExitStack() as stack:

        async def opened(**settings: str) -> Place:
            settings = {"DOCKER_AUTH_CONFIG": "", **settings}  # which is no text of any kind
            return await stack.enter_async_context(Place(tmp_path, model=None, **settings))

        yield opened


async def found(place: Place, name: str) -> Check:
    """The one finding of that name."""
    [check] = [check for check in await Doctor(place.core).checks() if check.name == name]
    return check


async def test_all_is_well_only_once_everybody_has_answered(place: Opening) -> None:
    here = await place(PORTAINER_URL="", PBS_URL="")  # whose twins have something wrong
    checks = {check.name: check for check in await Doctor(here.core).checks()}
    assert [check for check in checks.values() if check.level == "bad"] == []
    assert checks["claude"].text == f"answers as {here.settings.model_balanced}"
    assert checks["telegram"].text.startswith("the bot is not running; Telegram knows it as @")
    assert "2 hosts" in checks["docker"].text
    asked = {(request.service, request.path.rpartition("/")[2]) for request in here.lab.traffic.requests}
    assert ("telegram", "getMe") in asked and ("claude", here.settings.model_balanced) in asked
    assert not here.lab.claude.requests, "nothing was paid for"


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"status": 401}, "rejects ANTHROPIC_API_KEY: make a new one"), ({"status": 402}, "no credit: add some"),
        ({"status": 403}, "may not use this model: check MODEL_BALANCED"), ({"status": 404}, "check MODEL_BALANCED"),
        ({"status": 400, "body": json.dumps(error_body(400, "Your credit balance is too low"))}, "no credit"),
        ({"status": 429}, "rate limit"), ({"status": 529}, "overloaded"), ({"status": 502}, "out of order"),
        ({"drop": True}, "cannot be reached: check this machine's network"),
        ({"status": 302, "headers": {"location": "http://127.0.0.1:1/"}}, "overloaded or out of order"),
    ],
)  # fmt: skip
async def test_what_keeps_claude_from_answering(place: Opening, fault: dict[str, Any], why: str) -> None:
    here = await place()
    here.lab.traffic.fault("claude", times=None, **fault)
    check = await found(here, "claude")
    assert check.level == "bad" and why in check.text


async def test_a_rejected_key_and_an_unknown_model_are_told_apart(place: Opening) -> None:
    here = await place(MODEL_BALANCED="claude-nobody-1")
    assert "does not know the model; check MODEL_BALANCED" in (await found(here, "claude")).text
    here.lab.claude.keys = set()
    assert "rejects ANTHROPIC_API_KEY" in (await found(here, "claude")).text


async def test_an_endpoint_without_a_list_of_models_is_asked_in_another_way(place: Opening) -> None:
    here = await place()
    here.lab.traffic.fault("claude", path="/v1/models", status=404, body="<html>no</html>", times=None)
    assert (await found(here, "claude")).level == "ok"


@pytest.mark.parametrize(
    "key", ["changeme", "sk-ant-…", "sk-ant-...", "your-api-key", "<key>", "sk-ant-xxxx", "${KEY}"]
)
async def test_a_placeholder_is_named_and_nobody_is_asked(place: Opening, key: str) -> None:
    here = await place(ANTHROPIC_API_KEY=key)
    check = await found(here, "claude")
    assert check == Check(
        "claude", "bad", "ANTHROPIC_API_KEY: this is a placeholder; put the real one there, or nothing."
    )
    assert not [request for request in here.lab.traffic.requests if request.service == "claude"]


async def test_a_key_that_no_request_can_carry_is_said_to_be_one(place: Opening) -> None:
    assert "copy it again" in (await found(await place(ANTHROPIC_API_KEY="sk-ant-“api03-abcdefgh”"), "claude")).text


async def test_no_key_is_no_fault(place: Opening) -> None:
    assert (await found(await place(ANTHROPIC_API_KEY=""), "claude")).level == "warn"


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"status": 401, "body": TELEGRAM_SAYS % (401, "Unauthorized")}, "rejects TELEGRAM_BOT_TOKEN: get a new one"),
        ({"status": 404, "body": TELEGRAM_SAYS % (404, "Not Found")}, "rejects TELEGRAM_BOT_TOKEN: get a new one"),
        ({"status": 404, "body": "<html>nginx</html>"}, "is not Telegram's Bot API"),
        ({"status": 200, "body": "<html>log in</html>", "headers": {"content-type": "text/html"}}, "is not Telegram's"),
        ({"status": 302, "headers": {"location": "http://127.0.0.1:1/"}}, "is not Telegram's Bot API"),
        ({"status": 502, "body": "<html>Bad gateway</html>"}, "answered 502: try again"),
        ({"drop": True}, "cannot be reached (no answer): check this machine's network"),
    ],
)  # fmt: skip
async def test_what_keeps_telegram_from_knowing_the_bot(place: Opening, fault: dict[str, Any], why: str) -> None:
    here = await place()
    here.lab.traffic.fault("telegram", times=None, **fault)
    check = await found(here, "telegram")
    assert check.level == "bad" and why in check.text and here.lab.token not in check.text


@pytest.mark.parametrize("token", ["", "123456:…", "<token>", "changeme", "123456:ABC"])
async def test_a_token_that_is_none_is_not_sent(place: Opening, token: str) -> None:
    here = await place(TELEGRAM_BOT_TOKEN=token)
    check = await found(here, "telegram")
    assert check.level == "bad" and "@BotFather" in check.text
    assert not [request for request in here.lab.traffic.requests if request.service == "telegram"]


async def test_a_network_that_is_down_is_told_from_a_rejected_token(place: Opening) -> None:
    check = await found(await place(TELEGRAM_API_URL="http://127.0.0.1:1"), "telegram")
    assert "cannot be reached (connection refused): check this machine's network" in check.text


async def test_each_host_says_why_it_is_down(place: Opening, tmp_path: Path) -> None:
    hosts = {"attic": f"unix://{tmp_path}/no.sock", "cellar": "tcp://127.0.0.1:1"}
    check = await found(await place(DOCKER_HOSTS=json.dumps(hosts)), "docker")
    assert check.level == "bad"
    assert "attic cannot be reached (its socket does not exist): start Docker, or correct unix://" in check.text
    assert "cellar cannot be reached (connection refused): check that it runs and that its port is right" in check.text


async def test_without_anything_to_look_after_it_is_not_well(
    place: Opening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.docker.settings.DEFAULT_SOCKET", tmp_path / "docker.sock")
    check = await found(await place(**dict.fromkeys((*OTHERS, "DOCKER_HOSTS"), "")), "docker")
    assert (
        check.level == "bad" and f"there is no {tmp_path}/docker.sock: start Docker, or set DOCKER_HOSTS" in check.text
    )


async def test_a_host_that_is_given_a_pause_is_asked_all_the_same(place: Opening) -> None:
    here = await place()
    here.lab.traffic.fault("docker:nas", drop=True, times=None)
    for _ in range(3):
        await here.read("docker_list_containers")
    here.lab.traffic.clear()
    assert (await found(here, "docker")).level == "ok"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("{", "is damaged: mend it"), ("[]", "is damaged: mend it"), ('{"auths": []}', "damaged auths"),
        ('{"auths": {"ghcr.io": {"auth": "!"}}}', "unusable entry for ghcr.io"),
        ('{"credsStore": "nobody"}', "docker-credential-nobody, which"), ('{"credsStore": "../x"}', "is not installed"),
    ],
)  # fmt: skip
async def test_a_damaged_file_of_the_docker_command_is_a_line(
    place: Opening, tmp_path: Path, config: str, why: str
) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(config)
    here = await place(DOCKER_CONFIG=str(tmp_path / "docker"))
    checks = [check for check in await Doctor(here.core).checks() if check.name == "docker"]
    assert [check.level for check in checks] == ["ok", "warn"]
    assert why in checks[1].text and "registries are asked without credentials" in checks[1].text


@pytest.mark.parametrize("given", ["{", "[]", '{"auths": []}', '{"auths": {}, "credsStore": "x"}',
                                   '{"auths": {"ghcr.io": {}}}', '{"auths": {"ghcr.io": {"auth": "!"}}}'])  # fmt: skip
async def test_damaged_credentials_of_the_environment_are_a_line(place: Opening, given: str) -> None:
    here = await place(DOCKER_AUTH_CONFIG=given, DOCKER_CONFIG="/dev/null")
    [warned] = [check for check in await Doctor(here.core).checks() if check.level == "warn" and check.name == "docker"]
    assert warned.text.startswith("DOCKER_AUTH_CONFIG is damaged: mend it")


async def test_whoever_hangs_is_not_waited_for_long(place: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ASK_SECONDS", 0.5)
    monkeypatch.setattr("bot.agent.claude.LOOK_SECONDS", 0.5)
    monkeypatch.setattr("tools.docker.hosts.READ_PATIENCE", 0.5)
    here = await place()
    here.lab.traffic.fault("telegram", stall=True, times=None)
    here.lab.traffic.fault("claude", stall=True, times=None)
    here.lab.traffic.fault("docker", stall=True, times=None)
    await here.core.model.warm_up()  # type: ignore[attr-defined]
    began = time.monotonic()
    checks = {check.name: check.level for check in await Doctor(here.core).checks()}
    assert {checks[name] for name in ("telegram", "claude", "docker")} == {"bad"} and time.monotonic() - began < 15
