"""HTTP over TCP, TLS and a unix socket, with what the SDK's transports lack: no wait outlasts the call's time."""

import contextlib
import grp
import io
import socket
import ssl
import stat
from collections.abc import Callable
from functools import partial
from http.client import BadStatusLine
from pathlib import Path
from typing import Any, TypeVar

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from tools.kit import Unreachable
from tools.kit.failures import unreachable
from tools.kit.reasons import TLS_RECORD
from tools.kit.threads import term

T = TypeVar("T")

CONNECT_SECONDS = 4
LOOK_SECONDS = 0.25
"""How often whoever waits looks whether the call has been given up."""


class Timed:
    """A socket or SSH channel whose every wait ends with the time of the thread that waits.

    A timeout of the socket's own would begin anew with every byte that drips in.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def makefile(self, *_: Any, **__: Any) -> "Buffered":
        """The stream that an answer is read from."""
        return Buffered(Reader(self._sock))

    def sendall(self, data: bytes) -> None:
        """Send everything. Raises OSError."""
        rest = memoryview(data)
        while rest:
            rest = rest[_patiently(self._sock, partial(self._sock.send, bytes(rest[:65536]))) :]


class Reader(io.RawIOBase):
    """What a socket sends."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._kept = sock.makefile("rb", 0)  # an answer may outlive its connection: this keeps the socket open

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = _patiently(self._sock, partial(self._sock.recv, len(buffer)))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        self._kept.close()
        super().close()


class Buffered(io.BufferedReader):
    """The same, by lines."""

    def readline(self, size: int | None = -1, /) -> bytes:
        """A whole line, or as much as was asked for. Raises ConnectionResetError, and BadStatusLine for TLS."""
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:  # http.client would take it for the end of the headers
            if line.startswith(TLS_RECORD):
                raise BadStatusLine(line.decode("latin-1"))
            raise ConnectionResetError("ended in the middle")
        return line


def _patiently(sock: Any, attempt: Callable[[], T]) -> T:
    while True:
        sock.settimeout(term().left(LOOK_SECONDS))
        with contextlib.suppress(TimeoutError):
            return attempt()


class _TcpConnection(HTTPConnection):
    def _new_conn(self) -> Any:
        return Timed(super()._new_conn())


class _TcpPool(HTTPConnectionPool):
    ConnectionCls = _TcpConnection


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except OSError as error:  # in the handshake, which has the connection's own short time in all
            raise NewConnectionError(self, "no TLS connection") from error
        self.sock = Timed(self.sock)


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class TcpAdapter(HTTPAdapter):
    """HTTP over TCP, with TLS where there is something to judge a certificate by."""

    def __init__(self, trust: ssl.SSLContext | None = None) -> None:
        self._trust = trust
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools that connections come from."""
        super().init_poolmanager(*args, **kwargs, ssl_context=self._trust)
        self.poolmanager.pool_classes_by_scheme = {"http": _TcpPool, "https": _TlsPool}

    def cert_verify(self, *_: Any) -> None:
        """Nothing: requests would add the public authorities to those that `trust` has."""


class _Connection(UnixHTTPConnection):
    """A connection that closes its socket when nobody answers; the SDK's leaves it to the garbage collector."""

    def __init__(self, service: str, path: str) -> None:
        super().__init__("", path, CONNECT_SECONDS)
        self._service = service

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self.unix_socket)
        except OSError as error:
            sock.close()
            raise _no_way_in(self._service, self.unix_socket, error) from error
        self.sock = Timed(sock)  # type: ignore[assignment]


def _no_way_in(service: str, path: str, error: OSError) -> Unreachable:
    """Why a unix socket cannot be used, and what to do."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            why, then = "its socket does not exist", f"start Docker, or correct unix://{path} in the settings"
        case ConnectionRefusedError():
            why, then = "connection refused on its socket", "start Docker"
        case PermissionError():
            why, then = "permission denied on its socket", _admission(path)
        case TimeoutError():
            why, then = "no answer while connecting", "look at Docker's own log"
        case _:
            why, then = str(error.strerror or error).lower(), f"check unix://{path}"
    return unreachable(service, (why, then))


def _admission(path: str) -> str:
    try:
        found = Path(path).stat()
        group = grp.getgrgid(found.st_gid).gr_name
    except (OSError, KeyError):  # nor may it be looked at
        return f"let the bot's user reach {path}"
    if not found.st_mode & stat.S_IWGRP or not found.st_gid:
        return f"let the bot's user use {path}"
    return f"put the bot's user into the group {group} (a unit: docker-group.conf), and start the bot again"


class _Pool(UnixHTTPConnectionPool):
    def __init__(self, service: str, url: str, path: str) -> None:
        super().__init__(url, path, CONNECT_SECONDS)
        self._service = service

    def _new_conn(self) -> _Connection:  # type: ignore[override]
        return _Connection(self._service, self.socket_path)


class UnixAdapter(UnixHTTPAdapter):
    """HTTP over a unix socket."""

    def __init__(self, service: str, path: str) -> None:
        super().__init__(path, CONNECT_SECONDS)
        self._service = service

    def get_connection(self, url: Any, proxies: Any = None) -> _Pool:
        """The pool of connections to the socket."""
        with self.pools.lock:
            if url not in self.pools:
                self.pools[url] = _Pool(self._service, url, self.socket_path)
            found: _Pool = self.pools[url]
            return found
