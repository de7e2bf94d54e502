"""The backups as people see them: at a glance, and on a page with what may be done; what is told to other services."""

from tools import kit
from tools.kit.backups import State
from tools.kit.proxmox import Proxmox
from tools.kit.types import outside_text
from tools.pbs.changes import start_verify
from tools.pbs.client import Servers, every_group, service
from tools.pbs.reads import list_snapshots, usage

FULL = 90.0
DOTS: dict[State, kit.Dot] = {"unprotected": "🔴", "attention": "🟡", "unknown": "⚪", "protected": "🟢"}


@service.backups
async def backups(ctx: kit.Context[Servers]) -> kit.Told[kit.Backup]:
    """What is kept of each guest and host, datastore by datastore."""
    groups, down = await every_group(ctx.client)
    return [group.backup() for group in groups], down


@service.glance
async def glance(ctx: kit.Context[Servers]) -> kit.Glance:
    """How many are protected, the age of the last backup, and which datastores are nearly full."""
    (rows, down), (full, _) = await backups(ctx), await ctx.client.each(_full)
    verdicts = kit.judged(kit.Contributed({}, []), kit.Contributed({"pbs": rows}, down)).verdicts
    bad = [(one, one.state == "unprotected") for one in verdicts if one.state != "protected"]
    troubles = [one.trouble("pbs") for one in down] + [one for each in full.values() for one in each]
    troubles += [kit.Trouble(one.name or one.id, "backups", one.why, target=one.where[0], red=red) for one, red in bad]
    newest = max((row.newest for row in rows if row.newest), default=None)
    last = f", the last {kit.so_far(newest)} ago" if newest else ""
    items: dict[str, str] = {one.where[0]: one.state for one in verdicts}
    summary, unseen = f"{len(verdicts) - len(bad)} of {len(verdicts)} backups fine{last}", (one.name for one in down)
    return kit.Glance(summary, tuple(troubles), items, unseen=tuple(unseen))


async def _full(server: Proxmox) -> list[kit.Trouble]:
    rows = await kit.or_else(usage(server), [])  # how full it is says nothing of the backups
    full = [(row.id, 100 * (row.used or 0) / (row.total or 1)) for row in rows]
    over = [(store, f"{percent:.0f} % full") for store, percent in full if percent >= FULL]
    return [kit.Trouble(store, "datastore", how, red=False) for store, how in over]


@service.page("backups", verbs=(start_verify,), looks=(list_snapshots,))
async def page(ctx: kit.Context[Servers]) -> kit.Page:
    """Whether the backups are fine: the last good one of each guest, verified or not, elsewhere or not."""
    found = kit.judged(await ctx.contributed(kit.Guest), await ctx.contributed(kit.Backup))
    ours = {group.id for group in (await every_group(ctx.client))[0]}
    return kit.Page(
        found.conclusion,
        [_row(one, next(filter(ours.__contains__, one.where), "")) for one in found.verdicts],
        down={one.name: one.reason for one in found.down},
        outside=any(outside_text(found.down)),
    )


def _row(one: kit.Verdict, target: str) -> kit.Row:
    elsewhere = {True: " · also elsewhere", False: " · only here", None: ""}[one.offsite if target else None]
    return kit.Row(
        DOTS[one.state], one.name or one.id, f"{one.kind}/{one.id}", f"{one.why}{elsewhere}", target,
        verbs=(start_verify,) if target and not one.verified else (), outside=any(outside_text(one)),
    )  # fmt: skip
