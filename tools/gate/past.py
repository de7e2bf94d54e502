"""What the journal knows of a service's targets, as its tools see it."""

from datetime import UTC, datetime

from memory.models import CallRow, CallState
from memory.stores import Stores
from tools.kit.context import Deed

MONTH = 30 * 86_400.0


class Past:
    """The kit's deeds over the journal."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def of(self, service: str) -> list[Deed]:
        """What was done to each target within a month, newest first."""
        database = self._stores.database
        rows = await self._stores.journal.took_effect(service, database.now() - MONTH)
        return [
            Deed(
                tool=row.tool,
                target=target["id"],
                who=who,
                at=datetime.fromtimestamp(row.started or row.proposed, UTC),
                undoable=_undoable(row, database.steady()),
                net=(row.net or "") if _undoable(row, database.steady()) else "",
            )
            for row, who in rows
            for target in row.targets.values()
        ]


def _undoable(row: CallRow, now: float) -> bool:
    waits = row.undo is not None and row.undone_by is None and row.state is CallState.DONE
    return waits and (row.undo_until or 0.0) > now
