"""What becomes of what Telegram refuses for good: its card ends, and the owner is told once for each chat."""

from collections.abc import Sequence

from loguru import logger
from telegram.error import BadRequest, ChatMigrated, Forbidden, TelegramError

from bot.runs.runner import Runner
from bot.screen.render import escape
from bot.settings.people import TELEGRAM, place_of
from memory.database import Transaction
from memory.models import Outgoing
from memory.stores import Stores

NO_WAY_IN = (
    "chat not found", "peer_id_invalid", "rights", "deactivated", "write_forbidden", "chat_restricted", "topic_closed",
)  # fmt: skip
"""What a 400 says where it is the chat that takes nothing, and not this one message that cannot be sent.

A closed topic is one of them only when it is General: what another one refuses is said there.
"""


def moved_key(group: int) -> str:
    """The key under which it is said that a group has this number now."""
    return f"migrated:{group}"


class LostChats:
    """Chats that take nothing from us any more."""

    def __init__(self, stores: Stores, runner: Runner, owners: Sequence[int]) -> None:
        """`owners` are the chats in which the owner is told, the first that is another one."""
        self._stores, self._runner, self._owners = stores, runner, owners

    async def refused(self, row: Outgoing, error: TelegramError) -> None:
        """End the card that nobody has seen, and tell the owner; doing it again changes nothing."""
        chat, _ = place_of(row.conversation)
        if isinstance(error, ChatMigrated):
            logger.error("the group {} is {} now: change TELEGRAM_CHATS", chat, error.new_chat_id)
            async with self._stores.database.transaction() as tx:
                await self.moved(tx, chat, error.new_chat_id)
        elif _shuts_out(error):
            await self._tell(chat, error)
        kind, _, what = row.payload.get("of", row.key).partition(":")
        if kind == "card" and (card := await self._stores.approvals.card(what)):
            await self._runner.unseen(card)

    async def moved(self, tx: Transaction, old: int, new: int) -> None:
        """One of our groups has another id now: nobody but its owner may say that it is the same one."""
        await self._say(
            tx, old, moved_key(new),
            f"Telegram has given the group {old} another number: {new}. If I am to go on there, put it into"
            " TELEGRAM_CHATS, and wherever else the old one stands (ALERT_CHAT, DIGEST_CHAT), and start me again;"
            " until then I keep silent there.",
        )  # fmt: skip

    async def _tell(self, chat: int, error: TelegramError) -> None:
        group = chat < 0
        who = f"the group {chat}" if group else f"{await self._stores.runs.name_of(f'{TELEGRAM}{chat}')} ({chat})"
        why = str(error).removeprefix("Forbidden: ").rstrip(".")
        remedy = (
            "Add me again and let me write there, or take it out of the settings."
            if group
            else "They must unblock me and write to me, or be taken out of the settings."
        )
        async with self._stores.database.transaction() as tx:
            await self._say(
                tx, chat, f"unreachable:{chat}",
                f"I cannot write to {who} any more. Telegram says: {why}. {remedy} Until then, what I have to say"
                " there is lost, and a card that nobody there can see counts as denied.",
            )  # fmt: skip

    async def _say(self, tx: Transaction, about: int, key: str, text: str) -> None:
        told = next((owner for owner in self._owners if owner != about), None)
        if told is not None:
            await self._stores.outbox.add(tx, f"{TELEGRAM}{told}", "view", key, text=escape(text), buttons=[])
        else:
            logger.error("nobody else to tell: {}", text)


def _shuts_out(error: TelegramError) -> bool:
    """Whether it is the chat that is closed to us."""
    words = str(error).lower()
    return isinstance(error, Forbidden) or (isinstance(error, BadRequest) and any(w in words for w in NO_WAY_IN))
