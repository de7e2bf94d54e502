"""B84–B86, B89, B90: settings, logs and a machine that runs out of things."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from loguru import logger

from bot.settings.logs import set_up
from bot.settings.settings import BadConfiguration, load
from lab.lab import Lab
from lab.telegram.state import ADMIN
from memory.secrets import Redactor
from tests.bad_inputs.rows import Bench, row
from tests.e2e.harness import MAIN, environment
from tests.place import environment as variables
from tools.docker import hosts
from tools.kit.registry import discover

TOKEN = "123456789:AAcanaryCANARYcanaryCANARYcanary0123"
WRONG = {
    "TELEGRAM_ADMINS": "@admin-secret", "TELEGRAM_OPERATORS": "12, secret-person", "TELEGRAM_CHATS": "secret-group",
    "AUTONOMY": "secret-yolo", "BUDGET_TASK_USD": "secret-dollars", "BUDGET_DAILY_USD": "-5", "TIMEZONE": "Secret/City",
    "DIGEST_TIME": "25:99secret", "DIGEST_CHAT": "secret-chat", "QUIET_HOURS": "secret", "EMBEDDER": "secret",
    "LOG_LEVEL": "SECRET", "DOCKER_HOSTS": '{"nas": "http://user:secret@nas:2375"}',
}  # fmt: skip


def problems(env_file: Path | None = None, **values: str) -> str:
    """What loading the settings complains of; empty when it does not."""
    try:
        with variables(values):
            load(discover(), env_file, bot=True)
    except BadConfiguration as error:
        return str(error)
    return ""


FINE = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_ADMINS": "1"}


@row(
    "B84",
    "settings missing, of the wrong kind, placeholders, with CRLF or BOM, twice, readable by others, behind a link",
    "named, all at once; the value hidden",
)
async def bad_settings(bench: Bench) -> None:
    assert problems(**FINE) == ""
    said = problems(**{**FINE, **WRONG})
    for name in WRONG:
        assert any(line.startswith(f"{name}: ") for line in said.splitlines()), f"{name} is not named in {said}"
    assert "secret" not in said.lower().replace("telegram_bot_token", "")
    assert {"TELEGRAM_BOT_TOKEN", "TELEGRAM_ADMINS"} <= {line.partition(":")[0] for line in problems().splitlines()}
    for token in ("undefined", "your-token-here", "777", f"{TOKEN} and more", f"bot{TOKEN}"):
        said = problems(**{**FINE, "TELEGRAM_BOT_TOKEN": token})
        assert said.startswith("TELEGRAM_BOT_TOKEN: ") and token not in said
    assert problems(**{**FINE, "TELEGRAM_BOT_TOKEN": f" {TOKEN}\n"}) == "", "white space around it does no harm"
    assert "WEBHOOK_TOKEN" in problems(**FINE, WEBHOOK_TOKEN=TOKEN)
    for hosts_ in (
        '{"a": "tcp://x:1", "a": "tcp://y:1"}',
        "[" * 5000,
        '{"a b": "tcp://x:1"}',
        '{"a": 7}',
        "nonsense-secret",
    ):
        said = problems(**FINE, DOCKER_HOSTS=hosts_)
        assert "DOCKER_HOSTS" in said and "secret" not in said
    file = bench.folder / ".env"
    file.write_bytes(f"TELEGRAM_BOT_TOKEN={TOKEN}\r\nTELEGRAM_ADMINS=1\r\nUNKNOWN=x\r\n".encode())
    file.chmod(0o600)
    assert problems(file) == ""
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert problems(file) == "", "the mark that Windows editors put first does no harm"
    for mode in (0o644, 0o640, 0o604):
        file.chmod(mode)
        said = problems(file)
        assert f"chmod 600 {file}" in said and "TELEGRAM_BOT_TOKEN" in said and TOKEN not in said
    link = bench.folder / "link"
    link.symlink_to(file)
    assert f"chmod 600 {file}" in problems(link), "a link is judged by what it leads to"
    file.chmod(0o600)
    assert problems(link) == ""
    file.write_bytes(f"TELEGRAM_BOT_TOKEN={TOKEN}\nTELEGRAM_ADMINS=1\nTELEGRAM_ADMINS=2\n".encode())
    assert problems(file).startswith("TELEGRAM_ADMINS: stands 2 times")
    file.write_bytes(b"\xff\xfe\x00T=1")
    assert problems(file)
    file.unlink()
    assert "leads nowhere" in problems(link)
    credentials = bench.folder / "credentials"
    credentials.mkdir(mode=0o755)
    (credentials / "telegram_bot_token").write_text(TOKEN)
    for mode, refused in ((0o444, True), (0o440, False), (0o400, False)):
        (credentials / "telegram_bot_token").chmod(mode)
        said = problems(TELEGRAM_ADMINS="1", CREDENTIALS_DIRECTORY=str(credentials))
        assert ("chmod 600" in said) is refused and TOKEN not in said


@row("B85", "a secret in a setting of the wrong kind", "in no message, representation or dump")
async def secret_in_an_error(bench: Bench) -> None:
    for name in ("BUDGET_TASK_USD", "LOG_LEVEL", "TELEGRAM_ADMINS", "DOCKER_HOSTS", "DOCKER_HOST", "EMBEDDER"):
        said = problems(**{**FINE, name: f"sk-ant-{TOKEN}"})
        assert name in said and "canary" not in said.lower() and "sk-ant" not in said
    with variables({**FINE, "ANTHROPIC_API_KEY": "sk-ant-canary-1", "WEBHOOK_TOKEN": "canary-hook"}):
        settings, of_services = load(discover(), None)
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(of_services)):
        assert "canary" not in shown.lower()


@row("B86", "an exception whose text, address or trace holds a token", "redacted where it is logged")
async def token_in_an_exception(bench: Bench) -> None:
    written: list[str] = []
    bench.patch.setattr(sys, "stderr", _Out(written))
    bench.patch.setattr("sys.excepthook", sys.excepthook)
    bench.patch.setattr(logger, "remove", lambda *handlers: None)  # the test's own sink stays
    set_up("DEBUG", Redactor([TOKEN, "short-pihole-pw"]))
    request = httpx.Request("GET", f"https://api.telegram.org/bot{TOKEN}/getMe?token=short-pihole-pw")
    try:
        httpx.Response(404, request=request).raise_for_status()
    except httpx.HTTPStatusError as error:
        secret = f"local {TOKEN}"
        logger.exception("it failed: {}", error)
        logger.opt(exception=error).error("again, with {}", secret)
        sys.excepthook(type(error), error, error.__traceback__)
    import logging
    import warnings

    logging.getLogger("httpx").warning("GET %s", request.url)
    logging.getLogger("somewhere").error("key=%s", TOKEN, exc_info=ValueError(TOKEN))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"deprecated {TOKEN}", stacklevel=1)
    for _ in range(200):
        if "deprecated" in "".join(written):
            break
        await asyncio.sleep(0.01)
    text = "".join(written)
    logging.captureWarnings(False)
    assert "it failed" in text and "deprecated" in text and "Traceback" in text
    assert TOKEN not in text and "short-pihole-pw" not in text and TOKEN.partition(":")[2] not in text


class _Out:
    def __init__(self, written: list[str]) -> None:
        self.write = written.append

    def flush(self) -> None:
        """Nothing is held back."""


@row(
    "B89",
    "a storm of signals, stdin closed, a log that nobody reads",
    "it answers, and ends when asked, without a trace",
)
async def signals(bench: Bench) -> None:
    async with Lab(directory=bench.folder) as lab:
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(writing, b"x" * 65536)
        fcntl.fcntl(writing, fcntl.F_SETFL, 0)  # full, and a write to it blocks
        process = await asyncio.create_subprocess_exec(
            *MAIN,
            "run",
            env=environment(lab, LOG_LEVEL="DEBUG"),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
        )
        os.close(writing)
        try:
            lab.telegram.send(ADMIN, "/cost")
            await lab.telegram.wait_for(lambda: lab.telegram.sent(ADMIN), 20)
            for _ in range(20):
                process.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(process.wait(), 20) in (0, 130)
        finally:
            if process.returncode is None:
                process.kill()
            os.close(reading)


@row("B90", "no file descriptors, no threads, no name resolution", "an error result; it works again afterwards")
async def exhausted(bench: Bench) -> None:
    addresses = json.dumps({"nas": "tcp://nas.invalid:2375"})
    lost = await bench.place(DOCKER_HOSTS=addresses)
    assert "its name is unknown" in await lost.read("docker_list_containers")
    with bench.patch.context() as patch:

        def out_of_threads(thread: Any) -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr(threading.Thread, "start", out_of_threads)
        lost.core.clients._open.clear()
        answer = await lost.prepare("docker_list_containers", {})
        assert answer.block["is_error"] or "no proper answer" in answer.block["content"]  # type: ignore[union-attr]
    bench.log[:] = [line for line in bench.log if "broke" not in line]  # that one surprise was made here
    with bench.patch.context() as patch:

        def out_of_files(*args: Any, **kwargs: Any) -> Any:
            raise OSError(24, "Too many open files")

        patch.setattr("urllib3.util.connection.create_connection", out_of_files)
        lost.core.clients._open.clear()
        assert '"down":[{"name":' in await lost.read("docker_list_containers")
    assert hosts.READ_PATIENCE
