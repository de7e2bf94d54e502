"""Docker at a glance: what /status and the digest say of it."""

from datetime import datetime

from tools.docker.hosts import DockerHosts, service
from tools.docker.models import ContainerRow
from tools.docker.survey import Survey, survey
from tools.docker.troubles import Standing
from tools.kit import Context, Glance, Note, Trouble, counted
from tools.kit.types import outside_text

WELL_ENOUGH = ("running", "paused")
"""States in which a container is unwell rather than down."""


@service.glance
async def glance(ctx: Context[DockerHosts]) -> Glance:
    """How many run on how many hosts, which of them need a person, and which are off and need nobody."""
    look = await survey(ctx)
    down = [host.trouble("docker") for host in look.down]
    unread = [
        Trouble(counted(count, "container"), host, "could not be looked into", red=False)
        for host, count in look.unread.items()
    ]
    troubles = [
        Trouble(row.name, row.host, row.condition, _when(row), row.id, _outside(row), red=row.state not in WELL_ENOUGH)
        for row in look.troubled
    ]
    quiet = [row for row, standing in look.rows if standing is Standing.QUIET]
    quiet.sort(key=lambda row: (not row.stopped_by, -row.since.timestamp() if row.since else 0.0))
    return Glance(
        _summary(look, len(ctx.client)),
        (*down, *sorted(troubles, key=lambda trouble: not trouble.red), *unread),
        items={f"{row.host}/{row.name}": row.state for row, _ in look.rows},
        quiet=tuple(Note(row.name, row.host, row.condition, row.since, row.id, _outside(row)) for row in quiet),
        unseen=tuple(f"{host.name}/" for host in look.down),
    )


def _summary(look: Survey, hosts: int) -> str:
    answering = hosts - len(look.down)
    if not answering:
        return ("no host answers" if hosts > 1 else "the host does not answer") + " yet" * look.down[0].awaited
    of_all = counted(hosts, "host") if not look.down else f"{answering} of {counted(hosts, 'host')}"
    return f"{counted(look.states['running'], 'container')} running, {look.others} · {of_all}"


def _outside(row: ContainerRow) -> bool:
    return any(outside_text(row))


def _when(row: ContainerRow) -> datetime | None:
    """When one that is off ended, or one that crashed came back."""
    return row.since if row.state == "exited" or row.why == "crashed and came back" else None
