"""Docker's page: every container in a line, and what may be done to it."""

from tools.docker.changes import restart_container, start_container, stop_container
from tools.docker.hosts import DockerHosts, service
from tools.docker.logs import get_container_logs
from tools.docker.models import ContainerDetails, ContainerRow
from tools.docker.reads import get_container_details, get_container_stats, list_containers
from tools.docker.rows import in_trouble
from tools.kit import Context, Dot, Page, Row, counted, so_far

DOTS: dict[str, Dot] = {"running": "🟢", "restarting": "🔴", "dead": "🔴", "paused": "🟡", "removing": "🟡"}
"""State → its mark; whatever else there is does not run."""
ALIVE = ("running", "restarting", "paused")


@service.page(
    "containers",
    verbs=(restart_container, stop_container, start_container),
    looks=(get_container_logs, get_container_stats),
)
async def containers(ctx: Context[DockerHosts]) -> Page:
    """All containers: how they are, and what may be done to them."""
    found = await list_containers.run(ctx)
    return Page(
        f"{found.running} running, {found.stopped} stopped",
        [_row(one) for one in sorted(found.containers, key=lambda one: (one.host, one.name))],
        lines=[f"… and {found.more} more"] if found.more else [],
        down={host.host: host.reason for host in found.hosts_down},
    )


@containers.details
async def container(ctx: Context[DockerHosts], target: str) -> Row:
    """One container with its image and its restart policy."""
    seen = await get_container_details.run(ctx, target)
    return _row(seen, f"restart policy {seen.restart_policy}", seen.image)


def _row(one: ContainerRow | ContainerDetails, *lines: str) -> Row:
    dot = DOTS.get(one.state, "⚪")
    if in_trouble(one):
        dot = "🟡" if one.state == "running" else "🔴"
    verbs = (restart_container, stop_container) if one.state in ALIVE else (start_container,)
    project = one.project if isinstance(one, ContainerRow) else one.compose_project
    return Row(dot, one.name, one.host, _how(one), one.id, project or "", verbs, lines)


def _how(one: ContainerRow | ContainerDetails) -> str:
    """`up 3 d · healthy`, `exited, exit code 2 · 9 h ago`."""
    health = one.health if one.health != "none" else ""
    if one.state == "running":
        words = [f"up {so_far(one.since)}" if one.since else "running", health]
    else:
        code = f", exit code {one.exit_code}" if one.exit_code else ""
        ended = one.since if one.state in ("exited", "dead") else None
        words = [f"{one.state}{code}", f"{so_far(ended)} ago" if ended else ""]
    words.append(counted(one.restarts, "restart") if one.restarts else "")
    return " · ".join(filter(None, words))
