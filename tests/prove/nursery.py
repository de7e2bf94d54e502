"""Starts victims quickly: one process imports the bot once, and forks a victim for each line it is sent."""

import asyncio
import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import sys
import traceback
from dataclasses import dataclass, field
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


@dataclass
class Nursery:
    """The forking process, from outside; an async context manager."""

    _process: Any = None
    _reader: Any = None
    _victims: dict[int, Victim] = field(default_factory=dict)
    _born: "asyncio.Queue[Victim]" = field(default_factory=asyncio.Queue)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __aenter__(self) -> "Nursery":
        """Start it."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.prove.nursery",
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *error: object) -> None:
        """End it, and with it every victim."""
        self._process.stdin.close()
        await self._process.wait()
        await self._reader

    async def start(self, arguments: list[str], environment: dict[str, str], log: Path) -> Victim:
        """A new victim; its output is appended to `log`."""
        line = json.dumps({"arguments": arguments, "environment": environment, "log": str(log)})
        async with self._turn:
            self._process.stdin.write(line.encode() + b"\n")
            await self._process.stdin.drain()
            birth = asyncio.create_task(self._born.get())
            await asyncio.wait((birth, self._reader), return_when=asyncio.FIRST_COMPLETED)
            if not birth.done():
                birth.cancel()
                raise RuntimeError("the nursery has died: most likely the bot cannot be imported")
            return birth.result()

    async def _read(self) -> None:
        async for line in self._process.stdout:
            told = json.loads(line)
            if "born" in told:
                ended = asyncio.get_running_loop().create_future()
                self._victims[told["born"]] = victim = Victim(told["born"], ended)
                self._born.put_nowait(victim)
            else:
                self._victims.pop(told["ended"]).ended.set_result(told["status"])


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
