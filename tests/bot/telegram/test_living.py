"""Messages that are drawn again in place: each by one hand, with what is so at that moment, and no more often."""

from bot.screen.view import View
from tests.bot.telegram.phone import Phone
from tests.fakes import use

CARD = "Switch lamp off"


async def a_card(phone: Phone) -> str:
    """A card that is on the screen, as message 7."""
    await phone.house.ask(use("rack_switch_off", item="lamp"))
    await phone.rest()
    assert phone.said == [f"send {CARD}"]
    return await phone.house.newest_card()


async def draw(phone: Phone, card: str) -> None:
    async with phone.house.stores.database.transaction() as tx:
        await phone.house.stores.outbox.draw(tx, "tg:1", "card", card)


async def move_down(phone: Phone, card: str) -> None:
    async with phone.house.stores.database.transaction() as tx:
        await phone.house.stores.outbox.move_down(tx, "tg:1", "card", card, **View("asked again below").stored())


async def test_what_it_shows_already_is_not_said_again(phone: Phone) -> None:
    card = await a_card(phone)
    await draw(phone, card)
    await phone.rest()
    assert len(phone.said) == 1
    await phone.house.tap("n", message=7)
    await phone.rest()
    *before, last = phone.said
    await draw(phone, card)
    await phone.rest()
    assert phone.said == [*before, last] and last == f"edit 7 – {CARD}: denied"


async def test_a_no_is_drawn_once(phone: Phone) -> None:
    await a_card(phone)
    await phone.house.tap("n", message=7)
    await phone.rest()
    assert phone.said[1:] == [f"edit 7 – {CARD}: denied"]


async def test_an_undo_that_goes_wrong_is_told_in_one_message(phone: Phone) -> None:
    await a_card(phone)
    await phone.house.tap(message=7)
    await phone.rest()
    done = len(phone.said)
    phone.house.rack.fault = "lost answer"
    await phone.house.undo(await phone.house.call())
    await phone.rest()
    assert [said for said in phone.said[done:] if said.startswith("send")] == ["send ? Switch lamp on: outcome unknown"]


async def test_no_message_is_edited_by_two_at_once(phone: Phone) -> None:
    card = await a_card(phone)
    phone.gate.clear()
    async with phone.house.stores.database.transaction() as tx:
        await phone.house.stores.approvals.expire(tx, everything=True)
    await draw(phone, card)
    await phone.rest()
    assert len(phone.said) == 2 and phone.said[1].startswith("edit 7"), "on its way"
    await move_down(phone, card)
    await phone.rest()
    assert len(phone.said) == 2, "its row and its message are in somebody's hands"
    phone.gate.set()
    await phone.rest()
    assert sorted(phone.said[2:]) == ["edit 7 asked again below", phone.said[1].replace("edit 7", "send")]
    found = await phone.house.stores.approvals.card(card)
    assert found is not None and found.message == 8


async def test_what_changes_while_it_is_sent_is_drawn_again(phone: Phone) -> None:
    phone.gate.clear()
    card = await a_card(phone)
    async with phone.house.stores.database.transaction() as tx:
        await phone.house.stores.approvals.supersede(tx, card)
    await draw(phone, card)
    phone.gate.set()
    await phone.rest()
    assert len(phone.said) == 2 and phone.said[1].startswith("edit 7")


async def test_what_waits_for_its_turn_is_drawn_when_that_comes(phone: Phone) -> None:
    card = await a_card(phone)
    phone.throttle.hold(30)
    async with phone.house.stores.database.transaction() as tx:
        await phone.house.stores.approvals.arm(tx, card)
    await draw(phone, card)
    await phone.rest()
    await phone.house.tap("n", message=7)
    await phone.rest()
    await phone.time.advance(30)
    await phone.rest()
    assert phone.calls[1:] == [(30.0, f"edit 7 – {CARD}: denied")]


async def test_what_is_only_drawn_again_comes_after_everything_else(phone: Phone) -> None:
    card = await a_card(phone)
    async with phone.house.stores.database.transaction() as tx:
        await phone.house.stores.approvals.arm(tx, card)
    phone.throttle.hold(30)
    await phone.house.stores.outbox.say("tg:1", "view", "answer", text="It is up.", buttons=[])
    await draw(phone, card)
    await phone.rest()
    assert phone.time.waiting == 1, "the answer alone"
    await phone.time.advance(30)
    await phone.rest()
    assert phone.said[1:] == ["send It is up.", f"edit 7 {CARD}"]
