"""What the Telegram emulator refuses, as Telegram would."""

from typing import Any

import pytest

from lab.telegram import ADMIN, TelegramWorld
from lab.telegram.checks import ApiError, check_commands, check_entities, check_markup, found_entities, utf16
from lab.telegram.params import read_params
from lab.telegram.sending import edit_message_text, send_message
from tests.lab.telegram import emulator


def bold(offset: int, length: int) -> dict[str, Any]:
    return {"type": "bold", "offset": offset, "length": length}


def link(url: str) -> dict[str, Any]:
    return {"type": "text_link", "offset": 0, "length": 1, "url": url}


def button(**fields: Any) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": "Go", **fields}]]}


def test_lengths_are_utf16_units() -> None:
    assert utf16("a🙂é") == 4


@pytest.mark.parametrize("text", ["x" * 4096, "🙂" * 2048, " x"])
async def test_texts_that_fit(text: str) -> None:
    async with emulator() as lab:
        lab.world.send(ADMIN, "hi")
        assert (await lab.call("sendMessage", chat_id=ADMIN, text=text))["ok"] is True


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": " \n"}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": "🙂" * 2048 + "x"}, "message is too long"),
        ({"text": "*x*", "parse_mode": "MarkdownV2"}, "parse_mode is not simulated"),
        ({"text": "x", "reply_parameters": {"message_id": 1}}, "message to be replied not found"),
        ({"text": "x", "reply_markup": {"buttons": []}}, "object expected as reply markup"),
        ({"text": "x", "entities": [bold(0, 2)]}, "ends after the end of the text"),
        ({"text": 5}, 'field "text" must be of type String'),
    ],
)
async def test_messages_that_are_refused(fields: dict[str, Any], reason: str) -> None:
    async with emulator() as lab:
        lab.world.send(ADMIN, "hi")
        answer = await lab.call("sendMessage", chat_id=ADMIN, **fields)
        assert answer["error_code"] == 400
        assert reason in str(answer["description"])
        assert lab.world.sent(ADMIN) == []


@pytest.mark.parametrize(
    ("entities", "reason"),
    [
        ([bold(0, 1)] * 101, "too many entities"),
        ([{"type": "loud", "offset": 0, "length": 1}], "unsupported MessageEntity type"),
        ([bold(-1, 2)], "must be positive"),
        ([bold(0, 0)], "must be positive"),
        ([bold(2, 1)], "begins in a middle of a UTF-16 symbol"),
        ([bold(0, 2)], "ends in a middle of a UTF-16 symbol"),
        ([bold(3, 2)], "ends after the end"),
        ([{"type": "text_link", "offset": 0, "length": 1, "url": "javascript:1"}], "without a valid URL"),
        (
            [{"type": "text_link", "offset": 0, "length": 1, "url": "https://a/" + "x" * 9500}],
            "ENTITIES_TOO_LONG",
        ),
        ("bold", "expected an Array"),
    ],
)
def test_entities_that_are_refused(entities: Any, reason: str) -> None:
    with pytest.raises(ApiError, match=reason):
        check_entities("a🙂b", entities)


def test_entities_around_a_surrogate_pair_are_accepted() -> None:
    entities = [bold(0, 1), bold(1, 2), bold(0, 4)]
    assert check_entities("a🙂b", entities) == entities


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        (button(), "text buttons are unallowed"),
        (button(callback_data=""), "BUTTON_DATA_INVALID"),
        (button(callback_data="é" * 33), "BUTTON_DATA_INVALID"),
        (button(callback_data="x", url="https://a"), "several actions"),
        (button(callback_data="x", style="loud"), "invalid button style"),
        (button(url="file:///etc"), "URL is invalid"),
        ({"inline_keyboard": [[{"text": " ", "callback_data": "x"}]]}, "text must be non-empty"),
        ({"inline_keyboard": [[{"text": "x", "callback_data": "x"}] * 9]}, "more than 8"),
        ({"inline_keyboard": [[{"text": "x", "callback_data": "x"}]] * 101}, "REPLY_MARKUP_TOO_LONG"),
    ],
)
def test_keyboards_that_are_refused(markup: Any, reason: str) -> None:
    with pytest.raises(ApiError, match=reason):
        check_markup(markup)


def test_keyboards_that_fit() -> None:
    full = {"inline_keyboard": [[{"text": "x", "callback_data": "é" * 32, "style": "primary"}] * 8] * 12}
    assert check_markup(full) == full
    assert check_markup({"inline_keyboard": [[], []]}) is None


@pytest.mark.parametrize(
    "commands",
    [
        [{"command": "with space", "description": "d"}],
        [{"command": "x" * 33, "description": "d"}],
        [{"command": "x", "description": ""}],
        [{"command": "x", "description": "d" * 257}],
        [{"command": "x", "description": "d"}] * 101,
    ],
)
def test_commands_that_are_refused(commands: Any) -> None:
    with pytest.raises(ApiError, match="BOT_COMMAND"):
        check_commands(commands)


def test_commands_and_addresses_are_found_outside_code() -> None:
    text = "🙂 /undo or a/b, `/x` https://nas.lan/a"
    code = {"type": "code", "offset": utf16("🙂 /undo or a/b, "), "length": 4}
    assert [(e["type"], e["offset"], e["length"]) for e in found_entities(text, [code])] == [
        ("bot_command", 3, 5),
        ("code", 17, 4),
        ("url", 22, 17),
    ]


def test_the_same_message_in_three_encodings() -> None:
    as_json = read_params("application/json", "", b'{"chat_id": 1001, "text": "7", "entities": []}')
    as_form = read_params("application/x-www-form-urlencoded", "", b"chat_id=1001&text=7&entities=%5B%5D")
    part = b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    body = part % (b"chat_id", b"1001") + part % (b"text", b"7") + part % (b"entities", b"[]") + b"--B--\r\n"
    as_multipart = read_params("multipart/form-data; boundary=B", "", body)
    assert as_json.raw == as_form.raw == as_multipart.raw == {"chat_id": 1001, "text": "7", "entities": []}


def test_a_keyboard_alone_makes_an_edit() -> None:
    world = TelegramWorld()
    world.send(ADMIN, "hi")
    params = read_params("application/json", "", b'{"chat_id": 1001, "text": "card"}')
    message_id = send_message(world, params)["message_id"]
    params.raw["message_id"] = message_id
    with pytest.raises(ApiError, match="message is not modified"):
        edit_message_text(world, params)
    params.raw["reply_markup"] = button(callback_data="x")
    assert edit_message_text(world, params)["reply_markup"] == button(callback_data="x")
