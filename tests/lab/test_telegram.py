"""The Telegram emulator under the real python-telegram-bot client."""

import asyncio
from datetime import timedelta

import pytest
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest, Conflict, EndPointNotFound, Forbidden, InvalidToken, RetryAfter

from lab.telegram import ADMIN, OPERATOR, STRANGER, TelegramWorld
from tests.lab.telegram import emulator


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


def test_ids_follow_the_seed() -> None:
    one, same, other = TelegramWorld(1), TelegramWorld(1), TelegramWorld(2)
    ids = [(w.token, w.send(ADMIN, "x").message_id, w.updates.pending[0]["update_id"]) for w in (one, same, other)]
    assert ids[0] == ids[1] != ids[2]
