"""Memories: what is kept, what is found, and that every way to compare vectors finds the same."""

import sys
from pathlib import Path

import pytest

from memory import migrations
from memory.database import Database
from memory.embeddings import NoEmbedder, WordLlamaEmbedder, packed
from memory.knowledge import IdTaken, Knowledge, match_any
from tests.fakes import Clock
from tests.memory.labelled import EIGHT, MEMORIES, QUESTIONS, TEN


@pytest.fixture(scope="module")
def wordllama() -> WordLlamaEmbedder:
    return WordLlamaEmbedder()


@pytest.fixture
def words_only(database: Database) -> Knowledge:
    return Knowledge(database, NoEmbedder())


@pytest.fixture
def by_meaning(database: Database, wordllama: WordLlamaEmbedder) -> Knowledge:
    return Knowledge(database, wordllama)


async def fill(knowledge: Knowledge, ids: tuple[int, ...] = tuple(MEMORIES)) -> None:
    for id in ids:
        await knowledge.add(MEMORIES[id], "tg:1", tainted=False, id=id)


async def found(knowledge: Knowledge, query: str, limit: int = 3) -> list[int]:
    return [hit.memory.id for hit in await knowledge.search(query, limit)]


async def recall_at_3(knowledge: Knowledge) -> float:
    right = [id in await found(knowledge, question) for question, id in QUESTIONS]
    return sum(right) / len(right)


# Finding


async def test_paraphrases_hit_the_top_three(by_meaning: Knowledge) -> None:
    await fill(by_meaning, TEN)
    missed = {question for question, id in EIGHT if id not in await found(by_meaning, question)}
    assert len(EIGHT) == 8
    assert missed == set()


async def test_meaning_finds_what_words_miss(database: Database, by_meaning: Knowledge) -> None:
    await fill(by_meaning)
    both = await recall_at_3(by_meaning)
    words = await recall_at_3(Knowledge(database, NoEmbedder()))
    assert both >= 0.9
    assert both > words + 0.2


async def test_an_exact_word_beats_a_vague_likeness(by_meaning: Knowledge) -> None:
    await fill(by_meaning)
    assert (await found(by_meaning, "pve2"))[0] == 6
    assert (await found(by_meaning, "192.168.1.40"))[0] == 12


async def test_unrelated_questions_find_nothing(by_meaning: Knowledge) -> None:
    await fill(by_meaning, TEN)
    assert await found(by_meaning, "quantum chromodynamics lecture") == []


async def test_every_way_to_compare_ranks_the_same(
    database: Database, by_meaning: Knowledge, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not database.vectors:
        pytest.skip("sqlite-vec does not load here: there is nothing to compare with")
    await fill(by_meaning)

    async def ranking() -> list[list[tuple[int, float]]]:
        hits = [await by_meaning.search(question, 30) for question, _ in QUESTIONS]
        return [[(hit.memory.id, round(hit.score, 2)) for hit in row] for row in hits]

    in_sql = await ranking()
    database.vectors = False
    with_numpy = await ranking()
    monkeypatch.setitem(sys.modules, "numpy", None)
    in_python = await ranking()
    assert [[id for id, _ in row] for row in in_sql] == [[id for id, _ in row] for row in with_numpy]
    assert [[id for id, _ in row] for row in in_sql] == [[id for id, _ in row] for row in in_python]
    assert sum(map(len, in_sql)) > len(QUESTIONS)


async def test_without_an_embedder_words_still_find(words_only: Knowledge) -> None:
    await fill(words_only)
    assert await found(words_only, "Which printer address was it?") == [12]
    assert await found(words_only, "restarting jellyfin") == [2]  # porter: restarting, restarted
    assert await found(words_only, "where are our pictures stored") == []


@pytest.mark.parametrize(
    "query",
    ['"', 'fan" OR text:*', "NEAR(fan, 2)", "fan AND", "text : fan", "-fan", "fan*", "(", "^fan", "\0fan", "\ud800fan"],
)
async def test_a_query_is_never_syntax(words_only: Knowledge, query: str) -> None:
    await words_only.add("the fan of pve2", "tg:1", tainted=False)
    assert await found(words_only, query) == ([1] if "fan" in query else [])


def test_stop_words_and_repeats_are_left_out() -> None:
    assert match_any("What is the IP of the ip-camera?") == '"ip" OR "camera"'
    assert match_any("who are you") == ""
    assert match_any(" ".join(f"w{n}" for n in range(100))).count(" OR ") == 31


async def test_diacritics_do_not_matter(words_only: Knowledge) -> None:
    await words_only.add("Das Büro hat VLAN 20", "tg:1", tainted=False)
    assert await found(words_only, "buro") == [1]


async def test_a_new_embedder_fills_what_is_missing(database: Database, wordllama: WordLlamaEmbedder) -> None:
    class Small:
        dims = 2

        async def embed(self, texts: list[str]) -> list[bytes]:
            return [packed([1, 0])] * len(texts)

    await Knowledge(database, NoEmbedder()).add(MEMORIES[16], "tg:1", tainted=False)
    await Knowledge(database, Small()).add(MEMORIES[10], "tg:1", tainted=False)
    knowledge = Knowledge(database, wordllama)
    assert await found(knowledge, "where are our pictures stored") == []
    assert await knowledge.reindex() == 2
    assert await knowledge.reindex() == 0
    assert (await found(knowledge, "where are our pictures stored"))[0] == 1
    assert [version.what for version in await knowledge.history(1)] == ["added"]


# Keeping


async def test_a_memory_keeps_who_when_and_where_from(words_only: Knowledge, clock: Clock) -> None:
    added = await words_only.add("The fan squeaks.", "tg:1", tainted=True, run="run-1")
    assert await words_only.get(added.id) == added
    assert (added.actor, added.run, added.tainted, added.created) == ("tg:1", "run-1", True, clock())
    assert await words_only.get(99) is None


async def test_an_update_replaces_text_writer_and_origin(by_meaning: Knowledge, clock: Clock) -> None:
    added = await by_meaning.add("The fan squeaks.", "tg:1", tainted=True)
    clock.move(1000)
    assert await by_meaning.update(added.id, "Pictures are kept in Immich.", "tg:2", tainted=False)
    now = await by_meaning.get(added.id)
    assert (now.text, now.actor, now.tainted) == ("Pictures are kept in Immich.", "tg:2", False)
    assert (now.created, now.updated) == (clock() - 1000, clock())
    assert await found(by_meaning, "where are our photos") == [added.id]
    assert await found(by_meaning, "squeaks") == []
    assert not await by_meaning.update(99, "nothing", "tg:2", tainted=False)
    assert await by_meaning.history(99) == []


async def test_history_outlives_the_memory(words_only: Knowledge, clock: Clock) -> None:
    await words_only.add("one", "tg:1", tainted=False)
    await words_only.update(1, "two", "tg:2", tainted=False)
    clock.move(2000)
    assert await words_only.delete([1, 99], "tg:3") == 1
    told = [(version.what, version.text, version.actor) for version in await words_only.history(1)]
    assert told == [("added", "one", "tg:1"), ("updated", "two", "tg:2"), ("deleted", "two", "tg:3")]
    assert (await words_only.history(1))[-1].at == clock()
    assert await words_only.changes([1]) == 3


async def origins(knowledge: Knowledge, id: int = 1) -> list[tuple[str, str, bool]]:
    return [(version.what, version.text, version.tainted) for version in await knowledge.history(id)]


async def test_every_version_keeps_its_origin(words_only: Knowledge) -> None:
    await words_only.add("one", "tg:1", tainted=True)
    await words_only.update(1, "two", "tg:1", tainted=False)
    await words_only.update(1, "three", "tg:1", tainted=True)
    await words_only.delete([1], "tg:1")
    assert await origins(words_only) == [
        ("added", "one", True), ("updated", "two", False), ("updated", "three", True), ("deleted", "three", True),
    ]  # fmt: skip


async def test_a_text_from_outside_stays_that_whoever_puts_it_back(words_only: Knowledge) -> None:
    await words_only.add("one", "tg:1", tainted=True)
    await words_only.update(1, "two", "tg:1", tainted=False)
    assert [memory.tainted for memory in await words_only.all()] == [False], "another text has its own origin"
    assert await words_only.stained(1, "one") and not await words_only.stained(1, "two")
    await words_only.update(1, "one", "tg:1", tainted=False)
    assert [memory.tainted for memory in await words_only.all()] == [True]
    [washed] = await words_only.snapshot([1])
    await words_only.delete([1], "tg:1")
    await words_only.restore([1], [{**washed, "tainted": 0}], "tg:1")
    assert [memory.tainted for memory in await words_only.all()] == [True]
    assert (await origins(words_only))[-1] == ("added", "one", True)


async def test_the_history_cannot_be_rewritten(words_only: Knowledge, database: Database) -> None:
    await words_only.add("one", "tg:1", tainted=True)
    for column in ("tainted = 0", "text = 'two'"):
        with pytest.raises(Exception, match="append-only"):
            async with database.transaction() as tx:
                await tx.run(f"UPDATE memory_versions SET {column}")


async def test_versions_from_before_they_had_an_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marked = next(n for n, step in enumerate(migrations.MIGRATIONS) if step.__name__ == "m006_origin_of_versions")
    with monkeypatch.context() as before:
        before.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:marked])
        old = await Database.open(tmp_path / "old.db")
    async with old.transaction() as tx:
        for id, tainted in ((1, 0), (2, 1)):
            await tx.run("INSERT INTO memories VALUES (?, 'now', NULL, 'tg:1', NULL, ?, 1, 1)", id, tainted)
            for text in ("once", "now"):
                await tx.run("INSERT INTO memory_versions VALUES (?, ?, 'tg:1', 1, 'added')", id, text)
    await old.close()
    database = await Database.open(tmp_path / "old.db")
    knowledge = Knowledge(database, NoEmbedder())
    assert await origins(knowledge, 1) == [("added", "once", True), ("added", "now", False)]
    assert await origins(knowledge, 2) == [("added", "once", True), ("added", "now", True)]
    await database.close()


async def test_an_embedder_is_not_loaded_for_nothing(database: Database) -> None:
    embedder = WordLlamaEmbedder()
    assert await Knowledge(database, embedder).reindex() == 0
    assert not embedder._tried


async def test_an_id_is_never_used_twice(words_only: Knowledge) -> None:
    await words_only.add("one", "tg:1", tainted=False)
    await words_only.delete([1], "tg:1")
    assert await words_only.next_id() == 2
    assert (await words_only.add("two", "tg:1", tainted=False)).id == 2
    with pytest.raises(IdTaken):
        await words_only.add("three", "tg:1", tainted=False, id=2)
    assert [memory.text for memory in await words_only.all()] == ["two"]
    assert await words_only.changes([2]) == 1


async def test_a_snapshot_restores_every_column(by_meaning: Knowledge, database: Database, clock: Clock) -> None:
    await by_meaning.add(MEMORIES[16], "tg:1", tainted=True, run="run-1")
    await by_meaning.add(MEMORIES[10], "tg:1", tainted=False)
    before = [tuple(row) for row in await database.all("SELECT * FROM memories ORDER BY id")]
    kept = await by_meaning.snapshot([1, 2])
    clock.move(1000)
    await by_meaning.update(1, "something else", "tg:2", tainted=False)
    await by_meaning.delete([2], "tg:2")
    await by_meaning.add("a third", "tg:2", tainted=False)
    await by_meaning.restore([1, 2, 3], kept, "tg:9")
    assert [tuple(row) for row in await database.all("SELECT * FROM memories ORDER BY id")] == before
    assert (await found(by_meaning, "where are our pictures stored"))[0] == 1
    assert await found(by_meaning, "third") == []
    last = [(await by_meaning.history(id))[-1] for id in (1, 2, 3)]
    assert [(version.what, version.actor) for version in last] == [
        ("updated", "tg:9"),
        ("added", "tg:9"),
        ("deleted", "tg:9"),
    ]


async def test_pages_come_newest_first(words_only: Knowledge) -> None:
    for n in range(5):
        await words_only.add(f"fact {n}", "tg:1", tainted=False)
    assert [memory.id for memory in await words_only.all(1, 2)] == [5, 4]
    assert [memory.id for memory in await words_only.all(3, 2)] == [1]
    assert await words_only.all(4, 2) == []


async def test_the_summary_counts(words_only: Knowledge, clock: Clock) -> None:
    empty = await words_only.summary()
    assert (empty.memories, empty.oldest, empty.newest, empty.by) == (0, None, None, {})
    await words_only.add("one", "tg:2", tainted=False)
    clock.move(1000)
    await words_only.add("two", "tg:1", tainted=True)
    await words_only.add("three", "tg:1", tainted=False)
    summary = await words_only.summary()
    assert (summary.memories, summary.tainted, summary.oldest, summary.newest) == (3, 1, clock() - 1000, clock())
    assert list(summary.by.items()) == [("tg:1", 2), ("tg:2", 1)]


async def test_the_same_text_from_outside_is_another_memory(words_only: Knowledge) -> None:
    await words_only.add("one", "tg:1", tainted=True)
    assert await words_only.same("one", tainted=False) is None
    twin = await words_only.same("one", tainted=True)
    assert twin is not None and twin.id == 1


async def test_the_reading_half_finds_but_cannot_write(by_meaning: Knowledge) -> None:
    await fill(by_meaning, TEN)
    reading = by_meaning.reading()
    assert [hit.memory.id for hit in await reading.search("pictures", 1)] == [16]
    writing = {name for name in dir(by_meaning) if not name.startswith("_")} - set(dir(reading))
    assert writing == {"add", "update", "delete", "restore", "reindex", "reading"}
