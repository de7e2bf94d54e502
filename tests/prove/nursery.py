"""Starts victims quickly: one process imports the bot once, and forks a victim for each line it is sent."""

import asyncio
import atexit
import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass
class Victim:
    """One process of the bot."""

    pid: int
    ended: "asyncio.Future[int]"
    """Its exit status once it is there; negative is the signal that ended it."""

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return not self.ended.done()

    @property
    def returncode(self) -> int | None:
        """Its exit status once it has ended."""
        return None if self.alive else self.ended.result()

    async def wait(self) -> int:
        """Its exit status."""
        return await asyncio.shield(self.ended)

    def signal(self, number: int) -> None:
        """Send a signal, should it still run."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    @property
    def stopped(self) -> bool:
        """Whether it has stopped itself (SIGSTOP)."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False


class Nursery:
    """The forking process, from outside; each event loop may use it in turn (`async with`, as often as one likes)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.prove.nursery"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._told = b""
        self._victims: dict[int, Victim] = {}
        self._users = 0

    async def __aenter__(self) -> "Nursery":
        """Hear it."""
        self._users += 1
        if self._users > 1:
            return self
        self._born: asyncio.Queue[Victim | None] = asyncio.Queue()
        self._turn = asyncio.Lock()
        asyncio.get_running_loop().add_reader(self._stdout, self._read)
        return self

    async def __aexit__(self, *error: object) -> None:
        """Hear it no more once nobody does; what it has borne ends."""
        self._users -= 1
        if self._users:
            return
        asyncio.get_running_loop().remove_reader(self._stdout)
        for victim in self._victims.values():
            victim.signal(signal.SIGKILL)
        self._victims.clear()

    def close(self) -> None:
        """End it, and with it every victim."""
        with self._process:
            pass

    async def start(self, arguments: list[str], environment: dict[str, str], log: Path) -> Victim:
        """A new victim; its output is appended to `log`."""
        line = json.dumps({"arguments": arguments, "environment": environment, "log": str(log)})
        async with self._turn:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
            born = asyncio.ensure_future(self._born.get())
            try:
                victim = await asyncio.shield(born)
            except asyncio.CancelledError:
                born.add_done_callback(_unwanted)  # or the next to ask would be given this one
                raise
            if victim is None:
                raise RuntimeError("the nursery has died: most likely the bot cannot be imported")
            return victim

    @property
    def _stdout(self) -> int:
        return self._process.stdout.fileno()

    def _read(self) -> None:
        if not (data := os.read(self._stdout, 1 << 16)):
            asyncio.get_running_loop().remove_reader(self._stdout)
            self._born.put_nowait(None)
        *lines, self._told = (self._told + data).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if "born" in told:
                ended = asyncio.get_running_loop().create_future()
                self._victims[told["born"]] = victim = Victim(told["born"], ended)
                self._born.put_nowait(victim)
            elif victim := self._victims.pop(told["ended"], None):
                victim.ended.set_result(told["status"])


def _unwanted(born: "asyncio.Future[Victim | None]") -> None:
    if not born.cancelled() and (victim := born.result()) is not None:
        victim.signal(signal.SIGKILL)


@cache
def nursery() -> Nursery:
    """The one of this process."""
    made = Nursery()
    atexit.register(made.close)
    return made


def serve() -> None:
    """Fork a victim for each line of standard input; tell of births and deaths on standard output."""
    from tests.prove.victim import preload

    preload()
    gc.freeze()
    wake, woken = os.pipe2(os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    living: set[int] = set()
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        pending = b""
        while True:
            for key, _ in selector.select():
                data = os.read(key.fd, 1 << 16)
                if key.fd == 0 and not data:
                    _end(living)
                    return
                if key.fd == 0:
                    *lines, pending = (pending + data).split(b"\n")
                    for line in lines:
                        living.add(_fork(json.loads(line)))
            _bury(living)


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        os.setpgid(pid, pid)
        _tell(born=pid)
        return pid
    status = 1
    try:
        status = _become(order)
    except BaseException:  # whatever it was, it must not come back into the nursery's loop
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _become(order: dict[str, Any]) -> int:
    """The child: the environment, the output and the signals of a process of its own, then the bot."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(order["environment"])
    from tests.prove.victim import main

    return main(order["arguments"])


def _bury(living: set[int]) -> None:
    for pid in list(living):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            living.discard(pid)
            _tell(ended=pid, status=os.waitstatus_to_exitcode(status))


def _end(living: set[int]) -> None:
    for pid in living:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _tell(**what: int) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    serve()
