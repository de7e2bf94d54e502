"""Reads that people ask for by pages, commands and buttons: for whoever may look, without a journal row or a model."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel

from memory.models import Actor, Role
from memory.stores import Stores
from tools.gate.arguments import validated
from tools.gate.nets import StoredNets
from tools.gate.past import Past
from tools.gate.ports import People
from tools.kit.clients import Clients
from tools.kit.context import Access, Context
from tools.kit.contributions import TELLING_DEADLINE, Contributed, together
from tools.kit.errors import ToolFailed, tried
from tools.kit.glance import Glance
from tools.kit.hurry import GRACE, in_time
from tools.kit.registry import tellers
from tools.kit.service import Risk, Service, Tool
from tools.kit.types import Target

T = TypeVar("T")

READ_DEADLINE = 60.0
"""Seconds for one read or one proposal in all."""


class Reads:
    """Asks services. Holds reading clients only."""

    def __init__(self, services: list[Service[Any]], clients: Clients, people: People, stores: Stores) -> None:
        self._services, self._clients, self._people = services, clients, people
        self._nets, self._past = StoredNets(stores.nets), Past(stores)

    def context(self, service: str, client: Any, actor: Actor, tainted: bool = False) -> Context[Any]:
        """What a tool receives that runs for this person."""
        past, others = partial(self._past.of, service), partial(self.contributed, actor)
        return Context(client, actor.id, self._nets, tainted, past, others)

    async def read(
        self, actor: Actor, service: Service[Any], reader: Callable[[Context[Any]], Awaitable[T]], *,
        insist: bool = False, within: float = READ_DEADLINE,
    ) -> T:  # fmt: skip
        """What `reader(ctx)` finds, for whoever may look at this service; no model is asked. Raises ToolFailed."""
        if self._people.role(actor.id, service.name) < Role.VIEWER:
            raise ToolFailed(f"{service.name} is not yours to look at.")
        try:
            async with self._clients.asking(service.name, insist=insist), asyncio.timeout(within):
                client = await self._clients.get(service.name, Access.READ)
                return await reader(self.context(service.name, client, actor))
        except TimeoutError:
            raise ToolFailed(f"{service.name} did not answer within {within:.0f} s.") from None

    async def look(self, actor: Actor, tool: Tool, target: Target, **more: str) -> BaseModel:
        """The typed result of a read of one target, with `more` of its arguments. Raises ToolFailed."""
        assert tool.risk is Risk.READ, "only reads run without a journal row"
        args = validated(tool, {**tool.about(target.id), **more})
        found: BaseModel = await self.read(actor, tool.service, lambda ctx: tool.run(ctx, **args.__dict__))
        return found

    async def meant(self, actor: Actor, tool: Tool, text: str) -> list[Target]:
        """The targets that a text may mean to a tool of one target. Raises ToolFailed when that cannot be told."""
        try:
            given = getattr(validated(tool, tool.about(text)), tool.subject)
        except ToolFailed:
            return []  # no target is called that
        find, [text] = tool.resolved[tool.subject].find, given if isinstance(given, list) else [given]
        return await self.read(actor, tool.service, lambda ctx: find(ctx.client, text))

    async def contributed(self, actor: Actor, kind: type[Any]) -> Contributed[Any]:
        """What the services tell of this kind of thing, asked together; who fails is named, and the rest answers."""
        return together(await self._each(actor, tellers(self._services, kind), within=TELLING_DEADLINE))

    async def glances(self, actor: Actor, *, insist: bool = False) -> dict[str, Glance | ToolFailed]:
        """Every configured service at a glance, asked together; one that fails says why.

        `insist` asks even what is given a pause.
        """
        return await self._each(actor, {each: each.look for each in self._services if each.look}, insist=insist)

    async def _each(
        self, actor: Actor, readers: Mapping[Service[Any], Callable[[Context[Any]], Awaitable[T]]], **how: Any
    ) -> dict[str, T | ToolFailed]:
        """What those of the services say that are set up and this person's to look at, or why one does not."""
        seen = [service for service in readers if self._clients.configured(service.name)]
        seen = [service for service in seen if self._people.role(actor.id, service.name) >= Role.VIEWER]
        asked = ((each.name, self.read(actor, each, readers[each], **how)) for each in seen)
        answers = await asyncio.gather(*(tried(in_time(name, answer, GRACE)) for name, answer in asked))
        return dict(zip([service.name for service in seen], answers, strict=True))
