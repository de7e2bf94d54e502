"""Pi-hole at a glance: what /status and the digest say of it."""

from tools.kit import Context, Glance, Trouble, countdown
from tools.pihole.client import Holes, service
from tools.pihole.models import State


@service.glance
async def glance(ctx: Context[Holes]) -> Glance:
    """Which Pi-holes block, and which are paused or do not answer."""
    states, down = await ctx.client.each(lambda api: api.read(State, "/dns/blocking"))
    troubles = [one.trouble("pihole") for one in down]
    troubles += [
        Trouble(name, "pihole", said_of(state), red=state.blocking != "disabled")
        for name, state in states.items()
        if state.blocking != "enabled"
    ]
    blocking = sum(state.blocking == "enabled" for state in states.values())
    return Glance(
        f"{blocking} of {len(ctx.client)} Pi-holes block", tuple(troubles), {n: s.blocking for n, s in states.items()}
    )


def said_of(state: State) -> str:
    """`blocking`, or how long it is paused: `paused, on again in 4:32`."""
    if state.blocking != "disabled":
        return "blocking" if state.blocking == "enabled" else f"blocking {state.blocking}"
    return f"paused, on again in {countdown(state.timer)}" if state.timer is not None else "paused until turned on"
