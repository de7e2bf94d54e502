"""What the chat page shows of the lab, and what its visitor can do to it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from lab.supervisor import Supervisor
from lab.telegram import ADMIN, OPERATOR, STRANGER, VIEWER, Message, TelegramWorld
from lab.traffic import Request, Traffic

ROLES = {"admin": ADMIN, "operator": OPERATOR, "viewer": VIEWER, "stranger": STRANGER}
REQUESTS_SHOWN = 100
LONG_ID = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
"""A container's whole id, which would push the verb behind it off the page."""

Json = dict[str, Any]


class Engine(Protocol):
    """The simulated homelab, as far as the page knows it."""

    def summary(self) -> list[dict[str, Any]]:
        """One row per container: host, id, name, image, state, status, restarts, health."""

    def suggestions(self) -> list[str]:
        """Lines a visitor might write."""

    def change_behind_back(self) -> str:
        """Change something without the bot, and say what."""


class Service(Protocol):
    """A simulated service, as far as the page knows it."""

    name: ClassVar[str]

    def rows(self) -> list[Json]:
        """One row per thing: name, dot (good, odd, bad, off), state, detail."""

    def suggestions(self) -> list[str]:
        """Lines a visitor might write."""

    def meddle(self, card: str) -> str:
        """Change what this card is about, and say what; empty when it is about nothing here."""


class Claude(Protocol):
    """The simulated Claude, as far as the page knows it."""

    cut: bool


@dataclass
class View:
    """The lab as one visitor sees it: parts to show, and actions by name."""

    telegram: TelegramWorld
    traffic: Traffic
    engine: Engine
    claude: Claude | None
    """None when the bot talks to the real Claude."""
    supervisor: Supervisor | None = None
    """None when the bot is not ours to kill."""
    services: Sequence[Service] = ()
    """What there is besides the containers."""

    def parts(self, chat: int, since: int) -> Json:
        """Everything on the page; messages and answers only as far as newer than version `since`."""
        return {
            "version": self.telegram.version,
            "messages": self.messages(chat, since),
            "answers": self._answers(chat, since) if since else [],
            "chat": self._chat(chat),
            "roles": self._roles(),
            "engine": self.engine.summary(),
            "services": [{"name": service.name, "rows": service.rows()} for service in self.services],
            "suggestions": [*self.engine.suggestions(), *(s for each in self.services for s in each.suggestions())],
            "requests": self.requests(),
            "bot": self._bot(),
            "claude": {"real": self.claude is None, "cut": self.claude is not None and self.claude.cut},
        }

    def messages(self, chat: int, since: int = 0) -> list[Json]:
        """Messages of a chat that changed after version `since`, deleted ones marked."""
        known = self.telegram.chats.get(chat)
        changed = [m for m in known.messages.values() if m.version > since] if known else []
        return [_shown(message) for message in changed]

    def requests(self) -> list[Json]:
        """The last requests over all services, oldest first."""
        return [self._logged(request) for request in self.traffic.requests[-REQUESTS_SHOWN:]]

    def send(self, fields: Json) -> Json:
        """Write `text` of any length as `user` (in `chat`): to message `reply_to`, or to the words `quote` in it."""
        user, text, chat = fields["user"], fields["text"], fields.get("chat")
        if "reply_to" not in fields:
            return _shown(self.telegram.paste(user, text, chat)[0])
        answered = self.telegram.chats[chat or user].messages[fields["reply_to"]]
        return _shown(self.telegram.reply(user, answered, text, quote=fields.get("quote", ""))[0])

    def photo(self, user: int, content: bytes, caption: str, album: str = "") -> Json:
        """Send a picture as `user`; those of one `album` belong together."""
        extra: Json = {"media_group_id": album} if album else {}
        return _shown(self.telegram.photo(user, content, caption, **extra))

    def edit(self, fields: Json) -> Json:
        """Change an own message."""
        args = fields["user"], fields["message_id"], fields["text"], fields.get("chat")
        return _shown(self.telegram.edit(*args))

    def tap(self, fields: Json) -> Json:
        """Tap the button that carries `data`."""
        args = fields["user"], fields["message_id"], fields["data"], fields.get("chat")
        return {"query_id": self.telegram.tap(*args).id}

    def inject(self, fields: Json) -> Json:
        """Queue the given update as it is."""
        return {"update_id": self.telegram.inject(fields)}

    def fault(self, fields: Json) -> Json:
        """Inject a fault: the arguments of `Traffic.fault`."""
        self.traffic.fault(**fields)
        return {}

    def clear(self, fields: Json) -> Json:
        """Forget the faults of `service`, or all."""
        self.traffic.clear(fields.get("service"))
        return {}

    def kill(self, fields: Json) -> Json:
        """Kill -9 the bot; it comes back by itself."""
        return {"killed": self.supervisor is not None and self.supervisor.kill()}

    def drift(self, fields: Json) -> Json:
        """Change something behind the bot's back."""
        card = self.telegram.card()
        said = next((words for service in self.services if card and (words := service.meddle(card))), "")
        return {"said": said or self.engine.change_behind_back()}

    def cut(self, fields: Json) -> Json:
        """Cut or restore the connection to the simulated Claude; without `cut`, the other way round."""
        if self.claude is None:
            return {"cut": False}
        self.claude.cut = bool(fields.get("cut", not self.claude.cut))
        return {"cut": self.claude.cut}

    def _chat(self, chat: int) -> Json:
        known = self.telegram.chats.get(chat)
        return {
            "action": known.live_action() if known else None,
            "commands": self.telegram.commands_for(chat),
            "unread": self._unread(),
        }

    def _unread(self) -> list[int]:
        """Messages of people that the bot has not confirmed yet."""
        waiting = (u.get("message") for u in self.telegram.updates.pending)
        return [m["message_id"] for m in waiting if isinstance(m, dict) and "message_id" in m]

    def _roles(self) -> list[Json]:
        """Every person with the newest bot message in their chat, so that the page can mark unread chats."""
        return [
            {"role": role, "id": user, "newest": max((m.message_id for m in self.telegram.sent(user)), default=0)}
            for role, user in ROLES.items()
        ]

    def _answers(self, chat: int, since: int) -> list[Json]:
        return [
            {"query_id": query.id, "message_id": query.message.message_id, **query.answer}
            for query in self.telegram.queries.values()
            if query.answer is not None and query.version > since and query.user.id == chat
        ]

    def _bot(self) -> Json | None:
        if self.supervisor is None:
            return None
        trouble = self.supervisor.state != "running"
        return {
            "state": self.supervisor.state,
            "pid": self.supervisor.pid,
            "starts": self.supervisor.starts,
            "log": self.supervisor.last_lines() if trouble else [],
        }

    def _logged(self, request: Request) -> Json:
        path = LONG_ID.sub(r"\1", request.path.replace(f"/bot{self.telegram.token}", ""))
        return {
            "at": request.at,
            "service": request.service,
            "method": request.method,
            "path": path + (f"?{request.query}" if request.query else ""),
            "status": request.status,
            "changes": request.changes,
        }


def _shown(message: Message) -> Json:
    """A message for the page: the Bot API's fields, and what only the sender's side knows."""
    if message.deleted:
        return {"message_id": message.message_id, "deleted": True}
    return {
        **message.to_dict(),
        "out": not message.from_bot,
        "silent": message.silent,
        "edits": len(message.history),
        "request": message.request,
    }
