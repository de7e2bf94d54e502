"""Updates that are one message: a long text, which apps send in parts, and an album, which comes picture by picture.

Nothing is kept here but when an update was first seen. The parts stay unhandled in the inbox until the whole is: a
crash in between loses none of them, and what comes afterwards still joins them.
"""

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from bot.screen.render.split import TEXT_LIMIT, utf16

NEAR_LIMIT = 3500
"""From here on a text may go on in the next message: apps look back some hundred characters for a good place to cut."""
QUIET_SECONDS, ALBUM_SECONDS = 2.0, 1.0
"""After this long without a next part there is none."""
NEIGHBOUR_SECONDS = 5
"""By Telegram's clock; what was sent later is a new message, however late both of them arrive."""
LONGEST_HOLD = 30.0
"""Not even while nothing can be heard does a part wait longer for the next one."""
LOOK_AGAIN_SECONDS = 0.5
MOST_PARTS = 25
FAULTS = (TypeError, KeyError, ValueError, AttributeError, RecursionError)
"""What reading somebody else's JSON can raise."""


@dataclass(frozen=True)
class Part:
    """One update with a message, as far as it tells what it belongs to."""

    update: int
    message: dict[str, Any]
    place: tuple[object, ...]
    """Chat, topic and sender."""
    date: int
    text: str | None
    """None where it is no text of the sender's own."""
    album: str | None
    answers: object
    """The message that it replies to."""
    order: bool
    """Whether it begins with one of our commands: such a message is never the rest of another one."""

    @property
    def unfinished(self) -> bool:
        """Whether there may be more of it."""
        return self.album is not None or (self.text is not None and utf16(self.text) >= NEAR_LIMIT)

    def goes_on_with(self, other: "Part") -> bool:
        """Whether the other one is more of the same message."""
        if self.album is not None or other.album is not None:
            return self.album == other.album
        if not self.unfinished or other.text is None or other.order or other.answers not in (None, self.answers):
            return False
        return 0 <= other.date - self.date <= NEIGHBOUR_SECONDS


@dataclass(frozen=True)
class Parcel:
    """What is handled together: the updates, in order, and the whole as one update."""

    updates: tuple[int, ...]
    raw: str


class Parts:
    """Puts updates together."""

    def __init__(
        self,
        commands: Collection[str],
        hearing_since: Callable[[], float | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`hearing_since` tells since when whatever people send arrives at once."""
        self._commands, self._hearing_since, self._clock = commands, hearing_since, clock
        self._seen: dict[int, float] = {}

    def sort(self, rows: list[tuple[int, str]]) -> tuple[list[Parcel], float]:
        """What can be handled now, in order, and after how many seconds to look again at the rest."""
        now = self._clock()
        self._seen = {number: self._seen.get(number, now) for number, _ in rows}
        whole: list[tuple[Parcel, list[Part]]] = []
        ready, again = list[Parcel](), float("inf")
        last: dict[tuple[object, ...], list[Part]] = {}
        """Of each sender in each place, what they are still sending."""
        for number, raw in rows:
            part = _part(number, raw, self._commands)
            before = last.get(part.place) if part is not None else None
            if part is not None and before and len(before) < MOST_PARTS and before[-1].goes_on_with(part):
                before.append(part)
                continue
            parts = [part] if part is not None else []
            whole.append((Parcel((number,), raw), parts))
            if part is not None:
                last[part.place] = parts
        for parcel, parts in whole:
            going_on = bool(parts) and last[parts[0].place] is parts and len(parts) < MOST_PARTS
            wait = self._patience(parts[-1], now) if going_on and parts[-1].unfinished else 0.0
            if wait > 0.0:
                again = min(again, wait)
            else:
                ready.append(_joined(parts) if len(parts) > 1 else parcel)
        return ready, again

    def _patience(self, last: Part, now: float) -> float:
        """Seconds for which a next part may still come."""
        seen, since = self._seen[last.update], self._hearing_since()
        longest = seen + LONGEST_HOLD - now
        if since is None:  # it may have been sent already, and we would not know
            return min(longest, LOOK_AGAIN_SECONDS)
        quiet = QUIET_SECONDS if last.album is None else ALBUM_SECONDS
        return min(longest, max(seen, since) + quiet - now)


def _part(number: int, raw: str, commands: Collection[str]) -> Part | None:
    """The update as a part of something; None when it has no message, or one that nobody can read."""
    try:
        message = json.loads(raw)["message"]
        topic = message.get("message_thread_id") if message.get("is_topic_message") else None
        place = (message["chat"]["id"], topic, message["from"]["id"])
        hash(place)
        text, date, album = message.get("text"), message.get("date"), message.get("media_group_id")
        replied = message.get("reply_to_message") or {}
        answers = replied.get("message_id")
    except FAULTS:
        return None
    own = isinstance(text, str) and isinstance(date, int) and not message.keys() & {"forward_origin", "via_bot"}
    return Part(
        number, message, place, date if own else 0, text if own else None,
        album if isinstance(album, str) else None, answers, _command(message) in commands,
    )  # fmt: skip


def _joined(parts: list[Part]) -> Parcel:
    """The first message with the words of all of them."""
    album = parts[0].album is not None
    field, marks = ("caption", "caption_entities") if album else ("text", "entities")
    whole, entities, hard = "", list[dict[str, Any]](), False
    for message in (part.message for part in parts if isinstance(part.message.get(field), str)):
        # An app cuts in the middle of a word only where it finds no better place, and then at the very limit.
        whole += "\n" if whole and not hard else ""
        entities += _moved(message.get(marks), utf16(whole))
        whole += message[field]
        hard = not album and utf16(message[field]) >= TEXT_LIMIT - 1
    words = {field: whole, marks: entities} if whole else {}
    update = {"update_id": parts[0].update, "message": {**parts[0].message, **words}}
    return Parcel(tuple(part.update for part in parts), json.dumps(update))


def _moved(marks: Any, by: int) -> list[dict[str, Any]]:
    """Entities that begin so many units later; what is none is left out."""
    found = [mark for mark in marks if isinstance(mark, dict)] if isinstance(marks, list) else []
    return [{**mark, "offset": mark["offset"] + by} for mark in found if isinstance(mark.get("offset"), int)]


def _command(message: dict[str, Any]) -> str:
    """The command that a text begins with; empty when it begins with none."""
    first = next((mark for mark in _moved(message.get("entities"), 0) if mark["offset"] == 0), {})
    length = first.get("length")
    if first.get("type") != "bot_command" or not isinstance(length, int):
        return ""
    return str(message.get("text"))[1:length].partition("@")[0].lower()
