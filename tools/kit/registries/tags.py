"""What a tag says: which of them stand still, which move on, and which are newer."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_VERSION = re.compile(r"(v?)(\d{1,9}(?:\.\d{1,9}){0,3})((?:-[A-Za-z][A-Za-z0-9._]*)*)")
_UNRIPE = re.compile(
    r"-(?:alpha|beta|rc|pre|preview|dev|develop|nightly|unstable|test|snapshot|canary|next)[\d.]*\b", re.I
)
PINNED_PARTS = 3
"""Numbers of a version that names one release, where nobody says which others there are."""
CALENDAR = 1000
"""A first number from here on is a year or a day: projects that left one way of counting keep the old tags."""
MOST_NEWER = 5


@dataclass(frozen=True)
class Version:
    """A tag that is a version: `v1.2.3-alpine`."""

    prefix: str
    numbers: tuple[int, ...]
    flavour: str

    def follows(self, other: "Version") -> bool:
        """Whether it is a later release of the same kind of image."""
        alike = (self.prefix, self.flavour, len(self.numbers)) == (other.prefix, other.flavour, len(other.numbers))
        same_count = (self.numbers[0] >= CALENDAR) == (other.numbers[0] >= CALENDAR)
        return alike and same_count and self.numbers > other.numbers

    def refines(self, other: "Version") -> bool:
        """Whether it is a release within another one."""
        alike = (self.prefix, self.flavour) == (other.prefix, other.flavour)
        count = len(other.numbers)
        return alike and len(self.numbers) > count and self.numbers[:count] == other.numbers


def version_of(tag: str) -> Version | None:
    """The version that a tag names; None for `latest` and for what is not released yet."""
    found = _VERSION.fullmatch(tag)
    if found is None or _UNRIPE.search(found[3]):
        return None
    return Version(found[1], tuple(map(int, found[2].split("."))), found[3])


def is_pinned(tag: str, offered: Iterable[str]) -> bool:
    """Whether a tag names one release: where the registry has `16.4.1`, `16.4` moves on, and elsewhere it does not."""
    own = version_of(tag)
    if own is None:
        return False
    others = [found for other in offered if (found := version_of(other))]
    return not any(found.refines(own) for found in others) if others else len(own.numbers) >= PINNED_PARTS


def newer(tag: str, offered: Iterable[str]) -> list[str]:
    """The tags of later releases, the newest first, and with them the last one of the same major version."""
    own = version_of(tag)
    if own is None:
        return []
    versions = {other: found for other in offered if (found := version_of(other)) and found.follows(own)}
    ranked = sorted(versions, key=lambda other: versions[other].numbers, reverse=True)
    shown = ranked[:MOST_NEWER]
    near = next((other for other in ranked if versions[other].numbers[0] == own.numbers[0]), None)
    return shown if near is None or near in shown else [*shown[:-1], near]
