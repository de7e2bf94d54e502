"""A clock that is moved by hand."""

import asyncio


class HandClock:
    """Time that stands still until advanced; sleepers wake in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def read(self) -> float:
        return self.now

    @property
    def waiting(self) -> int:
        """How many wait for it."""
        return sum(not future.done() for _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, future))
        await future

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        await settle()
        while due := [s for s in self._sleepers if s[0] <= end and not s[1].done()]:
            first = min(due, key=lambda s: s[0])
            self.now = max(self.now, first[0])
            first[1].set_result(None)
            self._sleepers.remove(first)
            await settle()
        self.now = end


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
