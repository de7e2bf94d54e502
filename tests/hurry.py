"""The bot without the pauses that are there for people and for hosts that are away, and what is costly only once."""

import os
import zoneinfo
from functools import cache
from typing import Any

import httpx
from tenacity import wait_fixed

from bot.telegram.pace import Throttle

_context = httpx.create_ssl_context
_once = cache(_context)


def _trust(verify: Any = True, cert: Any = None, trust_env: bool = True) -> Any:
    """The certificates of the world, read once: every client that is made reads them again otherwise."""
    own = verify is not True or cert or "SSL_CERT_FILE" in os.environ or "SSL_CERT_DIR" in os.environ
    return (_context if own else _once)(verify=verify, cert=cert, trust_env=trust_env)


HURRY: dict[str, Any] = {
    "bot.settings.settings.available_timezones": cache(zoneinfo.available_timezones),
    "bot.telegram.chats.Throttle": lambda *_, **__: Throttle(0.0),  # a flood that Telegram complains of still holds
    "httpx._transports.default.create_ssl_context": _trust,
    "tools.kit.sdk.USUAL_PAUSE": wait_fixed(0.01),
    "tools.kit.http.USUAL_PAUSE": wait_fixed(0.01),
}
"""What stands in the place of what, in every test."""
