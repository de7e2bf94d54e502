"""What Proxmox VE and Proxmox Backup Server share: a client made of proxmoxer's resources, and tasks to their end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from tools.kit.answers import fitted
from tools.kit.breaker import Breaker
from tools.kit.change import Broken, Done, Task
from tools.kit.context import Access
from tools.kit.errors import BadAnswer, OutcomeUnknown, or_else
from tools.kit.failures import quote
from tools.kit.http import segment
from tools.kit.instances import Instances
from tools.kit.sdk import Sdk
from tools.kit.settings import Each, HttpSettings, Place, Secrets
from tools.kit.types import Outside, Result

if TYPE_CHECKING:
    from tools.kit.proxmox_session import Session

T = TypeVar("T")

READ_PATIENCE, WRITE_PATIENCE = 15.0, 50.0
"""Seconds that one request may take, its whole answer included."""
LOOK_SECONDS = 1.0
"""Between two looks at a task."""
LINES_AT_ONCE = 500
Product = Literal["PVE", "PBS"]
Params = Mapping[str, str | int | float | bool | None]


class TokenSettings(HttpSettings):
    """Settings of a Proxmox product, which is asked with an API token."""

    token_id: Each = {}
    """Its API token as user@realm!name, e.g. rackhand@pve!bot."""
    token_secret: Secrets = {}
    """The secret of that token."""


class Proxmox(Sdk["Session"]):
    """One server, or one cluster by several of its nodes: whichever can be reached is asked."""

    def __init__(
        self,
        service: str,
        product: Product,
        places: Sequence[Place],
        settings: TokenSettings,
        access: Access,
        breaker: Breaker | None = None,
    ) -> None:
        """Nothing is sent yet. `service` is what messages call it, `places` are its addresses, the preferred first."""
        patience = READ_PATIENCE if access is Access.READ else WRITE_PATIENCE
        super().__init__(service, access, breaker or Breaker(service), patience=patience, longest=patience)
        self._product: Product = product
        self._places, self._settings = places, settings
        self.token = settings.secret("token_id", places[0].name)
        """The id of its token, for advice on what it may not do."""

    def open(self, patience: float) -> "Session":
        """A session over every address. Raises ToolFailed when the settings cannot work."""
        from tools.kit.proxmox_session import Session, Way, header

        ways = []
        for place in self._places:
            token, secret = (self._settings.secret(field, place.name) for field in ("token_id", "token_secret"))
            credential = header(self.service, self._product, token, secret)
            ways.append(Way(self.service, self._product, place, credential, self.access, patience))
        return Session(ways)

    async def read(
        self,
        kind: type[T],
        path: str,
        *segments: str | int,
        at: tuple[str | int, ...] = (),
        params: Params | None = None,
    ) -> T:
        """What lies at `at` in an answer's data, as `kind`. Raises ToolFailed; BadAnswer says what is wrong."""
        return self._fit(kind, await self._asked("get", path, segments, params), at)

    def _fit(self, kind: type[T], found: Any, at: tuple[str | int, ...]) -> T:
        try:
            fit: T = fitted(kind, found, at)
        except ValueError as error:
            what = f"without a proper {error}" if str(error) else "with something else than was asked for"
            raise BadAnswer(f"{self.service} answered {what}: check its address and its version.") from None
        return fit

    async def tried(self, kind: type[T], path: str, *segments: str | int, params: Params | None = None) -> T:
        """What a prune would do, without doing it: the one POST that a reading client may send. Raises ToolFailed."""
        return self._fit(kind, await self._asked("post", path, segments, {**(params or {}), "dry-run": True}), ())

    async def send(self, method: str, path: str, *segments: str | int, params: Params | None = None) -> Any:
        """The data of the answer to a change. Raises ToolFailed."""
        return await self._asked(method.lower(), path, segments, params)

    async def begin(
        self, method: str, path: str, *segments: str | int, params: Params | None = None, lasts: float = 3600.0
    ) -> Task:
        """Begin what then goes on by itself: the answer is the id of a task, which says nothing of how it will end."""
        upid = await self.send(method, path, *segments, params=params)
        if not isinstance(upid, str) or not node_of(upid):
            raise OutcomeUnknown(f"{self.service} was asked and named no task: look at the target before asking again.")
        return Task(upid, lasts)

    async def holds(self, privilege: str) -> bool:
        """Whether the token has a privilege anywhere: without it, a list is empty and nothing is wrong."""
        held = await self.read(dict[str, dict[str, bool]], "/access/permissions")
        return any(rights.get(privilege) for rights in held.values())

    async def _asked(self, method: str, path: str, segments: Sequence[str | int], params: Params | None) -> Any:
        parts = path.strip("/").split("/")
        values = iter(segments)
        # As a list of quoted parts: proxmoxer would make two of an id at its slash.
        filled = [segment(next(values)) if part == "{}" else part for part in parts]
        sent = {
            name: int(value) if isinstance(value, bool) else value
            for name, value in (params or {}).items()
            if value is not None
        }
        call: Callable[[Any], Any] = lambda session: getattr(session.resource(filled), method)(**sent)  # noqa: E731
        return await self.ask(call)


def node_of(upid: str) -> str:
    """The node that a task runs on, by the task's id; empty when it is none."""
    parts = upid.split(":")
    return parts[1] if parts[0] == "UPID" and len(parts) >= 8 else ""


class TaskState(Result):
    """How a task stands; `exitstatus` is there once it has stopped."""

    status: Literal["running", "stopped"]
    exitstatus: Outside | None = None


class TaskLine(Result):
    """A line of a task's log: `n` counts from one."""

    n: int
    t: Outside


async def begun(
    servers: Instances[Proxmox], server: str, path: str, *segments: str | int, params: Params | None = None
) -> Task:
    """What has begun on one of several, by its name and the task's."""
    task = await servers.one(server).begin("POST", path, *segments, params=params, lasts=86_400.0)
    return Task(f"{server}/{task.ref}", task.lasts)


async def followed(servers: Instances[Proxmox], ref: str) -> AsyncIterator[str | Done | Broken]:
    """`follow` of what `begun` has begun."""
    server, upid = servers.at(ref)
    async for step in follow(server, upid):
        yield step


async def follow(client: Proxmox, upid: str) -> AsyncIterator[str | Done | Broken]:
    """The newest line of a task's log, again and again, then how it has ended. Raises ToolFailed; Gone: it is lost."""
    node, seen = node_of(upid), 0
    while True:
        state = await client.read(TaskState, "/nodes/{}/tasks/{}/status", node, upid)
        if state.status == "stopped":
            yield ending(client.service, state.exitstatus or "")
            return
        asked = {"start": seen, "limit": LINES_AT_ONCE}
        log = client.read(list[TaskLine], "/nodes/{}/tasks/{}/log", node, upid, params=asked)
        lines = await or_else(log, [])  # how far it is, which nobody needs for how it ends
        seen = max([seen, *(line.n for line in lines)])
        said = [quote(line.t) for line in lines if line.t.strip() and line.t != "no content"]
        yield said[-1] if said else "under way"
        await asyncio.sleep(LOOK_SECONDS)


def ending(service: str, exitstatus: str) -> Done | Broken:
    """What a task's last word means. Raises OutcomeUnknown where it has none."""
    if exitstatus == "OK":
        return Done()
    if exitstatus.startswith("WARNINGS"):
        return Done("It warns of something: see the task's log.")
    if exitstatus in ("", "unexpected status"):
        raise OutcomeUnknown(f"{service} does not know how its task has ended: look at the target.")
    return Broken(quote(exitstatus))
