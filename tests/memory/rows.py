"""Rows for tests of the stores: a run, a proposed call, a card for it."""

from typing import Any

from memory.approvals import Ask
from memory.models import Actor, CallState
from memory.stores import Stores
from memory.usage import Tokens

ADMIN = Actor("tg:1", "Admin")


async def a_run(stores: Stores, trigger: str = "t1", **more: Any) -> str:
    """An open run."""
    values: dict[str, Any] = {
        "conversation": "tg:1", "actor": ADMIN, "objective": "x", "messages": [], "opened_by": "text", **more,
    }  # fmt: skip
    async with stores.database.transaction() as tx:
        run = await stores.runs.open(tx, trigger=trigger, **values)
    assert run is not None
    return run


async def a_call(stores: Stores, run: str, call: str = "c1", *, needs_tap: bool = True, **more: Any) -> str:
    """A proposed call, waiting when it needs a tap."""
    columns: dict[str, Any] = {
        "position": 0, "tool": "rack_press", "risk": 1, "args": {"item": "lamp"}, "args_hash": "h", "targets": {},
        "card": {"title": "Press lamp"}, "before": {"shown": {}}, "tainted": 0, "epoch": 1,
        "proposed": stores.database.now(), **more,
    }  # fmt: skip
    async with stores.database.transaction() as tx:
        await stores.journal.propose(tx, id=call, run=run, needs_tap=int(needs_tap), **columns)
        if needs_tap:
            await stores.journal.waiting(tx, call)
    return call


async def a_card(stores: Stores, run: str, *calls: str, allowed: tuple[str, ...] = ("tg:1",)) -> str:
    """A card that asks for these calls."""
    async with stores.database.transaction() as tx:
        asks = [Ask(call, "h", "s") for call in calls]
        return await stores.approvals.request(tx, run, "tg:1", asks, allowed=list(allowed), policy=1)


async def decide(stores: Stores, card: str, approve: bool = True, *, calls: list[str] | None = None) -> bool:
    """Decide a card's calls."""
    found = await stores.approvals.card(card)
    assert found is not None
    calls = calls or [approval.call for approval in await stores.approvals.of_card(card)]
    async with stores.database.transaction() as tx:
        return await stores.approvals.decide(tx, found, calls, approve, ADMIN.id)


async def a_done_call(stores: Stores, run: str, call: str = "c1", **back: Any) -> str:
    """A call that has run by itself and can be undone."""
    await a_call(stores, run, call, needs_tap=False)
    async with stores.database.transaction() as tx:
        values = {"undo": {"tool": "t", "args": {}}, "undo_key": call, "undo_until": stores.database.now() + 60}
        assert await stores.journal.start(tx, call, 1, None, **{**values, **back})
        await stores.journal.finish(tx, call, CallState.DONE, verified=True)
    return call


async def spend(stores: Stores, run: str, model: str, tokens: Tokens, usd: float) -> None:
    """One request that has cost this."""
    async with stores.database.transaction() as tx:
        await stores.usage.record(tx, run, model, tokens, usd)
