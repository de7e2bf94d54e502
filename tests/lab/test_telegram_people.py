"""What people send, as their apps send it: long texts in parts, albums, replies, mentions."""

import pytest

from lab.telegram import ADMIN, TelegramWorld
from lab.telegram.checks import found_entities, utf16
from lab.telegram.client import parts_of
from tests.lab.telegram import PIXEL, emulator

LINES = "\n".join(f"{number:04d} something happened to nobody in particular" for number in range(200))


@pytest.mark.parametrize("text", ["short", "x" * 4096, "x" * 9700, LINES, "word " * 2000, "🙂" * 5000, "\n" * 9 + "x"])
def test_a_long_text_comes_in_parts_and_whole(text: str) -> None:
    parts = parts_of(text)
    assert all(0 < utf16(part) <= 4096 and part == part.strip() for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(utf16(part) >= 3796 for part in parts[:-1])


def test_it_is_cut_where_a_line_ends() -> None:
    assert parts_of(LINES) == parts_of(LINES + "  ") and "\n".join(parts_of(LINES)) == LINES


async def test_people_cannot_send_what_telegram_does_not_take() -> None:
    world = TelegramWorld()
    for too_long in (lambda: world.send(ADMIN, "x" * 4097), lambda: world.photo(ADMIN, PIXEL, "x" * 1025)):
        with pytest.raises(ValueError, match="one message"):
            too_long()
    assert len(world.paste(ADMIN, LINES)) == 3 and len(world.updates.pending) == 3


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("@rackhand_bot /status", ["@rackhand_bot", "/status"]),
        ("🙂 (@Rackhand_Bot), please", ["@Rackhand_Bot"]),
        ("/new\nstop it", ["/new"]),
        ("/STATUS@Rackhand_Bot", ["/STATUS@Rackhand_Bot"]),
        ("me@rackhand_bot.example x@rackhand_bot a/@rackhand_bot", ["me@rackhand_bot.example"]),
        ("https://x.example/@rackhand_bot", ["https://x.example/@rackhand_bot"]),
        ("/usr/bin and 1/2 and and/or", []),
    ],
)
async def test_commands_and_mentions_are_marked_where_telegram_marks_them(text: str, marked: list[str]) -> None:
    async with emulator() as lab:
        lab.world.send(ADMIN, text)
        (update,) = await lab.bot.get_updates()
        assert update.message is not None and list(update.message.parse_entities().values()) == marked


def test_nothing_is_marked_inside_code() -> None:
    code = {"type": "code", "offset": 0, "length": 21}
    assert found_entities("@rackhand_bot /status", [code]) == [code]


async def test_a_token_that_is_none_is_not_even_unauthorised() -> None:
    async with emulator() as lab:
        codes = [(await lab.http.get(f"/bot{token}/getMe")).status_code for token in ("1:x", "x", "1", lab.world.token)]
        assert codes == [401, 404, 404, 200]
