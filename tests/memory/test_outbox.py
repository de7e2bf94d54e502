"""The outbox: said once, kept until delivered, marked when a repeat is possible."""

import pytest

from memory.models import Outgoing
from memory.stores import Stores


async def test_a_key_is_said_once(stores: Stores) -> None:
    for text in ("a", "b"):
        await stores.outbox.say("tg:1", "view", "k1", text=text)
    [row] = await stores.outbox.open("tg:")
    assert row.payload == {"text": "a"} and (row.kind, row.key, row.ambiguous, row.attempts) == ("view", "k1", False, 0)


async def test_rows_come_in_order_and_wake_the_sender(stores: Stores) -> None:
    assert not stores.outbox.changed.is_set()
    for number in range(3):
        await stores.outbox.say("tg:1", "view", f"k{number}")
    assert stores.outbox.changed.is_set()
    assert [row.key for row in await stores.outbox.open("tg:1")] == ["k0", "k1", "k2"]


async def test_what_was_rolled_back_is_not_said(stores: Stores) -> None:
    try:
        async with stores.database.transaction() as tx:
            await stores.outbox.add(tx, "tg:1", "view", "k1")
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert await stores.outbox.open("tg:") == []


async def test_nothing_is_pushed_to_a_terminal(stores: Stores) -> None:
    await stores.outbox.say("console:1000", "view", "k1")
    assert await stores.outbox.open("") == []


async def sent(stores: Stores, row: Outgoing, message: int | None = None, drawn: str = "") -> None:
    async with stores.database.transaction() as tx:
        await stores.outbox.sent(tx, row, message, drawn)


async def test_delivered_rows_are_gone(stores: Stores) -> None:
    await stores.outbox.say("tg:1", "view", "k1")
    [row] = await stores.outbox.open("tg:")
    await sent(stores, row, 42)
    assert await stores.outbox.open("tg:") == []


async def test_dying_in_the_middle_makes_the_next_attempt_ambiguous(stores: Stores) -> None:
    await stores.outbox.say("tg:1", "view", "k1")
    [row] = await stores.outbox.open("tg:")
    await stores.outbox.sending(row.id)
    [again] = await stores.outbox.open("tg:")
    assert (again.ambiguous, again.attempts) == (True, 1)
    await stores.outbox.sending(row.id)
    await stores.outbox.retry(row.id, ambiguous=False)
    [third] = await stores.outbox.open("tg:")
    assert third.ambiguous, "once in doubt, always in doubt"


async def test_an_attempt_that_never_left_leaves_no_doubt(stores: Stores) -> None:
    await stores.outbox.say("tg:1", "view", "k1")
    [row] = await stores.outbox.open("tg:")
    for ambiguous in (False, True):
        await stores.outbox.sending(row.id)
        await stores.outbox.retry(row.id, ambiguous=ambiguous)
        [found] = await stores.outbox.open("tg:")
        assert found.ambiguous is ambiguous


async def test_what_becomes_of_one_row_says_nothing_of_the_others(stores: Stores) -> None:
    for key in ("sent", "dropped", "tried", "untouched"):
        await stores.outbox.say("tg:1", "view", key)
    first, dropped, tried, _ = await stores.outbox.open("tg:")
    await sent(stores, first, 42)
    await stores.outbox.drop(dropped.id, "Forbidden")
    await stores.outbox.sending(tried.id)
    await stores.outbox.retry(tried.id, ambiguous=True)
    left = [(row.key, row.ambiguous, row.attempts) for row in await stores.outbox.open("tg:")]
    assert left == [("tried", True, 1), ("untouched", False, 0)]


async def test_what_can_never_be_delivered_is_dropped(stores: Stores) -> None:
    await stores.outbox.say("tg:1", "view", "k1")
    [row] = await stores.outbox.open("tg:")
    await stores.outbox.drop(row.id, "Forbidden" * 200)
    assert await stores.outbox.open("tg:") == []
    stored = await stores.database.one("SELECT state, length(error) AS n FROM outbox")
    assert stored is not None and (stored["state"], stored["n"]) == ("dropped", 500)


# -- living messages ------------------------------------------------------------------------------------------------


async def draw(stores: Stores, kind: str = "card", what: str = "c1", message: int | None = None) -> Outgoing:
    """The row, once it is wanted."""
    async with stores.database.transaction() as tx:
        await stores.outbox.draw(tx, "tg:1", kind, what, message)
    return next(row for row in await stores.outbox.open("tg:") if row.key == f"{kind}:{what}")


async def test_however_often_it_is_wanted_it_is_one_row_that_knows_where_it_stands(stores: Stores) -> None:
    first = await draw(stores)
    await sent(stores, await draw(stores), 42, "look")
    assert await stores.outbox.open("tg:") == []
    again = await draw(stores)
    assert (again.id, again.message, again.drawn, again.ambiguous) == (first.id, 42, "look", False)
    assert again.payload == {"card": "c1"}


async def test_what_changes_while_it_is_on_its_way_is_not_lost(stores: Stores) -> None:
    row = await draw(stores)
    await stores.outbox.sending(row.id)
    assert not await stores.outbox.is_old(row)
    await draw(stores)
    assert await stores.outbox.is_old(row)
    await sent(stores, row, 42, "old look")
    [again] = await stores.outbox.open("tg:")
    assert (again.message, again.drawn, again.ambiguous) == (42, "old look", False)
    await sent(stores, again)
    assert await stores.outbox.open("tg:") == []


async def test_dying_while_it_changes_still_marks_the_repeat(stores: Stores) -> None:
    await stores.outbox.sending((await draw(stores)).id)
    assert (await draw(stores)).ambiguous


async def test_only_what_was_shown_is_redrawn(stores: Stores) -> None:
    async with stores.database.transaction() as tx:
        await stores.outbox.redraw(tx, "receipt", "c1")
    assert await stores.outbox.open("tg:") == []
    for what in ("r1", "r2"):
        await sent(stores, await draw(stores, "progress", what), 42)
    async with stores.database.transaction() as tx:
        await stores.outbox.redraw(tx, "progress", "r2")
    assert [row.payload for row in await stores.outbox.open("tg:")] == [{"run": "r2"}]
    async with stores.database.transaction() as tx:
        await stores.outbox.interrupt(tx, "")
    rows = await stores.outbox.open("tg:")
    assert [row.payload for row in rows] == [{"run": "r1"}, {"run": "r2"}]
    await stores.outbox.drop(rows[0].id, "Forbidden")
    await stores.outbox.forget(rows[1].id)
    async with stores.database.transaction() as tx:
        await stores.outbox.interrupt(tx, "")
    assert await stores.outbox.open("tg:") == [], "nothing that was given up comes back"


async def test_moved_down_it_is_new_and_its_old_place_says_so(stores: Stores) -> None:
    for message in (None, 42):
        if message:
            await sent(stores, await draw(stores), message)
        async with stores.database.transaction() as tx:
            await stores.outbox.move_down(tx, "tg:1", "card", "c1", text="below", buttons=[])
    card, left = await stores.outbox.open("tg:")
    assert (card.key, card.message, card.drawn) == ("card:c1", None, "")
    assert (left.message, left.payload["text"]) == (42, "below")


@pytest.mark.parametrize("first", [True, False])
async def test_a_turned_page_has_shown_what_it_has_shown(stores: Stores, first: bool) -> None:
    for outside in (first, not first):
        marks = {"outside": True} if outside else {}
        async with stores.database.transaction() as tx:
            await stores.outbox.turn(tx, "tg:1", 42, text=f"{outside}", buttons=[], **marks)
    [row] = await stores.outbox.open("tg:")
    assert (row.payload["text"], row.payload["outside"], row.message) == (f"{not first}", True, 42)
    assert await stores.outbox.may_show_outside("tg:1", 42)


@pytest.mark.parametrize("part", ["card:c1", "card:c1:0:0"])
async def test_no_page_covers_what_a_person_decides_by(stores: Stores, part: str) -> None:
    """A press that somebody forges comes from whichever message they like."""
    await stores.outbox.say("tg:1", "card" if part == "card:c1" else "piece", part, card="c1")
    [shown] = await stores.outbox.open("tg:")
    await sent(stores, shown, 42)
    for number in range(2):
        async with stores.database.transaction() as tx:
            await stores.outbox.turn(tx, "tg:1", 42, text=f"page {number}", buttons=[])
            await stores.outbox.draw(tx, "tg:1", "progress", "r1", 42)
    page, progress = await stores.outbox.open("tg:")
    assert (page.payload["text"], page.message, progress.message) == ("page 1", None, None)


async def test_of_what_came_in_pieces_the_last_is_where_it_stands(stores: Stores) -> None:
    await sent(stores, await draw(stores))
    await stores.outbox.say("tg:1", "piece", "card:c1:1:0", of="card:c1")
    [piece] = await stores.outbox.open("tg:")
    await sent(stores, piece, 43)
    assert (await draw(stores)).message == 43
