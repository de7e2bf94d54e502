"""JSON over HTTP: handlers as plain functions, sessions and keys, pages, preconditions."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

Json = dict[str, Any]
EMPTY = b""


class Refusal(Exception):
    """The service says no, in words that it puts into errors of its own shape."""

    def __init__(self, status: int, words: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(words)
        self.status, self.headers = status, dict(headers or {})


@dataclass(frozen=True)
class Answer:
    """An answer that is more than a 200 with JSON."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """It as it is sent: text as text, nothing as an empty body, anything else as JSON."""
        if self.body is None:
            return Response(EMPTY, self.status, dict(self.headers))
        if isinstance(self.body, str):
            return Response(self.body, self.status, dict(self.headers), media_type="text/plain")
        return JSONResponse(self.body, self.status, dict(self.headers))


@dataclass(frozen=True)
class Asked:
    """One request, its body read."""

    method: str
    url: str
    """The whole path."""
    path: Mapping[str, str]
    """The segments that the route names."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Json:
        """The JSON object that was sent. Raises Refusal."""
        try:
            found = json.loads(self.raw or b"{}")
        except ValueError:
            raise Refusal(400, "the body is no JSON") from None
        if not isinstance(found, dict):
            raise Refusal(400, "the body is no object")
        return found

    def number(self, name: str, default: int) -> int:
        """A whole number from the query. Raises Refusal."""
        try:
            return int(self.query.get(name, default))
        except ValueError:
            raise Refusal(400, f"{name} is no number") from None

    def page(self, rows: Sequence[Any], *, size: int = 100, first: int = 1) -> tuple[list[Any], int, int]:
        """The rows of the page that was asked for (`page`, `per_page`), its number, and how many pages there are."""
        number, per_page = self.number("page", first), self.number("per_page", size)
        pages = max(1, -(-len(rows) // per_page))
        return list(rows[(number - first) * per_page :][:per_page]), number, pages

    def matches(self, tag: str) -> None:
        """Hold the request to its If-Match. Raises Refusal when the thing is another one by now."""
        wanted = self.headers.get("if-match", tag)
        if wanted not in (tag, "*"):
            raise Refusal(412, "precondition failed, invalid old hash")


Handler = Callable[[Asked], Any]


def etag(value: Any) -> str:
    """A tag that is another one as soon as the value is."""
    return f'"{hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]}"'


class Sessions:
    """Who is logged in, up to a number of seats."""

    def __init__(self, now: Callable[[], float], seats: int, lifetime: float) -> None:
        self._now, self._seats, self._lifetime = now, seats, lifetime
        self.open: dict[str, float] = {}
        """Session id → when it lapses."""

    def take(self, session: str) -> bool:
        """Begin one; False when every seat is taken."""
        self._lapse()
        if len(self.open) >= self._seats:
            return False
        self.open[session] = self._now() + self._lifetime
        return True

    def holds(self, session: str) -> bool:
        """Whether it is valid; each use makes it last longer."""
        self._lapse()
        if session in self.open:
            self.open[session] = self._now() + self._lifetime
        return session in self.open

    def leave(self, session: str) -> bool:
        """End one; False when there was none."""
        return self.open.pop(session, None) is not None

    def _lapse(self) -> None:
        self.open = {session: until for session, until in self.open.items() if until > self._now()}


def api(
    routes: Mapping[str, Handler], *, error: Callable[[int, str], Any], guard: Callable[[Asked], None] | None = None
) -> ASGIApp:
    """An app of `"GET /api/rows/{id}"` → handler, which returns JSON (200) or an Answer, or raises Refusal.

    `guard` sees every request first; `error` is the body of a refusal, from its status and its words.
    """

    def endpoint(handler: Handler) -> Any:
        async def answer(request: Request) -> Response:
            body = await request.body()
            asked = Asked(
                request.method, request.url.path, request.path_params, request.query_params, request.headers, body
            )
            try:
                if guard is not None:
                    guard(asked)
                found = handler(asked)
            except Refusal as refusal:
                found = Answer(error(refusal.status, str(refusal)), refusal.status, refusal.headers)
            return (found if isinstance(found, Answer) else Answer(found)).response()

        return answer

    def lost(asked: Asked) -> Any:
        raise Refusal(404, "Not Found")

    listed = [(line.split(" ", 1), handler) for line, handler in routes.items()]
    made = [Route(path, endpoint(handler), methods=[method]) for (method, path), handler in listed]
    every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(routes=[*made, Route("/{path:path}", endpoint(lost), methods=every)])
