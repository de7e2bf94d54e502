"""Which version of the Docker API is spoken: the newest that both sides know."""

import re
from typing import Any

from tools.kit import BadAnswer, Refused
from tools.kit.raw import record

Version = tuple[int, int]

OLDEST: Version = (1, 41)
"""Docker 20.10, Debian's; what is older lacks things that are asked for here."""
NEWEST: Version = (1, 55)
FORM = re.compile(r"(\d{1,3})\.(\d{1,3})")
_REFUSAL = re.compile(rb"client version \S{1,20} is too (new|old)|(min|max)imum supported API version", re.IGNORECASE)


class VersionRefused(Refused):
    """The engine does not speak this version (any more); it said so before it looked at the request."""


def parsed(text: Any) -> Version | None:
    """`1.47` as numbers; None for anything else."""
    found = FORM.fullmatch(text) if isinstance(text, str) else None
    return (int(found[1]), int(found[2])) if found else None


def written(version: Version) -> str:
    """The version as it stands in an address."""
    return ".".join(map(str, version))


def agreed(service: str, told: Any, wanted: Version | None) -> Version:
    """The version to speak with an engine, by its own answer to `/version`; none newer than what is `wanted`.

    Raises ToolFailed when there is none.
    """
    newest, oldest = (parsed(record(told).get(key)) for key in ("ApiVersion", "MinAPIVersion"))
    if newest is None:
        raise BadAnswer(f"{service} did not say which API it speaks: check that its address is right.")
    if newest < OLDEST:
        raise Refused(
            f"{service} is too old: it speaks API {written(newest)} at most, and the bot {written(OLDEST)} at least"
            " (Docker 20.10): update Docker there."
        )
    if oldest is not None and oldest > NEWEST:
        raise Refused(
            f"{service} is too new: it speaks API {written(oldest)} at least, and the bot {written(NEWEST)} at most:"
            " update the bot."
        )
    speak = min(newest, NEWEST, wanted or NEWEST)
    if oldest is not None and oldest > speak:
        raise Refused(
            f"{service} wants API {written(oldest)} at least, and DOCKER_API_VERSION allows {written(speak)}:"
            " remove that setting."
        )
    return speak


def refuses(status: int, body: bytes) -> bool:
    """Whether this is how an engine refuses the version that it was spoken to in."""
    return status == 400 and _REFUSAL.search(body[:2000]) is not None
