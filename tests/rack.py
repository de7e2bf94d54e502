"""A small service built with the real kit, whose faults can be chosen and whose log of writes is the judge."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from tools import kit
from tools.kit import (
    Access,
    Area,
    Call,
    Change,
    Context,
    Facts,
    Field,
    Gone,
    Ident,
    Link,
    OutcomeUnknown,
    Outside,
    Page,
    Resolve,
    Result,
    Risk,
    Row,
    SecretStr,
    Service,
    ServiceSettings,
    Shown,
    Target,
    Unreachable,
)

NET_SECRET = "hunter2-the-net-secret"
Fault = Literal["hang", "not sent", "sent", "lie", "break", "lost answer"]


@dataclass
class Item:
    """One thing in the rack."""

    id: str
    name: str
    state: Literal["on", "off"] = "on"
    watts: int = 40
    presses: int = 0
    label: str = "a label that anybody may write"
    secret: str = NET_SECRET
    forbidden: bool = False
    protected: str = ""
    dot: kit.Dot = "🟢"
    shelf: str = "upper"
    group: str = ""
    settles: float | None = None


@dataclass
class Write:
    """One write, and whatever `on_write` saw at that moment."""

    verb: str
    item: str
    seen: Any = None


@dataclass
class Rack:
    """The outside world of the fake service."""

    items: dict[str, Item] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    reads: int = 0
    reading: int = 0
    most_at_once: int = 0
    fault: Fault | None = None
    on_write: Callable[[], Any] | None = None
    unreachable: bool = False
    fetched: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hold: asyncio.Event | None = None
    started: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, name: str, **values: Any) -> Item:
        item = Item(f"rack/{len(self.items) + 1:04d}", name, **values)
        self.items[item.id] = item
        return item

    def take(self, item: Item) -> None:
        del self.items[item.id]

    @property
    def log(self) -> list[str]:
        return [f"{write.verb} {write.item}" for write in self.writes]


class RackApi:
    """The client: a reading one refuses to write, as a real transport would."""

    def __init__(self, rack: Rack, access: Access) -> None:
        self.rack, self._access = rack, access

    async def item(self, ident: str) -> Item | None:
        rack = self.rack
        rack.reads, rack.reading = rack.reads + 1, rack.reading + 1
        rack.most_at_once = max(rack.most_at_once, rack.reading)
        await asyncio.sleep(0.001)
        rack.reading -= 1
        if rack.unreachable:
            raise Unreachable("The rack cannot be reached: check its cable.")
        return rack.items.get(ident)

    async def write(self, verb: str, ident: str, effect: Callable[[Item], None]) -> None:
        assert self._access is Access.WRITE, "a reading client was asked to write"
        rack, item = self.rack, self.rack.items.get(ident)
        rack.started.set()
        if rack.fault == "not sent":
            raise Unreachable("The rack cannot be reached (connection refused).")
        write = Write(verb, item.name if item else ident)
        rack.writes.append(write)
        if rack.on_write is not None:
            write.seen = rack.on_write()
        if rack.hold is not None or rack.fault == "hang":
            await (rack.hold or asyncio.Event()).wait()
        if rack.fault == "break":
            raise RuntimeError("a bug in the tool")
        if rack.fault == "sent":
            raise OutcomeUnknown("The rack was asked, but its answer was lost.")
        if item is not None and rack.fault != "lie":
            effect(item)
        if rack.fault == "lost answer":
            raise OutcomeUnknown("The rack was asked, but its answer was lost.")


class RackSettings(ServiceSettings, env_prefix="RACK_"):
    """Settings of the fake rack."""

    url: str = "http://rack"
    """Base address."""
    token: SecretStr = SecretStr("rack-token-0123456789")
    """Its token."""
    rack: Any = None
    """The rack behind it, of one test."""


class ItemFacts(Facts):
    """An item as a change finds it."""

    state: Shown[Literal["on", "off", "gone"]]
    watts: Shown[int | None] = None
    presses: int = 0


class ItemState(Result):
    """An item as a read finds it."""

    name: Ident
    state: Literal["on", "off"]
    watts: int


class Label(Result):
    """Text that anybody may write."""

    text: Outside


async def read_item(api: RackApi, ident: str) -> ItemFacts:
    item = await api.item(ident)
    if item is None:
        return ItemFacts(state="gone")
    return ItemFacts(state=item.state, watts=item.watts, presses=item.presses).settling(item.settles)


async def find(api: RackApi, text: str) -> list[Target]:
    if api.rack.unreachable:
        raise Unreachable("The rack cannot be reached: check its cable.")
    return [
        Target(item.id, item.name, f"slot {item.id[-1]}", item.forbidden, item.protected, (f"alias-{item.name}",))
        for item in api.rack.items.values()
        if text in (item.id, item.name)
    ]


async def suggest(api: RackApi, text: str) -> list[str]:
    return [item.name for item in api.rack.items.values()][:3]


ItemName = Annotated[
    str, Field(min_length=1, max_length=64, description="Name or id of an item."), Resolve(find, suggest)
]
Percent = Annotated[int, Field(ge=0, le=100, description="How bright.")]


async def connect(link: Link) -> RackApi:
    return RackApi(link.settings.rack, link.access)


service = Service("rack", area=Area.INFRASTRUCTURE, settings=RackSettings, connect=connect)
own = Service("notes", area=Area.KNOWLEDGE, settings=RackSettings, connect=connect, own=True)


@service.tool(Risk.READ, word="state")
async def get_item(ctx: Context[RackApi], item: ItemName) -> ItemState:
    """State of one item."""
    found = await ctx.client.item(item)
    if found is None:
        raise Gone("The item is gone.")
    return ItemState(name=found.name, state=found.state, watts=found.watts)


@service.tool(Risk.READ)
async def read_label(ctx: Context[RackApi], item: ItemName) -> Label:
    """The label on an item."""
    found = await ctx.client.item(item)
    return Label(text=found.label if found else "")


@service.tool(Risk.READ, egress=True)
async def fetch(ctx: Context[RackApi], url: str) -> ItemState:
    """Fetch an address that the caller chooses."""
    ctx.client.rack.fetched.append(url)
    return ItemState(name="page", state="on", watts=0)


@service.tool(Risk.READ)
async def break_down(ctx: Context[RackApi]) -> ItemState:
    """A tool with a bug."""
    raise KeyError("a bug in the tool")


def set_to(state: Literal["on", "off"], item: str) -> Callable[[RackApi], Awaitable[None]]:
    return lambda api: api.write(f"switch {state}", item, lambda found: setattr(found, "state", state))


@service.tool(Risk.CHANGE, undo="switch it off again", word="start")
async def switch_on(ctx: Context[RackApi], item: ItemName) -> Change[ItemFacts]:
    """Switch an item on."""
    facts = await ctx.read(read_item, item)
    return Change(
        f"Switch {name_of(ctx, item)} on",
        facts=facts,
        do=set_to("on", item),
        expect=lambda before, after: after.state == "on",
        undo=lambda before, net: switch_off.call(item=item) if before.state == "off" else None,
        within=0.05,
        deadline=5.0,
    )


@service.tool(Risk.CHANGE, undo="switch it on again", word="stop")
async def switch_off(ctx: Context[RackApi], item: ItemName) -> Change[ItemFacts]:
    """Switch an item off."""
    facts = await ctx.read(read_item, item)
    if facts.state == "gone":
        raise Gone("The item is gone: list again to see what there is.")
    return Change(
        f"Switch {name_of(ctx, item)} off",
        facts=facts,
        do=set_to("off", item),
        expect=lambda before, after: after.state == "off",
        undo=lambda before, net: switch_on.call(item=item),
        within=0.05,
        deadline=5.0,
    )


def press_harder(args: Any) -> Risk:
    return Risk.DESTROY if args.percent == 100 else Risk.READ


@service.tool(Risk.CHANGE, escalate=press_harder)
async def press(ctx: Context[RackApi], item: ItemName, percent: Percent = 50) -> Change[ItemFacts]:
    """Press an item's button; at 100 percent it breaks."""

    def effect(found: Item) -> None:
        found.presses += 1

    return Change(
        f"Press {name_of(ctx, item)}",
        facts=await ctx.read(read_item, item),
        do=lambda api: api.write("press", item, effect),
        expect=lambda before, after: after.presses > before.presses,
        notes=("No undo: it springs back.",),
        within=0.05,
        deadline=0.2,
    )


class LabelFacts(Facts):
    """A label, which anybody may have written."""

    text: Shown[Outside]


async def read_facts_of_label(api: RackApi, ident: str) -> LabelFacts:
    item = await api.item(ident)
    return LabelFacts(text=item.label if item else "")


@service.tool(Risk.CHANGE)
async def relabel(
    ctx: Context[RackApi], item: ItemName, text: Annotated[str, Field(max_length=99)]
) -> Change[LabelFacts]:
    """Write another label."""
    return Change(
        f"Relabel {name_of(ctx, item)}",
        facts=await ctx.read(read_facts_of_label, item),
        do=lambda api: api.write("relabel", item, lambda found: setattr(found, "label", text)),
        expect=lambda before, after: after.text == text,
        within=0.05,
    )


@service.tool(Risk.DESTROY, undo="put it back")
async def remove_item(ctx: Context[RackApi], item: ItemName) -> Change[ItemFacts]:
    """Take an item out of the rack."""
    facts, found = await ctx.read(read_item, item), ctx.client.rack.items[item]
    return Change(
        f"Remove {found.name}",
        facts=facts,
        do=lambda api: api.write("remove", item, lambda gone: api.rack.take(gone)),
        expect=lambda before, after: after.state == "gone",
        undo=lambda before, net: put_back.call(net=net),
        net={"item": vars(replace(found))},
        within=0.05,
    )


@service.tool(Risk.CHANGE)
async def put_back(ctx: Context[RackApi], net: Annotated[str, Field(max_length=128)]) -> Change[ItemFacts]:
    """Put an item back that was taken out."""
    item = Item(**(await ctx.nets.open(net))["item"])

    async def do(api: RackApi) -> None:
        await api.write("put back", item.id, lambda _: None)
        api.rack.items[item.id] = item

    return Change(
        f"Put {item.name} back",
        facts=await ctx.read(read_item, item.id),
        do=do,
        expect=lambda before, after: after.state != "gone",
    )


@service.tool(Risk.READ, word="chart")
async def get_power(ctx: Context[RackApi], item: ItemName, span: kit.Span = "day") -> kit.Chart:
    """What an item has drawn over time."""
    step = timedelta(minutes={"hour": 1, "day": 24, "week": 168, "month": 720}[span])
    times, values = [datetime(2026, 11, 3, tzinfo=UTC) + step * at for at in range(60)], [at % 7 for at in range(60)]
    drawn = kit.Curve(name="Power", unit="W", times=times, values=values)
    return kit.Chart(name=ctx.client.rack.items[item].name, curves=[drawn])


@service.page("things", verbs=(switch_on, switch_off, press, remove_item), looks=(get_item, read_label, get_power))
async def things(ctx: Context[RackApi]) -> Page:
    """Everything in the rack: whether it is on, and what it draws."""
    rack = ctx.client.rack
    if rack.unreachable:
        raise Unreachable("The rack cannot be reached: check its cable.")
    rows = [
        Row(
            item.dot, item.name, item.shelf, f"{item.watts} W", item.id, item.group,
            (switch_off, press, remove_item) if item.state == "on" else (switch_on,),
        )
        for item in rack.items.values()
    ]  # fmt: skip
    return Page(f"{len(rows)} things", rows, actions={"Press the lamp": press.call(item="lamp")})


@own.tool(Risk.CHANGE, undo="forget it again")
async def write(ctx: Context[RackApi], text: Annotated[str, Field(max_length=200)]) -> Change[ItemFacts]:
    """Write a note."""

    async def noted(api: RackApi) -> ItemFacts:
        return ItemFacts(state="on" if text in api.rack.notes else "off")

    async def do(api: RackApi) -> None:
        api.rack.writes.append(Write("note", text))
        api.rack.notes.append(text)

    return Change(
        "Write a note",
        facts=await ctx.read(noted),
        do=do,
        expect=lambda before, after: after.state == "on",
        undo=lambda before, net: Call("notes_write", {"text": text}),
    )


def name_of(ctx: Context[RackApi], ident: str) -> str:
    found = ctx.client.rack.items.get(ident)
    return found.name if found else ident


def fake_services() -> list[Service[Any]]:
    """The fake rack, and a service of our own beside it."""
    return [service, own]
