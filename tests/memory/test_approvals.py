"""Approvals: single use, bound, decided by one compare-and-set."""

import asyncio

import pytest

from memory.approvals import EXPIRY_SECONDS
from memory.stores import Stores
from tests.fakes import Clock
from tests.memory.rows import a_call, a_card, a_run, decide


async def states(stores: Stores, card: str) -> list[str]:
    return [approval.state for approval in await stores.approvals.of_card(card)]


@pytest.fixture
async def run(stores: Stores) -> str:
    """A run with three waiting calls."""
    run = await a_run(stores)
    for position, call in enumerate(("c1", "c2", "c3")):
        await a_call(stores, run, call, position=position)
    return run


async def test_a_card_is_found_by_its_key_and_only_by_it(stores: Stores, run: str, clock: Clock) -> None:
    card = await a_card(stores, run, "c1", allowed=("tg:1", "tg:2"))
    key = stores.approvals.key(card)
    found = await stores.approvals.by_key(key)
    assert found is not None and found.id == card
    assert (found.allowed, found.message, found.armed, found.expires) == (
        ["tg:1", "tg:2"], None, False, clock.now + EXPIRY_SECONDS,
    )  # fmt: skip
    assert await stores.approvals.by_key(key[:-1]) is None and await stores.approvals.by_key(card) is None


async def test_the_key_itself_is_not_stored(stores: Stores, run: str) -> None:
    card = await a_card(stores, run, "c1")
    rows = await stores.database.all("SELECT * FROM cards")
    assert stores.approvals.key(card) not in str([tuple(row) for row in rows])


@pytest.mark.parametrize("approve", [True, False])
async def test_one_decision_wins(stores: Stores, run: str, approve: bool) -> None:
    card = await a_card(stores, run, "c1")
    won = await asyncio.gather(*(decide(stores, card, approve) for _ in range(32)))
    assert won.count(True) == 1
    assert await states(stores, card) == ["approved" if approve else "denied"]


async def test_a_card_is_decided_as_a_whole_or_not_at_all(stores: Stores, run: str) -> None:
    card = await a_card(stores, run, "c1", "c2", "c3")
    async with stores.database.transaction() as tx:
        await stores.approvals.withdraw(tx, "c2")
    assert await decide(stores, card) is False
    assert await states(stores, card) == ["pending", "superseded", "pending"]
    assert await decide(stores, card, calls=["c1", "c3"]) is True


async def test_it_expires_to_the_second_and_stays_expired(stores: Stores, run: str, clock: Clock) -> None:
    first, second = await a_card(stores, run, "c1"), await a_card(stores, run, "c2")
    clock.move(EXPIRY_SECONDS - 1)
    assert await decide(stores, first) is True
    clock.move(1)
    assert await decide(stores, second) is False
    clock.move(-EXPIRY_SECONDS)
    assert await decide(stores, second) is False, "a clock set back revives nothing"
    async with stores.database.transaction() as tx:
        assert await stores.approvals.expire(tx) == [run]
        assert await stores.approvals.expire(tx) == []
    assert (await states(stores, first), await states(stores, second)) == (["approved"], ["expired"])


async def test_a_new_epoch_voids_what_is_pending(stores: Stores, run: str) -> None:
    card = await a_card(stores, run, "c1")
    async with stores.database.transaction() as tx:
        await stores.approvals.next_epoch(tx)
        assert await stores.approvals.epoch(tx) == 2
    assert await decide(stores, card) is False
    assert await decide(stores, await a_card(stores, run, "c1")) is True


async def test_asking_again_supersedes_whatever_was_asked_before(stores: Stores, run: str) -> None:
    old = await a_card(stores, run, "c1", "c2")
    await decide(stores, old)
    new = await a_card(stores, run, "c1")
    assert await states(stores, old) == ["superseded", "approved"] and await states(stores, new) == ["pending"]
    latest = await stores.approvals.latest("c1")
    assert latest is not None and latest.card == new and await stores.approvals.latest("none") is None


async def test_open_cards_are_those_with_an_open_question(stores: Stores, run: str, clock: Clock) -> None:
    first = await a_card(stores, run, "c1")
    clock.move(1)
    second = await a_card(stores, run, "c2")
    assert [card.id for card in await stores.approvals.open_cards("tg:1")] == [first, second]
    assert await stores.approvals.open_cards("tg:2") == []
    await decide(stores, first)
    async with stores.database.transaction() as tx:
        await stores.approvals.supersede(tx, second)
    assert await stores.approvals.open_cards() == []


async def test_everything_can_be_expired_at_once(stores: Stores, run: str) -> None:
    card = await a_card(stores, run, "c1", "c2")
    async with stores.database.transaction() as tx:
        assert await stores.approvals.expire(tx, everything=True) == [run]
    assert await states(stores, card) == ["expired", "expired"]


async def test_a_decision_made_elsewhere_is_recorded_as_one(stores: Stores, run: str) -> None:
    from memory.approvals import Ask

    async with stores.database.transaction() as tx:
        await stores.approvals.grant(tx, run, "tg:1", Ask("c1", "h", "s"), actor="tg:9", policy=1)
    latest = await stores.approvals.latest("c1")
    assert latest is not None and (latest.state, latest.decided_by) == ("approved", "tg:9")


async def test_arming_and_binding_are_remembered(stores: Stores, run: str) -> None:
    card = await a_card(stores, run, "c1")
    async with stores.database.transaction() as tx:
        await stores.approvals.arm(tx, card)
        await stores.approvals.bind(tx, card, 42)
    found = await stores.approvals.card(card)
    assert found is not None and found.armed and found.message == 42
    assert await stores.approvals.card("none") is None
