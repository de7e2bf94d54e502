"""What an update can do to a tool while a card for it waits."""

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import create_model

from tools.kit.service import Tool


def upgrade(tool: Tool, **fields: Any) -> None:
    """Give a tool further arguments (name → type and default, as pydantic has them), which it takes and ignores."""
    run = tool.run
    tool.parameters = create_model(tool.parameters.__name__, __base__=tool.parameters, **fields)
    tool.run = _ignoring(run, set(fields))


def _ignoring(run: Callable[..., Awaitable[Any]], names: set[str]) -> Callable[..., Awaitable[Any]]:
    async def newer(context: Any, **values: Any) -> Any:
        return await run(context, **{name: value for name, value in values.items() if name not in names})

    return newer
