"""Housekeeping: what is old is forgotten, and what another setting made stale is brought up to date."""

from dataclasses import replace

from memory.embeddings import NoEmbedder, WordLlamaEmbedder
from memory.inbox import KEEP_SECONDS
from memory.knowledge import BATCH, Knowledge
from memory.retention import Keep
from memory.stores import Stores
from scheduler.housekeeping import tidy
from tests.fakes import Clock


async def test_after_another_embedder_every_memory_is_found_by_its_meaning(stores: Stores) -> None:
    words = Knowledge(stores.database, NoEmbedder())
    async with stores.database.transaction() as tx:
        await tx.many(
            "INSERT INTO memories (id, text, actor, tainted, created, updated) VALUES (?, ?, 'tg:1', 0, 1, 1)",
            [(id, f"Fact number {id} about the rack.") for id in range(2, BATCH + 20)],
        )
    await words.add("Photos are kept in Immich.", "tg:1", tainted=False)
    meaning = Knowledge(stores.database, WordLlamaEmbedder())
    assert await meaning.search("where are our pictures stored", 1) == []
    await tidy(replace(stores, knowledge=meaning), Keep())
    [hit] = await meaning.search("where are our pictures stored", 1)
    assert hit.memory.text == "Photos are kept in Immich."
    row = await stores.database.one("SELECT count(*) FROM memories WHERE vector IS NULL")
    assert row is not None and row[0] == 0, "all of them, not one batch"
    assert await meaning.reindex() == 0


async def test_old_updates_are_forgotten(stores: Stores, clock: Clock) -> None:
    await stores.inbox.store([{"update_id": 1}])
    await stores.inbox.handled(1)
    clock.move(KEEP_SECONDS + 1)
    await tidy(stores, Keep())
    assert await stores.database.all("SELECT * FROM inbox") == []
