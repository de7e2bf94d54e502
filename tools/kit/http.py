"""The one map from HTTP clients' errors to ours."""

import re
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from memory.text import MASK
from tools.kit.errors import (
    BadAnswer,
    Conflict,
    Gone,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ToolFailed,
    Unauthorised,
    Unreachable,
)

if TYPE_CHECKING:
    from requests import Response

LONGEST_QUOTE = 200
_CREDENTIALS = (
    (re.compile(r"://[^/\s@]+@"), f"://{MASK}@"),
    (re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']*"), r"\1"),
    (re.compile(r"(?i)\b(pass\w*|secret|token|api[-_]?key|bearer)(\s*[=:]\s*|\s+)[^\s\"']+"), rf"\1\2{MASK}"),
)  # fmt: skip


def from_requests(error: Exception, service: str, *, write: bool) -> ToolFailed:
    """The error of `requests` (or of an SDK on top of it) as one of ours; `service` is e.g. `Docker on nas`.

    `write` says whether the request could change something: then a lost answer is an unknown outcome.
    """
    from requests import exceptions as lost

    response: Response | None = getattr(error, "response", None)
    if response is not None:
        return _from_status(response, service, write=write)
    if isinstance(error, lost.InvalidURL | lost.MissingSchema | lost.InvalidSchema):
        return Unreachable(f"The address of {service} is not valid: correct it in the settings.")
    if why := _before_any_byte(error):
        return Unreachable(f"{service} cannot be reached ({why}): check that it runs and that its address is right.")
    if write:
        return OutcomeUnknown(f"{service} was asked, but its answer was lost: look at the target before asking again.")
    if isinstance(error, lost.Timeout | TimeoutError) or "timed out" in str(error).lower():
        return ToolFailed(f"{service} did not answer in time: try again in a moment.")
    if isinstance(error, lost.ContentDecodingError | lost.InvalidJSONError | ValueError):
        return BadAnswer(f"{service} answered with something unreadable: check that the address is really its API.")
    return Unreachable(f"The connection to {service} was lost: try again, then check that it runs.")


def quote(text: str) -> str:
    """A service's own words, fit for our sentence: one short line without credentials or invisible characters."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text[: 20 * LONGEST_QUOTE]).split())
    for pattern, instead in _CREDENTIALS:
        text = pattern.sub(instead, text)
    text = text.rstrip(". ")
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


def _from_status(response: "Response", service: str, *, write: bool) -> ToolFailed:
    status, words = response.status_code, _words(response)
    said = f" ({words})" if words else ""
    if status >= 500:
        if write:
            return OutcomeUnknown(f"{service} failed with HTTP {status}{said}: look at the target before asking again.")
        return ToolFailed(f"{service} failed with HTTP {status}{said}: try again, then look at its own log.")
    match status:
        case 401:
            return Unauthorised(f"{service} rejected the credential{said}: renew it in the settings.")
        case 403:
            return Unauthorised(f"{service} does not permit this{said}: give the credential that right.")
        case 404:
            return Gone(f"{service} does not have this{said}: list again to see what there is.")
        case 409:
            return Conflict(f"{service} cannot do this in the present state{said}: look at the target first.")
        case 429:
            return RateLimited(f"{service} asks to slow down: try again {_pause(response)}.")
        case _ if 300 <= status < 400:
            return Refused(f"{service} answered with a redirect: put its final address in the settings.")
        case _ if status >= 400:
            return Refused(f"{service} refused with HTTP {status}{said}: change the request.")
    return BadAnswer(f"{service} answered HTTP {status}, which its API does not promise: check its address.")


def _words(response: "Response") -> str:
    try:
        body: Any = response.json()
    except (ValueError, RecursionError):
        return ""
    words = body.get("message") if isinstance(body, dict) else None
    return quote(words) if isinstance(words, str) else ""


def _pause(response: "Response") -> str:
    seconds = response.headers.get("Retry-After", "")
    return f"in {min(int(seconds), 3600)} s" if re.fullmatch(r"[1-9]\d{0,9}", seconds) else "in a minute"


def _before_any_byte(error: BaseException) -> str:
    """Why the request cannot have left; empty when it may have."""
    from requests import exceptions as lost
    from urllib3 import exceptions as pool

    reasons: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
        ((ssl.SSLEOFError, ssl.SSLZeroReturnError), ""),
        ((ssl.SSLCertVerificationError,), "its certificate is not trusted"),
        ((ssl.SSLError,), "no TLS connection came about"),
        ((socket.gaierror, pool.NameResolutionError), "its name is unknown"),
        ((FileNotFoundError,), "its socket does not exist"),
        ((PermissionError,), "permission denied on its socket"),
        ((ConnectionRefusedError,), "connection refused"),
        ((pool.NewConnectionError,), "no connection"),
        ((pool.ConnectTimeoutError, lost.ConnectTimeout), "no answer while connecting"),
    )
    for cause in _causes(error):
        for kinds, why in reasons:
            if isinstance(cause, kinds):
                return why
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, wherever the libraries put it; innermost first."""
    seen: list[BaseException] = []
    queue: list[Any] = [error]
    while queue and len(seen) < 30:
        item = queue.pop(0)
        if isinstance(item, BaseException) and item not in seen:
            seen.append(item)
            queue += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    yield from reversed(seen)
