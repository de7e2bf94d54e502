"""Approvals: single use, bound, decided by one compare-and-set."""

import asyncio

import pytest

from memory.approvals import EXPIRY_SECONDS, Ask
from memory.models import CallState
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
    await a_card(stores, run, "c2")
    assert await decide(stores, card) is False, "that it is asked elsewhere does not make this card whole"
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


async def test_what_is_put_aside_is_what_is_still_open(stores: Stores, run: str) -> None:
    card, other = await a_card(stores, run, "c1", "c2"), await a_card(stores, run, "c3")
    assert await decide(stores, card, calls=["c1"])
    async with stores.database.transaction() as tx:
        await stores.approvals.supersede(tx, card)
    assert (await states(stores, card), await states(stores, other)) == (["approved", "superseded"], ["pending"])


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


async def close(stores: Stores, card: str, reason: str = "revoked") -> bool:
    async with stores.database.transaction() as tx:
        return await stores.approvals.close(tx, card, "denied" if reason == "revoked" else "superseded", reason)


async def test_a_card_that_no_longer_stands_ends_with_the_reason(stores: Stores, run: str) -> None:
    first, second = await a_card(stores, run, "c1", "c2"), await a_card(stores, run, "c3")
    assert await close(stores, first) and await close(stores, second, "tool changed")
    ended = [*await stores.approvals.of_card(first), *await stores.approvals.of_card(second)]
    assert [(a.state, a.reason) for a in ended] == [
        ("denied", "revoked"), ("denied", "revoked"), ("superseded", "tool changed"),
    ]  # fmt: skip
    assert not await close(stores, first) and not await decide(stores, first) and not await decide(stores, second)


async def test_a_decision_and_its_revocation_have_one_winner(stores: Stores, run: str) -> None:
    card = await a_card(stores, run, "c1")
    won = await asyncio.gather(close(stores, card), decide(stores, card), close(stores, card), decide(stores, card))
    assert won.count(True) == 1


async def test_the_crowd_is_counted_by_chat_and_by_person(stores: Stores, run: str, clock: Clock) -> None:
    async def crowd(conversation: str = "tg:1", actor: str = "tg:1") -> tuple[int, list[int]]:
        async with stores.database.transaction() as tx:
            new = await stores.approvals.proposed(tx, conversation, actor, clock.now - 100)
            return await stores.approvals.waiting(tx, conversation), [len(times) for times in new]

    card = await a_card(stores, run, "c1", "c2")
    assert await crowd() == (1, [1, 1]), "several calls on one card are one card"
    assert await crowd("tg:-5") == (0, [0, 1]) and await crowd(actor="tg:9") == (1, [1, 0])
    await decide(stores, await a_card(stores, run, "c3"))
    assert await crowd() == (1, [2, 2])
    async with stores.database.transaction() as tx:
        await stores.approvals.supersede(tx, card)
        for call in ("c1", "c2"):
            await stores.approvals.request(tx, run, "tg:1", [Ask(call, "a", "s")], allowed=["tg:1"], policy=1)
    assert await crowd() == (2, [2, 2]), "the same calls once more are nothing new"
    clock.move(EXPIRY_SECONDS)
    assert await crowd() == (0, [0, 0]), "what has expired waits for nobody, and what is old is not new"


async def test_asking_again_is_claimed_once_and_given_back_when_nothing_came_of_it(stores: Stores, run: str) -> None:
    async def claim(by: str, *calls: str) -> bool:
        async with stores.database.transaction() as tx:
            return await stores.journal.claim_again(tx, list(calls), by)

    async def release(by: str) -> list[str]:
        async with stores.database.transaction() as tx:
            return await stores.journal.release_again(tx, by)

    assert not await claim("r2", "c1"), "it has not ended yet"
    async with stores.database.transaction() as tx:
        for call in ("c1", "c2"):
            await stores.journal.finish(tx, call, CallState.EXPIRED)
    won = await asyncio.gather(*(claim(f"r{n}", "c1", "c2") for n in range(2, 10)))
    assert won.count(True) == 1
    winner = f"r{won.index(True) + 2}"
    assert await release("other") == [] and await release(winner) == ["c1", "c2"] and await claim("r9", "c1")
    other = await a_run(stores, "t2")
    async with stores.database.transaction() as tx:
        await stores.journal.claim_again(tx, ["c2"], other)
    await a_call(stores, other, "new")
    assert await release(other) == [] and not await claim("r9", "c2"), "it was asked"


async def test_arming_and_where_it_stands_are_remembered(stores: Stores, run: str) -> None:
    card, other = await a_card(stores, run, "c1"), await a_card(stores, run, "c2")
    async with stores.database.transaction() as tx:
        await stores.approvals.arm(tx, card)
        await stores.outbox.draw(tx, "tg:1", "card", card, 42)
        await stores.outbox.draw(tx, "tg:1", "receipt", other, 43)
    found, untouched = await stores.approvals.card(card), await stores.approvals.card(other)
    assert found is not None and found.armed and found.message == 42
    assert untouched is not None and not untouched.armed and untouched.message is None
    assert await stores.approvals.card("none") is None
