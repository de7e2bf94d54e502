"""Our own turn, whole: gate, journal, persistence, budget, redaction, streaming, over a service with many tools."""

from pathlib import Path
from typing import Annotated, Any, Literal

import bot.core
from bot.agent.toolbox import Toolboxes
from bot.core import assemble
from bot.runs.runner import NoScreen
from bot.settings.people import Roster
from bot.settings.settings import Configuration, Settings
from memory.models import Actor
from memory.runs import final_text
from memory.secrets import Redactor
from memory.stores import Stores
from tests.bench.clients.task import KEY, MODEL, Task, main, measure
from tools.kit import Area, Context, Field, Link, Outside, Result, Risk, Service, ServiceSettings

ADMIN = Actor("tg:1", "Admin")
IN_VIEW = 5
"""Tools that a reply calls at once."""

ROOM = 5800
"""Characters of a text that fill a result, with what JSON adds to them."""


class Report(Result):
    """What a tool reads, as far as it goes."""

    text: Outside


class ShelfSettings(ServiceSettings, env_prefix="SHELF_"):
    """Settings of the made-up service."""

    url: str = "http://shelf"
    """Its address."""
    text: str = ""
    """What every tool reads."""


async def _connect(link: Link) -> str:
    return str(link.settings.text)


def service(number: int) -> Service[str]:
    """A service with so many tools, each of some 630 characters."""
    made = Service("shelf", area=Area.INFRASTRUCTURE, settings=ShelfSettings, connect=_connect)
    for index in range(number):
        made.tool(Risk.READ, often=index < IN_VIEW)(_tool(index))
    return made


def _tool(index: int) -> Any:
    async def read(
        ctx: Context[str],
        name: Annotated[str, Field(min_length=1, max_length=64, description="Name or id of what to read about.")],
        lines: Annotated[int, Field(ge=1, le=500, description="How many lines at most, the newest first.")] = 100,
        since: Annotated[Literal["hour", "day", "week"], Field(description="How far back to look.")] = "day",
    ) -> Report:
        return Report(text=ctx.client)

    read.__name__ = f"read_{index:03}"
    read.__doc__ = (
        f"Read part {index} of what the shelf keeps of one thing.\n\nIt is the newest first, each line with its time"
        " and where it came from. Use it when something has stopped, or is slow, and nothing else has said why."
    )
    return read


def definitions(number: int, folder: Path) -> list[dict[str, Any]]:
    """The tools as our own toolbox describes them, all in view: what peers are given."""
    made = service(number)
    everybody = Roster(_settings(folder, ""))
    found: list[dict[str, Any]] = []
    for start in range(0, number, 30):  # fewer than may be in view at once
        some = {tool.name: tool for tool in made.tools[start : start + 30]}
        found += Toolboxes(some, lambda name: True, everybody).of(ADMIN.id).definitions
    return found


def _settings(folder: Path, url: str) -> Settings:
    return Settings(
        _env_file=None, data_dir=folder, telegram_admins="1", anthropic_api_key=KEY, anthropic_base_url=url,
        model_balanced=MODEL, budget_daily_usd=10_000, budget_task_usd=1000,
    )  # fmt: skip


async def client(task: Task) -> None:
    """Measure it, on top of what is stored already."""
    made = service(len(task.tools))
    bot.core.PROMPT = task.folder / "prompt.md"
    bot.core.PROMPT.write_text(task.system)
    shelf = ShelfSettings(_env_file=None, text=task.result[:ROOM])
    configuration = Configuration([made], _settings(task.database.parent, task.url), {"shelf": shelf})
    stores = await Stores.open(task.database.parent)
    core = assemble(configuration, stores, NoScreen(), Redactor(configuration.secrets()))
    there = await stores.database.all("SELECT count(*) FROM runs")

    async def turn(number: int) -> str:
        number += there[0][0]
        where = task.conversation or f"tg:{number}"
        run = await core.opener.say(where, ADMIN, task.question, trigger=f"update:{number}")
        await core.tasks.drain(60.0)
        return final_text(await stores.runs.messages(run))

    try:
        await measure(task, turn)
    finally:
        await core.close(5.0)


if __name__ == "__main__":
    main(client)
