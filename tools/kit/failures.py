"""The one map from HTTP clients' errors to ours."""

import http
import re
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urljoin, urlsplit

import httpx

from memory.secrets import complaint_without_secrets
from memory.text import clean, escaped
from tools.kit.errors import (
    BadAnswer,
    Conflict,
    Gone,
    NoAnswer,
    OutcomeUnknown,
    RateLimited,
    Refused,
    ToolFailed,
    Unauthorised,
    Unreachable,
)
from tools.kit.reasons import (
    ADDRESS,
    CERTIFICATES,
    SPEAKS_TLS,
    Certificates,
    may_have_left,
    not_http,
    unconnected,
    wants_tls,
)
from tools.kit.strict import strict_json
from tools.kit.transport import REDIRECTED, TooLarge

if TYPE_CHECKING:
    import requests

    Answer: TypeAlias = httpx.Response | requests.Response

Hide: TypeAlias = Callable[[str], str]

LONGEST_QUOTE = 200
LONGEST_EXCERPT = 100
_EXAMINED = 20 * LONGEST_QUOTE
AWAY = frozenset({502, 503, 504})
"""What a gateway answers for a service that is not there."""
_REFUSALS: dict[int, tuple[Callable[[str], ToolFailed], str, str]] = {
    404: (Gone, "does not have this", "list again to see what there is"),
    409: (Conflict, "cannot do this in the present state", "look at the target first"),
    412: (Conflict, "has it otherwise by now", "look again, then ask again"),
    401: (Unauthorised, "rejected the credential", "renew it in the settings"),
    403: (partial(Unauthorised, rejected=False), "does not permit this", "give the credential that right"),
}
"""Status → our error, what the service said by it, and what to do."""


def from_httpx(error: httpx.HTTPError, service: str, *, write: bool) -> ToolFailed:
    """The error of httpx as one of ours; `service` is e.g. `Pi-hole`.

    `write` says whether the request could change something: then a lost answer is an unknown outcome.
    """
    match error:
        case httpx.UnsupportedProtocol():
            return _bad_address(service)
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return unreachable(service, unconnected(error) or ("no connection", ADDRESS))
        case httpx.PoolTimeout():
            return ToolFailed(f"Too many requests to {service} are under way: try again in a moment.")
        case httpx.LocalProtocolError():
            return Refused(f"{service} was not asked: the request holds characters that HTTP cannot carry.")
        case httpx.TimeoutException():
            return late(service, write=write)
        case TooLarge():
            return _unusable(service, "with more than anyone can read: ask for less", write=write)
        case httpx.DecodingError():
            return _unusable(
                service, "with something unreadable: check that the address is really its API", write=write
            )
    if write:
        return _lost(service)
    return NoAnswer(f"The connection to {service} was lost: try again, then check that it runs.")


def from_requests(
    error: Exception, service: str, *, write: bool, hide: Hide = str, certificates: Certificates = CERTIFICATES
) -> ToolFailed:
    """The error of `requests` (or of an SDK on top of it) as one of ours; `service` is e.g. `Docker on nas`.

    `write` says whether the request could change something: then a lost answer is an unknown outcome. `hide` takes out
    of the service's own words what must not be quoted; `certificates` says what to do about those.
    """
    from requests import exceptions as lost

    response: requests.Response | None = getattr(error, "response", None)
    if response is not None:
        return from_answer(response, service, write=write, hide=hide)
    if isinstance(error, lost.InvalidURL | lost.MissingSchema | lost.InvalidSchema):
        return _bad_address(service)
    reason = unconnected(error, certificates)
    if reason and not (write and may_have_left(error)):
        return unreachable(service, reason)
    if write:
        return _lost(service)
    if strange := not_http(error):
        return BadAnswer(f"{service} {strange}.")
    if isinstance(error, lost.Timeout | TimeoutError) or "timed out" in str(error).lower():
        return late(service, write=False)
    if isinstance(error, lost.ContentDecodingError | lost.InvalidJSONError | ValueError):
        return BadAnswer(f"{service} answered with something unreadable: check that the address is really its API.")
    return NoAnswer(f"The connection to {service} was lost: try again, then check that it runs.")


def from_answer(response: "Answer", service: str, *, write: bool, hide: Hide = str) -> ToolFailed:
    """An answer that is not a success as one of our errors, with the service's own words where it has some."""
    words = _words(response, hide)
    error = _refusal(response, service, f" ({words})" if words else "", write=write)
    error.said = words
    error.outside = bool(words) or 300 <= response.status_code < 400  # says where a redirect leads
    return error


def _refusal(response: "Answer", service: str, said: str, *, write: bool) -> ToolFailed:
    status = response.status_code
    if wants_tls(status, response.content):
        return BadAnswer(f"{service} {SPEAKS_TLS}.")
    if status >= 500:
        return _broken(service, status, said, write=write)
    if status in _REFUSALS:
        error, what, then = _REFUSALS[status]
        if status == 404 and write and said:
            what += " or what it needs"  # a change may lean on more than its target: the words say which it is
        return error(f"{service} {what}{said}: {then}.")
    if status == 429:
        return RateLimited(f"{service} asks to slow down{said}: try again {_pause(response)}.")
    if status == 303 and write:
        # "See what came of it over there": the one redirect that may follow a change already made.
        return _unusable(service, "with a redirect: look at the target before asking again", write=True)
    if 300 <= status < 400:
        place = _elsewhere(response)
        return Refused(f"{service} answered with a redirect{place}: put its final address in the settings.")
    if status >= 400:
        return Refused(f"{service} refused with HTTP {status}{said}: change the request.")
    return BadAnswer(f"{service} answered HTTP {status}, which its API does not promise: check its address.")


def _broken(service: str, status: int, said: str, *, write: bool) -> ToolFailed:
    """A fault of the service's own."""
    if write:
        lost = OutcomeUnknown(f"{service} failed with HTTP {status}{said}: look at the target before asking again.")
        lost.answered = status not in AWAY  # a gateway knows nothing of what the service does meanwhile
        return lost
    if status == 501:
        return Refused(f"{service} cannot do this at all{said}: asking again does not help.")
    kind = NoAnswer if status in AWAY else ToolFailed
    return kind(f"{service} failed with HTTP {status}{said}: try again, then look at its own log.")


def late(service: str, *, write: bool) -> ToolFailed:
    """No answer in time."""
    if write:
        return _lost(service)
    return NoAnswer(f"{service} did not answer in time: try again in a moment.")


def not_json(service: str, body: bytes, *, write: bool) -> ToolFailed:
    """A success whose body is not what was promised; says how it begins."""
    begins = body[: 20 * LONGEST_EXCERPT].decode("utf-8", "replace")
    begins = _cut(complaint_without_secrets(escaped(" ".join(begins.split()))), LONGEST_EXCERPT)
    error = _unusable(service, f'with something that is not proper JSON: "{begins}"', write=write)
    error.outside = bool(begins)
    return error


def quote(text: str, hide: Hide = str) -> str:
    """A service's own words, fit for our sentence: one short line without credentials or invisible characters."""
    text = hide(text[: 2 * _EXAMINED])[:_EXAMINED]  # before anything cuts or changes what it looks for
    text = " ".join("".join(c if c.isprintable() else " " for c in clean(text)[0]).split())
    return _cut(complaint_without_secrets(text).rstrip(". "), LONGEST_QUOTE)


def _cut(text: str, longest: int) -> str:
    """The text in so many characters, cut between words: of half a secret nobody could tell later that it is one."""
    return text if len(text) <= longest else f"{text[: longest - 1].rpartition(' ')[0]} …".strip()


def retry_after(value: str) -> float | None:
    """The seconds that a Retry-After header asks for, given as a number or a date; None when it makes no sense."""
    if re.fullmatch(r"\d{1,10}", value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= 0 else None


def unreachable(service: str, reason: tuple[str, str]) -> Unreachable:
    """That no connection came about: why, and what to do."""
    why, then = reason
    return Unreachable(f"{service} cannot be reached ({why}): {then}.")


def _bad_address(service: str) -> Unreachable:
    return Unreachable(f"The address of {service} is not valid: correct it in the settings.")


def _lost(service: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"{service} was asked, but its answer was lost: look at the target before asking again.")


def _unusable(service: str, how: str, *, write: bool) -> ToolFailed:
    return (OutcomeUnknown if write else BadAnswer)(f"{service} answered {how}.")


def _words(response: "Answer", hide: Hide) -> str:
    """The sentence in an error answer, wherever this service puts it: body first, then the status line."""
    try:
        found = strict_json(response.content)
    except ValueError:
        return _reason(response)
    for _ in range(4):
        if isinstance(found, str):
            return quote(found, hide)
        if isinstance(found, list):
            found = found[0] if found else None
        elif isinstance(found, dict):
            keys = ("message", "detail", "error", "errors", "meta", "msg")
            found = next((found[key] for key in keys if found.get(key)), None)
    return _reason(response)


def _reason(response: "Answer") -> str:
    reason = response.reason_phrase if isinstance(response, httpx.Response) else response.reason
    usual = {status.value: status.phrase for status in http.HTTPStatus}.get(response.status_code, "")
    return quote(reason) if reason and reason.lower() != usual.lower() else ""


def _pause(response: "Answer") -> str:
    seconds = retry_after(response.headers.get("Retry-After", ""))
    return f"in {min(round(seconds), 3600)} s" if seconds else "in a minute"


def _elsewhere(response: "Answer") -> str:
    """Scheme and host that a redirect points to: path and query may hold anything."""
    if isinstance(response, httpx.Response):
        location = response.extensions.get(REDIRECTED, "")
    else:
        location = response.headers.get("Location", "")
    try:
        place = urlsplit(urljoin(str(response.url), location))
    except ValueError:
        return ""
    host = place.netloc.rpartition("@")[2]
    return f" to {quote(f'{place.scheme}://{host}')[:80]}" if host else ""
