"""A bot as a child process: started, restarted when it dies, killed on demand, never left behind."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

CONFIGURATION_ERROR = 78
"""The exit status with which a program says that starting it again is useless (EX_CONFIG)."""
BACKOFF = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before the first, second… restart in a row."""
STEADY = 20.0
"""Seconds of running after which earlier failures are forgotten."""
GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
TAIL = 16_384
"""Bytes of the log that are read for its last lines."""

State = Literal["stopped", "running", "restarting", "configuration error"]


@dataclass
class Supervisor:
    """One supervised command and its log file."""

    command: list[str]
    env: Mapping[str, str]
    log: Path
    backoff: tuple[float, ...] = BACKOFF
    state: State = "stopped"
    starts: int = 0
    """How often the command was started."""
    returncode: int | None = None
    """Of the last run that ended; negative is the signal that ended it."""
    gave_up: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set when the command asked not to be started again."""
    _process: Process | None = None
    _task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        """Process id while the command runs."""
        return self._process.pid if self._process is not None and self.state == "running" else None

    async def start(self) -> None:
        """Start the command and keep it running; OSError when it can't be started at all."""
        await self._launch()
        self._task = asyncio.create_task(self._watch())

    def kill(self) -> bool:
        """Kill -9 the command and everything it started; it will be started again. False if none runs."""
        return self._signal(signal.SIGKILL)

    async def stop(self) -> None:
        """End the command, politely first, and don't start it again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._process is not None and self._process.returncode is None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), GRACE)
            self._signal(signal.SIGKILL)  # also what the command itself left running in its group
            self.returncode = await self._process.wait()
        self.state = "stopped"

    def last_lines(self, count: int = 5) -> list[str]:
        """The end of the log."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - TAIL))
            lines = log.read().decode(errors="replace").splitlines()
        return [line for line in lines if line.strip()][-count:]

    async def _launch(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                env={**os.environ, **self.env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=_die_with(os.getpid()),
            )
        self.starts += 1
        self.state = "running"

    async def _watch(self) -> None:
        failures = 0
        while self._process is not None:
            started = time.monotonic()
            self.returncode = await self._process.wait()
            self._signal(signal.SIGKILL)
            if self.returncode == CONFIGURATION_ERROR:
                self.state = "configuration error"
                self.gave_up.set()
                return
            self.state = "restarting"
            failures = 0 if time.monotonic() - started > STEADY else failures + 1
            await asyncio.sleep(self.backoff[min(max(failures, 1), len(self.backoff)) - 1])
            await self._launch()

    def _signal(self, number: int) -> bool:
        if self._process is None or self.state == "stopped":
            return False
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        return True


def _die_with(parent: int) -> "_Hook | None":
    """What the child runs before the command, so that the kernel kills it when we are gone."""
    if sys.platform != "linux":
        return None
    return _Hook(parent, ctypes.CDLL(None, use_errno=True))


@dataclass(frozen=True)
class _Hook:
    """Asks Linux for SIGKILL on the parent's death; the library is loaded before the fork."""

    parent: int
    libc: ctypes.CDLL

    def __call__(self) -> None:
        pr_set_pdeathsig = 1
        self.libc.prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != self.parent:  # it died between the fork and the call
            os._exit(1)
