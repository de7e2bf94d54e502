"""What is shown: Markdown and buttons, for Telegram and the terminal alike; and how values are written."""

import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from bot.screen.press import PAGE, Press
from bot.screen.render import escape
from memory.text import escaped
from tools.kit.words import counted as counted
from tools.kit.words import lasting

Style = Literal["primary", "success", "danger"]
SHORT_ID = 12
BUTTON_TEXT = 34
PLAIN = frozenset({"state", "status", "health"})
"""Facts whose value says by itself what it is."""
QUIET = frozenset({"number", "version"})
"""Facts that tell two states apart, and by themselves say nothing to a person."""
UNITS = {"mb": "MB", "gb": "GB", "seconds": "s", "percent": "%"}
"""Units as fields carry them at the end of their names, and as people read them."""
THOUSANDS = re.compile(r"\d{4,15}(\.\d)?", re.ASCII)


@dataclass(frozen=True)
class Button:
    """One inline button; its `data` is a `Press`."""

    text: str
    data: str
    style: Style | None = None


STATUS = Button("Status", Press(PAGE, "status").data)


def try_again(run: str) -> Button:
    """What asks once more for what a run was asked."""
    return Button("Try again", Press(PAGE, "retry", run).data)


@dataclass(frozen=True)
class View:
    """One message."""

    text: str
    buttons: tuple[tuple[Button, ...], ...] = ()
    urgent: bool = False
    """Whether it goes ahead of whatever else is still to be said in its chat."""
    outside: bool = False
    """Whether it shows text that nobody here has written: whoever answers it brings that text along."""
    picture: dict[str, Any] | None = None
    """The `sketch` of a picture that it shows above the text, which says the same where no picture can be."""
    rest: Callable[[], Awaitable["View"]] | None = None
    """The whole, when all who are asked still have answered; None where this is the whole."""

    def stored(self) -> dict[str, Any]:
        """The view as JSON values."""
        marks = {"urgent": self.urgent, "outside": self.outside}
        marked: dict[str, Any] = {name: True for name, is_so in marks.items() if is_so}
        marked |= {"picture": self.picture} if self.picture else {}
        return {"text": self.text, "buttons": stored_buttons(self.buttons), **marked}


def stored_buttons(rows: tuple[tuple[Button, ...], ...]) -> list[list[list[str | None]]]:
    """Buttons as JSON values."""
    return [[[button.text, button.data, button.style] for button in row] for row in rows]


def buttons_of(stored: list[list[list[Any]]]) -> tuple[tuple[Button, ...], ...]:
    """Stored buttons."""
    return tuple(tuple(Button(*button) for button in row) for row in stored)


def view_of(stored: dict[str, Any]) -> View:
    """A stored view."""
    return View(stored["text"], buttons_of(stored["buttons"]), picture=stored.get("picture"))


def bold(text: str) -> str:
    """The text in bold, whatever it contains."""
    return f"**{escape(text)}**" if text.strip() else ""


def cut(text: str) -> str:
    """The words of a button, as much of them as a phone shows."""
    return text if len(text) <= BUTTON_TEXT else f"{text[: BUTTON_TEXT - 1]}…"


class Format:
    """Values as the owner reads them."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def moment(self, at: float | datetime, now: float | None = None) -> str:
        """`21:40` today, `Tue 08:12` within a week, `3 Nov 08:12` before that."""
        when = at.astimezone(self.zone) if isinstance(at, datetime) else datetime.fromtimestamp(at, self.zone)
        today = datetime.now(self.zone) if now is None else datetime.fromtimestamp(now, self.zone)
        if when.date() == today.date():
            return f"{when:%H:%M}"
        if abs(today - when) < timedelta(days=6):
            return f"{when:%a %H:%M}"
        return f"{when.day} {when:%b %H:%M}"

    def noted(self, line: str, at: float | datetime | None) -> str:
        """A line with its moment, if it has one: `stopped by Ana, Tue 08:12`."""
        return line if at is None else f"{line}, {self.moment(at)}"

    def value(self, value: Any, *, moment: bool = False) -> str:
        """A fact's JSON value in one line; its type tells whether it is a moment: a name may look like one."""
        if value is None:
            return "n/a"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return ", ".join(map(self.value, value)) or "none"
        if isinstance(value, dict):  # one thing with what is known of it: its name, its size
            return " ".join(_measured(key, self.value(part)) for key, part in value.items() if part is not None)
        if isinstance(value, float):
            return f"{value:.1f}".removesuffix(".0")
        if moment and isinstance(value, str):
            with contextlib.suppress(ValueError, OverflowError):  # the first year has no time in every zone
                return self.moment(datetime.fromisoformat(value))
        return escaped(str(value))

    def facts(self, stored: dict[str, Any], said: str = "") -> str:
        """`running · healthy · since Tue 08:12`; what is not known, or has been said already, is left out.

        A list of several has a line of its own.
        """
        lines: list[list[str]] = [[]]
        for name, value in stored["shown"].items():
            # What is known of several things, by their names.
            listed = [f"{key} {self.value(part)}" for key, part in value.items()] if isinstance(value, dict) else value
            text = self.value(listed, moment=is_moment(stored, name))
            if name in QUIET or value in (None, "", [], "none") or (isinstance(value, str) and _says(said, text)):
                continue
            said_here = text if name in PLAIN else f"{_label(name)} {_measured(name, text)}"
            if isinstance(listed, list) and len(listed) > 1:
                lines += [[said_here], []]
            else:
                lines[-1].append(said_here)
        return "\n".join(" · ".join(line) for line in lines if line)

    def change(self, name: str, old: Any, new: Any, *, moment: bool = False) -> str:
        """`state: running → stopped`; two moments of one minute are told apart by their seconds.

        Where nothing was before, only what is now: `freed 1.6 GB`.
        """
        if isinstance(old, dict) and isinstance(new, dict):  # several things: only those that differ
            differ = [key for key in {**old, **new} if old.get(key) != new.get(key)]
            pairs = [(key, self.value(old.get(key)), self.value(new.get(key))) for key in differ]
            return f"{_label(name)}: {', '.join(f'{key} {was} → {now}' for key, was, now in pairs)}"
        was, now = self.value(old, moment=moment), self.value(new, moment=moment)
        if moment and was == now and old and new:
            was, now = (f"{datetime.fromisoformat(text).astimezone(self.zone):%H:%M:%S}" for text in (old, new))
        if old is None:
            return f"{_label(name)} {_measured(name, now)}"
        return f"{_label(name)}: {_measured(name, was)} → {_measured(name, now)}"


def is_moment(stored: dict[str, Any], fact: str) -> bool:
    """Whether a stored fact is a moment; rows from before this was noted show their moments as they are."""
    return fact in stored.get("moments", ())


def _says(said: str, text: str) -> bool:
    """Whether a text contains this as words of its own: `on` is not said by `none`."""
    return re.search(rf"(?<![\w.-]){re.escape(text)}(?![\w.-])", said) is not None


def _label(name: str) -> str:
    rest, _, unit = name.rpartition("_")
    return (rest if rest and unit in UNITS else name).replace("_", " ")


def _measured(name: str, text: str) -> str:
    """The value with the unit that its field's name carries, or with a larger one."""
    rest, _, unit = name.rpartition("_")
    if rest and unit == "mb" and THOUSANDS.fullmatch(text):
        return f"{float(text) / 1000:.1f} {UNITS['gb']}"
    return f"{text} {UNITS[unit]}" if rest and unit in UNITS and text[-1:].isdigit() else text


def seconds(duration: float) -> str:
    """`2.1 s`, `3 min`, `9 h`, `41 d`."""
    return f"{max(0.0, duration):.1f} s" if duration < 10 else lasting(duration)


def past(title: str) -> str:
    """`Restart jellyfin` → `Restarted jellyfin`."""
    verb, _, rest = title.partition(" ")
    irregular = {"Set": "Set", "Put": "Put", "Take": "Took", "Forget": "Forgot", "Shut": "Shut", "Run": "Ran"}
    irregular |= {"Make": "Made"}
    if verb in irregular:
        done = irregular[verb]
    elif verb.endswith("e"):
        done = f"{verb}d"
    elif verb.endswith("y") and verb[-2:-1] not in "aeiou":
        done = f"{verb[:-1]}ied"
    elif re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", verb.lower()):
        done = f"{verb}{verb[-1]}ed"
    else:
        done = f"{verb}ed"
    return f"{done} {rest}".strip()


def short_id(target: str) -> str:
    """`nas/3f2a9c…` → `3f2a9c1b7d20`."""
    return target.rpartition("/")[2][:SHORT_ID]
