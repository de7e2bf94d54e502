"""What must hold after anything at all, judged by the service's own write log and the database."""

import json
from typing import TYPE_CHECKING

from memory.models import Message

if TYPE_CHECKING:
    from tests.house import House

STARTED = ("started", "done", "failed", "unknown")


async def check(house: "House") -> None:
    """Every rule in this file."""
    await every_write_was_approved(house)
    for row in await house.stores.database.all("SELECT id FROM runs"):
        every_use_has_one_result(await house.stores.runs.messages(row["id"]))
    assert (await house.stores.audit.verify()).broken_at is None


async def every_write_was_approved(house: "House") -> None:
    """No more writes than targets of calls that were started, and each approved, unless it may run by itself."""
    rows = await house.stores.database.all("SELECT * FROM calls WHERE started IS NOT NULL")
    assert len(house.rack.writes) <= sum(max(1, len(json.loads(row["targets"]))) for row in rows), (
        house.rack.log,
        [tuple(row) for row in rows],
    )
    for row in rows:
        assert row["state"] in STARTED
        approved = await house.stores.database.all(
            "SELECT * FROM approvals WHERE call = ? AND state = 'approved' AND args_hash = ?",
            row["id"], row["args_hash"],
        )  # fmt: skip
        assert len(approved) == row["needs_tap"]


def every_use_has_one_result(messages: list[Message]) -> None:
    """Calls are answered all together in the very next message; messages take turns."""
    for index, message in enumerate(messages):
        assert message["role"] == ("user", "assistant")[index % 2]
        uses = [b["id"] for b in message["content"] if b["type"] == "tool_use"]
        if uses and index + 1 < len(messages):
            following = messages[index + 1]["content"]
            assert [b["tool_use_id"] for b in following if b["type"] == "tool_result"] == uses
        elif not uses and index + 1 < len(messages):
            assert not any(b["type"] == "tool_result" for b in messages[index + 1]["content"])
