"""What every HTTP client of ours is held to, below anything that a service file can do."""

import re
import zlib
from collections.abc import Callable, Iterable

import httpx

from tools.kit.context import Access

READING = frozenset({"GET", "HEAD"})
SEAT = {"rackhand.seat": True}
"""Extensions of a request that takes a session or gives it back, which changes nothing: only `login.py` sends such."""
REDIRECTED = "redirected"
"""Key in an answer's extensions: the Location of a redirect."""
_FRAMING = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


class WriteRefused(RuntimeError):
    """A client that may only read was asked to write: a mistake in the program, never in the request."""


class TooLarge(httpx.DecodingError):
    """The answer is larger than the client takes."""


class Reads:
    """Tells reads from writes: GET, HEAD, and POST to the listed paths (`/graphql`, `/sites/{}/query`)."""

    def __init__(self, base: httpx.URL, post_reads: Iterable[str]) -> None:
        prefix = base.raw_path.decode("ascii").rstrip("/")
        self._posts = [
            re.compile("[^/]+".join(re.escape(part) for part in (prefix + path).split("{}"))) for path in post_reads
        ]

    def cover(self, request: httpx.Request) -> bool:
        """Whether the request only reads."""
        if SEAT.items() <= request.extensions.items():
            return True
        if request.method != "POST":
            return request.method in READING
        path = request.url.raw_path.partition(b"?")[0].decode("ascii")
        return any(pattern.fullmatch(path) for pattern in self._posts)


class Bounded(httpx.AsyncBaseTransport):
    """Only reads when it may only read; answers whole, decoded, no larger than `largest` bytes, never redirected."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport, service: str, reads: Reads, access: Access, largest: int
    ) -> None:
        self._inner, self._service, self._reads = inner, service, reads
        self._access, self._largest = access, largest

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer. Raises WriteRefused before anything is sent, and httpx's own errors."""
        if self._access is not Access.WRITE and not self._reads.cover(request):
            raise WriteRefused(f"The reading client of {self._service} was asked for {request.method}.")
        answer = await self._inner.handle_async_request(request)
        try:
            body = await _whole(answer, self._largest)
        finally:
            await answer.aclose()
        dropped, extensions = _FRAMING, dict(answer.extensions)
        if 300 <= answer.status_code < 400:
            # Where httpx does not see it: it works out the next request even when it must not send one.
            extensions[REDIRECTED] = answer.headers.get("Location", "")
            dropped = _FRAMING | {b"location"}
        headers = [(name, value) for name, value in answer.headers.raw if name.lower() not in dropped]
        return httpx.Response(answer.status_code, headers=headers, content=body, extensions=extensions)

    async def aclose(self) -> None:
        """Hang up."""
        await self._inner.aclose()


async def _whole(answer: httpx.Response, largest: int) -> bytes:
    decode, ended = _decoder(answer.headers.get("content-encoding", "").strip().lower())
    body = bytearray()
    received = False
    async for piece in answer.aiter_raw():
        received = received or bool(piece)
        body += decode(piece, largest + 1 - len(body))
        if len(body) > largest:
            raise TooLarge(f"more than {largest} bytes")
    if received and not ended():
        raise httpx.DecodingError("the compressed answer ends early or goes on after its end")
    return bytes(body)


def _decoder(coding: str) -> tuple[Callable[[bytes, int], bytes], Callable[[], bool]]:
    """A function from a piece and the room left to at most that many decoded bytes, and whether all has come.

    httpx would inflate a whole piece at once, up to a thousand times its size.
    """
    if coding in ("", "identity"):
        return (lambda piece, room: piece), (lambda: True)
    if coding not in ("gzip", "x-gzip"):
        raise httpx.DecodingError("an encoding that was not asked for")
    inflating = zlib.decompressobj(wbits=31)

    def inflate(piece: bytes, room: int) -> bytes:
        try:
            return inflating.decompress(piece, room)
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error

    return inflate, lambda: inflating.eof and not inflating.unused_data
