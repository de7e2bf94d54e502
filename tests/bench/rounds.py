"""How often everything is measured."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rounds:
    """Fewer of everything makes it quick, and less sure."""

    pairs: int
    """Rounds in which ours and the others are measured beside each other."""
    tasks: int
    """Tasks in a round."""
    warm_up: int
    """Tasks before them that do not count."""
    large: bool
    """Whether what takes minutes is measured, too."""

    @staticmethod
    def in_turn(number: int, names: Iterable[str]) -> list[str]:
        """Who comes when: in every other round the other way round."""
        return list(names)[:: -1 if number % 2 else 1]


FULL = Rounds(pairs=7, tasks=20, warm_up=5, large=True)
QUICK = Rounds(pairs=1, tasks=4, warm_up=2, large=False)
