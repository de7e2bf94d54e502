"""The supervisor, with small scripts in place of the bot."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lab.supervisor import Supervisor

Start = Callable[[str], "Supervisor"]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Makes supervisors of a Python one-liner, stopped at the end."""
    made: list[Supervisor] = []

    def make(script: str) -> Supervisor:
        supervisor = Supervisor(
            [sys.executable, "-S", "-E", "-c", script],
            {"LAB_WORD": "hello"},
            tmp_path / "bot.log",
            backoff=(0.01, 0.02),
        )
        made.append(supervisor)
        return supervisor

    yield make
    for supervisor in made:
        await supervisor.stop()


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


SLEEP = "import os, time; print('up', os.environ['LAB_WORD'], flush=True); time.sleep(60)"


async def test_stop_ends_it_for_good(start: Start) -> None:
    supervisor = start(SLEEP)
    await supervisor.start()
    pid = supervisor.pid
    await supervisor.stop()
    assert (supervisor.state, supervisor.pid, supervisor.returncode) == ("stopped", None, -signal.SIGTERM)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not supervisor.kill()


async def test_a_configuration_error_is_not_retried(start: Start) -> None:
    supervisor = start("import sys; print('TELEGRAM_ADMINS is empty'); sys.exit(78)")
    await supervisor.start()
    await until(lambda: supervisor.state == "configuration error")
    assert supervisor.last_lines(1) == ["TELEGRAM_ADMINS is empty"]
    assert (supervisor.starts, supervisor.pid) == (1, None)


async def test_kill_takes_the_grandchildren_too(start: Start, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    supervisor = start(
        "import subprocess, time, sys;"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)']);"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid));"
        "time.sleep(60)"
    )
    await supervisor.start()
    await until(lambda: pid_file.exists() and pid_file.read_text() != "")
    grandchild = int(pid_file.read_text())
    await supervisor.stop()
    await until(lambda: not running(grandchild))


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
async def test_nothing_survives_the_lab(tmp_path: Path) -> None:
    log = str(tmp_path / "bot.log")
    script = f"""
import asyncio, pathlib, sys
from lab.supervisor import Supervisor

async def main():
    command = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    supervisor = Supervisor(command, {{}}, pathlib.Path({log!r}))
    await supervisor.start()
    print(supervisor.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    lab = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, cwd=root)
    child = int(await lab.stdout.readline())
    assert running(child)
    lab.kill()
    await lab.communicate()
    await until(lambda: not running(child))


def running(pid: int) -> bool:
    """Whether a process exists and is not a zombie that nobody has reaped."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
