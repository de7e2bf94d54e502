"""Services that want a login: one seat for all their clients, taken again when it has lapsed, given back at the end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tools.kit.errors import BadAnswer, ToolFailed
from tools.kit.strict import strict_json
from tools.kit.transport import SEAT

LOGOUT_SECONDS = 2.0


@dataclass(frozen=True)
class Login:
    """How a session begins, is used and ends."""

    path: str
    """Where the credential is posted to."""
    body: Callable[[str], Any]
    """What is posted, as JSON, from the credential."""
    use: Callable[[Any], Mapping[str, str]]
    """The headers of every further request, from the JSON of the answer; none when the service wants no session.

    Raises KeyError or TypeError where the answer has no session in it.
    """
    logout: str = ""
    """Where a DELETE ends it; empty: it only lapses."""
    idle_seconds: float = 1500.0
    """After this time without a request it is not tried any more."""


class Seat(httpx.Auth):
    """One session at one address, shared by the client that reads and the one that writes."""

    requires_response_body = True

    def __init__(self, login: Login, base: str, credential: str, learn: Callable[[Iterable[str]], None]) -> None:
        """`learn` is told the session's secrets, so that they are never quoted."""
        self._login, self._base, self._credential, self._learn = login, base.rstrip("/"), credential, learn
        self._headers: Mapping[str, str] | None = None
        self._used = 0.0
        self._turn = asyncio.Lock()
        self._clients = 0

    def taken(self) -> None:
        """One more client sits here."""
        self._clients += 1

    async def left(self, client: httpx.AsyncClient) -> None:
        """A client goes; the last one ends the session, which would otherwise stay taken until it lapses."""
        self._clients -= 1
        if not self._clients and self._headers and self._login.logout:
            with contextlib.suppress(httpx.HTTPError, TimeoutError):
                address = f"{self._base}{self._login.logout}"
                request = client.build_request("DELETE", address, headers=self._headers, extensions=SEAT)
                async with asyncio.timeout(LOGOUT_SECONDS):
                    await client.send(request, auth=None)
            self._headers = None

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send the request with the session; after a 401 once more with a new one: what was refused was not done."""
        for last in (False, True):
            async with self._turn:
                if self._headers is None or time.monotonic() - self._used > self._login.idle_seconds:
                    answer = yield self._request(request)
                    self._begin(answer)
                headers = self._headers or {}
            request.headers.update(headers)
            answer = yield request
            self._used = time.monotonic()
            if answer.status_code != 401 or last:
                return
            if self._headers is headers:  # else somebody has taken a new one meanwhile
                self._headers = None

    def _request(self, request: httpx.Request) -> httpx.Request:
        body, extensions = self._login.body(self._credential), {**request.extensions, **SEAT}
        return httpx.Request("POST", f"{self._base}{self._login.path}", json=body, extensions=extensions)

    def _begin(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            raise LoginRefused(answer)
        try:
            headers = self._login.use(strict_json(answer.content))
        except (ValueError, KeyError, TypeError):
            raise BadAnswer("The login was answered with something that holds no session.") from None
        self._learn(headers.values())
        self._headers, self._used = headers, time.monotonic()


class LoginRefused(ToolFailed):
    """The service did not let us in; `answer` says why."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__("The login was refused.")
        self.answer = answer
