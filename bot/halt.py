"""Reasons to hold still: a stopped run, a panic, another instance on the same token."""

from memory.runs import Runs


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

    async def forget_finished(self, runs: Runs) -> None:
        """Drop the marks of runs that have ended."""
        open_runs = {run.id for run in await runs.in_state("working", "waiting")}
        self._stopped &= open_runs
