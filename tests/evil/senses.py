"""What the process does to the machine it runs on: connections, look-ups, child processes, files written."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CHILDREN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn")
_listeners: list["Senses"] = []


class Senses:
    """Recorded between entering and leaving `listening()`."""

    def __init__(self) -> None:
        self.connected: list[Any] = []
        self.looked_up: list[Any] = []
        self.children: list[str] = []
        self.written: list[str] = []

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """One audit event of the interpreter."""
        if event == "socket.connect":
            self.connected.append(args[1])
        elif event == "socket.getaddrinfo":
            self.looked_up.append(args[0])
        elif event in CHILDREN:
            self.children.append(f"{event} {args[:2]}")
        elif event == "open" and isinstance(args[0], str) and args[1] and set(str(args[1])) & set("wax+"):
            self.written.append(args[0])


def _hook(event: str, args: tuple[Any, ...]) -> None:
    for listener in _listeners:
        listener.hear(event, args)


@contextmanager
def listening() -> Iterator[Senses]:
    """Senses that are awake inside the block. The hook itself can never be taken away again, so there is one."""
    if not getattr(sys, "_evil_hook", False):
        sys.addaudithook(_hook)
        sys._evil_hook = True  # type: ignore[attr-defined]
    senses = Senses()
    _listeners.append(senses)
    try:
        yield senses
    finally:
        _listeners.remove(senses)
