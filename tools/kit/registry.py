"""Discovery: `ls tools/` is the catalogue. A module without `service` is an error, not a skip."""

import importlib
import pkgutil
from typing import Any

import tools
from tools.kit.service import Service, Tool

NOT_SERVICES = frozenset({"kit", "gate"})


class BrokenService(Exception):
    """A file in `tools/` is not a service, or two tools share a name."""


def discover() -> list[Service[Any]]:
    """Every service in `tools/`, by name."""
    found = []
    for module in pkgutil.iter_modules(tools.__path__):
        if module.name in NOT_SERVICES:
            continue
        service = getattr(importlib.import_module(f"tools.{module.name}"), "service", None)
        if not isinstance(service, Service):
            raise BrokenService(f"tools/{module.name} has no `service`: declare one, or move the file out of tools/.")
        found.append(service)
    return sorted(found, key=lambda service: service.name)


def catalogue(services: list[Service[Any]]) -> dict[str, Tool]:
    """Tools by full name, sorted, so that the model's tool list never changes order."""
    by_name: dict[str, Tool] = {}
    for service in services:
        for tool in service.tools:
            if tool.name in by_name:
                raise BrokenService(f"Two tools are called {tool.name}.")
            by_name[tool.name] = tool
    return dict(sorted(by_name.items()))
