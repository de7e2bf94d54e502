"""Every container of the hosts, looked at once: how it is, why, and whether that needs a person."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from tools.docker.hosts import DockerHosts, Engine
from tools.docker.models import ContainerRow
from tools.docker.names import list_all
from tools.docker.rows import condition_of, labels_of, row_of
from tools.docker.troubles import Found, Standing, found, judge
from tools.kit import Context, Down, ToolFailed
from tools.kit.raw import Raw, text

MOST_INSPECTED = 100
"""Why, and whether it should run, takes one more question per container: those in trouble and the young come first."""
OLD = ("hour", "hours", "days", "weeks", "months", "years")
"""How the age of what is no crash loop between two crashes ends in a list."""


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


async def survey(ctx: Context[DockerHosts], host: str | None = None) -> Survey:
    """The containers of one host, or of all."""
    answers, down = await ctx.client.each(list_all, host)
    listed = [(ctx.client[name], item, row_of(name, item)) for name, items in answers.items() for item in items]
    listed.sort(key=lambda each: (_calm(each[1], each[2]), each[2].name, each[2].host))
    unread = [Found(row, text(item["Id"]), labels_of(item)) for _, item, row in listed]
    asked = (_look(engine, one) for (engine, _, _), one in zip(listed[:MOST_INSPECTED], unread, strict=False))
    seen = [*await asyncio.gather(*asked), *unread[MOST_INSPECTED:]]
    deeds = await ctx.deeds() if any(each.seen.state == "exited" for each in seen) else []
    judged = zip(seen, judge(seen, deeds), strict=True)
    rows = [(each.seen.model_copy(update=judgement.said), judgement.standing) for each, judgement in judged]
    rows.sort(key=lambda pair: (pair[1] is not Standing.TROUBLE, pair[0].host, pair[0].name))
    matter = [at < MOST_INSPECTED or _calm(item, row) < 2 for at, (_, item, row) in enumerate(listed)]
    unknown = Counter(one.seen.host for one, matters in zip(seen, matter, strict=True) if matters and not one.now)
    return Survey(rows, down, unknown)


def _calm(item: Raw, row: ContainerRow) -> int:
    """How little there is to find out about a container, as far as the list tells."""
    if row.state == "running" and row.health != "unhealthy":
        return 2 if text(item.get("Status")).partition(" (")[0].endswith(OLD) else 1
    return 1 if row.exit_code == 0 else 0


async def _look(engine: Engine, one: Found[ContainerRow]) -> Found[ContainerRow]:
    """The container with its inspection; as listed when there was no answer, or it is gone meanwhile."""
    try:
        raw, now = await engine.ask(lambda api: (api.inspect_container(one.reference), api.now()))
    except ToolFailed:
        return one
    return found(one.seen.model_copy(update=condition_of(raw, now)), one.reference, one.labels, raw, now)
