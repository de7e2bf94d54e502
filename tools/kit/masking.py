"""Secrets in what others print: by their names, by their looks, and by having been seen somewhere before."""

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from functools import lru_cache

from memory.text import MASK, SHORTEST_SECRET, Redactor, clean

MOST_VALUES = 2000
LONGEST_VALUE = 8192

_SECRET_NAME = (
    r"(?:pass(?:w(?:or)?d|phrase)?|pwd|secret|token|credentials?|auth(?:orization)?|bearer|dsn"
    r"|(?:api|access|private|secret|master|encryption)[-_.]?key)"
)
_SECRET_FLAG = re.compile(rf"(?i)--?[\w.-]*{_SECRET_NAME}")
# Neither begins with a run of any length that could start anywhere: one long word would take minutes.
_ASSIGNED = re.compile(
    rf"(?i)({_SECRET_NAME}[\"']?\s*[=:]\s*)(?!//)(\"[^\"]*\"|'[^']*'|(?:bearer |basic )?[^\s,;&\"']+)"
)
_SPACED = re.compile(rf"(?i)((?<![\w.-])--[\w.-]*{_SECRET_NAME}\s+)[^\s-]\S*")
_NAMED_SECRET = re.compile(rf"(?i){_SECRET_NAME}")
_USERINFO = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")
_MADE_UP = re.compile(r"(?=[^\s/]*[A-Za-z])(?=[^\s/]*\d)[^\s/]{8,}")
"""Letters and digits without a path or a blank: a key, whatever its variable is called."""


def secrets_of(env: list[str]) -> list[str]:
    """The secret values of an environment, `NAME=value` lines, longest first: they must not turn up anywhere."""
    known = []
    for name, _, value in (line.partition("=") for line in env):
        if _NAMED_SECRET.search(name):
            known.append(value)
        known += [found.partition(":")[2] for found in _USERINFO.findall(value)]
    return sorted((value for value in known if len(value) >= SHORTEST_SECRET), key=len, reverse=True)


def without_secrets(line: str, known: list[str]) -> str:
    """The text with `•••` for known secrets, `--password=…`, `token: …` and `user:password@`."""
    line = _redactor(tuple(known))(line)
    line = _USERINFO.sub(MASK, line)
    return _SPACED.sub(rf"\1{MASK}", _ASSIGNED.sub(rf"\1{MASK}", line))


@lru_cache(4)
def _redactor(known: tuple[str, ...]) -> Redactor:
    """Hides these values in every usual spelling."""
    return Redactor(known)


def command_line(words: list[str], known: list[str]) -> str:
    """A command as one line, without its secrets."""
    shown, hide = [], False
    for word in words:
        shown.append(MASK if hide else without_secrets(word, known))
        hide = _SECRET_FLAG.fullmatch(word) is not None
    return clean(" ".join(shown))[0].replace("\n", " ")[:500]


class Seen:
    """Remembers the newest values, whichever thread they come from."""

    def __init__(self, most: int = MOST_VALUES) -> None:
        self._most = most
        self._values: OrderedDict[str, bool] = OrderedDict()
        """Value → whether it is a secret by its name or its place."""
        self._lock = threading.Lock()

    def learn(self, env: Iterable[str]) -> None:
        """Remember what is secret in an environment, `NAME=value` lines: by its name, by its place, or by its look."""
        lines = list(env)
        found = {v: False for v in (line.partition("=")[2] for line in lines) if _MADE_UP.fullmatch(v)}
        found |= dict.fromkeys(secrets_of(lines), True)
        with self._lock:
            for value, surely in found.items():
                if len(value) <= LONGEST_VALUE:
                    self._values[value] = surely or self._values.get(value, False)
                    self._values.move_to_end(value)
            while len(self._values) > self._most:
                self._values.popitem(last=False)

    def __call__(self, text: str) -> str:
        """The text with `•••` for every value that it quotes, plainly or as a JSON or Go string."""
        with self._lock:
            values = list(self._values)
        forms = {form for value in values for form in (value, json.dumps(value)[1:-1]) if form in text}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, MASK)
        return text

    def secrets_in(self, text: str) -> list[str]:
        """The values in a text that are secret by their name or their place, whichever container they belong to."""
        with self._lock:
            values = [value for value, surely in self._values.items() if surely]
        return [value for value in values if value in text]

    def __len__(self) -> int:
        return len(self._values)


seen = Seen()
"""What this process has seen: the error of one host may quote what the client of another has read."""
