"""Why no connection came about, or what answers instead of the service, each with what to do about it."""

import errno
import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx

from tools.kit.tls import CertificateChanged

ADDRESS = "check that it runs and that its address is right"
_TLS_PORT = "check that its port is the one for TLS"
SPEAKS_TLS = "speaks TLS there: use https:// in its address"
_TO_PLAIN_HTTP = (b"HTTPS server", b"plain HTTP request was sent to HTTPS")
"""How Go's and nginx's TLS ports answer whoever speaks to them in the clear."""
TLS_RECORD = (b"\x15\x03", b"\x16\x03")
"""How an alert or a handshake begins."""
_UNWELCOME = re.compile("ALERT_(HANDSHAKE_FAILURE|UNKNOWN_CA|ACCESS_DENIED|.*CERTIFICATE)")
"""How OpenSSL calls the alerts of one who wants to see another certificate of ours."""
_NO_TLS = ("wrong version number", "record layer failure", "packet length too long", "http request")
"""How OpenSSL says that the other side does not speak TLS at all: only ever in a handshake."""
_NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL})


class Certificates(NamedTuple):
    """What to do about certificates."""

    theirs: str = "compare the certificate at the service itself, then set its CA file or fingerprint"
    """When theirs is not trusted."""
    ours: str = "give the bot a certificate that it knows"
    """When they want to see one of ours."""


CERTIFICATES = Certificates()


def unconnected(error: BaseException, certificates: Certificates = CERTIFICATES) -> tuple[str, str] | None:
    """Why no connection came about, and what to do; None when there was one."""
    from urllib3.exceptions import NewConnectionError

    found = list(causes(error))
    for cause in found:
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            begun = not any(isinstance(each, NewConnectionError) for each in found)
            return None if begun else ("it hung up instead of speaking TLS", f"{_TLS_PORT}, or {certificates.ours}")
        if reason := _of_tls(cause, certificates):
            return reason
        if isinstance(cause, OSError) and cause.errno in _NO_WAY:
            return str(cause.strerror).lower(), "check that its machine is on and that the network leads there"
        for kinds, why, then in _while_connecting():
            if isinstance(cause, kinds):
                return why, then
    return None


def _while_connecting() -> Iterator[tuple[tuple[type[BaseException], ...], str, str]]:
    """What only ever happens before the first byte, what that means, and what to do; the more exact kinds first."""
    from requests import exceptions as lost
    from urllib3 import exceptions as pool

    slow = (pool.ConnectTimeoutError, lost.ConnectTimeout, httpx.ConnectTimeout)
    yield (socket.gaierror, pool.NameResolutionError), "its name is unknown", "correct it, or use the IP address"
    yield (FileNotFoundError,), "its socket does not exist", ADDRESS
    yield (PermissionError,), "permission denied", "check what its socket, a firewall and the bot's unit permit"
    yield (ConnectionRefusedError,), "connection refused", "check that it runs and that its port is right"
    yield (pool.NewConnectionError,), "no connection", ADDRESS
    yield slow, "no answer while connecting", "check that its machine is on and that no firewall is in between"


def _of_tls(cause: BaseException, certificates: Certificates) -> tuple[str, str] | None:
    if isinstance(cause, CertificateChanged):
        return f"its certificate is {cause.shown}… and not the pinned {cause.pinned}…", certificates.theirs
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = getattr(cause, "verify_message", "")
        return f"its certificate is not trusted{f': {why}' if why else ''}".rstrip("."), certificates.theirs
    if isinstance(cause, ssl.SSLError) and _UNWELCOME.search(str(getattr(cause, "reason", ""))):
        return "it does not accept our certificate, or the lack of one", certificates.ours
    if _speaks_no_tls(cause):
        return "it speaks no TLS there", f"{_TLS_PORT}, or use an address without TLS"
    return ("no TLS connection came about", _TLS_PORT) if isinstance(cause, ssl.SSLError) else None


def may_have_left(error: BaseException) -> bool:
    """Whether a request may be out although `unconnected` has a reason: an alert can come as late as the answer."""
    before: set[type[BaseException]] = {ssl.SSLCertVerificationError}
    before.update(*(kinds for kinds, _, _ in _while_connecting()))
    return not any(isinstance(each, tuple(before)) or _speaks_no_tls(each) for each in causes(error))


def _speaks_no_tls(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLError) and any(words in str(error).lower().replace("_", " ") for words in _NO_TLS)


def not_http(error: BaseException) -> str:
    """What answers instead of HTTP, and what to do; empty when nothing did."""
    for cause in causes(error):
        if isinstance(cause, http.client.BadStatusLine) and not isinstance(cause, ConnectionResetError):
            speaks_tls = str(cause.args[0]).encode("latin-1", "replace").startswith(TLS_RECORD)
            return SPEAKS_TLS if speaks_tls else "does not speak HTTP there: correct its address or port"
    return ""


def wants_tls(status: int, body: bytes) -> bool:
    """Whether this is how a port for TLS answers a request in the clear."""
    return status == 400 and any(words in body[:1000] for words in _TO_PLAIN_HTTP)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, wherever the libraries put it; innermost first."""
    seen: list[BaseException] = []
    queue: list[Any] = [error]
    while queue and len(seen) < 30:
        item = queue.pop(0)
        if isinstance(item, BaseException) and item not in seen:
            seen.append(item)
            queue += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
            queue += getattr(item, "exceptions", ())
    yield from reversed(seen)
