"""Docker at a glance: what /status and the digest say of it."""

from tools.docker.hosts import DockerHosts, service
from tools.docker.models import ContainerRow
from tools.docker.reads import list_containers
from tools.kit import Context, Glance, Trouble
from tools.kit.types import outside_text


@service.glance
async def glance(ctx: Context[DockerHosts]) -> Glance:
    """How many run on how many hosts, and which of them are unwell."""
    listing = await list_containers.run(ctx)
    troubled = set(listing.troubled)
    rows: list[ContainerRow] = listing.containers
    hosts = {row.host for row in rows}
    troubles = [
        Trouble(
            row.name, row.host, _detail(row), red=row.state != "running", target=row.id, outside=any(outside_text(row))
        )
        for row in rows
        if f"{row.host}/{row.name}" in troubled
    ]
    down = [
        Trouble(str(host.host), "docker", str(host.reason), outside=any(outside_text(host)))
        for host in listing.hosts_down
    ]
    running = f"{_counted(listing.running, 'container')} running, {listing.stopped} stopped"
    summary = f"{running} · {_counted(len(hosts), 'host')}"
    items: dict[str, str] = {f"{row.host}/{row.name}": row.state for row in rows}
    return Glance(summary, (*down, *sorted(troubles, key=lambda trouble: not trouble.red)), items)


def _detail(row: ContainerRow) -> str:
    if row.state == "running":
        return row.health
    restarts = f", {_counted(row.restarts, 'restart')}" if row.restarts else ""
    code = f", exit code {row.exit_code}" if row.exit_code else ""
    return f"{row.state}{restarts}{code}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
