"""Every container of the hosts, looked at once: how it is, why, and whether that needs a person."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from tools.docker.hosts import DockerHosts, Engine
from tools.docker.models import ContainerRow
from tools.docker.names import list_all
from tools.docker.rows import condition_of, labels_of, row_of
from tools.docker.troubles import SHAKY, Found, Standing, found, judge
from tools.kit import Context, Down, ToolFailed
from tools.kit.raw import Raw, text

MOST_INSPECTED, MOST_CALM = 200, 12
"""Of one host. Why, and whether it should run, takes one more question per container: for those in trouble, the young,
and as many of those that have run well for a while as a page shows; the list tells enough of the others."""


@dataclass(frozen=True)
class Survey:
    """What a look at all containers found."""

    rows: list[tuple[ContainerRow, Standing]]
    """Those that need a person first."""
    down: list[Down]
    unread: Counter[str]
    """Host → how many of its containers could not be looked into, so that nothing can be said of them."""

    @property
    def troubled(self) -> list[ContainerRow]:
        """What needs a person."""
        return [row for row, standing in self.rows if standing is Standing.TROUBLE]

    @property
    def states(self) -> Counter[str]:
        """State → how many are in it."""
        return Counter(row.state for row, _ in self.rows)

    @property
    def stopped(self) -> int:
        """How many neither run nor are about to."""
        states = self.states
        return states.total() - states["running"] - states["restarting"] - states["paused"]

    @property
    def others(self) -> str:
        """All that do not run, in words: `1 paused, 4 stopped`."""
        between = [f"{count} {state}" for state in ("restarting", "paused") if (count := self.states[state])]
        return ", ".join([*between, f"{self.stopped} stopped"])


async def survey(ctx: Context[DockerHosts], host: str | None = None, only: str = "") -> Survey:
    """The containers of one host, or of all; `only` of one of them, by its id, more is asked than the list tells."""
    answers, down = await ctx.client.each(list_all, host)
    looks = await asyncio.gather(*(_looked(ctx.client[name], items, only) for name, items in answers.items()))
    seen = [one for found, _ in looks for one in found]
    deeds = await ctx.deeds() if any(each.seen.state == "exited" for each in seen) else []
    judged = zip(seen, judge(seen, deeds), strict=True)
    rows = [(each.seen.model_copy(update=judgement.said), judgement.standing) for each, judgement in judged]
    rows.sort(key=lambda pair: (pair[1] is not Standing.TROUBLE, pair[0].host, pair[0].name))
    unread = Counter({name: unread for name, (_, unread) in zip(answers, looks, strict=True) if unread})
    return Survey(rows, down, unread)


async def _looked(engine: Engine, items: list[Raw], only: str) -> tuple[list[Found[ContainerRow]], int]:
    """The containers of one host, and of how many nothing can be said, for want of an answer or of time."""
    listed = [Found(row_of(engine.name, item), text(item["Id"]), labels_of(item)) for item in items]
    listed.sort(key=lambda one: (one.seen.id != only, _calm(one.seen), one.seen.name))
    matter = 1 if only else sum(_calm(one.seen) < 2 for one in listed)
    asked = 1 if only else min(matter + MOST_CALM, MOST_INSPECTED)
    seen = [*await asyncio.gather(*(_look(engine, one) for one in listed[:asked])), *listed[asked:]]
    return seen, sum(not one.now for one in seen[: max(matter, asked)])


def _calm(row: ContainerRow) -> int:
    """How little there is to find out about a container, as far as the list tells."""
    if row.state == "running" and row.health != "unhealthy":
        return 2 if row.up and row.up >= SHAKY.total_seconds() else 1
    return 1 if row.exit_code == 0 else 0


async def _look(engine: Engine, one: Found[ContainerRow]) -> Found[ContainerRow]:
    """The container with its inspection; as listed when there was no answer, or it is gone meanwhile."""
    try:
        raw, now = await engine.ask(lambda api: (api.inspect_container(one.reference), api.now()))
    except ToolFailed:
        return one
    return found(one.seen.model_copy(update=condition_of(raw, now)), one.reference, one.labels, raw, now)
