"""Where in a page somebody is, as a button carries it: nothing else remembers it, so it survives a restart."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.screen.press import PAGE, Press
from bot.screen.view import Button
from memory.keys import digest
from tools.kit.page import Declared, Row

LONGEST_KEY = 20
"""Bytes of a button's data that say which rows are shown."""
UNWELL = ("🔴", "🟡")
ALL, SICK, WHERE, GROUP, NAMED, DOING, CHOOSING = "", "~", "@", "+", "=", "!", "?"
"""Which rows: all, those that are unwell, of one host, of one group, with a name like this, those that offer a verb;
and the page on which this is chosen."""
STATES = {
    **dict.fromkeys(("unwell", "sick", "bad", "broken"), UNWELL), "down": ("🔴",),
    **dict.fromkeys(("running", "up", "on"), ("🟢", "🟡")), **dict.fromkeys(("stopped", "off"), ("⚪",)),
}  # fmt: skip
"""What people call how a thing is, and the marks that say so."""
_PLACE = re.compile(r"(\d{1,5})(?:([~@+=!?])(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """The number of a page, and which rows it is about."""

    number: int = 0
    kind: str = ALL
    key: str = ""

    @classmethod
    def read(cls, text: str) -> "Place":
        """The place that a button carries; the beginning for one that makes no sense."""
        found = _PLACE.fullmatch(text)
        return cls(int(found[1]), found[2] or ALL, found[3] or "") if found else cls()

    def __str__(self) -> str:
        return f"{self.number}{self.kind}{self.key}"

    def at(self, number: int) -> "Place":
        """The same rows, another page of them."""
        return Place(number, self.kind, self.key)

    def has(self, row: Row) -> bool:
        """Whether a row is among those that are shown."""
        match self.kind:
            case "~":
                return row.dot in UNWELL
            case "@":
                return short(row.where) == self.key
            case "+":
                return short(row.group) == self.key
            case "=":
                return self.key in row.name.lower() or all(_says(row, word) for word in self.key.split())
            case "!":
                return any(tool.word == self.key for tool in row.verbs)
        return True


@dataclass(frozen=True)
class Choice:
    """A place that can be gone to, and how many rows it has."""

    place: Place
    label: str
    count: int
    helps: bool
    """Whether it is worth a button: what shows everything is not, nor a group of one."""

    def button(self, page: Declared[Any]) -> Button:
        """The way there."""
        return Button(f"{self.label} {self.count}", data(page, self.place))


def choices(rows: Sequence[Row]) -> list[Choice]:
    """What these rows can be narrowed down to: the unwell ones, one host's, one group's."""
    hosts, groups = Counter(row.where for row in rows), Counter(row.group for row in rows)
    alone = len(hosts) == len(rows)  # each where nothing else is: that narrows nothing down
    found = [(Place(0, SICK), "Unwell", sum(row.dot in UNWELL for row in rows))]
    found += [(Place(0, WHERE, short(name)), name, count) for name, count in sorted(hosts.items()) if name]
    found += [(Place(0, GROUP, short(name)), name, count) for name, count in sorted(groups.items()) if name]
    least = {SICK: 1, WHERE: len(rows) if alone else 1, GROUP: 2}
    return [Choice(*each, helps=least[each[0].kind] <= each[2] < len(rows)) for each in found]


def written(text: str, rows: Sequence[Row]) -> Place:
    """The place that a person means by words behind the command: a choice's name, or what is true of a thing."""
    wanted = text.strip().lower()
    if wanted in ("", "all"):
        return Place()
    named = {choice.label.lower(): choice.place for choice in reversed(choices(rows))}
    key = _cut(wanted.replace(":", " ").strip())
    return named.get(wanted) or (Place(0, NAMED, key) if key else Place())


def _says(row: Row, word: str) -> bool:
    """Whether a word is true of a row: of how it is, where it is, what it belongs to or what it is called."""
    known = {row.where.lower(), row.group.lower(), *re.findall(r"\w+", row.detail.lower())}
    return row.dot in STATES.get(word, ()) or word in known or word in f"{row.where}/{row.name}".lower()


def data(page: Declared[Any], place: Place, word: str = "", key: str = "") -> str:
    """What a button carries: `m:guests:2@pve1:restart:pve1/104`; a key that is too long goes by its fingerprint."""
    plain = key if not key.startswith("#") else fingerprint(key)
    for spot, which in ((place, plain), (Place(), plain), (Place(), fingerprint(key))):
        press = Press(PAGE, page.name, f"{spot}:{word}:{which}" if key else str(spot))
        if press.fits:
            break
    return press.data


def short(text: str) -> str:
    """The text as a place carries it."""
    return text if text == _cut(text) and not set(text) & set(":#") else fingerprint(text)


def fingerprint(text: str) -> str:
    """What stands for a text that a button has no room for."""
    return f"#{digest(text)[:16]}"


def _cut(text: str) -> str:
    return text.encode()[:LONGEST_KEY].decode("utf-8", "ignore")
