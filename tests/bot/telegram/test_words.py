"""What a message says: commands and mentions as Telegram marks them, captions, and what is no word of it."""

from pathlib import Path
from typing import Any

import pytest
from telegram import Message

from bot.telegram.words import Words, words_of
from lab.telegram import ADMIN, BOT, TelegramWorld
from tests.bot.telegram.test_dispatch import in_group
from tests.lab.telegram import PIXEL
from tests.live import Live

GROUP = -100


def words(text: str, **fields: Any) -> Words:
    """How a message is read that somebody writes in simulated Telegram."""
    message = Message.de_json(TelegramWorld().send(ADMIN, text, **fields).to_dict(), None)
    return words_of(message, BOT.id, "Rackhand_Bot")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/new", ("new", "", "")),
        ("/new\nwhy is it down?\nand since when?", ("new", "", "why is it down?\nand since when?")),
        ("/new\twhy", ("new", "", "why")),
        ("/new \n  why ", ("new", "", "why")),
        ("  /STATUS", ("status", "", "")),
        ("/Stop ALL", ("stop", "", "ALL")),
        ("/status@RACKHAND_bot now", ("status", "rackhand_bot", "now")),
        ("@rackhand_bot /status", ("status", "", "")),
        ("@RackHand_Bot, /new\nhello 🙂", ("new", "", "hello 🙂")),
    ],
)
def test_a_command_ends_at_any_space_and_has_no_case(text: str, command: tuple[str, str, str]) -> None:
    found = words(text).command
    assert found is not None and (found.name, found.addressee, found.rest) == command


@pytest.mark.parametrize("text", ["what does /status do?", "/usr/bin is full", "/ status", "1/2", "//status", ""])
def test_what_telegram_does_not_mark_as_a_command_at_the_beginning_is_none(text: str) -> None:
    assert words(text).command is None and words(text).line == text


def test_a_command_in_code_is_only_shown() -> None:
    code = [{"type": "code", "offset": 0, "length": 7}]
    assert words("/status", entities=code) == Words("/status", None, False, "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("@rackhand_bot why is it down?", "why is it down?"),
        ("@RACKHAND_BOT: why?", "why?"),
        ("🙂 why is it down, @Rackhand_bot?", "🙂 why is it down, @Rackhand_bot?"),
        (" \n@rackhand_bot\nwhy?", "why?"),
        ("@rackhand_bot", "@rackhand_bot"),
        ("@rackhand_bot, @Rackhand_bot why?", "why?"),
    ],
)
def test_a_mention_addresses_us_and_is_no_part_of_what_is_said(text: str, line: str) -> None:
    assert words(text) == Words(line, None, True, "")


@pytest.mark.parametrize(
    "text",
    [
        "@rackhand_bot2 why?", "@rackhand why?", "mail me@rackhand_bot.example", "https://t.me/@rackhand_bot",
        "rackhand_bot, why?",
    ],
)  # fmt: skip
def test_what_only_looks_like_our_name_addresses_nobody(text: str) -> None:
    assert words(text) == Words(text, None, False, "")


def test_our_name_in_code_addresses_nobody() -> None:
    code = [{"type": "pre", "offset": 4, "length": 13}]
    assert not words("see @rackhand_bot", entities=code).mentioned


@pytest.mark.parametrize("ident", [BOT.id, ADMIN])
def test_a_mention_without_a_name_counts_by_its_number(ident: int) -> None:
    user = {"id": ident, "is_bot": True, "first_name": "Rack"}
    found = words("Rack why?", entities=[{"type": "text_mention", "offset": 0, "length": 4, "user": user}])
    assert found == (Words("why?", None, True, "") if ident == BOT.id else Words("Rack why?", None, False, ""))


def test_offsets_count_as_telegram_counts() -> None:
    assert words("🚀🚀 @rackhand_bot").mentioned and not words("🚀🚀 xx@rackhand_bot").mentioned


@pytest.mark.parametrize("mark", [{"offset": -3}, {"offset": 10**6}, {"length": -1}, {"length": 10**6}])
def test_marks_outside_of_the_text_are_no_trouble(mark: dict[str, int]) -> None:
    for kind in ("mention", "bot_command"):
        found = words("/x 🙂", entities=[{"type": kind, "offset": 0, "length": 2, **mark}])
        assert found.line == "/x 🙂" and not found.mentioned


# -- with the whole bot ----------------------------------------------------------------------------------------------


async def test_a_caption_is_what_was_said(tmp_path: Path) -> None:
    async with Live(tmp_path) as live:
        await live.alive()
        live.lab.telegram.photo(ADMIN, PIXEL, "/cost")
        await live.hear("today")
        live.mark = live.lab.telegram.version
        live.lab.telegram.photo(ADMIN, PIXEL, "why does it blink?")
        await live.hear("Done")
        [line] = live.model.asked[0].messages[-1]["content"]
        assert "a photo came with this" in line["text"] and line["text"].endswith("]\nwhy does it blink?")
        assert not live.calls_of("getFile")


async def test_a_forwarded_caption_is_not_acted_on(tmp_path: Path) -> None:
    async with Live(tmp_path) as live:
        await live.alive()
        origin = {"type": "hidden_user", "date": 1, "sender_user_name": "X"}
        live.mark = live.lab.telegram.version
        live.lab.telegram.photo(ADMIN, PIXEL, "/stop all", forward_origin=origin)
        await live.hear("forwarded")
        assert not live.halt.everything and not live.model.asked


async def test_in_a_group_it_answers_who_names_it_in_any_case(tmp_path: Path) -> None:
    async with Live(tmp_path, group=GROUP) as live:
        await live.alive()
        await live.until(lambda: live.telegram.bot._bot_user, "our own name")
        live.say_as("@Rackhand_Bot /COST", chat=GROUP)
        await live.hear("today", GROUP)
        live.say_as("is it fine, @RACKHAND_BOT?", chat=GROUP)
        await live.hear("Done", GROUP)
        live.lab.telegram.photo(ADMIN, PIXEL, "@rackhand_bot this one?", chat=GROUP)
        await live.until(lambda: len(live.model.asked) == 2, "the caption to be heard")
        await live.quiet()
        sent = len(live.lab.telegram.sent(GROUP))
        for text in ("see https://x.example/@rackhand_bot", "me@rackhand_bot.example", "/cost@another_bot"):
            live.say_as(text, chat=GROUP)
        code = [{"type": "code", "offset": 0, "length": 13}]
        live.say_as("@rackhand_bot is its name", chat=GROUP, entities=code)
        await live.inject(message=in_group(GROUP, photo=[], caption="what a day"))
        await live.quiet()
        assert len(live.lab.telegram.sent(GROUP)) == sent and len(live.model.asked) == 2


async def test_new_begins_afresh_with_what_stands_behind_it(tmp_path: Path) -> None:
    async with Live(tmp_path) as live:
        await live.write("remember the blue lamp", "Done")
        await live.write("/new\nwhich lamp?", "Done")
        first, second = live.model.asked
        assert second.run.objective == "which lamp?" and len(second.messages) == 1 and len(first.messages) == 1
        await live.write("/new", "Fresh start")
