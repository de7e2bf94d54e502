"""The one HTTP client for REST services: bounded in time and size, never redirected, reading when it may only read."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, retry_if_result
from tenacity.stop import stop_after_attempt, stop_before_delay
from tenacity.wait import wait_exponential_jitter

from tools.kit.answers import fitted
from tools.kit.breaker import Breaker
from tools.kit.context import Access
from tools.kit.errors import BadAnswer, Refused, ToolFailed
from tools.kit.failures import AWAY, from_answer, from_httpx, late, not_json, retry_after
from tools.kit.login import LoginRefused, Seat
from tools.kit.reasons import causes
from tools.kit.strict import strict_json
from tools.kit.tls import context
from tools.kit.transport import Bounded, Reads

DEADLINE = 20.0
"""Seconds for one call in all, retries included."""
CONNECT_SECONDS = 5.0
LARGEST_ANSWER = 4 * 2**20
"""Decoded bytes of one answer."""
ATTEMPTS = 3
LONGEST_PAUSE = 5.0
"""Seconds that a Retry-After is heeded for: beyond that, a person is told to come back."""

USUAL_PAUSE = wait_exponential_jitter(multiplier=0.25, max=2.0, jitter=0.25)
"""Between the attempts of a read."""

Query = Mapping[str, str | int | bool | None]
Judge = Callable[[int, Any], ToolFailed | None]
"""What an answer's status and JSON mean where the status alone does not say it: a refusal under 200, a 500 that only
says "does not exist". None: as the status says."""
Turn = Callable[[Any, Mapping[str, str]], Query | None]
"""From a page of a listing (its JSON and its headers) to the parameters of the next one; None after the last."""
MOST_PAGES = 25

T = TypeVar("T")


class Api:
    """One service. Paths are templates, `get_json("/nodes/{}/qemu/{}", node, vmid)`: a segment never becomes two."""

    def __init__(
        self,
        service: str,
        base_url: str,
        *,
        access: Access,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | None = None,
        judge: Judge | None = None,
        breaker: Breaker | None = None,
        ca_file: str = "",
        fingerprint: str = "",
        post_reads: frozenset[str] = frozenset(),
        deadline: float = DEADLINE,
        largest: int = LARGEST_ANSWER,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Nothing is sent yet. Raises ToolFailed when the settings cannot work.

        `service` is what messages call it, e.g. `Pi-hole`; `post_reads` are the paths whose POST changes nothing;
        `breaker` keeps what is down from being asked again and again.
        """
        self.service, self._deadline, self._sleep = service, deadline, sleep
        self._seat, self._judge, self._breaker = auth, judge, breaker or Breaker(service)
        base = _address(service, base_url)
        self.host = base.host
        self._reads = Reads(base, post_reads)
        transport = httpx.AsyncHTTPTransport(
            verify=context(service, str(base), ca_file=ca_file, fingerprint=fingerprint),
            trust_env=False,
            # A write never rides on an idle connection: one that the service has just closed loses the answer.
            limits=httpx.Limits(
                max_connections=10,
                max_keepalive_connections=10 if access is Access.READ else 0,
                keepalive_expiry=2.0,
            ),
        )
        usual = {"Accept": "application/json, */*;q=0.5", "Accept-Encoding": "gzip", "User-Agent": "rackhand"}
        try:
            self._client = httpx.AsyncClient(
                base_url=base,
                headers=usual | dict(headers or {}),
                auth=auth,
                transport=Bounded(transport, service, self._reads, access, largest),
                trust_env=False,
                follow_redirects=False,
            )
        except UnicodeError:
            raise ToolFailed(
                f"The credential of {service} holds characters no header can carry: copy it again."
            ) from None
        if isinstance(auth, Seat):
            auth.taken()

    def asking(self) -> AbstractAsyncContextManager[None]:
        """Wrap what is asked of this service: raises CircuitOpen at once while it is given a pause."""
        return self._breaker.asking_host()

    async def read(
        self,
        kind: type[T],
        path: str,
        *segments: str | int,
        at: tuple[str | int, ...] = (),
        params: Query | None = None,
    ) -> T:
        """What lies at `at` in the answer, as `kind`: `read(list[Row], "/rows", at=("rows",))`.

        Raises ToolFailed, BadAnswer with the place in the answer when something is missing or of another kind.
        """
        return self._fitted(kind, await self.get_json(path, *segments, params=params), at)

    async def pages(
        self, kind: type[T], path: str, *segments: str | int, turn: Turn, at: tuple[str | int, ...] = (),
        params: Query | None = None,
    ) -> tuple[list[T], bool]:  # fmt: skip
        """The rows of a listing that comes in pages, and whether there are more than `MOST_PAGES` of them."""
        rows: list[T] = []
        asked: Query | None = params or {}
        for _ in range(MOST_PAGES):
            answer = await self.request("GET", path, *segments, params=asked)
            body = self._json(answer)
            rows += self._fitted(list[kind], body, at)  # type: ignore[valid-type]
            following = turn(body, answer.headers)
            if following is None:
                return rows, False
            asked = {**(params or {}), **following}
        return rows, True

    async def tagged(
        self, kind: type[T], path: str, *segments: str | int, at: tuple[str | int, ...] = ()
    ) -> tuple[T, str]:
        """`read`, and the answer's ETag: `send(…, match=tag)` then changes only what is still as it was read."""
        answer = await self.request("GET", path, *segments)
        return self._fitted(kind, self._json(answer), at), answer.headers.get("ETag", "")

    async def get_json(self, path: str, *segments: str | int, params: Query | None = None) -> Any:
        """The answer's JSON value. Raises ToolFailed."""
        return self._json(await self.request("GET", path, *segments, params=params))

    async def get_text(self, path: str, *segments: str | int, params: Query | None = None) -> str:
        """The answer as text, broken UTF-8 replaced. Raises ToolFailed."""
        answer = await self.request("GET", path, *segments, params=params)
        return answer.content.decode("utf-8", "replace")

    async def send(
        self,
        method: str,
        path: str,
        *segments: str | int,
        json: Any = None,
        form: Mapping[str, str | int] | None = None,
        params: Query | None = None,
        match: str = "",
        deadline: float | None = None,
    ) -> Any:
        """The JSON of the answer to a change or a POST-read, None when it has no body. Raises ToolFailed.

        The body is `json` or `form`; with `match`, an ETag, nothing is done when the target is another one by now.
        """
        headers = {"If-Match": match} if match else None
        answer = await self.request(
            method, path, *segments, json=json, form=form, params=params, headers=headers, deadline=deadline
        )
        return self._json(answer) if answer.content else None

    async def request(
        self,
        method: str,
        path: str,
        *segments: str | int,
        json: Any = None,
        form: Mapping[str, str | int] | None = None,
        content: str | bytes | None = None,
        params: Query | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> httpx.Response:
        """A success with its whole body, for callers that need headers (ETag) or plain text. Raises ToolFailed."""
        limit = deadline or self._deadline
        try:
            request = self._client.build_request(
                method,
                _filled(path, segments),
                json=json,
                data=form,
                content=content,
                params={name: value for name, value in (params or {}).items() if value is not None},
                headers=headers,
                timeout=httpx.Timeout(limit, connect=min(CONNECT_SECONDS, limit / 2)),
            )
        except (httpx.InvalidURL, UnicodeError):
            raise Refused(f"{self.service} was not asked: the request holds characters HTTP cannot carry.") from None
        reads = self._reads.cover(request)
        async with self.asking():
            try:
                async with asyncio.timeout(limit):
                    answer = await (self._insist(request, limit) if reads else self._client.send(request))
            except LoginRefused as refused:
                raise from_answer(refused.answer, self.service, write=False) from None
            except TimeoutError:
                raise late(self.service, write=not reads) from None
            except httpx.HTTPError as error:
                # `error.request` is the one that failed: a login on the way to a write has changed nothing.
                raise from_httpx(error, self.service, write=not self._reads.cover(error.request)) from error
            if refusal := self._judged(answer):
                raise refusal
            if not answer.is_success:
                raise from_answer(answer, self.service, write=not reads)
            return answer

    async def close(self) -> None:
        """Hang up; whoever is the last to go ends the session."""
        if isinstance(self._seat, Seat):
            await self._seat.left(self._client)
        await self._client.aclose()

    def _judged(self, answer: httpx.Response) -> ToolFailed | None:
        if self._judge is None:
            return None
        try:
            return self._judge(answer.status_code, strict_json(answer.content))
        except ValueError:
            return None  # not JSON: whoever reads it will say so

    def _fitted(self, kind: type[T], body: Any, at: tuple[str | int, ...]) -> T:
        try:
            found: T = fitted(kind, body, at)
        except ValueError as error:
            what = f"without a proper {error}" if str(error) else "with something else than was asked for"
            raise BadAnswer(f"{self.service} answered {what}: check its address and its version.") from None
        return found

    async def _insist(self, request: httpx.Request, limit: float) -> httpx.Response:
        retrying = AsyncRetrying(
            sleep=self._sleep,
            stop=stop_after_attempt(ATTEMPTS) | stop_before_delay(limit),
            wait=_pause,
            retry=retry_if_result(_passing) | retry_if_exception(_not_there),
            retry_error_callback=_last,
        )
        answer: httpx.Response = await retrying(self._client.send, request)
        return answer

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return strict_json(answer.content)
        except ValueError:
            write = not self._reads.cover(answer.request)
            raise not_json(self.service, answer.content, write=write) from None


def _passing(answer: httpx.Response) -> bool:
    return answer.status_code == 429 or answer.status_code in AWAY


def _not_there(error: BaseException) -> bool:
    if not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return False
    return not any(isinstance(cause, ssl.SSLError) for cause in causes(error))


def _pause(state: RetryCallState) -> float:
    """Seconds to the next attempt: growing with jitter, longer when the service asks for it, within reason."""
    usual = USUAL_PAUSE(state)
    if state.outcome is None or state.outcome.failed:
        return usual
    asked = retry_after(state.outcome.result().headers.get("Retry-After", ""))
    return max(usual, min(asked or 0.0, LONGEST_PAUSE))


def _last(state: RetryCallState) -> Any:
    assert state.outcome is not None, "called after an attempt"
    return state.outcome.result()


def _filled(path: str, segments: tuple[str | int, ...]) -> str:
    if path.count("{}") != len(segments):
        raise ValueError(f"{path} takes {path.count('{}')} segments")
    return path.format(*map(segment, segments))


def segment(value: str | int) -> str:
    text = str(value)
    if text in ("", ".", ".."):
        raise Refused(f'"{text}" cannot be part of an address: use the name or id as listed.')
    return quote(text, safe="")


def _address(service: str, base_url: str) -> httpx.URL:
    wrong = ToolFailed(f"The address of {service} is not valid: it looks like https://host:port, without ? or #.")
    try:
        base = httpx.URL(base_url.strip().rstrip("/"))
    except httpx.InvalidURL:
        raise wrong from None
    if base.scheme not in ("http", "https") or not base.host or base.query or base.fragment:
        raise wrong
    return base
