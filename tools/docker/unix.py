"""HTTP over a unix socket, and in words what keeps it from being used."""

import grp
import socket
import stat
from pathlib import Path
from typing import Any

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

from tools.kit import Unreachable
from tools.kit.failures import unreachable
from tools.kit.sockets import CONNECT_SECONDS, Timed


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
