"""Telegram's flood control: about one message or edit a second in a chat, short bursts allowed; less in groups."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.telegram.checks import ApiError


@dataclass
class Flood:
    """A bucket per chat and one for the whole bot; an empty bucket is a 429."""

    per_second: float = 1.0
    burst: float = 8.0
    overall: float = 30.0
    a_minute: int = 20
    """Messages and edits that a group, whose id is negative, takes in any minute."""
    penalty: float = 3.0
    """Seconds added to the wait that was really needed, as Telegram does."""
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[int, tuple[float, float]] = field(default_factory=dict)
    _blocked: dict[int, float] = field(default_factory=dict)
    _minute: dict[int, deque[float]] = field(default_factory=dict)

    def count(self, chat_id: int) -> None:
        """Count one message or edit, or refuse it with the seconds to wait."""
        now = self.clock()
        if chat_id < 0:
            self._count_minute(now, chat_id)
        for bucket, rate, burst in ((chat_id, self.per_second, self.burst), (0, self.overall, self.overall)):
            if self._blocked.get(bucket, 0.0) > now:
                raise _too_many(self._blocked[bucket] - now)
            left, since = self._buckets.get(bucket, (burst, now))
            left = min(burst, left + (now - since) * rate)
            if left < 1:
                self._blocked[bucket] = now + (1 - left) / rate + self.penalty
                raise _too_many(self._blocked[bucket] - now)
            self._buckets[bucket] = (left - 1, now)

    def _count_minute(self, now: float, group: int) -> None:
        said = self._minute.setdefault(group, deque())
        while said and said[0] <= now - 60:
            said.popleft()
        if len(said) >= self.a_minute:
            self._blocked[group] = said[0] + 60 + self.penalty
        else:
            said.append(now)


def _too_many(seconds: float) -> ApiError:
    wait = max(1, math.ceil(seconds))
    return ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
