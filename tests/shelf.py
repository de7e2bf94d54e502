"""A made-up service beside the rack, whose changes are about several of its items at once."""

from typing import Annotated, Literal

from tests.rack import RackApi, RackSettings, connect, find, name_of, read_item, set_to, suggest
from tools.kit import Area, Call, Change, Context, Facts, Field, Ident, Resolve, Risk, Service, Shown, one_by_one

shelf = Service("shelf", area=Area.INFRASTRUCTURE, settings=RackSettings, connect=connect)


class SeveralFacts(Facts):
    """Several items as a change finds them."""

    state: Shown[dict[Ident, Literal["on", "off", "gone"]]]


async def read_several(api: RackApi, idents: list[str]) -> SeveralFacts:
    return SeveralFacts(state={ident: (await read_item(api, ident)).state for ident in idents})


ItemNames = Annotated[list[str], Field(max_length=99, description="Names or ids of items."), Resolve(find, suggest)]


async def switched(ctx: Context[RackApi], items: list[str], state: Literal["on", "off"]) -> Change[SeveralFacts]:
    """The plan to switch several, and to switch back those that were otherwise."""

    def undo(before: SeveralFacts, net: str) -> Call:
        return other.call(items=[ident for ident in items if before.state[ident] not in (state, "gone")])

    other = switch_several_on if state == "off" else switch_several_off
    return Change(
        f"Switch {', '.join(name_of(ctx, item) for item in items)} {state}",
        facts=await ctx.read(read_several, items),
        do=lambda api: one_by_one(lambda item: set_to(state, item)(api), items),
        expect=lambda before, after: {ident: found == state for ident, found in after.state.items()},
        undo=undo,
        within=0.05,
    )


@shelf.tool(Risk.CHANGE, undo="switch off those that were off")
async def switch_several_on(ctx: Context[RackApi], items: ItemNames) -> Change[SeveralFacts]:
    """Switch several items on."""
    return await switched(ctx, items, "on")


@shelf.tool(Risk.CHANGE, undo="switch on those that were on")
async def switch_several_off(ctx: Context[RackApi], items: ItemNames) -> Change[SeveralFacts]:
    """Switch several items off."""
    return await switched(ctx, items, "off")
