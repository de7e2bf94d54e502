"""What images take: a layer that several have is kept once, and goes with the last of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tools.kit import ToolFailed
from tools.kit.raw import MB, moment, number, record, records, texts

if TYPE_CHECKING:
    from tools.docker.session import Session

ROUNDING = MB / 20
"""Bytes that no figure shows. An image's own description counts as a part of it for some engines."""


@dataclass(frozen=True)
class Amount:
    """So many bytes, or at least so many."""

    bytes: float = 0.0
    exact: bool = True

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.bytes + other.bytes, self.exact and other.exact)


UNKNOWN = Amount(exact=False)


def amount(size: float | None) -> Amount:
    """A size that may be unknown."""
    return UNKNOWN if size is None else Amount(size)


@dataclass(frozen=True)
class Layers:
    """One image as an inspection and its history describe it."""

    chain: tuple[str, ...] = ()
    """Its layers from the lowest up, each named by itself and all below it; empty when they could not be read."""
    size: float | None = None
    tagged: datetime | None = None
    """When it last got a name on this host."""
    steps: tuple[float, ...] = ()
    """Bytes that each step of its making added; one that added none may have made an empty layer, or no layer."""

    def above(self, depth: int) -> Amount:
        """What goes when only its lowest layers stay, so many of them."""
        if not self.chain or self.size is None:
            return UNKNOWN
        if depth == 0:
            return Amount(self.size)
        if depth >= len(self.chain):
            return Amount()
        below = self._below(depth)
        if not below:
            return UNKNOWN
        steps = sum(self.steps)
        exact = max(below) == min(below) and abs(self.size - steps) < ROUNDING
        return Amount(max(0.0, min(steps, self.size) - max(below)), exact)

    def but_for(self, cached: frozenset[float], frees: Amount) -> Amount:
        """What is left of an amount when layers of these sizes may live on in the build cache."""
        held, left = 0.0, frees.bytes + ROUNDING
        for size in reversed(self.steps):  # from the highest layer down to what stays anyway
            left -= size
            held += size if left >= 0 and size in cached else 0.0
        return Amount(max(0.0, frees.bytes - held), exact=False) if held else frees

    def gone(self, deleted: set[str]) -> Amount:
        """What went, by the layers that the engine says it has deleted."""
        return self.above(len(self.chain) - sum(layer in deleted for layer in self.chain))

    def _below(self, depth: int) -> list[float]:
        """What the lowest layers may take: which steps made the empty ones is not said, but in which order, is."""
        full = [size for size in self.steps if size]
        empty = len(self.chain) - len(full)
        idle, spare = 0, []
        for size in self.steps:
            idle += not size
            spare += [idle] if size else []
        spare.append(idle)  # steps without bytes before each full one, and in all
        sums = [0.0, *accumulate(full)]
        return [
            sums[count]
            for count in range(min(depth, len(full)) + 1)
            if depth - count <= min(empty, spare[count])
            and empty - (depth - count) <= idle - (spare[count - 1] if count else 0)
        ]


def freed(removed: Iterable[Layers], kept: Iterable[Layers]) -> list[Amount]:
    """What each image frees when they go one after the other while others stay."""
    held: set[str] = set()
    for image in kept:
        if not image.chain:
            return [UNKNOWN for _ in removed]  # it may share anything
        held |= set(image.chain)
    amounts = []
    for image in removed:
        amounts.append(image.above(sum(layer in held for layer in image.chain)))
        held |= set(image.chain)
    return amounts


def read_layers(api: "Session", image: str) -> Layers:
    """An image's layers; empty when the engine does not tell. Raises nothing."""
    try:
        raw = api.image(image)
    except ToolFailed:
        return Layers()
    tagged = moment(record(raw.get("Metadata")).get("LastTagTime"))
    return Layers(_chain(texts(record(raw.get("RootFS")).get("Layers"))), number(raw.get("Size")), tagged)


def read_steps(api: "Session", image: str) -> tuple[float, ...]:
    """Bytes that each step of an image's making added, the first one first; empty when the engine does not tell."""
    try:
        told: Any = api.history(image)  # type: ignore[no-untyped-call]
    except ToolFailed:
        return ()
    sizes = [number(step.get("Size")) for step in records(told)]
    return tuple(size for size in reversed(sizes) if size is not None) if None not in sizes else ()


def _chain(layers: list[str]) -> tuple[str, ...]:
    """Each layer's name as the engine itself makes it, which tells one on top of another base apart."""
    return tuple(accumulate(layers, lambda below, layer: f"sha256:{sha256(f'{below} {layer}'.encode()).hexdigest()}"))
