"""Discovery: `ls tools/` is the catalogue. A module without `service` is an error, not a skip."""

import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from typing import Any

import tools
from tools.kit.page import Declared
from tools.kit.service import Risk, Service, Tool
from tools.kit.types import Result

NOT_SERVICES = frozenset({"kit", "gate"})
SPOKEN = re.compile(r"[a-z][a-z0-9]{1,15}")
"""What people write behind a slash, and buttons carry."""


class BrokenService(Exception):
    """A file in `tools/` is not a service, or what it declares cannot be told apart from something else."""


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


def pages(services: Iterable[Service[Any]]) -> dict[str, Declared[Any]]:
    """Every page by name, in the order of the services. Raises BrokenService where one could not be used."""
    by_name: dict[str, Declared[Any]] = {}
    for page in (page for service in services for page in service.pages):
        if page.name in by_name:
            raise BrokenService(f"Two pages are called {page.name}.")
        if fault := next(_faults(page), ""):
            raise BrokenService(f"The page {page.name} of {page.service.name}: {fault}.")
        by_name[page.name] = page
    return by_name


def tellers(services: Iterable[Service[Any]], kind: type[Result]) -> dict[Service[Any], Any]:
    """Who contributes things of this kind, and what to ask them."""
    return {service: service.tells[kind] for service in services if kind in service.tells}


def _faults(page: Declared[Any]) -> Iterator[str]:
    tools = [*page.verbs, *page.looks]
    if not page.summary:
        yield "its docstring says what it shows, for /help"
    for word in (page.name, *(tool.word for tool in tools)):
        if not SPOKEN.fullmatch(word):
            yield f"{word} is no word that people could write behind a slash"
    if len(page.uses) < len(tools):
        yield "two of its verbs and looks have the same word"
    for tool in tools:
        if not tool.subject:
            yield f"{tool.name} needs more, or less, than one target"
        if (tool.risk is Risk.READ) is (tool in page.verbs):
            yield f"{tool.name} is {tool.risk.name}: verbs change, and looks read"
        if tool.egress:
            yield f"{tool.name} asks where its caller chooses"
    if len({tool.resolved[tool.subject].find for tool in tools if tool.subject}) > 1:
        yield "its verbs and looks are for different kinds of targets"
