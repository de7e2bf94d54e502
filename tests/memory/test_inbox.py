"""The inbox: committed before it is acknowledged, each consequence once."""

from memory.inbox import KEEP_SECONDS, MAX_ATTEMPTS
from memory.stores import Stores
from tests.fakes import Clock


def update(number: int) -> dict[str, object]:
    return {"update_id": number, "message": {"text": f"héllo {number}"}}


async def numbers(stores: Stores) -> list[int]:
    return [number for number, _ in await stores.inbox.pending()]


async def test_updates_wait_in_their_order(stores: Stores) -> None:
    await stores.inbox.store([update(3), update(1)])
    await stores.inbox.store([update(2)])
    assert await numbers(stores) == [1, 2, 3]


async def test_the_same_update_comes_once(stores: Stores) -> None:
    for _ in range(3):
        await stores.inbox.store([update(1)])
    assert await numbers(stores) == [1]
    await stores.inbox.handled(1)
    await stores.inbox.store([update(1)])
    assert await numbers(stores) == []


async def test_done_is_part_of_the_consequence(stores: Stores) -> None:
    await stores.inbox.store([update(1), update(2)])
    try:
        async with stores.database.transaction() as tx:
            await stores.inbox.done(tx, 1)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert await numbers(stores) == [1, 2]
    async with stores.database.transaction() as tx:
        await stores.inbox.done(tx, 1)
        await stores.inbox.done(tx, None)
    assert await numbers(stores) == [2]


async def test_an_update_that_crashes_us_is_set_aside(stores: Stores) -> None:
    await stores.inbox.store([update(1), update(2)])
    assert [await stores.inbox.attempt(1) for _ in range(MAX_ATTEMPTS + 1)] == [True] * MAX_ATTEMPTS + [False]
    assert await numbers(stores) == [2]
    assert await stores.inbox.attempt(2), "another's crashes are not its own"
    await stores.inbox.handled(1)
    row = await stores.database.one("SELECT state, raw FROM inbox WHERE update_id = 1")
    assert row is not None and row["state"] == "quarantined" and "llo 1" in row["raw"]


async def test_a_malformed_update_is_kept_for_a_look(stores: Stores) -> None:
    await stores.inbox.store([update(1)])
    await stores.inbox.quarantine(1)
    assert await numbers(stores) == []


async def test_an_unknown_update_is_not_attempted(stores: Stores) -> None:
    assert await stores.inbox.attempt(99) is False


async def test_old_ones_are_forgotten_so_that_ids_may_come_back(stores: Stores, clock: Clock) -> None:
    await stores.inbox.store([update(1), update(2)])
    await stores.inbox.handled(1)
    clock.move(KEEP_SECONDS)
    await stores.inbox.prune()
    await stores.inbox.store([update(1)])
    assert await numbers(stores) == [2], "while Telegram may deliver it again, it is known to be handled"
    clock.move(1)
    await stores.inbox.prune()
    await stores.inbox.store([update(1)])
    assert await numbers(stores) == [1, 2], "handled ones go, the unhandled stay"
