"""The rows of the fault matrix, by number."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.prove.cast import Cast

Play = Callable[[Cast], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """One row: what goes wrong, and the play that judges what comes of it."""

    title: str
    play: Play


ROWS: dict[str, Fault] = {}


def row(ident: str, title: str) -> Callable[[Play], Play]:
    """Enter a play into the matrix."""

    def add(play: Play) -> Play:
        ROWS[ident] = Fault(title, play)
        return play

    return add
