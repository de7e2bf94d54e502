"""Reasons to hold still: a stopped run, a panic, another instance on the same token."""

from memory.marks import STOP_ALL
from memory.models import Actor
from memory.runs import Runs
from memory.stores import Stores

PANIC = "Everything is stopped until an admin sends /start."


class Halt:
    """Asked right before every change. Once `everything` is set, no change begins until it is cleared."""

    def __init__(self) -> None:
        self._stopped: set[str] = set()
        self.everything: str | None = None

    def stop(self, run: str) -> None:
        """This run begins nothing more."""
        self._stopped.add(run)

    def held(self, run: str) -> str | None:
        """Why this run must not begin a change now, or None."""
        return self.everything or ("You said stop." if run in self._stopped else None)

    async def panic(self, stores: Stores, by: Actor) -> None:
        """Stop everything, also after a restart."""
        self.everything = PANIC
        async with stores.database.transaction() as tx:
            await stores.marks.set(tx, STOP_ALL)
            await stores.audit.record(tx, "stop all", by.id)
        self.everything = PANIC  # once more: a /start that came before it may have been written meanwhile

    async def lift(self, stores: Stores, by: Actor) -> bool:
        """End a panic; False when there was none."""
        async with stores.database.transaction() as tx:
            if lifted := await stores.marks.clear(tx, STOP_ALL):
                await stores.audit.record(tx, "start again", by.id)
        self.everything = None if self.everything == PANIC else self.everything
        return lifted

    async def restore(self, stores: Stores) -> None:
        """Take up a panic from before the restart."""
        if await stores.marks.has(STOP_ALL):
            self.everything = PANIC

    async def forget_finished(self, runs: Runs) -> None:
        """Drop the marks of runs that have ended."""
        open_runs = {run.id for run in await runs.in_state("working", "waiting")}
        self._stopped &= open_runs
