"""The queue of updates behind getUpdates: long poll, confirmation by offset, one reader at a time."""

import asyncio
from typing import Any

from lab.telegram.checks import ApiError

BATCH = 100
LONGEST_POLL = 50.0
NOT_BY_DEFAULT = frozenset(("chat_member", "message_reaction", "message_reaction_count"))


class Updates:
    """Updates not yet confirmed by the bot, oldest first."""

    def __init__(self, first_id: int) -> None:
        self._next_id = first_id
        self._pending: list[dict[str, Any]] = []
        self._allowed: frozenset[str] = frozenset()
        self._reader: asyncio.Future[None] | None = None

    @property
    def pending(self) -> list[dict[str, Any]]:
        """Updates the bot has not confirmed."""
        return list(self._pending)

    def add(self, kind: str, payload: dict[str, Any]) -> int | None:
        """Queue an update; its id, or None when the bot did not ask for this kind."""
        wanted = kind in self._allowed if self._allowed else kind not in NOT_BY_DEFAULT
        return self.add_raw({kind: payload}) if wanted else None

    def add_raw(self, update: dict[str, Any]) -> int:
        """Queue an update exactly as given, whatever is wrong with it; only a missing id is added."""
        update_id = update.get("update_id", self._next_id)
        self._next_id = max(self._next_id, update_id) + 1
        self._pending.append({"update_id": update_id, **update})
        self._wake()
        return int(update_id)

    async def get(self, offset: int, limit: int, seconds: float, allowed: Any) -> list[dict[str, Any]]:
        """The next updates, after at most `seconds`; a newer reader ends this one with 409."""
        if isinstance(allowed, list):
            self._allowed = frozenset(map(str, allowed))
        self.confirm(offset)
        if self._reader is not None and not self._reader.done():
            self._reader.set_exception(
                ApiError(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                )
            )
        if not self._pending and seconds > 0:
            await self._wait(min(seconds, LONGEST_POLL))
        return self._pending[: limit if 1 <= limit <= BATCH else BATCH]

    async def _wait(self, seconds: float) -> None:
        reader: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = reader
        try:
            await asyncio.wait_for(reader, seconds)
        except TimeoutError:
            return
        finally:
            if self._reader is reader:
                self._reader = None

    def confirm(self, offset: int) -> None:
        """Forget the updates before `offset`; a negative one keeps that many of the newest."""
        if offset < 0:
            self._pending = self._pending[offset:]
        else:
            self._pending = [u for u in self._pending if u["update_id"] >= offset]

    def clear(self) -> None:
        """Forget every update that waits."""
        self._pending = []

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
