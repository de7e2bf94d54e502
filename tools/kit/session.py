"""`requests` for synchronous SDKs, held to what the httpx client is held to: in time, in size, never redirected.

Importing this module imports `requests`: whoever needs it does so at the first call.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import requests
from urllib3.exceptions import HTTPError

from tools.kit.context import Access
from tools.kit.errors import ToolFailed
from tools.kit.failures import from_answer, from_requests
from tools.kit.reasons import CERTIFICATES
from tools.kit.sockets import CONNECT_SECONDS, TcpAdapter
from tools.kit.threads import term, within
from tools.kit.tls import context
from tools.kit.transport import READING, WriteRefused

T = TypeVar("T")

LARGEST_ANSWER = 64 * 2**20


class HttpSession(requests.Session):
    """Requests to one service; only reads when it may only read. An SDK's own session inherits from it first.

    It reaches nothing before an adapter is mounted: a TcpAdapter, or one of the SDK's.
    """

    certificates = CERTIFICATES
    """What to do about certificates, in the service's own words."""
    lost: tuple[type[Exception], ...] = (OSError, HTTPError, EOFError)
    """What a lost connection ends with."""

    def __init__(self, service: str, access: Access, patience: float) -> None:
        """`patience` is what one request may take in seconds, its whole answer included."""
        requests.Session.__init__(self)  # rather than that of an SDK, which may ask its service at once
        self.service, self.access, self.patience = service, access, patience
        self.trust_env = False
        self.headers["Accept-Encoding"] = "identity"
        self.adapters.clear()

    def answer(self, call: Callable[[Any], T]) -> T:
        """What `call(self)` returns. Raises ToolFailed."""
        return call(self)

    def changes(self, request: requests.PreparedRequest) -> bool:
        """Whether a request could change something."""
        return request.method not in READING

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """The service's answer, whole unless `stream` was asked for; our own errors only."""
        write = self.changes(request)
        if write and self.access is not Access.WRITE:
            raise WriteRefused(f"The reading client of {self.service} was asked for {request.method}.")
        patience = kwargs.get("timeout") or self.patience
        streaming = kwargs.get("stream", False)
        kwargs |= {"allow_redirects": False, "stream": True}
        try:
            with within(patience):
                kwargs["timeout"] = (term().left(CONNECT_SECONDS), patience)
                response = super().send(request, **kwargs)
                _as_asked(response)
                if not streaming or response.status_code >= 400:
                    # SDKs read `content`; filled here, because it would be read without any limit.
                    response._content = _bounded(response)
        except self.lost as error:
            raise self.translated(error, write=write) from error
        if 300 <= response.status_code < 400 and response.status_code != 304:
            response.close()
            raise from_answer(response, self.service, write=write)
        return response

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: to look for the next address, requests would first read the whole answer, without any limit."""

    def pieces(self, response: requests.Response, largest: int, until: float) -> Iterator[bytes]:
        """The pieces of a streamed answer, up to a number of bytes and a time on the monotonic clock."""
        taken = 0
        coming = response.iter_content(16384)
        try:
            while taken < largest:
                with within(until - time.monotonic()):
                    piece = next(coming, None)
                if piece is None:
                    return
                yield piece[: largest - taken]
                taken += len(piece)
        except self.lost as error:
            if taken and time.monotonic() >= until:
                return  # it ends at its time, with what has come
            raise self.translated(error, write=self.changes(response.request)) from error
        finally:
            response.close()

    def translated(self, error: Exception, *, write: bool) -> ToolFailed:
        """An error of `requests`, or of what it stands on, as one of ours."""
        return from_requests(error, self.service, write=write, certificates=self.certificates)


def session(
    service: str, url: str, *, access: Access, patience: float, ca_file: str = "", fingerprint: str = ""
) -> HttpSession:
    """A session for one address and no other. Raises ToolFailed when the settings cannot work."""
    made = HttpSession(service, access, patience)
    made.mount(f"{url.rstrip('/')}/", TcpAdapter(context(service, url, ca_file=ca_file, fingerprint=fingerprint)))
    return made


def _as_asked(response: requests.Response) -> None:
    """Refuse a compressed answer, which nobody asked for: a piece of it can inflate to a thousand times its size."""
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        response.close()
        raise requests.exceptions.ContentDecodingError("compressed unasked")


def _bounded(response: requests.Response) -> bytes:
    body = bytearray()
    for piece in response.iter_content(65536):
        body += piece
        if len(body) > LARGEST_ANSWER:
            response.close()
            raise requests.exceptions.ContentDecodingError("answer too large")
    return bytes(body)
