"""What follows from a declaration: commands, help, buttons; and which names are an error at the start."""

import re
from typing import Annotated, Any

import pytest

from bot.menus.declared import menu_of
from bot.menus.menu import COMMANDS, MENU
from tests.bot.menus.pressing import Menus, labels, lines
from tests.house import OPERATOR, VIEWER
from tests.rack import ItemName, RackSettings, connect, fake_services
from tools.kit import Area, Change, Context, Page, Resolve, Result, Risk, Service, Target
from tools.kit.registry import BrokenService, catalogue, discover


async def test_help_and_buttons_follow_from_what_is_declared(menus: Menus) -> None:
    admin, viewer = (await menus.says("/help")).splitlines(), await menus.says("/help", VIEWER)
    assert "/things – Everything in the rack: whether it is on, and what it draws" in admin
    assert "/press NAME – Press an item's button" in admin and "/state NAME – State of one item" in admin
    assert admin.index("/press NAME – Press an item's button") < admin.index(
        "/stop – Halt what runs and void open cards"
    )
    assert "/state NAME" in viewer and "/press" not in viewer and "/remove" not in await menus.says("/help", OPERATOR)
    for command in ("/start", "/status", "/digest"):
        view = await menus.send(command)
        assert "3 things" in lines(await menus.press(view, "Things"))[0], command


async def test_a_service_that_is_off_offers_nothing(menus: Menus) -> None:
    tools = catalogue(fake_services())
    menu = menu_of(tools, lambda service: service != "rack")
    assert menu.commands.keys() == COMMANDS.keys() and not menu.pages and not menu.uses


async def test_more_pages_than_fit_in_a_row_have_a_page_of_their_own(menus: Menus) -> None:
    services = [a_service(f"page{number}") for number in range(5)]
    menu = menu_of(catalogue(services))
    row = menu.ways_on(lambda service: True)
    assert [button.text for button in row] == ["Status", "Page0", "Page1", "More ▸"] and row[-1].data == MENU
    assert labels(await menus.open(MENU)) == {"Things", "‹ Back"}


async def find_other(api: Any, text: str) -> list[Target]:
    return []


OtherName = Annotated[str, Resolve(find_other)]


def a_service(name: str = "extra", **page: Any) -> Service[Any]:
    """A service with one page and a few tools: start_it and halt_it change an item, get_it reads one."""
    made: Service[Any] = Service(page.pop("service", name), area=Area.NETWORK, settings=RackSettings, connect=connect)

    async def changing(ctx: Context[Any], item: ItemName) -> Change[Any]:
        """Change it."""
        raise NotImplementedError

    async def reading(ctx: Context[Any], item: ItemName) -> Result:
        """Read it."""
        raise NotImplementedError

    async def other(ctx: Context[Any], item: OtherName) -> Change[Any]:
        """Change something else."""
        raise NotImplementedError

    async def both(ctx: Context[Any], item: ItemName, other: ItemName) -> Change[Any]:
        """Change two."""
        raise NotImplementedError

    words = page.pop("words", ())
    wrong = {
        "elsewhere": lambda: made.tool(Risk.CHANGE, word="elsewhere")(other),
        "two": lambda: made.tool(Risk.CHANGE, word="two")(both),
        "read": lambda: made.tool(Risk.READ, word="read")(reading),
        "out": lambda: made.tool(Risk.CHANGE, word="out", egress=True)(changing),
    }
    verbs = [wrong.get(word, lambda word=word: made.tool(Risk.CHANGE, word=word)(changing))() for word in words]

    async def read(ctx: Context[Any]) -> Page:
        return Page(name)

    read.__doc__ = page.pop("doc", "What there is.")
    made.page(name, verbs=verbs, **page)(read)
    made.tools = verbs or [made.tool(Risk.READ)(reading)]
    for tool in made.tools:
        tool.name = f"{made.name}_{tool.word}"
    return made


@pytest.mark.parametrize(
    ("services", "complaint"),
    [
        ([a_service("status")], "/status is taken"),
        ([a_service("menu")], "/menu is taken"),
        ([a_service("start")], "/start is taken"),
        ([a_service(words=["undo"])], "/undo is taken"),
        ([a_service("same"), a_service("same", service="other")], "Two pages are called same"),
        ([a_service("press"), a_service("guests", words=["press"])], "/press is taken"),
        ([a_service(words=["press", "press"])], "same word"),
        ([a_service("two-words")], "no word"),
        ([a_service(words=["x" * 17])], "no word"),
        ([a_service(words=["two"])], "one target"),
        ([a_service(words=["press", "elsewhere"])], "different kinds"),
        ([a_service(words=["read"])], "looks read"),
        ([a_service(words=["out"])], "its caller chooses"),
        ([a_service(doc="")], "docstring"),
    ],
)
def test_a_name_that_is_taken_or_unusable_is_an_error_at_the_start(services: Any, complaint: str) -> None:
    tools = {f"{index}_{tool.name}": tool for index, s in enumerate(services) for tool in s.tools}
    with pytest.raises(BrokenService, match=complaint):
        menu_of(tools)
    with pytest.raises(BrokenService, match=complaint):
        menu_of(tools, lambda service: False)


def test_services_may_share_a_word_and_lend_one_of_ours() -> None:
    menu = menu_of(catalogue([a_service("guests", words=["stop", "press"]), a_service("lamps", words=["press"])]))
    assert [use.page.name for use in menu.uses["press"]] == ["guests", "lamps"]
    assert menu.commands["press"].services == ("guests", "lamps") and menu.commands["stop"] is COMMANDS["stop"]


def test_what_the_services_declare_can_all_be_used() -> None:
    """The contract of every page there is: no name is taken, and each can be told apart from the rest."""
    menu = menu_of(catalogue(discover()))
    assert {"containers"} <= menu.pages.keys() and {"restart", "logs", "start", "stop"} <= menu.uses.keys()
    assert {"start", "stop"} == {name for name, found in COMMANDS.items() if found.yields}
    for command in menu.commands.values():
        assert re.fullmatch(r"[a-z][a-z0-9]{1,31}", command.name) and 3 <= len(command.summary) <= 256
