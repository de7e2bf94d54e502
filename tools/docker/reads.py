"""Reading containers: the list, one in detail, what it uses."""

from typing import Annotated, Any

from memory.secrets import command_line, without_secrets
from tools.docker.hosts import DockerHosts, service
from tools.docker.models import ContainerDetails, Containers, Mount, Stats
from tools.docker.names import Container, Host
from tools.docker.orchestrators import owner_of
from tools.docker.rows import (
    PROJECT_LABEL,
    condition_of,
    inspected_ports,
    labels_of,
    policy_of,
    short,
    state_of,
    volume_label,
)
from tools.docker.survey import survey
from tools.docker.troubles import found, judge
from tools.kit import Context, Field, Risk, listed
from tools.kit.masking import seen
from tools.kit.raw import MB, MIB, Raw, moment, number, record, records, size, text, texts, to_second, whole

MOST_LISTED = 100
"""Environment names, mounts and networks of one container."""


@service.tool(Risk.READ, often=True)
async def list_containers(
    ctx: Context[DockerHosts],
    host: Host | None = None,
    running_only: Annotated[bool, Field(description="Leave out containers that do not run.")] = False,
) -> Containers:
    """List containers with state, health and restarts; use it first for anything about containers.

    `troubled` names those that need a person: crash-looping, unhealthy, paused, failed, or off although made to run.
    `why` says what is wrong or why one is off; `stopped_by`, that a person stopped it here, which is no trouble.
    """
    look = await survey(ctx, host)
    shown = [row for row, _ in look.rows if row.state in ("running", "restarting") or not running_only]
    running, restarting, paused = (look.states[state] for state in ("running", "restarting", "paused"))
    rows, more = listed(shown)
    return Containers(
        containers=rows,
        running=running,
        stopped=look.stopped,
        restarting=restarting,
        paused=paused,
        troubled=listed([f"{row.host}/{row.name}" for row in look.troubled])[0],
        unread=look.unread.total() or None,
        more=more,
        down=look.down,
    )


@service.tool(Risk.READ, often=True)
async def get_container_details(ctx: Context[DockerHosts], container: Container) -> ContainerDetails:
    """Inspect one container: exit code, mounts, networks, limits, restart policy; values of its environment are hidden.

    Use it to find out why a container is down or how it is set up. `why` says what is wrong or why it is off;
    `stopped_by`, who stopped it through this bot.
    """
    engine, reference = ctx.client.at(container)
    raw, now = await engine.ask(lambda api: (api.inspect_container(reference), api.now()))
    state, config, settings = record(raw.get("State")), record(raw.get("Config")), record(raw.get("NetworkSettings"))
    words = [text(raw.get("Path")), *texts(raw.get("Args"))]
    secrets = seen.secrets_in(" ".join([text(state.get("Error")), *words]), texts(config.get("Env")))
    details = ContainerDetails(
        **condition_of(raw, now),
        host=engine.name,
        name=text(raw.get("Name")).removeprefix("/") or reference[:12],
        id=f"{engine.name}/{reference[:12]}",
        image=short(text(config.get("Image"))) or "unknown",
        image_id=short(text(raw.get("Image"))),
        oom_killed=state.get("OOMKilled") is True,
        error=without_secrets(text(state.get("Error")), secrets)[:500] or None,
        finished=to_second(moment(state.get("FinishedAt"))),
        restart_policy=policy_of(raw),
        command=command_line([word for word in words if word], secrets) or None,
        env=sorted(line.partition("=")[0] for line in texts(config.get("Env")))[:MOST_LISTED],
        mounts=[_mount(item) for item in records(raw.get("Mounts"))][:MOST_LISTED],
        networks=sorted(record(settings.get("Networks")))[:MOST_LISTED],
        ports=inspected_ports(raw),
        compose_project=labels_of(config).get(PROJECT_LABEL),
        managed_by=owner_of(labels_of(config)),
        memory_limit_mb=size(record(raw.get("HostConfig")).get("Memory") or None, MIB),
    )
    [judgement] = judge([found(details, reference, labels_of(config), raw, now)], await ctx.deeds())
    return details.model_copy(update=judgement.said)


@service.tool(Risk.READ, often=True)
async def get_container_stats(ctx: Context[DockerHosts], container: Container) -> Stats:
    """Measure what one running container uses now: processor, memory, network, disk, processes."""
    engine, reference = ctx.client.at(container)
    raw, sample = await engine.ask(
        lambda api: (api.inspect_container(reference), record(api.stats(reference, stream=False)))
    )
    used, limit = _memory(record(sample.get("memory_stats")))
    networks = [record(card) for card in record(sample.get("networks")).values()]
    blocks = records(record(sample.get("blkio_stats")).get("io_service_bytes_recursive"))
    runs = record(raw.get("State")).get("Status") in ("running", "paused")
    return Stats(
        host=engine.name,
        name=text(raw.get("Name")).removeprefix("/") or reference[:12],
        state=state_of(record(raw.get("State")).get("Status")),
        cpu_percent=_cpu_percent(sample) if runs else None,
        memory_mb=size(used, MIB),
        memory_limit_mb=size(limit, MIB),
        memory_percent=round(100 * used / limit, 1) if used is not None and limit else None,
        network_rx_mb=_total([card.get("rx_bytes") for card in networks]),
        network_tx_mb=_total([card.get("tx_bytes") for card in networks]),
        block_read_mb=_total([item.get("value") for item in blocks if text(item.get("op")).lower() == "read"]),
        block_write_mb=_total([item.get("value") for item in blocks if text(item.get("op")).lower() == "write"]),
        pids=whole(record(sample.get("pids_stats")).get("current")) if runs else None,
    )


def _mount(item: Raw) -> Mount:
    kind, name = text(item.get("Type")), text(item.get("Name"))
    return Mount(
        kind=kind if kind in ("volume", "bind", "tmpfs") else "other",  # type: ignore[arg-type]
        name=volume_label(name) or None,
        source=text(item.get("Source")) or None if kind == "bind" else None,
        target=text(item.get("Destination")) or "/",
        read_only=item.get("RW") is False,
    )


def _memory(stats: Raw) -> tuple[float | None, float | None]:
    """Bytes in use without the page cache, as `docker stats` counts, and the limit."""
    used, limit, details = number(stats.get("usage")), number(stats.get("limit")), record(stats.get("stats"))
    cache = number(details.get("inactive_file")) or number(details.get("total_inactive_file")) or 0.0
    return (None if used is None else max(0.0, used - cache) if cache < used else used), limit


def _cpu_percent(sample: Raw) -> float | None:
    now, before = record(sample.get("cpu_stats")), record(sample.get("precpu_stats"))
    busy, busy_before = (number(record(each.get("cpu_usage")).get("total_usage")) for each in (now, before))
    total, total_before = number(now.get("system_cpu_usage")), number(before.get("system_cpu_usage"))
    if busy is None or busy_before is None or total is None or total_before is None:
        return None
    if total <= total_before or busy < busy_before:
        return None
    cores = number(now.get("online_cpus")) or len(record(now.get("cpu_usage")).get("percpu_usage") or []) or 1
    return round(100 * cores * (busy - busy_before) / (total - total_before), 1)


def _total(values: list[Any]) -> float | None:
    known = [found for value in values if (found := number(value)) is not None]
    return round(sum(known) / MB, 1) if known else None
