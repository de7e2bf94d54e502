"""What has answered a request to Telegram: Telegram itself, or something that stands in its place."""

from typing import Any
from urllib.parse import urlsplit

import httpx

UNKNOWN_TOKEN = (401, 404)
"""What Telegram answers to a token that it does not know, and to one that it cannot even read."""


def result_of(response: httpx.Response) -> Any:
    """The `result` of a good answer; None where there is none."""
    body = _body(response)
    return body.get("result") if response.status_code == 200 and isinstance(body, dict) else None


def refusal_of(response: httpx.Response) -> int | None:
    """The error code with which Telegram itself refuses; None when these are not its words."""
    body = _body(response)
    if not isinstance(body, dict) or body.get("ok") is not False or not isinstance(body.get("description"), str):
        return None
    return response.status_code if body.get("error_code") == response.status_code else None


def asked_to_wait(response: httpx.Response) -> float:
    """The seconds that a refusal asks for; 0 when it does not."""
    try:
        return float(_body(response)["parameters"]["retry_after"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return 0.0


def is_a_stranger(response: httpx.Response) -> bool:
    """Whether this cannot be Telegram: it redirects, it shows a page, or it refuses in other words.

    A 5xx does not count: what stands before Telegram's own servers says so with a page, too.
    """
    status, body = response.status_code, _body(response)
    if status >= 500 or (isinstance(body, dict) and body.get("ok") is False):
        return False
    return status >= 300 or "html" in response.headers.get("content-type", "").lower()


def stranger_at(url: str, status: int) -> str:
    """What is to be said of it, and done about it."""
    return (
        f"what answers at {urlsplit(url).netloc} is not Telegram's Bot API (HTTP {status}): a proxy, a login page,"
        " or a wrong TELEGRAM_API_URL"
    )


def _body(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None
