"""A clean-up of a real engine (`RACKHAND_TEST_ENGINE`): it frees what it says."""

from dataclasses import replace
from typing import Any

import pytest

from tests.tools.bench import Bench
from tools.docker.models import KINDS
from tools.docker.unused import Unused, unused

pytestmark = pytest.mark.engine


@pytest.fixture
def mine(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Ids of nameless things: with these, and what bears its mark, a clean-up here has only what this test has made."""
    ids: set[str] = set()

    def only_mine(*args: Any) -> Unused:
        found = unused(*args)
        ours = [
            thing
            for thing in found.things
            if thing.id.removeprefix("sha256:") in ids or bench.mark in "".join(thing.names)
        ]
        return replace(found, things=tuple(ours), cache={})

    monkeypatch.setattr("tools.docker.unused.DAY", 1e-6)  # nothing is recent
    monkeypatch.setattr("tools.docker.prune.unused", only_mine)
    return ids


async def test_clean_up(bench: Bench, mine: set[str]) -> None:
    engine, mark = bench.writer.one("local"), {"rackhand.test": bench.mark}
    plain: dict[str, Any] = {"HostConfig": {"NetworkMode": "none"}, "Labels": mark}
    write = "/bin/busybox dd if=/dev/urandom of=/file bs=1M count={}"
    two, one = await bench.make("two", write.format(2), **plain), await bench.make("one", write.format(1), **plain)
    bad = await bench.make("bad", "exit 3", **plain)
    kept = await bench.make("kept", "true", **plain | {"Labels": {**mark, "rackhand.forbid": "1"}})
    for target in (two, one, bad, kept):
        await engine.ask(lambda api, t=target: api.wait(t.partition("/")[2], timeout=20))
    made = f"made-{bench.mark}"
    for tag in ("a", "b"):  # two images with one layer of two megabytes, on top of what the bench's image has, too
        await engine.ask(lambda api, t=tag: api.commit(two.partition("/")[2], made, t))
    await engine.ask(lambda api: api.tag(f"{made}:a", f"{made}-too", "a"))
    await engine.ask(lambda api: api.tag(f"{made}:b", made, "c"))
    unnamed = await engine.ask(lambda api: api.commit(one.partition("/")[2]))
    mine.add(unnamed["Id"].removeprefix("sha256:"))
    await engine.ask(lambda api: api.create_volume(f"left-{bench.mark}", labels=mark))
    await engine.ask(lambda api: api.create_network(f"left-{bench.mark}"))

    everything = [kind for kind in KINDS if kind != "unused_volumes"]
    change = await bench.read("prune_system", host="local", kinds=everything, volumes=True)
    facts = change.facts
    listed = {kind: {piece.name.partition("-")[0] for piece in getattr(facts, kind)} for kind in KINDS[3:]}
    assert listed == {"stopped_containers": {"two", "one"}, "unused_networks": {"left"}, "unused_volumes": {"left"}}
    assert {piece.name for piece in facts.unused_images} == {f"{made}:a", f"{made}-too:a", f"{made}:b", f"{made}:c"}
    assert len(facts.dangling_images) == 1 and f"bad-{bench.mark} (failed)" in change.notes[-1]
    assert 6.2 < facts.frees_mb < 6.5, "three megabytes in containers, three in layers that nothing else has"
    outcome = await bench.carry_out(change, within=10)
    assert outcome.error is None and outcome.verified and outcome.after.freed_mb == facts.frees_mb
    left = {
        row.name.partition("-")[0] for row in (await bench.read("list_containers")).containers if bench.mark in row.name
    }
    assert left == {"bad", "kept"}
