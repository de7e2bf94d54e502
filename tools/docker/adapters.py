"""The SDK's transports over TCP, a unix socket and SSH, with what they lack: no wait outlasts the call's time."""

import contextlib
import io
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from docker.transport import SSHHTTPAdapter, UnixHTTPAdapter
from docker.transport.sshconn import SSHConnection, SSHConnectionPool
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool
from paramiko import AuthenticationException, BadHostKeyException, SSHException  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from tools.kit import Conflict, Unauthorised, Unreachable
from tools.kit.failures import from_requests
from tools.kit.threads import term

T = TypeVar("T")

CONNECT_SECONDS, LOGIN_SECONDS = 4, 10
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

    def makefile(self, *_: Any, **__: Any) -> "_Buffered":
        """The stream that an answer is read from."""
        return _Buffered(_Reader(self._sock))

    def sendall(self, data: bytes) -> None:
        """Send everything. Raises OSError."""
        rest = memoryview(data)
        while rest:
            rest = rest[_patiently(self._sock, partial(self._sock.send, bytes(rest[:65536]))) :]


class _Reader(io.RawIOBase):
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


class _Buffered(io.BufferedReader):
    def readline(self, size: int | None = -1, /) -> bytes:
        """A whole line, or as much as was asked for. Raises ConnectionResetError."""
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:  # http.client would take it for the end of the headers
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


class TcpAdapter(HTTPAdapter):
    """HTTP over TCP."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools that connections come from."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _TcpPool}


class _Connection(UnixHTTPConnection):
    """A connection that closes its socket when nobody answers; the SDK's leaves it to the garbage collector."""

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout)
            sock.connect(self.unix_socket)
        except OSError:
            sock.close()
            raise
        self.sock = Timed(sock)  # type: ignore[assignment]


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> _Connection:  # type: ignore[override]
        return _Connection(self.base_url, self.socket_path, CONNECT_SECONDS)


class UnixAdapter(UnixHTTPAdapter):
    """HTTP over a unix socket."""

    def get_connection(self, url: Any, proxies: Any = None) -> _Pool:
        """The pool of connections to the socket."""
        with self.pools.lock:
            if url not in self.pools:
                self.pools[url] = _Pool(url, self.socket_path, self.timeout, maxsize=self.max_pool_size)
            found: _Pool = self.pools[url]
            return found


class _SSHConnection(SSHConnection):
    ssh_transport: Any

    def connect(self) -> None:
        with _hung_up_in_time(self.ssh_transport.close):
            channel = self.ssh_transport.open_session(timeout=term().left(LOGIN_SECONDS))
            channel.exec_command("docker system dial-stdio")
        self.sock = Timed(channel)  # type: ignore[assignment]


class _SSHPool(SSHConnectionPool):
    def _new_conn(self) -> _SSHConnection:  # type: ignore[override]
        return _SSHConnection(self.ssh_transport, CONNECT_SECONDS, self.ssh_host)


class _SSHAdapter(SSHHTTPAdapter):
    pools: Any
    ssh_client: Any

    def get_connection(self, url: Any, proxies: Any = None) -> _SSHPool:
        """The pool of channels to the far side."""
        with self.pools.lock:
            if url not in self.pools:
                self.pools[url] = _SSHPool(self.ssh_client, self.timeout, self.max_pool_size, self.ssh_host)
            found: _SSHPool = self.pools[url]
            return found

    def _connect(self) -> None:
        with _hung_up_in_time(self.ssh_client.close):
            super()._connect()  # type: ignore[misc]

    def _create_paramiko_client(self, base_url: str) -> None:
        super()._create_paramiko_client(base_url)  # type: ignore[misc]
        limits = {"timeout": CONNECT_SECONDS, "banner_timeout": LOGIN_SECONDS, "auth_timeout": LOGIN_SECONDS}
        self.ssh_params: dict[str, Any] = self.ssh_params | limits


def ssh_adapter(service: str, address: str) -> SSHHTTPAdapter:
    """HTTP over `docker system dial-stdio` on the far side. Raises ToolFailed when there is no connection."""
    host = urlsplit(address).hostname
    try:
        return _SSHAdapter(address.rstrip("/"), timeout=CONNECT_SECONDS)
    except AuthenticationException:
        raise Unauthorised(f"{service} rejected the SSH key: put the bot's public key on {host}.") from None
    except BadHostKeyException:
        raise Conflict(f"The SSH host key of {host} has changed: find out why before you accept it.") from None
    except SSHException as error:
        if "known_hosts" in str(error):
            raise Unreachable(f"{host} is not in known_hosts: connect once with ssh and accept its key.") from None
        raise Unreachable(f"{service} cannot be reached over SSH: check `ssh {host} docker version`.") from None
    except (OSError, EOFError) as error:
        found = from_requests(error, service, write=False)
        if isinstance(found, Unreachable):
            raise found from error
        raise Unreachable(f"{service} cannot be reached over SSH: check that {host} runs.") from error


@contextlib.contextmanager
def _hung_up_in_time(hang_up: Callable[[], None]) -> Iterator[None]:
    """Another thread hangs up when the time is over: for some answers paramiko waits without any limit."""
    given, done = term(), threading.Event()

    def watch() -> None:
        while not done.wait(LOOK_SECONDS):
            try:
                given.left()
            except TimeoutError:
                hang_up()

    threading.Thread(target=watch, name="SSH watch", daemon=True).start()
    try:
        yield
    except (SSHException, EOFError, OSError):
        given.left()  # says that it was the time, when it was
        raise
    finally:
        done.set()
