"""The backups as people see them: at a glance, and on a page with what may be done; what is told to other services."""

from tools.kit import (
    Backup,
    Context,
    Contributed,
    Dot,
    Glance,
    Guest,
    Page,
    Row,
    Told,
    Trouble,
    judged,
    or_else,
    so_far,
)
from tools.kit.backups import State, Verdict
from tools.kit.proxmox import Proxmox
from tools.kit.types import outside_text
from tools.pbs.changes import start_verify
from tools.pbs.client import Servers, every_group, service
from tools.pbs.models import Usage
from tools.pbs.reads import list_snapshots, usage

DOTS: dict[State, Dot] = {"unprotected": "🔴", "attention": "🟡", "unknown": "⚪", "protected": "🟢"}
NEARLY_FULL = 90.0


@service.backups
async def backups(ctx: Context[Servers]) -> Told[Backup]:
    """What is kept of each guest and host, datastore by datastore."""
    groups, down = await every_group(ctx.client)
    return [group.backup() for group in groups], down


@service.glance
async def glance(ctx: Context[Servers]) -> Glance:
    """How many are protected, the age of the last backup, and which datastores are nearly full."""
    (rows, down), (full, _) = await backups(ctx), await ctx.client.each(_full)
    verdicts = judged(Contributed({}, []), Contributed({"pbs": rows}, down)).verdicts
    targets = {(one.kind, one.id): one.target for one in rows}
    troubles = [one.trouble("pbs") for one in down]
    for one in verdicts:
        red, target = one.state == "unprotected", targets[one.kind, one.id]
        if one.state != "protected":
            troubles.append(Trouble(one.name or one.id, one.where[0], one.why, None, target, red=red))
    said = [(server, row.id, f"{row.percent:.0f} % full") for server, each in full.items() for row in each]
    troubles += [Trouble(store, server, how, red=False) for server, store, how in said]
    newest = max((row.newest for row in rows if row.newest), default=None)
    well = sum(one.state == "protected" for one in verdicts)
    summary = f"{well} of {len(verdicts)} backups fine" + (f", the last {so_far(newest)} ago" if newest else "")
    items: dict[str, str] = {f"{one.kind}/{one.id}": one.state for one in verdicts}
    return Glance(summary, tuple(troubles), items, unseen=("vm/", "ct/", "host/") if down else ())


async def _full(server: Proxmox) -> list[Usage]:
    rows: list[Usage] = await or_else(usage(server), [])  # how full it is says nothing of the backups
    return [row for row in rows if row.percent >= NEARLY_FULL]


@service.page("backups", verbs=(start_verify,), looks=(list_snapshots,))
async def page(ctx: Context[Servers]) -> Page:
    """Whether the backups are fine: the last good one of each guest, verified or not, elsewhere or not."""
    found = judged(await ctx.contributed(Guest), await ctx.contributed(Backup))
    ours, _ = await every_group(ctx.client)
    targets = {(group.rows[0].kind, group.rows[0].of): group.id for group in ours}
    return Page(
        found.conclusion,
        [_row(one, targets.get((one.kind, one.id), "")) for one in found.verdicts],
        down={one.name: one.reason for one in found.down},
        outside=any(outside_text(found.down)),
    )


def _row(one: Verdict, target: str) -> Row:
    elsewhere = {True: " · also elsewhere", False: " · only here", None: ""}[one.offsite if target else None]
    return Row(
        DOTS[one.state], one.name or one.id, f"{one.kind} {one.id}", f"{one.why}{elsewhere}", target,
        verbs=(start_verify,) if target and not one.verified else (), outside=any(outside_text(one)),
    )  # fmt: skip
