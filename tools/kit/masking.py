"""Secrets that have been seen somewhere before: nothing that others print may tell them."""

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable

from memory.secrets import MASK, secrets_of, without_secrets

MOST_VALUES = 2000
LONGEST_VALUE = 8192
_MADE_UP = re.compile(r"(?=[^\s/]*[A-Za-z])(?=[^\s/]*\d)[^\s/]{8,}")
"""Letters and digits without a path or a blank: a key, whatever its variable is called."""


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

    def secrets_in(self, text: str, env: Iterable[str] = ()) -> list[str]:
        """The values in a text that are secret by their name or their place, whoever's, and all those of `env`."""
        with self._lock:
            values = [value for value, surely in self._values.items() if surely]
        return [*secrets_of(env), *(value for value in values if value in text)]

    def __len__(self) -> int:
        return len(self._values)


seen = Seen()
"""What this process has seen: the error of one host may quote what the client of another has read."""

_OPENS = re.compile(r"(\s*[\"']?environment[\"']?\s*:)(.*)")
_NAME = re.compile(r"\s*(?:-\s*)?[\"']?[\w.]+[\"']?\s*[:=]\s*")


def compose_file(text: str, env: Iterable[str]) -> str:
    """A compose file without the values of any environment, nor what else is secret, in `env` too, or looks like it."""
    lines, inside, level = [], -1, -1
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        if line.strip() and (depth < inside or (depth == inside and not line.lstrip().startswith("-"))):
            inside = -1
        if inside >= 0 and line.strip():
            level = depth if level < 0 else level
            name = _NAME.match(line) if depth == level else None  # what is deeper goes on with the value before it
            line = f"{name[0] if name else ' ' * depth}{MASK}"
        elif opened := _OPENS.fullmatch(line):
            inside, level, line = depth, -1, f"{opened[1]} {MASK}" if opened[2].strip() else line
        lines.append(line)
    seen.learn(env := list(env))
    return without_secrets(seen("\n".join(lines)), secrets_of(env))
