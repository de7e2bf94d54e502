"""The lab as a whole, in this process and as a process of its own."""

import asyncio
import errno
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from lab.lab import Lab

ROOT = Path(__file__).parents[2]

Run = Callable[..., Awaitable[Process]]


async def test_a_temporary_directory_goes_and_a_given_one_stays(tmp_path: Path) -> None:
    async with Lab() as lab:
        assert lab.directory.is_dir()
    assert not lab.directory.exists()
    async with Lab(directory=tmp_path) as given:
        pass
    assert given.directory.is_dir()


async def test_the_real_claude_is_left_alone_only_when_asked() -> None:
    async with Lab(real_claude=True) as lab:
        assert not any(name.startswith("ANTHROPIC") for name in lab.environment())
    async with Lab() as lab:
        assert lab.environment()["ANTHROPIC_BASE_URL"] == lab.claude_url
        assert lab.environment()["ANTHROPIC_API_KEY"].startswith("sk-ant-lab-")


async def test_a_taken_port_leaves_nothing_running() -> None:
    async with Lab() as lab:
        port = int(lab.page_url.rpartition(":")[2])
        second = Lab(port=port)
        with pytest.raises(OSError) as refused:
            await second.__aenter__()
        assert refused.value.errno == errno.EADDRINUSE
        assert not second.directory.exists()


@pytest.fixture
async def run() -> AsyncIterator[Run]:
    """Starts `python -m lab` with arguments; what is left at the end is killed."""
    started: list[Process] = []

    async def start(*arguments: str) -> Process:
        env = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC")}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lab", *arguments, stdout=PIPE, stderr=PIPE, cwd=ROOT, env=env
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def first_line(process: Process) -> str:
    async with asyncio.timeout(20):
        return (await process.stdout.readline()).decode()


async def test_without_a_command_it_prints_the_environment_and_ends_on_sigterm(run: Run) -> None:
    lab = await run("--port", "0")
    env = json.loads(await first_line(lab))
    async with httpx.AsyncClient() as client:
        polling = asyncio.create_task(
            client.get(f"{env['TELEGRAM_API_URL']}/bot{env['TELEGRAM_BOT_TOKEN']}/getUpdates?timeout=30", timeout=40)
        )
        async with client.stream("GET", f"{env['LAB_URL']}/lab/events?chat=1") as events:
            await anext(events.aiter_lines())
            lab.send_signal(signal.SIGTERM)
            _, errors = await asyncio.wait_for(lab.communicate(), 20)
        with pytest.raises(httpx.RemoteProtocolError):
            await polling
    assert (lab.returncode, errors) == (0, b"")


async def test_ctrl_c_ends_the_command_too(run: Run, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    lab = await run("--port", "0", "--", sys.executable, "-S", "-c", script)
    assert "http://127.0.0.1:" in await first_line(lab)
    async with asyncio.timeout(20):
        for _ in range(1000):
            if pid_file.exists() and pid_file.read_text():
                break
            await asyncio.sleep(0.01)
    lab.send_signal(signal.SIGINT)
    _, errors = await asyncio.wait_for(lab.communicate(), 20)
    assert (lab.returncode, errors) == (0, b"")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


async def test_a_taken_port_moves_on_and_a_configuration_error_is_told(run: Run) -> None:
    async with Lab() as taken:
        port = taken.page_url.rpartition(":")[2]
        script = "import sys; print('TELEGRAM_ADMINS: not a number'); sys.exit(78)"
        lab = await run("--port", port, "--", sys.executable, "-S", "-c", script)
        address = await first_line(lab)
        assert f"127.0.0.1:{port} " not in address
        said = [(await lab.stderr.readline()).decode().strip() for _ in range(3)]
        assert said[0].startswith(f"Port {port} is taken; using ")
        assert said[2] == "TELEGRAM_ADMINS: not a number"
        lab.send_signal(signal.SIGTERM)
        await asyncio.wait_for(lab.communicate(), 20)
        assert lab.returncode == 0
