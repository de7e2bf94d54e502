"""The SDK's transports over a unix socket and over SSH, with what they lack: a closed socket and time limits."""

import socket
from typing import Any
from urllib.parse import urlsplit

from docker.transport import SSHHTTPAdapter, UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool
from paramiko import AuthenticationException, BadHostKeyException, SSHException  # type: ignore[import-untyped]

from tools.kit import Conflict, Unauthorised, Unreachable
from tools.kit.failures import from_requests

CONNECT_SECONDS, LOGIN_SECONDS = 4, 10


class _Connection(UnixHTTPConnection):
    """A connection that closes its socket when nobody answers; the SDK's leaves it to the garbage collector."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(self.unix_socket)
        except OSError:
            self.sock.close()
            raise


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


class _SSHAdapter(SSHHTTPAdapter):
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
