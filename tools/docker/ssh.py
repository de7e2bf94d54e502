"""HTTP through `docker system dial-stdio` on the far side of SSH, in time, and what keeps it from working in words."""

import contextlib
import logging
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from docker.transport.sshconn import SSHConnection, SSHConnectionPool, SSHHTTPAdapter
from paramiko import (  # type: ignore[import-untyped]
    AuthenticationException,
    BadHostKeyException,
    PasswordRequiredException,
    ProxyCommandFailure,
    RejectPolicy,
    SSHClient,
    SSHException,
)
from paramiko.ssh_exception import IncompatiblePeer, NoValidConnectionsError  # type: ignore[import-untyped]

from tools.docker.ssh_config import way_to
from tools.kit import Conflict, NoAnswer, ToolFailed, Unauthorised
from tools.kit.failures import quote, unreachable
from tools.kit.masking import seen
from tools.kit.reasons import unconnected
from tools.kit.sockets import CONNECT_SECONDS, LOOK_SECONDS, Buffered, FarSideEnded, Reader, Timed
from tools.kit.threads import term

LOST = (SSHException,)  # what a lost connection may end with as well
LOGIN_SECONDS = 10
MOST_SAID = 4096
NOT_FOUND = 127
"""What a shell exits with when it does not know the command."""

_FAR = (
    (r"not found|unknown command: docker", "there is no docker command there",
     "install Docker there, or put it into the PATH of a plain `ssh HOST docker`"),
    (r"permission denied", "its user may not use Docker there", "put that user into the group docker there"),
    (r"no such file or directory|connection refused|docker daemon", "Docker does not run there", "start it"),
    (r"dial-stdio|unrecognized command|not a docker command", "its docker command is too old, or not Docker's own",
     "update it"),
)  # fmt: skip
"""What the far side prints when no byte has got to Docker, what that means, and what to do."""
_NOT_SSH = ("banner", "No existing session", "Negotiation failed")
_NO_COMMANDS = ("it runs no command for this user", "permit `docker system dial-stdio` there")


class _Channel(Timed):
    """A channel to the far side's command; as long as nothing has come through it, it knows why the command ended."""

    def __init__(self, channel: Any, service: str) -> None:
        super().__init__(channel)
        self.service = service
        self.begun = False
        """Whether Docker has answered through it: what the command prints later says nothing of a request's fate."""

    def makefile(self, *_: Any, **__: Any) -> Buffered:
        return Buffered(_FarReader(self))

    def ending(self) -> Exception:
        """Why there is nothing more."""
        return (None if self.begun else _last_words(self._sock, self.service)) or FarSideEnded("")

    def sendall(self, data: bytes) -> None:
        try:
            super().sendall(data)
        except TimeoutError:
            raise
        except OSError:
            raise self.ending() from None


class _FarReader(Reader):
    def __init__(self, channel: _Channel) -> None:
        super().__init__(channel._sock)
        self._channel = channel

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        if not count:
            raise self._channel.ending()
        if not self._channel.begun and bytes(buffer[:5]) != b"HTTP/"[:count]:
            raise _chatter(self._channel.service, bytes(buffer[:count]))
        self._channel.begun = True
        return count


def _chatter(service: str, printed: bytes) -> NoAnswer:
    said = quote(printed.decode("utf-8", "replace"), seen)
    error = NoAnswer(f'{service} prints "{said}" before Docker can answer: a plain `ssh HOST true` must print nothing.')
    error.outside = True
    return error


def _last_words(channel: Any, service: str) -> Exception | None:
    """Why the far side's command has ended, by what it printed; None when it said nothing."""
    channel.status_event.wait(LOOK_SECONDS)  # comes after the end of its output
    said = b""
    while channel.recv_stderr_ready() and len(said) < MOST_SAID:
        said += channel.recv_stderr(MOST_SAID)
    printed = said.decode("utf-8", "replace").strip()
    told = f"{printed} (not found)" if channel.exit_status == NOT_FOUND else printed
    for pattern, why, then in _FAR:
        if re.search(pattern, told, re.IGNORECASE):
            return unreachable(service, (why, then))
    return FarSideEnded(printed.rpartition("\n")[2]) if printed else None


class _Connection(SSHConnection):
    ssh_transport: Any

    def __init__(self, transport: Any, service: str, host: str | None) -> None:
        super().__init__(transport, CONNECT_SECONDS, host)
        self._service = service

    def connect(self) -> None:
        channel = None
        try:
            with _hung_up_in_time(self.ssh_transport.close):
                channel = self.ssh_transport.open_session(timeout=term().left(LOGIN_SECONDS))
                channel.exec_command("docker system dial-stdio")
        except (SSHException, EOFError) as error:
            if channel is None or not self.ssh_transport.is_active():
                raise
            raise _last_words(channel, self._service) or unreachable(self._service, _NO_COMMANDS) from error
        self.sock = _Channel(channel, self._service)  # type: ignore[assignment]


class _Pool(SSHConnectionPool):
    service = ""

    def _new_conn(self) -> _Connection:  # type: ignore[override]
        return _Connection(self.ssh_transport, self.service, self.ssh_host)


class _Adapter(SSHHTTPAdapter):
    pools: Any
    ssh_client: Any

    def __init__(self, service: str, address: str) -> None:
        self.service = service
        super().__init__(address, timeout=CONNECT_SECONDS)

    def get_connection(self, url: Any, proxies: Any = None) -> _Pool:
        """The pool of channels to the far side."""
        with self.pools.lock:
            if url not in self.pools:
                pool = _Pool(self.ssh_client, self.timeout, self.max_pool_size, self.ssh_host)
                pool.service = self.service
                self.pools[url] = pool
            found: _Pool = self.pools[url]
            return found

    def _connect(self) -> None:
        with _hung_up_in_time(self.ssh_client.close):
            super()._connect()  # type: ignore[misc]

    def _create_paramiko_client(self, base_url: str) -> None:
        """The SDK's own passes over most of ~/.ssh/config."""
        logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # what it would say it also raises
        self.ssh_client = SSHClient()
        self.ssh_client.set_missing_host_key_policy(RejectPolicy())
        way = way_to(self.service, base_url)
        self.ssh_client._system_host_keys, self.ssh_client._agent = way.known, way.agent
        limits = {"timeout": CONNECT_SECONDS, "banner_timeout": LOGIN_SECONDS, "auth_timeout": LOGIN_SECONDS}
        self.ssh_params: dict[str, Any] = way.params | limits


def ssh_adapter(service: str, address: str) -> SSHHTTPAdapter:
    """HTTP over `docker system dial-stdio` on the far side. Raises ToolFailed when there is no connection."""
    try:
        return _Adapter(service, address.rstrip("/"))
    except (SSHException, OSError, EOFError) as error:
        raise _in_words(error, service, address.rstrip("/")) from error


def _in_words(error: Exception, service: str, address: str) -> ToolFailed:
    """Why there is no SSH connection, and what to do."""
    host = urlsplit(address).hostname
    if isinstance(error, PasswordRequiredException):
        why = "the SSH key has a passphrase"
        return Unauthorised(
            f"{service} cannot be reached ({why}): load it into the bot's ssh-agent, or give the bot a key without one."
        )
    if isinstance(error, AuthenticationException):
        return Unauthorised(f"{service} rejected the SSH key: put the bot's public key on {host}.")
    if isinstance(error, BadHostKeyException):
        return Conflict(f"{service} shows another SSH host key than before: find out why before you accept it.")
    return unreachable(service, _no_session(error, address, host or "") or _no_connection(error, address))


def _no_session(error: Exception, address: str, host: str) -> tuple[str, str] | None:
    """Why the two SSH programs do not get along, as paramiko says it."""
    by_hand = f"run `ssh {address}` once as the bot's user"
    if isinstance(error, IncompatiblePeer):
        return "no SSH algorithm in common", "update the SSH server there"
    if isinstance(error, ProxyCommandFailure):
        return "its ProxyCommand failed", f"{by_hand}, and see why"
    said = str(error) if isinstance(error, SSHException) else ""
    if "known_hosts" in said:
        return "it is not in known_hosts", f"{by_hand}, and accept its key"
    if "No authentication" in said:
        return "the bot's user has no SSH key", f"make one with ssh-keygen, and put it on {host}"
    if any(words in said for words in _NOT_SSH):
        return "nothing speaks SSH there", "check that sshd runs and that its port is right"
    return None


def _no_connection(error: Exception, address: str) -> tuple[str, str]:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} cannot be used", "correct it in ~/.ssh/config"
    if isinstance(error, TimeoutError):
        return "no answer while connecting", "check that its machine is on and that no firewall is in between"
    cause = next(iter(error.errors.values()), error) if isinstance(error, NoValidConnectionsError) else error
    return unconnected(cause) or ("SSH failed", f"try `ssh {address} docker version` as the bot's user")


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
