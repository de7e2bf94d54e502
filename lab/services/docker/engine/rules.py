"""What every host of one world shares: its clock, its pace and its lies."""

import re
import time
from collections.abc import Callable
from random import Random


class EngineError(Exception):
    """A refusal as dockerd words it, with the HTTP status it would answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Rules:
    """The knobs of a world; hosts read them at every use, so they may be turned at any time."""

    def __init__(self, seed: int, clock: Callable[[], float] = time.time) -> None:
        self.rng = Random(seed)
        self.clock = clock
        self.latency = 0.3
        """Seconds a stop, a restart, a pull or a stats sample takes."""
        self.health_after = 6.0
        """Seconds from start to the first passed health check."""
        self.lie: set[str] = set()
        """Operations that answer success and change nothing."""

    def now(self) -> float:
        """Seconds since the epoch, on this world's clock."""
        return self.clock()

    def lies(self, operation: str) -> bool:
        """Whether this operation only pretends to work."""
        return operation in self.lie

    def hex_id(self) -> str:
        """A fresh identifier of 64 hexadecimal digits."""
        return self.rng.randbytes(32).hex()

    def digest(self) -> str:
        """A fresh content digest."""
        return f"sha256:{self.hex_id()}"


def is_anonymous(volume: str) -> bool:
    """Whether a volume's name is one that dockerd made up."""
    return re.fullmatch(r"[0-9a-f]{64}", volume) is not None
