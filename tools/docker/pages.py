"""Docker's page: every container in a line, and what may be done to it."""

from dataclasses import replace

from tools.docker.changes import restart_container, start_container, stop_container
from tools.docker.glance import WELL_ENOUGH
from tools.docker.hosts import DockerHosts, service
from tools.docker.logs import get_container_logs
from tools.docker.models import ContainerRow
from tools.docker.reads import get_container_details, get_container_stats
from tools.docker.survey import survey
from tools.docker.troubles import Standing
from tools.kit import Context, Dot, Gone, Page, Row, counted, so_far
from tools.kit.types import outside_text
from tools.kit.words import lasting

ALIVE = (restart_container, stop_container)
OFF = (start_container,)


@service.page("containers", verbs=(*ALIVE, *OFF), looks=(get_container_logs, get_container_stats))
async def containers(ctx: Context[DockerHosts]) -> Page:
    """All containers: how they are, and what may be done to them."""
    look = await survey(ctx)
    rows = sorted(look.rows, key=lambda pair: (pair[0].host, pair[0].name))
    return Page(
        f"{look.states['running']} running, {look.others}",
        [_row(one, standing) for one, standing in rows],
        lines=[f"🟡 {host}: {counted(count, 'container')} not looked into" for host, count in look.unread.items()],
        down={host.name: host.reason for host in look.down},
        outside=any(outside_text(look.down)),
    )


@containers.details
async def container(ctx: Context[DockerHosts], target: str) -> Row:
    """One container as it stands in the list, with its error, its restart policy and its image."""
    seen = await get_container_details.run(ctx, target)
    for one, standing in (await survey(ctx, seen.host, seen.id)).rows:
        if one.id == seen.id:
            row = _row(one, standing, seen.error or "", f"restart policy {seen.restart_policy}", seen.image)
            return replace(row, outside=row.outside or bool(seen.error))
    raise Gone("It is not there any more.")


def _row(one: ContainerRow, standing: Standing, *lines: str) -> Row:
    dot: Dot = "🟢" if one.state == "running" else "⚪"
    if standing is Standing.TROUBLE:
        dot = "🟡" if one.state in WELL_ENOUGH else "🔴"
    verbs = ALIVE if one.state in ("running", "restarting", "paused") else OFF
    return Row(dot, one.name, one.host, _how(one), one.id, one.project or "", verbs, lines, any(outside_text(one)))


def _how(one: ContainerRow) -> str:
    """`up 3 d · healthy`, `unhealthy · up 3 d`, `killed (exit code 137) · 9 h ago`."""
    if one.state == "running":
        well = one.health if one.health != "none" and not one.why else ""
        up = so_far(one.since) if one.since else lasting(one.up) if one.up else ""
        words = [one.condition if one.why else "", f"up {up}" if up else "running", well]
    else:
        ended = one.since if one.state in ("exited", "dead") else None
        words = [one.condition, f"{so_far(ended)} ago" if ended else ""]
    restarts = counted(one.restarts or 0, "restart")
    return " · ".join(filter(None, [*words, restarts if one.restarts and restarts not in one.condition else ""]))
