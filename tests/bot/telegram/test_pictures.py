"""Pictures on their way to Telegram: sent and turned as such, without a secret, and with words where there is none."""

from typing import Any

import pytest

from bot.screen.view import view_of
from bot.telegram.delivery import Delivery
from memory.secrets import MASK
from tests.bot.telegram.test_delivery import SECRET, Post, telegram
from tests.fakes import use
from tests.house import House

PICTURED = {
    "text": "CPU 12–31 percent", "buttons": [],
    "picture": {"title": f"pve1 {SECRET}", "zone": "UTC", "curves": [{"name": "CPU", "unit": "W", "points": [[1, 2]]}]},
}  # fmt: skip


async def test_a_picture_is_sent_and_turned_as_one_and_text_takes_no_place_of_it(house: House) -> None:
    post, outbox, turned = Post(house), house.stores.outbox, list[str]()
    post.draw = house.drawing.draw  # type: ignore[method-assign]
    post.delivery = Delivery(house.stores, post.telegram, post.draw)
    await outbox.say("tg:1", "view", "first", **PICTURED)
    await post.all()
    for payload in (PICTURED | {"text": "week"}, {"text": "a page", "buttons": []}):
        async with house.stores.database.transaction() as tx:
            turned.append(await outbox.turn(tx, "tg:1", 501, **payload))
        await post.all()
    said = [text for text, _ in post.chats.said]
    assert said == ["[picture] CPU 12–31 percent", "[in place of 501] week", "a page"]
    assert turned[0] == "first" != turned[1]


async def test_what_is_written_on_a_picture_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    painted = list[Any]()

    async def paint(what: Any) -> bytes:
        painted.append(what)
        return b""

    monkeypatch.setattr("bot.telegram.chats.painted", paint)
    sender, chats = telegram(SECRET)
    for piece in await sender.pieces(view_of(PICTURED)):
        await sender.send(1, piece)
    assert painted[0]["title"] == f"pve1 {MASK}" and chats.said == [("CPU 12–31 percent", [])], "words in its stead"


async def test_what_a_model_has_charted_follows_its_answer(house: House) -> None:
    run = await house.say("power of the lamp?", [use("rack_get_power", item="lamp", span="week")], "It is flat.")
    rows = await house.stores.outbox.open("")
    assert [row.kind for row in rows][-2:] == ["answer", "chart"] and rows[-1].run == run
    view = await house.drawing.draw(rows[-1])
    assert view is not None and view.picture is not None and view.picture["title"] == "lamp"
    assert len(view.picture["curves"][0]["points"]) == 60
