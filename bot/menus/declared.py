"""From what services declare to commands: a page's name shows it, and its verbs and looks are done by name."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from bot.menus import commands as commands  # registers our own commands
from bot.menus import pages as pages  # and our own pages
from bot.menus import retry as retry  # what is behind [Try again]
from bot.menus import undo as undo  # and /undo
from bot.menus.desk import Desk, Request
from bot.menus.menu import COMMANDS, PAGES, Command, Menu, Use
from bot.menus.uses import by_name, show
from bot.screen.view import View
from memory.models import Role
from tools.gate.policy import NEEDED
from tools.kit.page import Declared
from tools.kit.registry import BrokenService
from tools.kit.registry import pages as pages_of
from tools.kit.service import Tool


def menu_of(tools: dict[str, Tool], configured: Callable[[str], bool] = lambda service: True) -> Menu:
    """Our own commands, and those of the services that are switched on.

    Raises BrokenService when a name is taken, whether its service is switched on or not: it may be tomorrow.
    """
    declared = pages_of(dict.fromkeys(tool.service for tool in tools.values()))
    every = _uses(declared.values())
    for name in (*declared, *every):
        ours = name in PAGES or (name in COMMANDS and not (name in every and COMMANDS[name].yields))
        if ours or (name in declared and name in every):
            raise BrokenService(f"/{name} is taken: the page or the tool behind it needs another name.")
    shown = {name: page for name, page in declared.items() if configured(page.service.name)}
    uses = _uses(shown.values())
    found = dict(COMMANDS)
    found |= {name: _of_page(page) for name, page in shown.items()}
    found |= {word: _of_word(word, each) for word, each in uses.items() if word not in COMMANDS}
    return Menu(found, shown, uses, tools)


def _uses(pages: Iterable[Declared[Any]]) -> dict[str, list[Use]]:
    """Word → every tool that it stands for, on the first page that has it. Several services may share a word."""
    found: dict[str, list[Use]] = {}
    for page in pages:
        for word, tool in page.uses.items():
            uses = found.setdefault(word, [])
            if all(use.tool is not tool for use in uses):
                uses.append(Use(page, tool))
    return found


def _of_page(page: Declared[Any]) -> Command:
    async def run(desk: Desk, request: Request, rest: str) -> View:
        return await show(desk, request, page, rest)

    return Command(page.name, page.summary, Role.VIEWER, run, services=(page.service.name,))


def _of_word(word: str, uses: list[Use]) -> Command:
    async def run(desk: Desk, request: Request, rest: str) -> View | None:
        return await by_name(desk, request, word, rest)

    role = min(NEEDED[use.tool.risk] for use in uses)
    services = tuple(dict.fromkeys(use.page.service.name for use in uses))
    return Command(word, _summary(uses), role, run, services=services)


def _summary(uses: list[Use]) -> str:
    """What the tools say of themselves, up to their first pause: `Restart a guest`."""
    return "; ".join(dict.fromkeys(re.split(r"[.,:;]", use.tool.summary)[0] for use in uses))
