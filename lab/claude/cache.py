"""A simulated prompt cache: what a request reads, writes and pays, and why it missed."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate

from lab.claude.models import Model
from lab.claude.prefix import Block
from lab.claude.reply import Json

LIFETIMES = {"5m": 300.0, "1h": 3600.0}
LOOKBACK = 20
"""Positions checked per breakpoint, the breakpoint itself being the first."""
KEPT = 2_000


@dataclass
class Entry:
    """A cached prefix: how long it lives after each use, and until when."""

    lifetime: float
    expires: float


@dataclass(frozen=True)
class Fingerprint:
    """What is remembered of a request to explain the next one's cache miss."""

    model: str
    mode: str
    blocks: tuple[Block, ...]


class PrefixCache:
    """Cached prefixes of all conversations, kept by the given clock (seconds)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[str, Entry] = {}
        self._seen: dict[str, Fingerprint] = {}

    def use(self, model: Model, request: Json, blocks: list[Block]) -> Json:
        """The input side of `usage` for this request; breakpoints it did not find are written."""
        keys = _keys(request, blocks)
        total = list(accumulate(block.tokens for block in blocks))
        marks = [i for i, block in enumerate(blocks) if block.ttl]
        checked = {i for m in marks for i in range(max(0, m - LOOKBACK + 1), m + 1)}
        hit = max((i for i in checked if self._live(keys[i])), default=-1)
        read = total[hit] if hit >= 0 else 0
        created = dict.fromkeys(LIFETIMES, 0)
        done = read
        for mark in marks:
            ttl = blocks[mark].ttl or "5m"
            if mark > hit and total[mark] >= model.min_cache_tokens:
                created[ttl] += total[mark] - done
                done = total[mark]
                self._entries[keys[mark]] = Entry(LIFETIMES[ttl], self._clock() + LIFETIMES[ttl])
        return {
            "input_tokens": (total[-1] if total else 0) - done,
            "cache_creation_input_tokens": sum(created.values()),
            "cache_read_input_tokens": read,
            "cache_creation": {f"ephemeral_{ttl}_input_tokens": n for ttl, n in created.items()},
        }

    def remember(self, message_id: str, request: Json, blocks: list[Block]) -> None:
        """Keep the request's fingerprint under the id of its answer."""
        self._seen[message_id] = Fingerprint(request["model"], _mode(request), tuple(blocks))
        while len(self._seen) > KEPT:
            del self._seen[next(iter(self._seen))]

    def diagnose(self, previous_id: str | None, request: Json, blocks: list[Block]) -> Json | None:
        """`message.diagnostics`: why an earlier request's prefix could not be reused; None when it could."""
        if previous_id is None:
            return None
        earlier = self._seen.get(previous_id)
        if earlier is None:
            return {"cache_miss_reason": {"type": "previous_message_not_found"}}
        reason = _changed(earlier, request, blocks)
        if reason is None:
            return None
        if reason == "unavailable":
            return {"cache_miss_reason": {"type": reason}}
        missed = _missed(earlier, request, blocks)
        return {"cache_miss_reason": {"type": reason, "cache_missed_input_tokens": missed}}

    def _live(self, key: str) -> bool:
        """Whether the prefix is cached; finding it renews its life."""
        entry = self._entries.get(key)
        if entry is None:
            return False
        if entry.expires <= self._clock():
            del self._entries[key]
            return False
        entry.expires = self._clock() + entry.lifetime
        return True


def _mode(request: Json) -> str:
    """Settings that change how messages, but not tools and system, are read."""
    choice = request.get("tool_choice") or {"type": "auto"}
    return json.dumps([request.get("thinking"), choice], sort_keys=True)


def _digests(blocks: Iterable[Block], part: str) -> list[str]:
    return [block.digest for block in blocks if block.part == part]


def _keys(request: Json, blocks: list[Block]) -> list[str]:
    model, mode = request["model"], _mode(request)
    return [f"{model}:{b.digest}" + ("" if b.part in ("tools", "system") else mode) for b in blocks]


def _changed(earlier: Fingerprint, request: Json, blocks: list[Block]) -> str | None:
    if earlier.model != request["model"]:
        return "model_changed"
    for part in ("tools", "system"):
        if _digests(earlier.blocks, part) != _digests(blocks, part):
            return f"{part}_changed"
    last = len(earlier.blocks) - 1
    if last >= len(blocks) or earlier.blocks[last].digest != blocks[last].digest:
        return "messages_changed"
    return None if earlier.mode == _mode(request) else "unavailable"


def _missed(earlier: Fingerprint, request: Json, blocks: list[Block]) -> int:
    """Tokens of the earlier request from the first difference on; all of them when the model differs."""
    same = {b.digest for b in blocks} if earlier.model == request["model"] else set()
    return sum(b.tokens for b in earlier.blocks if b.digest not in same)
