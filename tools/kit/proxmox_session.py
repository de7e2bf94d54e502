"""proxmoxer's resources over a session of ours: in time, in size, by the pin, with our errors.

proxmoxer's own has a time limit for pauses only, disables warnings, and takes no TLS context. Importing this module
imports `requests`: whoever needs it does so at the first call.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import requests
from proxmoxer.core import ANYEVENT_HTTP_STATUS_CODES, SERVICES, ProxmoxResource

from tools.kit.context import Access
from tools.kit.errors import Conflict, Gone, NoAnswer, OutcomeUnknown, ToolFailed, Unreachable
from tools.kit.failures import from_answer, not_json, quote
from tools.kit.session import HttpSession
from tools.kit.settings import Place
from tools.kit.sockets import TcpAdapter
from tools.kit.strict import strict_json
from tools.kit.tls import context

T = TypeVar("T")

_GONE = re.compile(r"does not exist|no such|not found|unable to find", re.I)
_BUSY = re.compile(
    r"is locked|can't lock|lock .*timeout|already (?:running|exists)|not running|is running|no quorum|protection|"
    r"cluster not ready|is a template|mounted|in use|must be (?:stopped|running)|shrink",
    re.I,
)
"""How it says, under 500, that it has not begun."""


class Way(HttpSession):
    """One address."""

    def __init__(
        self, service: str, product: str, place: Place, credential: str, access: Access, patience: float
    ) -> None:
        super().__init__(service, access, patience)
        self.headers["Authorization"] = credential
        address = urlsplit(place.url.rstrip("/"))
        if address.port is None:
            address = address._replace(netloc=f"{address.netloc}:{SERVICES[product]['default_port']}")
        url = address.geturl()
        trust = context(service, url, ca_file=place.ca_file, fingerprint=place.fingerprint)
        self.mount(f"{url}/", TcpAdapter(trust))
        self._root = ProxmoxResource(base_url=f"{url}/api2/json", session=self, serializer=self)

    def resource(self, parts: Sequence[str]) -> Any:
        """proxmoxer's resource of a path, its parts quoted."""
        return self._root(list(parts))

    def changes(self, request: requests.PreparedRequest) -> bool:
        """Whether a request could change something: a prune that says so is only tried."""
        pruning = request.method == "POST" and urlsplit(request.url or "").path.endswith("/prune")
        return super().changes(request) and not (pruning and parse_qs(str(request.body)).get("dry-run") == ["1"])

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        """A success. Raises ToolFailed."""
        answer = super().request(method, url, **kwargs)
        if answer.status_code >= 400:
            raise refusal(answer, self.service, write=self.changes(answer.request))
        return answer

    def loads(self, answer: requests.Response) -> Any:
        """The data of an answer. Raises ToolFailed, for what answers instead of it, too."""
        try:
            return strict_json(answer.content)["data"]
        except (ValueError, KeyError, TypeError):
            raise not_json(self.service, answer.content, write=self.changes(answer.request)) from None


class Session:
    """Several ways to the same: the one that was good last is tried first."""

    def __init__(self, ways: Sequence[Way]) -> None:
        self._ways = list(ways)

    def answer(self, call: Callable[[Any], T]) -> T:
        """What `call` returns on the first way that leads there; what may have left is never sent on another one."""
        first: ToolFailed | None = None
        for way in list(self._ways):
            try:
                found = call(way)
            except (Unreachable, NoAnswer) as error:
                first = first or error
                continue
            self._ways.sort(key=lambda each: each is not way)
            return found
        assert first is not None, "there is an address at least"
        raise first

    def close(self) -> None:
        """Hang up."""
        for way in self._ways:
            way.close()


def header(service: str, product: str, token: str, secret: str) -> str:
    """The Authorization of a token. Raises ToolFailed when it cannot be one."""
    if "@" not in token or "!" not in token or not secret:
        raise ToolFailed(f"{service} has no API token: set its id (user@realm!name) and its secret.")
    found = f"{product}APIToken={token}{SERVICES[product]['token_separator']}{secret}"
    if not (found.isascii() and found.isprintable()):
        raise ToolFailed(f"The token of {service} holds characters no header can carry: copy it again.")
    return found


def refusal(answer: requests.Response, service: str, *, write: bool) -> ToolFailed:
    """An error answer as one of ours: the words stand in the status line, and by parameter in the body."""
    status = answer.status_code
    error = from_answer(answer, service, write=write)
    words = quote(_words(answer))
    if status in ANYEVENT_HTTP_STATUS_CODES:  # from the node that was asked, of another one
        away = f"{service} cannot reach the node that this is on: check that the node is up."
        return OutcomeUnknown(away) if write and status != 595 else ToolFailed(away)
    if status not in (400, 500) or not words:
        return error
    if _GONE.search(words):
        error = Gone(f"{service} does not have this ({words}): list again to see what there is.")
    elif _BUSY.search(words):
        error = Conflict(f"{service} cannot do this in the present state ({words}): look at the target first.")
    elif status == 400:
        error = type(error)(f"{service} refused this ({words}): change the request.")
    error.said, error.outside = words, True
    return error


def _words(answer: requests.Response) -> str:
    try:
        body = strict_json(answer.content)
    except ValueError:
        bare = answer.text.strip()  # a backup server writes nothing but its words
        return bare if bare and not bare.startswith("<") else answer.reason or ""
    errors = body.get("errors") if isinstance(body, dict) else None
    if isinstance(errors, dict) and errors:
        return ", ".join(f"{name}: {str(text).strip()}" for name, text in errors.items())
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) else answer.reason or ""
