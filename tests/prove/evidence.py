"""What can be seen from outside after a run, as plain data: requests, messages, taps, and the path of the database."""

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.lab import Lab


@dataclass
class Effect:
    """A request that a Docker engine received and that may have changed something."""

    host: str
    method: str
    path: str
    container: str
    """The full id in the path."""
    at: float
    status: int | None
    """What the engine answered, also when the answer never arrived; None when it never saw the request."""


@dataclass
class Said:
    """A message of the bot's that still exists."""

    chat: int
    id: int
    versions: list[str]
    """What it said, oldest first; the last is what it says now."""
    buttons: list[str]
    """Callback data of the buttons that it has now."""

    @property
    def text(self) -> str:
        """What it says now."""
        return self.versions[-1]


@dataclass
class Touch:
    """A press of a button by a person."""

    user: int
    chat: int
    message: int
    data: str
    at: float
    toast: str | None


@dataclass
class Call:
    """A body that the bot sent to Telegram."""

    method: str
    body: str
    at: float


@dataclass
class Evidence:
    """Everything the checker is given."""

    database: Path
    key: Path
    effects: list[Effect] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    updates: list[int] = field(default_factory=list)
    """Ids of the updates that people caused."""
    starts: list[float] = field(default_factory=list)
    """When a process of the bot was started."""
    console: bool = False
    """Whether somebody decided in a terminal."""
    timed: bool = True
    """Whether all clocks agree; False when the scenario shifts one."""


CHANGING = ("POST", "PUT", "PATCH", "DELETE")
CONTAINER = re.compile(r"/containers/([^/?]+)")


def gather(lab: Lab, data: Path, starts: list[float], updates: list[int]) -> Evidence:
    """The evidence of one lab."""
    found = Evidence(data / "rackhand.db", data / "rackhand.key", updates=list(updates), starts=list(starts))
    shift = time.time() - time.monotonic()
    for request in lab.traffic.requests:
        if request.service.startswith("docker") and request.method in CHANGING:
            match = CONTAINER.search(request.path)
            found.effects.append(
                Effect(
                    request.service.partition(":")[2], request.method, re.sub(r"^/v[\d.]+", "", request.path),
                    match[1] if match else "", request.at, request.status,
                )
            )  # fmt: skip
        elif request.service == "telegram" and request.method == "POST":
            method = request.path.rpartition("/")[2]
            if method.lower().startswith(("send", "edit")):
                found.calls.append(Call(method, _text(request.body), request.at))
    for chat in lab.telegram.chats.values():
        for message in lab.telegram.sent(chat.id):
            texts = [str(content.get("text", "")) for content in [*message.history, message.content]]
            buttons = [str(button.get("callback_data", "")) for button in message.buttons]
            found.said.append(Said(chat.id, message.message_id, texts, buttons))
    for query in lab.telegram.queries.values():
        toast = None if query.answer is None else str(query.answer.get("text", ""))
        chat_id, message_id = query.message.chat.id, query.message.message_id
        found.touches.append(Touch(query.user.id, chat_id, message_id, query.data, query.at + shift, toast))
    return found


def _text(body: bytes) -> str:
    """A request's body with whatever encoding hides its words undone."""
    from urllib.parse import unquote_plus

    return unquote_plus(body.decode(errors="replace"))


def state(evidence: Evidence) -> dict[str, Any]:
    """A short description for a report of what went wrong."""
    return {
        "effects": [f"{effect.method} {effect.path[:40]} {effect.status}" for effect in evidence.effects],
        "said": [(said.id, said.text[:200]) for said in evidence.said],
        "touches": [(touch.message, touch.data[-2:], touch.toast) for touch in evidence.touches],
    }
