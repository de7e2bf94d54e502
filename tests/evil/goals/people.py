"""A card is on the table, and nobody who may has approved it."""

import secrets
from typing import Any

from lab.telegram.state import Message
from tests.evil.arena import Arena
from tests.evil.goals import add
from tests.evil.ledger import ADMIN, GROUP, OPERATOR, STRANGER, VIEWER
from tests.evil.model import docker

STOP = docker("stop", "nas/jellyfin")
REMOVE = docker("remove", "nas/jellyfin")


def _key(card: Message, verb: str = "y") -> str:
    return f"{card.buttons[0]['callback_data'][:-1]}{verb}"


async def _card(
    stage: Arena, user: int = ADMIN, chat: int | None = None, call: dict[str, object] = STOP
) -> tuple[Message, str]:
    """A card and the data that approve it."""
    await stage.say("please @rackhand_bot", [call], user=user, chat=chat)
    card = stage.cards(chat or user)[-1]
    return card, _key(card)


def _taps(user: int, verbs: str = "y", **asked: Any) -> Any:
    async def attempt(stage: Arena) -> None:
        card, _ = await _card(stage, **asked)
        for verb in verbs:
            await stage.tap(card, _key(card, verb), user)

    return attempt


add("a_stranger_taps", _taps(STRANGER))
add("a_stranger_taps_in_the_group", _taps(STRANGER, chat=GROUP))
add("a_viewer_taps_in_the_group", _taps(VIEWER, chat=GROUP))
add("an_operator_destroys_in_the_group", _taps(OPERATOR, "dyy", chat=GROUP, call=REMOVE))
add("an_operator_taps_the_admins_card", _taps(OPERATOR))
add("one_tap_destroys", _taps(ADMIN, call=REMOVE))


async def a_key_is_used_on_another_message(stage: Arena) -> None:
    card, key = await _card(stage)
    await stage.say("and now?")
    await stage.tap(stage.telegram.sent(ADMIN)[-1], key)


async def a_page_is_drawn_over_a_card(stage: Arena) -> bool:
    """What is decided is not what can be read any more; only a client of one's own can press that."""
    card, _ = await _card(stage)
    before = card.text
    await stage.tap(card, "m:status")
    return card.text != before


async def a_key_is_used_in_another_chat(stage: Arena) -> None:
    card, key = await _card(stage)
    await stage.say("hello @rackhand_bot", chat=GROUP)
    await stage.tap(stage.telegram.sent(GROUP)[-1], key)


async def a_key_is_used_without_a_chat(stage: Arena) -> None:
    """From a message that was sent through inline mode."""
    card, key = await _card(stage)
    await stage.tap_from_elsewhere(key)


async def a_key_is_forged(stage: Arena) -> None:
    card, key = await _card(stage)
    hashed = stage.query("SELECT key_hash FROM cards")[0][0]
    for key in (secrets.token_urlsafe(16), "", hashed, "A" * 22, "undefined", "null", "%", card.text[:10]):
        for data in (f"a1:{key}:y"[:64], f"a1:{key}"[:64], f"u1:{key}"[:64], f"k1:{key}:y"[:64]):
            await stage.tap(card, data)
    for data in (
        "m:containers:0:restart:nas/../x",
        "m:nowhere:1",
        f"m:containers:{'9' * 40}",
        "\x00\x01" * 32,
        "🚀" * 16,
    ):
        await stage.tap(card, data)


async def words_approve(stage: Arena) -> None:
    await _card(stage)
    for words in ("yes", "Yes!", "approve", "Approve it", "ok", "y", "/approve", "a1:y", "Stop jellyfin", "👍"):
        await stage.say(words)


async def a_forwarded_yes_approves(stage: Arena) -> None:
    card, key = await _card(stage)
    origin = {"type": "user", "date": 1, "sender_user": stage.telegram.users[ADMIN].to_dict()}
    await stage.say("yes", forward_origin=origin)
    await stage.say(key, forward_origin=origin)


async def an_edited_message_approves_or_asks(stage: Arena) -> bool:
    await _card(stage)
    runs = len(stage.query("SELECT 1 FROM runs"))
    mine = [message for message in stage.telegram.messages(ADMIN) if not message.from_bot][-1]
    stage.model.plan.append([STOP])
    await stage.rewrite(mine, "yes, approve it")
    return bool(stage.writes) or len(stage.query("SELECT 1 FROM runs")) > runs


async def an_anonymous_admin_asks(stage: Arena) -> bool:
    """Nobody in particular writes in the group, and a channel does."""
    chat = {"id": GROUP, "type": "supergroup", "title": "Rack"}
    nobody = {"id": 1087968824, "is_bot": True, "first_name": "Group"}
    stage.model.plan.append([STOP])
    message = {"message_id": 7, "date": 1, "chat": chat, "from": nobody, "text": "@rackhand_bot stop jellyfin"}
    await stage.inject("message", {**message, "sender_chat": chat})
    await stage.inject("channel_post", message)
    return bool(stage.query("SELECT 1 FROM runs"))


async def a_late_tap_counts(stage: Arena) -> None:
    card, key = await _card(stage)
    await stage.advance(601)
    await stage.tap(card, key)


async def the_clock_revives_a_card(stage: Arena) -> None:
    card, key = await _card(stage)
    await stage.advance(700)
    await stage.advance(-690)
    await stage.tap(card, key)


async def a_denied_card_is_approved_later(stage: Arena) -> None:
    card, key = await _card(stage)
    await stage.press("Deny")
    await stage.tap(card, key)
    await stage.restart()
    await stage.tap(card, key)


async def a_tap_after_stop(stage: Arena) -> None:
    card, key = await _card(stage)
    await stage.say("/stop")
    await stage.tap(card, key)
    await stage.restart()
    await stage.tap(card, key)


async def a_tap_while_everything_is_stopped(stage: Arena) -> None:
    await stage.say("/stop all")
    await stage.restart()
    await stage.say("please", [STOP])
    await stage.approve()


async def a_card_from_before_a_restore(stage: Arena) -> None:
    """The epoch has moved on: what was pending is void."""
    card, key = await _card(stage)
    async with stage.core.stores.database.transaction() as tx:
        await stage.core.stores.approvals.next_epoch(tx)
    await stage.tap(card, key)


async def a_change_while_another_instance_polls(stage: Arena) -> bool:
    card, key = await _card(stage)
    await stage.conflict()
    held = stage.core.halt.everything
    await stage.tap(card, key, wait=False)
    await stage.feed()
    return bool(stage.writes) or not held


async def a_change_without_a_writable_database(stage: Arena) -> None:
    """The one write that says `started` fails."""
    card, key = await _card(stage)
    async with stage.core.stores.database.transaction() as tx:
        await tx.run(
            "CREATE TRIGGER full BEFORE UPDATE OF state ON calls WHEN NEW.state = 'started'"
            " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    await stage.tap(card, key)


async def somebody_who_lost_their_role(stage: Arena) -> None:
    """Removed from the settings between the card and the tap."""
    card, key = await _card(stage, user=OPERATOR)
    await stage.reconfigure(telegram_operators="")
    await stage.tap(card, key, OPERATOR)
