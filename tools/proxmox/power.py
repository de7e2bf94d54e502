"""Starting and ending guests."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from tools.kit import Call, Change, Conflict, Context, Facts, Field, Gone, Ident, Risk, Shown, Tolerance
from tools.proxmox.client import Cluster, service
from tools.proxmox.models import Guest
from tools.proxmox.targets import GuestName, live, the_guest, there

State = Literal["running", "stopped", "paused", "gone"]
BY_HA_SECONDS = 180.0
"""How long high availability may take to do what it was told."""
Seconds = Annotated[int, Field(ge=10, le=3600, description="Seconds that the guest has to shut down by itself.")]


class GuestFacts(Facts):
    """How a guest is; gone, when nobody knows it any more."""

    state: Shown[State]
    node: Shown[Ident | None]
    up_since: Annotated[Shown[datetime | None], Tolerance(90)] = None
    lock: Ident | None = None
    managed: bool = False


async def read_guest(client: Cluster, guest: str) -> GuestFacts:
    """How a guest is now, by its own node's word. Raises ToolFailed where that does not answer."""
    found = await the_guest(client, guest)
    if found is None:
        return GuestFacts(state="gone", node=None)
    try:
        now = await live(client, found)
    except Gone:  # it has moved, or gone, between the two questions
        return GuestFacts(state="gone", node=None)
    return GuestFacts(
        state=now.state, node=found.node, up_since=now.up_since, lock=now.lock or None, managed=now.managed
    )


def called(guest: Guest) -> str:
    """What a title calls it: name and number."""
    return f"{guest.called} ({guest.vmid})" if guest.name else str(guest.vmid)


def unlocked(facts: GuestFacts) -> None:
    """Raises Conflict while something else is done to it."""
    if facts.lock:
        raise Conflict(f"The guest is locked ({facts.lock}): something is under way. Ask again when that has ended.")


async def _power(
    ctx: Context[Cluster],
    guest: str,
    verb: str,
    action: str,
    expect: Callable[[GuestFacts, GuestFacts], bool],
    undo: Callable[[GuestFacts], Call | None] | None = None,
    *,
    notes: tuple[str, ...] = (),
    lasts: float = 600.0,
    **params: int | bool,
) -> Change[GuestFacts]:
    found = await there(ctx.client, guest)
    facts = await ctx.read(read_guest, guest)
    if found.template:
        raise Conflict(f"{found.called} is a template: clone it, then start the clone.")
    unlocked(facts)
    return Change(
        f"{verb} {called(found)}",
        facts=facts,
        do=lambda client: client.begin(
            "POST", f"/nodes/{{}}/{{}}/{{}}/status/{action}", found.node, found.type, found.vmid,
            params=params, lasts=lasts,
        ),
        expect=expect,
        undo=(lambda before, _: undo(before)) if undo else None,
        notes=notes,
        within=BY_HA_SECONDS if facts.managed else 20.0,
    )  # fmt: skip


@service.tool(Risk.CHANGE, undo="shut it down again", often=True)
async def start_vm(ctx: Context[Cluster], guest: GuestName) -> Change[GuestFacts]:
    """Start a VM or container."""
    return await _power(
        ctx, guest, "Start", "start",
        lambda before, after: after.state == "running",
        lambda before: shutdown_vm.call(guest=guest) if before.state == "stopped" else None,
    )  # fmt: skip


@service.tool(Risk.CHANGE, undo="start it again", often=True)
async def shutdown_vm(ctx: Context[Cluster], guest: GuestName, seconds: Seconds = 180) -> Change[GuestFacts]:
    """Ask a VM or container to shut down by itself; it fails where the guest does not heed."""
    return await _power(
        ctx, guest, "Shut down", "shutdown",
        lambda before, after: after.state in ("stopped", "gone"),
        lambda before: start_vm.call(guest=guest) if before.state == "running" else None,
        lasts=seconds + 120.0, timeout=seconds,
    )  # fmt: skip


@service.tool(Risk.CHANGE, often=True)
async def reboot_vm(ctx: Context[Cluster], guest: GuestName, seconds: Seconds = 180) -> Change[GuestFacts]:
    """Shut a VM or container down and start it again; changed settings take effect with it."""
    return await _power(
        ctx, guest, "Reboot", "reboot", restarted,
        notes=("It is back by itself: there is nothing to undo.",), lasts=seconds + 300.0, timeout=seconds,
    )  # fmt: skip


def restarted(before: GuestFacts, after: GuestFacts) -> bool:
    """Whether it runs, and has been started since."""
    if before.up_since is None or after.up_since is None:
        return False
    return after.state == "running" and (after.up_since - before.up_since).total_seconds() > 2


@service.tool(Risk.DESTROY, undo="start it again")
async def stop_vm(ctx: Context[Cluster], guest: GuestName) -> Change[GuestFacts]:
    """Cut a VM's or container's power at once; use shutdown_vm first, this one where the guest does not heed."""
    return await _power(
        ctx, guest, "Stop", "stop",
        lambda before, after: after.state in ("stopped", "gone"),
        lambda before: start_vm.call(guest=guest) if before.state == "running" else None,
        notes=("Its power is cut: what it has not written to disk yet is lost.",),
    )  # fmt: skip
