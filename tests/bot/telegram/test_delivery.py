"""What leaves for Telegram: nothing unseen, no secret in any spelling, nothing lost, no row that stops the rest."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from telegram import MessageEntity
from telegram.error import BadRequest, Forbidden, InvalidToken, NetworkError, RetryAfter, TimedOut

from bot.screen.render import Piece, escape, render
from bot.screen.render.split import TEXT_LIMIT, utf16
from bot.screen.view import Button, View
from bot.telegram.chats import CAPTION_LIMIT, Chats
from bot.telegram.delivery import MOST_DRAWS, RESENT, UNDRAWN, Delivery
from bot.telegram.pace import Throttle
from bot.terminal.control import Control
from memory.models import Outgoing
from memory.outbox import LIVING
from memory.secrets import MASK, Redactor
from tests.bot.telegram_rules import check
from tests.fakes import use
from tests.house import House
from tests.rack import RackApi
from tools.kit import Refused

SECRET = "hunter_2*secret.pw"
TOKEN = "123456789:AAHabcdefghij_klmnopqrstuvwxyz012345"


class FakeBot:
    """Telegram's side: what arrived, with the labels of its buttons."""

    def __init__(self) -> None:
        self.said: list[tuple[str, list[str]]] = []
        self.sent: list[tuple[str, Any]] = []

    async def send_message(self, chat: int, text: str, entities: Any, reply_markup: Any, **more: Any) -> Any:
        if utf16(text) > TEXT_LIMIT:
            raise BadRequest("Message is too long")
        self.said.append((text, [b.text for row in reply_markup.inline_keyboard for b in row] if reply_markup else []))
        check([Piece(text, tuple(entities))])
        return SimpleNamespace(message_id=500 + len(self.said))

    async def edit_message_text(self, text: str, chat: int, message: int, **more: Any) -> None:
        await self.send_message(chat, text, **more)

    async def send_photo(self, chat: int, photo: bytes, caption: str, caption_entities: Any, **more: Any) -> Any:
        assert photo.startswith(b"\x89PNG") and utf16(caption) <= CAPTION_LIMIT
        return await self.send_message(chat, f"[picture] {caption}", (), **more)

    async def edit_message_media(self, media: Any, chat: int, message: int, **more: Any) -> None:
        await self.send_message(chat, f"[in place of {message}] {media.caption}", (), **more)

    def words(self) -> str:
        return "\n".join([*(text for text, _ in self.said), *(label for _, row in self.said for label in row)])


def telegram(*secrets: str) -> tuple[Chats, FakeBot]:
    chats = FakeBot()
    found = Chats(chats, Redactor(secrets))  # type: ignore[arg-type]
    found.throttle = lambda chat: Throttle(0.0)  # type: ignore[method-assign]
    return found, chats


async def shown(text: str, *secrets: str) -> str:
    """What a person reads of a text."""
    sender, chats = telegram(*secrets)
    for piece in await sender.pieces(View(text)):
        await sender.send(1, piece)
    return chats.words()


# -- secrets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        escape(f"login with {SECRET} failed"),
        escape(f"HTTP 500 ({TOKEN})"),
        f"**login** with `{SECRET}`",
        "it is hun**ter\\_2\\*sec**ret.pw ok",
        "it is hun~~ter\\_2~~\\*secret.pw ok",
        "it is hunter\\_2\\*sec\u200bret.pw ok",
        f"[hunter\\_2\\*](http://x)\n\n```{SECRET}\nx\n```",
        f"see http://x/bot{TOKEN}/getMe",
        f"| a | b |\n|---|---|\n| {escape(SECRET)} | {escape(TOKEN)} |",
        f"> [!more]\n> {escape(SECRET.upper())}",
        f"#\n{escape(SECRET)}",
    ],
)
async def test_no_markdown_hides_a_secret(text: str) -> None:
    said = await shown(text, SECRET, TOKEN)
    assert MASK in said
    for part in (SECRET, TOKEN, "secret.pw", "AAHabcdef"):
        assert part.lower() not in said.lower()


@pytest.mark.parametrize("before", range(TEXT_LIMIT - 20, TEXT_LIMIT + 2))
async def test_no_secret_is_cut_in_two_between_messages(before: int) -> None:
    said = await shown(escape("x" * before + SECRET), SECRET)
    assert "unter" not in said and "secret" not in said and said.count("x") == before


async def test_what_holds_no_secret_keeps_its_formatting() -> None:
    sender, _ = telegram(SECRET)
    [piece] = await sender.pieces(View("**bold** `code`"))
    assert [str(entity.type) for entity in sender._safe(piece).entities] == ["bold", "code"]


async def test_formatting_that_telegram_refuses_goes_out_as_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    sender, chats = telegram()
    accept = chats.send_message

    async def picky(chat: int, text: str, entities: Any, **more: Any) -> Any:
        if entities:
            raise BadRequest("Can't parse entities: unsupported start tag")
        return await accept(chat, text, entities, **more)

    monkeypatch.setattr(chats, "send_message", picky)
    [piece] = await sender.pieces(View("a **bold** word"))
    await sender.send(1, piece)
    assert chats.words() == "a bold word"


async def test_an_edit_that_changes_nothing_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    sender, chats = telegram()
    error = BadRequest("Message is not modified: specified new message content is exactly the same")

    async def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(chats, "edit_message_text", refuse)
    await sender.edit(1, 7, Piece("as before", ()))
    error = BadRequest("Message to edit not found")
    with pytest.raises(BadRequest, match="not found"):
        await sender.edit(1, 7, Piece("as before", ()))


async def test_the_language_of_a_code_block_is_shown_too() -> None:
    sender, _ = telegram("hunter22")
    marked = Piece("x", (MessageEntity("pre", 0, 1, language="hunter22"),))
    assert sender._safe(marked) == Piece("x", ())


async def test_buttons_toasts_and_bare_pieces_are_redacted() -> None:
    sender, chats = telegram(SECRET)
    await sender.send(
        1, Piece(f"a \u202e{SECRET}", ()), ((Button(f"Remember \u202e{SECRET}", "x"), Button("\u200b", "y")),)
    )
    await sender.edit(1, 7, Piece(SECRET, ()))
    assert chats.said == [(f"a {MASK}", [f"Remember {MASK}", "…"]), (MASK, [])]
    toasts: list[str] = []

    async def answer(text: str) -> None:
        toasts.append(text)

    await sender.toast(SimpleNamespace(answer=answer), f"{SECRET} {'x' * 300}")  # type: ignore[arg-type]
    assert toasts[0].startswith(f"{MASK} xxx") and len(toasts[0]) == 200


async def test_a_progress_line_makes_no_link_and_holds_no_secret() -> None:
    sender, _ = telegram(SECRET)
    [piece] = await sender.pieces(View(escape(f"Looking: https://evil.example/?q={SECRET} \u202e*x* …")))
    assert SECRET not in piece.text and piece.text.endswith("*x* …") and "\u202e" not in piece.text
    sender, _ = telegram()
    [piece] = await sender.pieces(View(escape("Looking: https://evil.example/?q=1 …")))
    [entity] = piece.entities
    assert entity.type == "code" and piece.text[entity.offset :].startswith("https://evil")


async def test_a_secret_in_a_services_words_is_stored_and_shown_nowhere(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "rack-token-0123456789"
    house.core.redact.learn([SECRET])

    async def refuse(self: RackApi, *args: Any) -> None:
        raise Refused(f"The rack refused (no session for {SECRET} or {token}\n✓ verified): change the request.")

    run = await house.ask(use("rack_switch_off", item="lamp"))
    monkeypatch.setattr(RackApi, "write", refuse)
    await house.tap()
    row = await house.call()
    view = await house.cards.receipt(row.id)
    assert view is not None
    told = json.dumps(await Control(house.core, None).show(run), ensure_ascii=False)  # type: ignore[arg-type]
    for text in (row.detail, "".join(p.text for p in render(view.text)), told, str(await house.results(run))):
        assert MASK in text and token not in text and "hunter" not in text
    assert "\n" not in row.detail


async def test_what_is_hidden_in_a_secret_does_not_bring_it_to_the_model(house: House) -> None:
    house.rack.items["rack/0001"].label = "it is rack-tok\u200ben-0123\u200d456789 ok"
    [block] = await house.results(await house.say("label?", [use("rack_read_label", item="lamp")]))
    assert MASK in block["content"] and "0123" not in block["content"] and "456789" not in block["content"]


# -- rows -----------------------------------------------------------------------------------------------------------


class Post:
    """A delivery over a house's outbox."""

    def __init__(self, house: House, **drawn: Any) -> None:
        self.house, self.drawn = house, drawn
        self.telegram, self.chats = telegram()
        self.delivery = Delivery(house.stores, self.telegram, self.draw)

    async def draw(self, row: Outgoing) -> View | None:
        if row.kind in LIVING:
            return await self.house.drawing.draw(row)
        found = self.drawn.get(row.key, View(row.payload["text"]))
        if isinstance(found, Exception):
            raise found
        return found

    async def all(self) -> None:
        """Deliver as the worker does, without its pauses."""
        for _ in range(20):
            for row in await self.house.stores.outbox.open("tg:1"):
                if not await self.delivery._deliver(row):
                    break

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.house.stores.database.all("SELECT state FROM outbox ORDER BY id")]


async def test_a_row_that_cannot_be_drawn_does_not_silence_its_chat(house: House, log: list[str]) -> None:
    post = Post(house, bad=ValueError("month must be in 1..12"))
    for key in ("bad", "later"):
        await house.stores.outbox.say("tg:1", "view", key, text=key)
    await post.all()
    assert post.chats.said == [(UNDRAWN, []), ("later", [])] and await post.states() == ["sent", "sent"]
    assert sum(line.startswith("ERROR outbox") for line in log) == MOST_DRAWS
    [row] = await house.stores.database.all("SELECT ambiguous FROM outbox WHERE key = 'bad'")
    assert not row["ambiguous"], "nothing of it had been sent"


async def test_the_worker_goes_on_behind_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.telegram.delivery.LONGEST_BACKOFF", 0.01)
    post = Post(house, bad=KeyError("x"))
    for key in ("bad", "later"):
        await house.stores.outbox.say("tg:1", "view", key, text=key)
    worker = asyncio.create_task(post.delivery.run())
    async with asyncio.timeout(10):
        while len(post.chats.said) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    worker.cancel()
    assert post.chats.said[-1] == ("later", [])


async def test_a_full_message_that_is_sent_again_still_arrives_and_says_so(house: House) -> None:
    post = Post(house, full=View("x" * (TEXT_LIMIT - 3)), short=View("y"))
    for key in ("full", "short"):
        await house.stores.outbox.say("tg:1", "view", key, text=key)
    for row in await house.stores.outbox.open("tg:1"):
        await house.stores.outbox.sending(row.id)  # it died here
    await post.all()
    assert [text for text, _ in post.chats.said] == [RESENT, "x" * (TEXT_LIMIT - 3), f"y\n{RESENT}"]


async def test_the_buttons_of_a_long_text_are_under_its_end(house: House) -> None:
    buttons = ((Button("Status", "m:status", "primary"),),)
    post = Post(house, long=View(f"{'x' * 4000}\n\n{'y' * 4000}", buttons))
    await house.stores.outbox.say("tg:1", "view", "long", text="")
    await post.all()
    assert post.chats.said == [("x" * 4000, []), ("y" * 4000, ["Status"])]


async def test_a_card_in_pieces_is_bound_to_the_one_with_its_buttons(house: House) -> None:
    """None is asked that long; one that has grown, or was asked by an older version, can still be decided."""
    await house.ask(use("rack_switch_off", item="lamp"))
    row = await house.call()
    card = {**row.card, "notes": ["n" * 4000, "m" * 4000]}
    async with house.stores.database.transaction() as tx:
        await house.stores.journal.update_facts(tx, row.id, row.before, card)
    post = Post(house)
    await post.all()
    assert [labels for _, labels in post.chats.said] == [[]] * (len(post.chats.said) - 1) + [
        ["Switch lamp off", "Deny"]
    ]
    stored = await house.stores.approvals.card(await house.newest_card())
    assert stored is not None and stored.message == 500 + len(post.chats.said)


# -- what Telegram makes of them ------------------------------------------------------------------------------------


class Wire(Post):
    """A delivery of one row that says `words`, to a Telegram that answers with these errors before it gives in."""

    def __init__(self, house: House, send: list[Exception] | None = None, edit: list[Exception] | None = None) -> None:
        super().__init__(house, words=View("**said** once"))
        self.telegram.redact.learn([SECRET])
        self.errors = {"send": send or [], "edit": edit or []}
        self.calls, self.silent = list[tuple[str, int | None, str]](), list[bool]()
        self.chats.send_message = self.sending  # type: ignore[method-assign]
        self.chats.edit_message_text = self.editing  # type: ignore[method-assign]

    async def sending(self, chat: int, text: str, **more: Any) -> Any:
        self.silent.append(more["disable_notification"])
        self.called("send", None, text)
        return SimpleNamespace(message_id=900 + len(self.calls))

    async def editing(self, text: str, chat: int, message: int, **more: Any) -> None:
        self.called("edit", message, text)

    def called(self, what: str, message: int | None, text: str) -> None:
        self.calls.append((what, message, text))
        if self.errors[what]:
            raise self.errors[what].pop(0)

    async def once(self, message: int | None = None, key: str = "words", **payload: Any) -> bool:
        """One attempt at the row, which is written first when it is not there."""
        outbox = self.house.stores.outbox
        async with self.house.stores.database.transaction() as tx:
            await outbox.add(tx, "tg:1", "view", key, message, text=key, **payload)
        return await self.delivery._deliver((await outbox.open("tg:1"))[0])

    async def row(self) -> tuple[str, int | None]:
        [row] = await self.house.stores.database.all("SELECT * FROM outbox WHERE key = 'words'")
        return row["state"], row["message"]


def unsent() -> NetworkError:
    """What the library raises when no connection came about."""
    error = NetworkError("httpx.ConnectError: no route")
    error.__cause__ = httpx.ConnectError("no route")
    return error


async def test_a_chat_that_refuses_us_does_not_hold_up_what_comes_after(house: House, log: list[str]) -> None:
    wire = Wire(house, send=[Forbidden(f"bot was blocked by the user {SECRET}")])
    assert await wire.once() and await wire.row() == ("dropped", None)
    [row] = await house.stores.database.all("SELECT error FROM outbox")
    assert "blocked" in row["error"] and SECRET not in row["error"] and SECRET not in "\n".join(log)
    assert await wire.once(key="later") and await wire.states() == ["dropped", "sent"]


async def test_what_is_said_in_place_of_a_message_edits_it(house: House) -> None:
    wire = Wire(house)
    assert await wire.once(message=7)
    assert wire.calls == [("edit", 7, "said once")] and await wire.row() == ("sent", 7)


async def test_a_message_that_is_gone_is_said_anew(house: House) -> None:
    wire = Wire(house, edit=[BadRequest("Message to edit not found")])
    assert await wire.once(message=7)
    assert wire.calls[1:] == [("send", None, "said once")]
    assert await wire.row() == ("sent", 902), "later words go to the new message"


async def test_the_first_of_several_pieces_takes_the_place_of_the_message(house: House) -> None:
    wire = Wire(house)
    wire.drawn["words"] = View(f"{'x' * 4000}\n\n{'y' * 4000}")
    await wire.once(message=7)
    await wire.all()
    assert [(what, at, text[0]) for what, at, text in wire.calls] == [("edit", 7, "x"), ("send", None, "y")]


@pytest.mark.parametrize(
    ("error", "done", "again"),
    [
        (TimedOut(), False, f"said once\n{RESENT}"),
        (NetworkError("connection reset"), False, f"said once\n{RESENT}"),
        (unsent(), False, "said once"),
        (RetryAfter(3), True, "said once"),
        (InvalidToken(), False, "said once"),
    ],
)
async def test_only_what_may_have_arrived_is_marked_when_it_is_sent_again(
    house: House, error: Exception, done: bool, again: str
) -> None:
    wire = Wire(house, send=[error])
    assert await wire.once() is done, "False makes the worker wait before the next attempt"
    assert (await wire.row())[0] == "new"
    assert await wire.once() and wire.calls[-1] == ("send", None, again) and len(wire.calls) == 2


async def test_a_mark_stays_until_it_has_arrived(house: House) -> None:
    wire = Wire(house, send=[TimedOut(), unsent()])
    assert [await wire.once() for _ in range(3)] == [False, False, True]
    assert wire.calls[-1][2] == f"said once\n{RESENT}"


async def test_only_what_is_meant_to_be_silent_is(house: House) -> None:
    wire = Wire(house)
    await wire.once(silent=True)
    await wire.once(key="later")
    assert wire.silent == [True, False]
