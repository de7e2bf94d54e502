"""The outbox: said once, kept until delivered, marked when a repeat is possible."""

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


async def test_delivered_rows_are_gone_and_their_message_is_known(stores: Stores) -> None:
    await stores.outbox.say("tg:1", "view", "k1")
    [row] = await stores.outbox.open("tg:")
    async with stores.database.transaction() as tx:
        await stores.outbox.sent(tx, row.id, 42)
    assert await stores.outbox.open("tg:") == []
    assert await stores.outbox.message_of("k1") == 42 and await stores.outbox.message_of("other") is None


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
    sent, dropped, tried, _ = [row.id for row in await stores.outbox.open("tg:")]
    async with stores.database.transaction() as tx:
        await stores.outbox.sent(tx, sent, 42)
    await stores.outbox.drop(dropped, "Forbidden")
    await stores.outbox.sending(tried)
    await stores.outbox.retry(tried, ambiguous=True)
    left = [(row.key, row.ambiguous, row.attempts) for row in await stores.outbox.open("tg:")]
    assert left == [("tried", True, 1), ("untouched", False, 0)]
    assert await stores.outbox.message_of("sent") == 42 and await stores.outbox.message_of("untouched") is None


async def test_what_can_never_be_delivered_is_dropped(stores: Stores) -> None:
    await stores.outbox.say("tg:1", "view", "k1")
    [row] = await stores.outbox.open("tg:")
    await stores.outbox.drop(row.id, "Forbidden" * 200)
    assert await stores.outbox.open("tg:") == []
    stored = await stores.database.one("SELECT state, length(error) AS n FROM outbox")
    assert stored is not None and (stored["state"], stored["n"]) == ("dropped", 500)
