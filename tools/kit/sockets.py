"""HTTP over TCP and TLS under `requests`, with what urllib3 lacks: no wait outlasts the call's time.

Importing this module imports `requests`: whoever needs it does so at the first call.
"""

import contextlib
import io
import ssl
from collections.abc import Callable
from functools import partial
from http.client import BadStatusLine
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from tools.kit.reasons import TLS_RECORD
from tools.kit.threads import term

T = TypeVar("T")

CONNECT_SECONDS = 4
LOOK_SECONDS = 0.25
"""How often whoever waits looks whether the call has been given up."""


class FarSideEnded(ConnectionResetError):
    """The command on the far side ended without an answer; `str()` is what it printed."""


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
        self.sock, self.is_verified = Timed(self.sock), True  # by whatever `trust` demands: an authority or a pin


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

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Where to; `trust` alone says how a certificate is judged, whatever else a session or a call was told."""
        return super().build_connection_pool_key_attributes(request, verify)[0], {}
