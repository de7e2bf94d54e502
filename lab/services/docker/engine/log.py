"""What a container has printed: a bounded history that goes on by itself while it runs."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Literal

KEEP = 600

Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True)
class Line:
    """One line of output with the moment it was printed."""

    at: float
    stream: Stream
    data: bytes


@dataclass(frozen=True)
class Chatter:
    """What a healthy process keeps printing; `%T` in a line becomes the time."""

    lines: tuple[bytes, ...]
    every: float
    stream: Stream = "stdout"


@dataclass
class Log:
    """The newest lines of one container."""

    chatter: Chatter
    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=KEEP))
    next_at: float = inf
    printed: int = 0

    def write(self, at: float, texts: tuple[bytes, ...], stream: Stream = "stdout") -> None:
        """Print these lines, a millisecond apart."""
        clock = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S").encode()
        for number, text in enumerate(texts):
            self.lines.append(Line(at + number / 1000, stream, text.replace(b"%T", clock) + b"\n"))

    def begin(self, at: float) -> None:
        """The process has started: the first line of chatter is due one period later."""
        self.next_at = at + self.chatter.every

    def end(self) -> None:
        """The process is gone: nothing more is printed."""
        self.next_at = inf

    def catch_up(self, now: float) -> None:
        """Print everything that was due until now."""
        if not self.chatter.lines or self.next_at == inf:
            return
        behind = int((now - self.next_at) // self.chatter.every) + 1
        skipped = max(0, behind - KEEP)
        self.printed += skipped
        self.next_at += skipped * self.chatter.every
        while self.next_at <= now:
            line = self.chatter.lines[self.printed % len(self.chatter.lines)]
            self.write(self.next_at, (line,), self.chatter.stream)
            self.printed += 1
            self.next_at += self.chatter.every
