"""An SSH server on loopback, a home that knows it, and what its side does with a command."""

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko  # type: ignore[import-untyped]

Work = Callable[[Any], None]
"""What the far side does with the channel of a command."""


def a_key() -> Any:
    return paramiko.ECDSAKey.generate()


@dataclass
class Far:
    """A running SSH server and the home of whoever goes there."""

    home: Path
    port: int
    host_key: Any
    work: Work
    welcome: Any = None
    """The one key that it lets in; None: any."""
    answers: bool = True
    """Whether it says yes to a command."""
    ended: threading.Event = field(default_factory=threading.Event)
    users: list[str] = field(default_factory=list)
    ciphers: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"ssh://me@127.0.0.1:{self.port}"

    def config(self, text: str, name: str = "config") -> None:
        (self.home / ".ssh" / name).write_text(text)

    def knows(self, key: Any, *, mark: str = "", name: str = "known_hosts") -> None:
        """Write the one line of a known_hosts file."""
        line = f"{mark} [127.0.0.1]:{self.port} {key.get_name()} {key.get_base64()}\n"
        (self.home / ".ssh" / name).write_text(line.lstrip())


class _Server(paramiko.ServerInterface):  # type: ignore[misc]
    def __init__(self, far: Far) -> None:
        self._far = far

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: Any) -> int:
        self._far.users.append(username)
        fine = self._far.welcome is None or key == self._far.welcome
        return int(paramiko.AUTH_SUCCESSFUL if fine else paramiko.AUTH_FAILED)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: Any, command: bytes) -> bool:
        if not self._far.answers:
            self._far.ended.wait(30)  # neither yes nor no: paramiko would wait for it without any limit
        assert command == b"docker system dial-stdio"
        threading.Thread(target=self._serve, args=(channel,), daemon=True).start()
        return True

    def _serve(self, channel: Any) -> None:
        self._far.ended.wait(0.02)  # sshd says yes before the command prints anything
        with contextlib.suppress(OSError, EOFError):
            self._far.work(channel)
            channel.close()


@contextlib.contextmanager
def far_side(home: Path, work: Work) -> Iterator[Far]:
    """A server that is known, and a key that gets in, in a home of their own; set $HOME to it."""
    (home / ".ssh").mkdir(parents=True)
    a_key().write_private_key_file(str(home / ".ssh" / "id_ecdsa"))
    listening, transports = socket.create_server(("127.0.0.1", 0)), []
    far = Far(home, listening.getsockname()[1], a_key(), work)
    far.knows(far.host_key)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                transport = paramiko.Transport(listening.accept()[0])
                transport.add_server_key(far.host_key)
                transport.start_server(server=_Server(far), event=(negotiated := threading.Event()))
                transports.append(transport)
                threading.Thread(target=note, args=(transport, negotiated), daemon=True).start()

    def note(transport: Any, negotiated: threading.Event) -> None:
        if negotiated.wait(10) and transport.remote_cipher:
            far.ciphers.append(transport.remote_cipher)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield far
    finally:
        far.ended.set()
        listening.close()
        for transport in transports:
            transport.close()


def ends_with(said: str, status: int = 1, *, out: bytes = b"") -> Work:
    """A command that prints this on its standard error and ends."""

    def work(channel: Any) -> None:
        channel.sendall(out)
        channel.sendall_stderr(said.encode())
        channel.send_exit_status(status)

    return work


def leads_to(port: int) -> Work:
    """`docker system dial-stdio`, with an engine at that port."""

    def work(channel: Any) -> None:
        with socket.create_connection(("127.0.0.1", port)) as engine:
            while True:
                ready, _, _ = select.select([channel, engine], [], [], 30)
                for each, other in ((channel, engine), (engine, channel)):
                    if each in ready:
                        if not (piece := each.recv(65536)):
                            return
                        other.sendall(piece)

    return work
