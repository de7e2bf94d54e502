"""What pressing an inline button sends back: packed and read here alone, in Telegram's 64 bytes."""

from dataclasses import dataclass

CARD, UNDO, KNOWN, STOP, PAGE = "a1", "u1", "k1", "s", "m"
"""Kinds: to decide a card, to take a change back, to say what came of one, to stop a run, to turn a page."""
LONGEST_DATA = 64
"""Bytes that Telegram takes."""


@dataclass(frozen=True)
class Press:
    """What is pressed, which one, and what shall be done with it."""

    kind: str
    key: str
    verb: str = ""

    @classmethod
    def read(cls, data: str) -> "Press":
        """What a button carries; nobody vouches for it, and what no button can carry is nothing."""
        kind, _, rest = data.partition(":")
        key, _, verb = rest.partition(":")
        press = cls(kind, key, verb)
        return press if press.fits else cls("", "")

    @property
    def fits(self) -> bool:
        """Whether a button has room for it."""
        return len(self._packed.encode(errors="replace")) <= LONGEST_DATA

    @property
    def data(self) -> str:
        """What a button carries. Raises ValueError when that is too long."""
        if not self.fits:
            raise ValueError(f"a button has no room for {self._packed!r}")
        return self._packed

    @property
    def _packed(self) -> str:
        return f"{self.kind}:{self.key}" + (f":{self.verb}" if self.verb else "")
