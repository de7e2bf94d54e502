"""B86, B89, B90: logs and a machine that runs out of things."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import httpx
import pytest
from loguru import logger

from bot.settings.logs import set_up
from lab.lab import Lab
from lab.telegram.state import ADMIN
from memory.secrets import Redactor
from tests.bad_inputs.rows import Bench, row
from tests.e2e.harness import MAIN, environment
from tools.docker import hosts

TOKEN = "123456789:AAcanaryCANARYcanaryCANARYcanary0123"


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
