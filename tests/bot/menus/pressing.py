"""A counter at which buttons are pressed, and what can be seen on it."""

from bot.menus.desk import Request
from bot.screen.press import Press
from bot.screen.view import Button, View
from memory.models import Actor
from tests.bot.menus.test_commands import Counter
from tests.house import ADMIN, plain


class Menus(Counter):
    """A counter at which buttons are pressed, too."""

    async def press(self, view: View | None, label: str, who: Actor = ADMIN) -> View | None:
        """Press the first button that begins like this."""
        return await self.open(next(b.data for row in view.buttons for b in row if b.text.startswith(label)), who)

    async def open(self, data: str, who: Actor = ADMIN) -> View | None:
        self.update += 1
        view, _ = await self.commands.page(Request(self.update, who, who.id), Press.read(data))
        await self.house.settle()
        return view


def buttons(view: View | None) -> list[Button]:
    return [button for row in view.buttons for button in row]


def labels(view: View | None) -> set[str]:
    return {button.text for button in buttons(view)}


def lines(view: View | None) -> list[str]:
    return plain(view).splitlines()
