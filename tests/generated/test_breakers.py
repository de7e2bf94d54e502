"""No service is asked past its circuit breaker, whichever of its tools, pages or its glance asks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from tests.generated.stages import read_args, set_up
from tests.place import Place
from tools.kit import Access, CircuitOpen, Context, Risk, Service, ToolFailed
from tools.kit.breaker import Breaker
from tools.kit.registry import discover

OUTSIDE = [service for service in discover() if not service.own]


class Fuse(Breaker):
    """A breaker that lets nobody through once it is blown, not even whoever insists."""

    blown = False

    @asynccontextmanager
    async def asking(self, *, insist: bool = False) -> AsyncIterator[None]:
        if self.blown:
            raise CircuitOpen(f"{self._service} was not asked.")
        yield


async def alone(member: Any, ask: Callable[[Any], Awaitable[Any]]) -> Any:
    """One of several as `Instances` asks it, without the watch that `Instances` adds to each one's own."""
    try:
        return await ask(member)
    except ToolFailed as error:
        return error


async def questions(place: Place, service: Service[Any]) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Everything that reads from a service, its targets found already."""
    client = await place.core.clients.get(service.name, Access.READ)
    ctx = Context(client)
    asking: dict[str, Callable[[], Awaitable[Any]]] = {
        page.name: lambda page=page: page.read(ctx)  # type: ignore[misc]
        for page in service.pages
    }
    if service.look:
        asking["glance"] = lambda: service.look(ctx)  # type: ignore[misc]
    for tool in (tool for tool in service.tools if tool.risk is Risk.READ):
        args = await set_up(place, read_args(tool.name, tool.input_schema))
        for name, resolve in tool.resolved.items():
            if name not in args:
                continue
            args[name] = (await resolve.find(client, args[name]))[0].id
        given = dict(tool.parameters.model_validate(args))
        asking[tool.name] = lambda tool=tool, given=given: tool.run(ctx, **given)  # type: ignore[misc]
    return asking


@pytest.mark.parametrize("service", OUTSIDE, ids=lambda service: service.name)
async def test_nothing_is_asked_past_the_breaker(
    place: Place, service: Service[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.kit.clients.Breaker", Fuse)
    monkeypatch.setattr("tools.kit.instances._tried", alone)
    place.core.clients._breakers = {name: Fuse(name) for name in place.core.clients._breakers}
    for name, ask in (await questions(place, service)).items():
        for blown in (False, True):
            monkeypatch.setattr(Fuse, "blown", blown)
            place.begin()
            with suppress(CircuitOpen):
                async with place.core.clients.asking(service.name):
                    await ask()
            assert bool(place.requests()) is not blown, f"{name} asks {service.name} past its breaker"
        monkeypatch.setattr(Fuse, "blown", False)
