"""What can go wrong in a tool, in words that the model and the person can act on."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class ToolFailed(Exception):
    """The call did not do what was asked. `str()` is one sentence that says what to do next."""

    sent: bool = False
    """Whether the request may have taken effect: decides between `failed` and `unknown` for a change."""
    outside: bool = False
    """Whether the sentence quotes the service's own words, which taint like any text from outside."""
    said: str = ""
    """Those words alone, in one line."""


class Unreachable(ToolFailed):
    """No byte reached the service: refused connection, DNS, TLS."""


class NoAnswer(ToolFailed):
    """A read got no proper answer: timeout, lost connection, or a gateway that says the service is away (502-504)."""


class CircuitOpen(ToolFailed):
    """The service was not asked at all: it has just failed several times and is given a pause."""

    why: str = ""
    """What it failed with the last time, in words."""


class Unauthorised(ToolFailed):
    """The service rejected the credential (401) or the credential may not do this (403)."""

    def __init__(self, text: str, *, rejected: bool = True) -> None:
        super().__init__(text)
        self.rejected = rejected
        """Whether the credential itself is no good, so that every further call would fail, too."""


class Gone(ToolFailed):
    """The target does not exist (any more)."""


class Conflict(ToolFailed):
    """The target is in a state that does not allow this (409)."""


class RateLimited(ToolFailed):
    """The service asks to slow down (429); nothing was done."""


class Refused(ToolFailed):
    """The service understood and said no (other 4xx)."""


class BadAnswer(ToolFailed):
    """The answer is not what the service's API promises: not JSON, too large, missing fields."""


class OutcomeUnknown(ToolFailed):
    """The request may have left, and no answer says what came of it: timeout, lost connection, 5xx."""

    sent = True
    answered: bool = False
    """Whether the service did answer, with a failure of its own: what came of the request can be seen by now."""


class Halfway(OutcomeUnknown):
    """Of several targets some are done and the rest was not tried: a look can tell which."""


async def one_by_one(do: Callable[[str], Awaitable[object]], targets: Sequence[str]) -> None:
    """Do it to one target after the other, up to the first that fails. Raises ToolFailed."""
    for number, target in enumerate(targets):
        try:
            await do(target)
        except ToolFailed as error:
            if number == 0 or error.sent:
                raise
            halfway = Halfway(str(error))
            halfway.outside = error.outside
            raise halfway from error


def partly(done: str, *errors: ToolFailed) -> OutcomeUnknown:
    """What to raise where a part is done already and the rest failed: `failed` would hide that anything changed."""
    found = OutcomeUnknown(" ".join([done, *map(str, errors)]))
    found.outside = any(error.outside for error in errors)
    return found


async def tried(asked: Awaitable[T]) -> T | ToolFailed:
    """The answer, or why there is none."""
    try:
        return await asked
    except ToolFailed as error:
        return error


async def or_else(asked: Awaitable[T], otherwise: T) -> T:
    """The answer, or something else when there is none."""
    try:
        return await asked
    except ToolFailed:
        return otherwise
