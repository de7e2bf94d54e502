"""Undo nets as tools see them."""

from typing import Any

from memory.nets import Nets
from tools.kit.errors import ToolFailed

LAPSED = "What was kept for this Undo has lapsed or was never kept."


class StoredNets:
    """The kit's `Nets` over the database."""

    def __init__(self, nets: Nets) -> None:
        self._nets = nets

    async def open(self, net: str) -> dict[str, Any]:
        """The stored net; raises ToolFailed when it has lapsed."""
        found = await self._nets.open(net)
        if found is None:
            raise ToolFailed(LAPSED)
        return found
