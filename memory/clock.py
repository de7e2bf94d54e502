"""The clock that expiry is measured by."""

from collections.abc import Callable


class Steady:
    """The latest moment ever seen, moving on with the monotonic clock.

    A wall clock set back revives nothing, and one that leaps ahead by mistake and returns freezes nothing.
    """

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._latest, self._measured = wall(), monotonic()
        self._noted = 0.0

    def __call__(self) -> float:
        """Now, as a Unix time; never earlier than the last answer."""
        measured = self._monotonic()
        self._latest = max(self._wall(), self._latest + measured - self._measured)
        self._measured = measured
        return self._latest

    def seen(self, moment: float) -> None:
        """This moment has been, in an earlier life: now is not before it."""
        self._latest = max(self._latest, moment)

    def noted(self, moment: float) -> None:
        """This moment is on disk: a restart goes on from there."""
        self._noted = max(self._noted, moment)

    @property
    def lag(self) -> float:
        """Seconds that a restart could go back by, if the wall clock had been set back."""
        return self() - self._noted
