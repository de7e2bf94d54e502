"""What a tool receives."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from tools.kit.change import Facts
from tools.kit.contributions import Contributed
from tools.kit.types import Result

C = TypeVar("C")
F = TypeVar("F", bound=Facts)
K = TypeVar("K", bound=BaseModel)
T = TypeVar("T", bound=Result)


class Access(StrEnum):
    """What a client may do. A reading client cannot write: its transport refuses."""

    READ = "read"
    WRITE = "write"


class Nets(Protocol):
    """Where undo nets are kept."""

    async def open(self, net: str) -> dict[str, Any]:
        """The stored net; raises ToolFailed when it has expired."""


@dataclass(frozen=True)
class Deed:
    """What this bot has done to one target of the service: done, or started with an outcome that is unknown."""

    tool: str
    """Full name, e.g. `docker_stop_container`."""
    target: str
    """The target's id, as `Resolve` gave it."""
    who: str
    """Whoever approved it, or asked for it where nobody had to."""
    at: datetime
    undoable: bool
    """Whether its Undo still waits to be tapped."""
    net: str = ""
    """What that Undo needs is kept under this id (`Context.nets`); empty when it needs nothing."""


@dataclass(frozen=True)
class Context(Generic[C]):
    """The reading client and who asks."""

    client: C
    actor: str = ""
    """Who asks, e.g. `tg:1001`."""
    nets: Nets | None = None
    tainted: bool = False
    past: Callable[[], Awaitable[list[Deed]]] | None = None
    """What this bot has done to this service's targets in the last month; read it with `deeds`."""
    others: Callable[[type[Any]], Awaitable[Contributed[Any]]] | None = None
    """What all services tell of one kind of thing; read it with `contributed`."""

    async def kept(self, net: str, kind: type[K]) -> K:
        """What was kept for an Undo, as the model it was made from. Raises ToolFailed when it has lapsed."""
        assert self.nets is not None, "the gate hands nets to every tool"
        return kind.model_validate(await self.nets.open(net))

    async def deeds(self) -> list[Deed]:
        """What this bot has done to this service's targets, newest first; nothing older than a month."""
        return await self.past() if self.past else []

    async def contributed(self, kind: type[T]) -> Contributed[T]:
        """What every service tells that whoever asks may look at: of all the others it is as if they were not there."""
        return await self.others(kind) if self.others else Contributed({}, [])

    async def read(self, reader: Callable[..., Awaitable[F]], *args: Any) -> F:
        """Facts from `reader(client, *args)` that remember how to read themselves again."""
        facts = await reader(self.client, *args)
        facts._reader = lambda client: reader(client, *args)
        return facts
