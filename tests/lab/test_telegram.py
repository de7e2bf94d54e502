"""The Telegram emulator under the real python-telegram-bot client."""

import asyncio
import hashlib
from datetime import timedelta

import pytest
from telegram import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
)
from telegram.error import BadRequest, Conflict, EndPointNotFound, Forbidden, InvalidToken, RetryAfter

from lab.telegram import ADMIN, OPERATOR, STRANGER, TelegramWorld
from lab.telegram.flood import Flood
from tests.lab.telegram import PIXEL, emulator


async def test_updates_repeat_until_the_offset_confirms_them() -> None:
    async with emulator() as lab:
        first = lab.world.send(ADMIN, "one")
        lab.world.send(ADMIN, "two")
        lab.world.edit(ADMIN, first.message_id, "one!")
        updates = await lab.bot.get_updates(limit=2)
        assert [u.update_id for u in updates] == [u.update_id for u in await lab.bot.get_updates(limit=2)]
        (last,) = await lab.bot.get_updates(offset=updates[-1].update_id + 1)
        assert last.edited_message is not None and last.edited_message.text == "one!"
        assert last.update_id == updates[0].update_id + 2
        assert await lab.bot.get_updates(offset=last.update_id + 1) == ()
        assert lab.world.updates.pending == []


async def test_a_second_reader_ends_the_first_with_conflict() -> None:
    async with emulator() as lab, lab.client() as second:
        waiting = asyncio.create_task(lab.bot.get_updates(timeout=20))
        await asyncio.sleep(0.05)
        other = asyncio.create_task(second.get_updates(timeout=20))
        with pytest.raises(Conflict, match="(?i)terminated by other getUpdates request"):
            await waiting
        lab.world.send(ADMIN, "for the second")
        assert len(await other) == 1


async def test_a_reader_that_hung_up_takes_nothing_with_it() -> None:
    async with emulator() as lab:
        waiting = asyncio.create_task(lab.bot.get_updates(timeout=20))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        lab.world.send(ADMIN, "while it was down")
        assert len(await lab.bot.get_updates(timeout=20)) == 1


async def test_only_allowed_kinds_of_update_are_queued() -> None:
    async with emulator() as lab:
        message = lab.world.send(ADMIN, "hi")
        lab.world.react(ADMIN, message.message_id, "👍")
        updates = await lab.bot.get_updates(allowed_updates=["message", "message_reaction"])
        assert [u.message_reaction for u in updates] == [None]
        lab.world.react(ADMIN, message.message_id, "👍")
        lab.world.edit(ADMIN, message.message_id, "not asked for")
        (reaction,) = await lab.bot.get_updates(offset=updates[0].update_id + 1)
        assert reaction.message_reaction is not None


async def test_a_tap_is_answered_once() -> None:
    async with emulator() as lab:
        lab.world.send(ADMIN, "restart it")
        keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Restart", callback_data="ap:1:y", style="danger")]])
        await lab.bot.send_message(ADMIN, "Restart jellyfin?", reply_markup=keyboard)
        (card,) = lab.world.sent(ADMIN)
        assert card.buttons[0]["style"] == "danger"
        tap = lab.world.tap(ADMIN, card.message_id, card.button("Restart"))
        update = (await lab.bot.get_updates())[-1]
        assert update.callback_query is not None and update.callback_query.data == "ap:1:y"
        await lab.bot.answer_callback_query(tap.id, "On it", show_alert=True)
        assert tap.answer == {"text": "On it", "show_alert": True}
        with pytest.raises(BadRequest, match="(?i)query is too old"):
            await lab.bot.answer_callback_query(tap.id)
        with pytest.raises(BadRequest, match="(?i)query is too old"):
            await lab.bot.answer_callback_query("12345")


async def test_edits_keep_history_and_refuse_the_same_again() -> None:
    async with emulator() as lab:
        mine = lab.world.send(ADMIN, "hi")
        keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Stop", callback_data="stop")]])
        sent = await lab.bot.send_message(ADMIN, "working", reply_markup=keyboard)
        with pytest.raises(BadRequest, match="(?i)message is not modified"):
            await lab.bot.edit_message_text("working", ADMIN, sent.message_id, reply_markup=keyboard)
        edited = await lab.bot.edit_message_text("done", ADMIN, sent.message_id)
        assert not isinstance(edited, bool) and edited.reply_markup is None and edited.edit_date is not None
        await lab.bot.edit_message_reply_markup(ADMIN, sent.message_id, reply_markup=keyboard)
        (message,) = lab.world.sent(ADMIN)
        assert [old["text"] for old in message.history] == ["working", "done"]
        assert message.button("Stop") == "stop"
        with pytest.raises(BadRequest, match="(?i)message can't be edited"):
            await lab.bot.edit_message_text("stolen", ADMIN, mine.message_id)
        with pytest.raises(BadRequest, match="(?i)message to edit not found"):
            await lab.bot.edit_message_text("nothing", ADMIN, 1)
        assert await lab.bot.delete_message(ADMIN, sent.message_id)
        assert lab.world.sent(ADMIN) == []
        with pytest.raises(BadRequest, match="(?i)message to delete not found"):
            await lab.bot.delete_message(ADMIN, sent.message_id)


async def test_photos_and_documents_go_both_ways() -> None:
    async with emulator() as lab:
        lab.world.photo(ADMIN, PIXEL, "what is this?")
        (update,) = await lab.bot.get_updates()
        assert update.message is not None and update.message.caption == "what is this?"
        file = await update.message.photo[-1].get_file()
        assert bytes(await file.download_as_bytearray()) == PIXEL
        photo = await lab.bot.send_photo(ADMIN, PIXEL, caption="a chart")
        assert (photo.photo[0].width, photo.photo[0].height) == (1, 1)
        changed = await lab.bot.edit_message_media(InputMediaPhoto(PIXEL, "newer"), ADMIN, photo.message_id)
        assert not isinstance(changed, bool) and changed.caption == "newer"
        content = bytes(range(256)) * 40 + b"\r\n--not the boundary\r\n"
        document = await lab.bot.send_document(ADMIN, content, filename="acl.json")
        assert document.document is not None and document.document.file_name == "acl.json"
        stored = lab.world.files.by_id[document.document.file_id]
        assert hashlib.sha256(stored.content).digest() == hashlib.sha256(content).digest()
        with pytest.raises(BadRequest, match="(?i)IMAGE_PROCESS_FAILED"):
            await lab.bot.send_photo(ADMIN, b"not an image")
        with pytest.raises(BadRequest, match="(?i)caption is too long"):
            await lab.bot.send_document(ADMIN, b"x", caption="c" * 1025)


async def test_drafts_actions_reactions_pins() -> None:
    async with emulator() as lab:
        hello = lab.world.send(ADMIN, "hello")
        lab.world.group(-1001, "Homelab")
        chat = lab.world.chats[ADMIN]
        await lab.bot.send_chat_action(ADMIN, "typing")
        assert chat.live_action() == "typing"
        await lab.bot.send_message_draft(ADMIN, 1, "Looking at")
        assert chat.live_draft() == {"text": "Looking at", "entities": []}
        with pytest.raises(BadRequest, match="(?i)TEXTDRAFT_PEER_INVALID"):
            await lab.bot.send_message_draft(-1001, 1, "no drafts in groups")
        await lab.bot.send_message(ADMIN, "Looking at nas")
        assert (chat.live_draft(), chat.live_action()) == (None, None)
        await lab.bot.set_message_reaction(ADMIN, hello.message_id, "👀")
        assert hello.reactions == [{"type": "emoji", "emoji": "👀"}]
        await lab.bot.pin_chat_message(ADMIN, hello.message_id)
        assert (await lab.bot.get_chat(ADMIN)).pinned_message is not None
        with pytest.raises(BadRequest, match="(?i)REACTION_INVALID"):
            await lab.bot.set_message_reaction(ADMIN, hello.message_id, "🪱")


async def test_where_the_bot_may_not_write() -> None:
    async with emulator() as lab:
        with pytest.raises(Forbidden, match="(?i)bot can't initiate conversation"):
            await lab.bot.send_message(ADMIN, "hello?")
        with pytest.raises(BadRequest, match="(?i)chat not found"):
            await lab.bot.send_message(424242, "hello?")
        lab.world.send(STRANGER, "hi")
        lab.world.block(STRANGER)
        with pytest.raises(Forbidden, match="(?i)blocked by the user"):
            await lab.bot.send_message(STRANGER, "hello?")
        lab.world.group(-1001, "Homelab")
        lab.world.send(OPERATOR, "/status", chat=-1001)
        assert (await lab.bot.send_message(-1001, "fine")).chat.title == "Homelab"
        await lab.bot.leave_chat(-1001)
        with pytest.raises(Forbidden, match="(?i)not a member"):
            await lab.bot.send_message(-1001, "still here")


async def test_wrong_token_and_unknown_method() -> None:
    async with emulator() as lab:
        wrong = lab.client("1:wrong")
        with pytest.raises(InvalidToken, match="rejected by the server"):
            await wrong.initialize()
        await wrong.shutdown()
        with pytest.raises(EndPointNotFound, match="sendRichMessage"):
            await lab.bot.do_api_request("sendRichMessage")
        answer = await lab.http.get("/bot1:wrong/getMe")
        assert answer.json() == {"ok": False, "error_code": 401, "description": "Unauthorized"}
        assert (await lab.call("sendRichMessage"))["description"] == "Not Found"
        assert (await lab.http.get("/nothing/here")).json()["error_code"] == 404


async def test_flood_control_answers_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")
    async with emulator(flood=True) as lab:
        lab.world.send(ADMIN, "go")
        with pytest.raises(RetryAfter) as refused:
            for number in range(20):
                await lab.bot.send_message(ADMIN, f"message {number}")
        assert timedelta(seconds=1) <= refused.value.retry_after  # type: ignore[operator]
        assert 5 <= len(lab.world.sent(ADMIN)) < 20


def test_flood_bucket_fills_again() -> None:
    now = 0.0
    flood = Flood(per_second=1, burst=2, penalty=3, clock=lambda: now)
    flood.count(1)
    flood.count(1)
    with pytest.raises(Exception, match="(?i)retry after 4"):
        flood.count(1)
    flood.count(2)
    now = 3.0
    with pytest.raises(Exception, match="(?i)retry after 1"):
        flood.count(1)
    now = 5.0
    flood.count(1)


def test_ids_follow_the_seed() -> None:
    one, same, other = TelegramWorld(1), TelegramWorld(1), TelegramWorld(2)
    ids = [(w.token, w.send(ADMIN, "x").message_id, w.updates.pending[0]["update_id"]) for w in (one, same, other)]
    assert ids[0] == ids[1] != ids[2]
