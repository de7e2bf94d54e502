"""Work that takes time: begun with a request, done some seconds later, looked at in between."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """Whoever has the time, and may lie."""

    now: Callable[[], float]
    lying: bool


@dataclass
class Task:
    """One piece of work; what it does happens when its time has come."""

    id: str
    kind: str
    began: float
    until: float
    effect: Callable[[], None]
    fails: str = ""
    """How it ends badly; empty: well."""
    log: list[str] = field(default_factory=list)
    ended: bool = False

    def share(self, now: float) -> float:
        """How much of it is done, from 0 to 1."""
        return 1.0 if self.ended else min(1.0, (now - self.began) / max(self.until - self.began, 1e-9))


class Tasks:
    """Everything that is or was under way, by id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.all: dict[str, Task] = {}

    def begin(
        self, id_: str, kind: str, seconds: float, effect: Callable[[], None], fails: str = "", ago: float = 0.0
    ) -> Task:
        """Begin something that is done in so many seconds, counted from `ago` before now."""
        began = self._clock.now() - ago
        self.all[id_] = Task(id_, kind, began, began + seconds, effect, fails)
        return self.all[id_]

    def look(self, id_: str) -> Task | None:
        """A task as it is now; whatever is due by now has happened."""
        self.settle()
        return self.all.get(id_)

    def settle(self) -> None:
        """Let happen what is due."""
        for task in self.all.values():
            if not task.ended and self._clock.now() >= task.until:
                task.ended = True
                if not task.fails and not self._clock.lying:
                    task.effect()

    def lose(self, id_: str) -> None:
        """Forget a task as a service does that was restarted: nobody will know how it ended."""
        del self.all[id_]
