"""Who may speak, and who may approve: numeric ids only, for messages and for taps."""

import os
from collections import defaultdict

from bot.settings.settings import Limits, Settings
from memory.models import Actor, Role
from tools.gate.policy import NEEDED
from tools.kit.service import Risk

CONSOLE = "console:"
TELEGRAM = "tg:"
ANONYMOUS_ADMIN = 1087968824
"""The id behind which Telegram hides a group's anonymous admins: nobody in particular."""


class Roster:
    """The configured people. Strangers get nothing and are counted."""

    def __init__(self, settings: Settings) -> None:
        self._roles: defaultdict[int, list[tuple[Role, Limits]]] = defaultdict(list)
        for role, people in (
            (Role.VIEWER, settings.telegram_viewers),
            (Role.OPERATOR, settings.telegram_operators),
            (Role.ADMIN, settings.telegram_admins),
        ):
            for ident, limits in people.items():
                self._roles[ident].append((role, limits))
        self._chats = set(settings.telegram_chats)
        self.strangers = 0
        self.heard: set[int] = set()
        """Chats in which somebody whom we know has written since the start."""

    def welcome(self, user: int | None, chat: int, private: bool) -> bool:
        """Whether to listen to this person in this chat."""
        known = user is not None and user in self._roles and user != ANONYMOUS_ADMIN
        if known and (chat == user if private else chat in self._chats):
            self.heard.add(chat)
            return True
        self.strangers += 1
        return False

    def speaks_in(self, chat: int) -> bool:
        """Whether this group is one of TELEGRAM_CHATS."""
        return chat in self._chats

    def role(self, actor: str, service: str = "") -> Role:
        """A person's role for a service; without one, the highest that they have anywhere.

        The console belongs to whoever owns the data: an admin.
        """
        if actor.startswith(CONSOLE):
            return Role.ADMIN if actor == console_actor().id else Role.NOBODY
        roles = self._roles.get(_ident(actor), ())
        here = [role for role, limits in roles if not service or limits is None or service in limits]
        return max(here, default=Role.NOBODY)

    def overall(self, actor: str) -> Role:
        """A person's role for what concerns every service at once: one that is limited to some does not count."""
        if actor.startswith(CONSOLE):
            return self.role(actor)
        roles = self._roles.get(_ident(actor), ())
        return max((role for role, limits in roles if limits is None), default=Role.NOBODY)

    def approvers(self, conversation: str, risk: Risk, service: str) -> list[str]:
        """Who may approve here: in a private chat the person alone, in a group whoever has the role."""
        return [actor for actor in self._present(conversation) if self.role(actor, service) >= NEEDED[risk]]

    def highest(self, conversation: str, service: str) -> Role:
        """The highest role among those who could approve here."""
        return max((self.role(actor, service) for actor in self._present(conversation)), default=Role.NOBODY)

    def _present(self, conversation: str) -> list[str]:
        if conversation.startswith(CONSOLE):
            return [conversation]
        chat, _ = place_of(conversation)
        if chat in self._chats:
            return [f"{TELEGRAM}{ident}" for ident in self._roles]
        return [f"{TELEGRAM}{chat}"] if chat in self._roles else []


def conversation_of(chat: int, topic: int | None = None) -> str:
    """A chat, or one topic of it, as rows name it: `tg:-100`, `tg:-100/7`."""
    return f"{TELEGRAM}{chat}" if topic is None else f"{TELEGRAM}{chat}/{topic}"


def place_of(conversation: str) -> tuple[int, int | None]:
    """The chat and the topic of a conversation; chat 0 for one that is not Telegram's."""
    chat, _, topic = conversation.removeprefix(TELEGRAM).partition("/")
    return (int(chat), int(topic) if topic else None) if conversation.startswith(TELEGRAM) else (0, None)


def console_actor() -> Actor:
    """Whoever can open the control socket: the owner of the data directory."""
    return Actor(f"{CONSOLE}{os.getuid()}", "console")


def _ident(actor: str) -> int:
    return int(actor.removeprefix(TELEGRAM)) if actor.startswith(TELEGRAM) else 0
