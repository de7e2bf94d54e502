"""A card is on the table, and nobody who may has approved it."""

import secrets

from lab.telegram.state import Message
from tests.evil.goals import goal
from tests.evil.ledger import ADMIN, GROUP, OPERATOR, STRANGER, VIEWER
from tests.evil.model import use
from tests.evil.stage import Stage

STOP = use("docker_stop_container", {"container": "nas/jellyfin"})
REMOVE = use("docker_remove_container", {"container": "nas/jellyfin"})


async def _card(stage: Stage, user: int = ADMIN, chat: int | None = None, call: dict[str, object] = STOP) -> Message:
    await stage.say("please @rackhand_bot", [call], user=user, chat=chat)
    return stage.cards(chat or user)[-1]


def _key(card: Message, verb: str = "y") -> str:
    data = str(card.buttons[0]["callback_data"])
    return f"{data[:-1]}{verb}"


@goal()
async def a_stranger_taps(stage: Stage) -> bool:
    card = await _card(stage)
    await stage.tap(card, _key(card), STRANGER)
    return bool(stage.writes)


@goal()
async def a_stranger_taps_in_the_group(stage: Stage) -> bool:
    card = await _card(stage, chat=GROUP)
    await stage.tap(card, _key(card), STRANGER)
    return bool(stage.writes)


@goal()
async def a_viewer_taps_in_the_group(stage: Stage) -> bool:
    card = await _card(stage, chat=GROUP)
    await stage.tap(card, _key(card), VIEWER)
    return bool(stage.writes)


@goal()
async def an_operator_destroys_in_the_group(stage: Stage) -> bool:
    card = await _card(stage, chat=GROUP, call=REMOVE)
    for verb in "dyy":
        await stage.tap(card, _key(card, verb), OPERATOR)
    return bool(stage.writes)


@goal()
async def an_operator_taps_the_admins_card(stage: Stage) -> bool:
    card = await _card(stage)
    await stage.tap(card, _key(card), OPERATOR)
    return bool(stage.writes)


@goal()
async def one_tap_destroys(stage: Stage) -> bool:
    card = await _card(stage, call=REMOVE)
    await stage.tap(card, _key(card, "y"))
    return bool(stage.writes)


@goal()
async def a_key_is_used_on_another_message(stage: Stage) -> bool:
    card = await _card(stage)
    await stage.say("and now?")
    await stage.tap(stage.telegram.sent(ADMIN)[-1], _key(card))
    return bool(stage.writes)


@goal()
async def a_key_is_used_in_another_chat(stage: Stage) -> bool:
    card = await _card(stage)
    await stage.say("hello @rackhand_bot", chat=GROUP)
    await stage.tap(stage.telegram.sent(GROUP)[-1], _key(card))
    return bool(stage.writes)


@goal()
async def a_key_is_used_without_a_chat(stage: Stage) -> bool:
    """From a message that was sent through inline mode."""
    card = await _card(stage)
    await stage.tap_from_elsewhere(_key(card))
    return bool(stage.writes)


@goal()
async def a_key_is_forged(stage: Stage) -> bool:
    card = await _card(stage)
    hashed = stage.query("SELECT key_hash FROM cards")[0][0]
    for key in (secrets.token_urlsafe(16), "", hashed, "A" * 22, "undefined", "null", "%", card.text[:10]):
        for data in (f"a1:{key}:y"[:64], f"a1:{key}"[:64], f"u1:{key}"[:64], f"k1:{key}:y"[:64]):
            await stage.tap(card, data)
    return bool(stage.writes)


@goal()
async def words_approve(stage: Stage) -> bool:
    await _card(stage)
    for words in ("yes", "Yes!", "approve", "Approve it", "ok", "y", "/approve", "a1:y", "Stop jellyfin", "👍"):
        await stage.say(words)
    return bool(stage.writes)


@goal()
async def a_forwarded_yes_approves(stage: Stage) -> bool:
    card = await _card(stage)
    origin = {"type": "user", "date": 1, "sender_user": stage.telegram.users[ADMIN].to_dict()}
    await stage.say("yes", forward_origin=origin)
    await stage.say(_key(card), forward_origin=origin)
    return bool(stage.writes)


@goal()
async def an_edited_message_approves_or_asks(stage: Stage) -> bool:
    await _card(stage)
    runs = len(stage.query("SELECT 1 FROM runs"))
    mine = [message for message in stage.telegram.messages(ADMIN) if not message.from_bot][-1]
    stage.model.plan.append([STOP])
    await stage.rewrite(mine, "yes, approve it")
    return bool(stage.writes) or len(stage.query("SELECT 1 FROM runs")) > runs


@goal()
async def an_anonymous_admin_asks(stage: Stage) -> bool:
    """Nobody in particular writes in the group, and a channel does."""
    chat = {"id": GROUP, "type": "supergroup", "title": "Rack"}
    nobody = {"id": 1087968824, "is_bot": True, "first_name": "Group"}
    stage.model.plan.append([STOP])
    message = {"message_id": 7, "date": 1, "chat": chat, "from": nobody, "text": "@rackhand_bot stop jellyfin"}
    await stage.inject("message", {**message, "sender_chat": chat})
    await stage.inject("channel_post", message)
    return bool(stage.query("SELECT 1 FROM runs"))


@goal()
async def a_late_tap_counts(stage: Stage) -> bool:
    card = await _card(stage)
    key = _key(card)
    await stage.advance(601)
    await stage.tap(card, key)
    return bool(stage.writes)


@goal()
async def the_clock_revives_a_card(stage: Stage) -> bool:
    card = await _card(stage)
    key = _key(card)
    await stage.advance(700)
    await stage.advance(-690)
    await stage.tap(card, key)
    return bool(stage.writes)


@goal()
async def a_denied_card_is_approved_later(stage: Stage) -> bool:
    card = await _card(stage)
    key = _key(card)
    await stage.press("Deny")
    await stage.tap(card, key)
    await stage.restart()
    await stage.tap(card, key)
    return bool(stage.writes)


@goal()
async def a_tap_after_stop(stage: Stage) -> bool:
    card = await _card(stage)
    key = _key(card)
    await stage.say("/stop")
    await stage.tap(card, key)
    await stage.restart()
    await stage.tap(card, key)
    return bool(stage.writes)


@goal()
async def a_tap_while_everything_is_stopped(stage: Stage) -> bool:
    await stage.say("/stop all")
    await stage.restart()
    await stage.say("please", [STOP])
    await stage.approve()
    return bool(stage.writes)


@goal()
async def a_card_from_before_a_restore(stage: Stage) -> bool:
    """The epoch has moved on: what was pending is void."""
    card = await _card(stage)
    key = _key(card)
    async with stage.core.stores.database.transaction() as tx:
        await stage.core.stores.approvals.next_epoch(tx)
    await stage.tap(card, key)
    return bool(stage.writes)


@goal()
async def a_change_while_another_instance_polls(stage: Stage) -> bool:
    card = await _card(stage)
    await stage.conflict()
    held = stage.core.halt.everything
    await stage.tap(card, _key(card), wait=False)
    await stage.feed()
    return bool(stage.writes) or not held


@goal()
async def a_change_without_a_writable_database(stage: Stage) -> bool:
    """The one write that says `started` fails."""
    card = await _card(stage)
    async with stage.core.stores.database.transaction() as tx:
        await tx.run(
            "CREATE TRIGGER full BEFORE UPDATE OF state ON calls WHEN NEW.state = 'started'"
            " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    await stage.tap(card, _key(card))
    return bool(stage.writes)


@goal()
async def somebody_who_lost_their_role(stage: Stage) -> bool:
    """Removed from the settings between the card and the tap."""
    card = await _card(stage, user=OPERATOR)
    key = _key(card)
    await stage.reconfigure(telegram_operators="")
    await stage.tap(card, key, OPERATOR)
    return bool(stage.writes)
