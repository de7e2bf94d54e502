"""A made-up service whose changes go on by themselves: a tape drive over the lab's tasks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel

from lab.kit.tasks import Tasks
from tests.rack import RackSettings
from tools.kit import (
    Access,
    Area,
    Broken,
    Change,
    Context,
    Done,
    Facts,
    Gone,
    Link,
    NetId,
    Refused,
    Resolve,
    Risk,
    Service,
    Shown,
    Taken,
    Target,
    Task,
    Unreachable,
)  # fmt: skip

SAID = "tape 7 is full"


@dataclass
class Hour:
    """The drive's clock: a backup takes an hour of it."""

    share: float = 0.0
    lying: bool = False

    def now(self) -> float:
        return self.share


@dataclass
class Tape:
    """The outside world: what is on the tape, and what is under way."""

    hour: Hour = field(default_factory=Hour)
    backups: int = 3
    there: bool = True
    begun: list[str] = field(default_factory=list)
    fails: str = ""
    refuses: bool = False
    out_of_reach: bool = False
    lasts: float = 3600.0
    log: list[str] = field(default_factory=list)
    on_copy: Callable[[], Awaitable[Any]] | None = None
    looks: int = 0
    asked: int = 0

    def __post_init__(self) -> None:
        self.tasks = Tasks(self.hour)  # type: ignore[arg-type]

    def written(self) -> None:
        self.backups += 1

    def thrown_away(self) -> None:
        self.there = False


@dataclass
class TapeApi:
    """The client."""

    tape: Tape
    access: Access

    async def count(self) -> int:
        self.tape.asked += 1
        if self.tape.out_of_reach:
            raise Unreachable("The drive cannot be reached.")
        self.tape.tasks.settle()
        return self.tape.backups

    async def begin(self, effect: Callable[[], None] | None = None) -> Task:
        assert self.access is Access.WRITE
        self.tape.begun.append(f"task-{len(self.tape.begun)}")
        self.tape.tasks.begin(self.tape.begun[-1], "backup", 1.0, effect or self.tape.written, self.tape.fails)
        return Task(self.tape.begun[-1], lasts=self.tape.lasts)

    async def copy(self) -> str:
        assert self.access is Access.WRITE
        self.tape.log.append("copy")
        if self.tape.on_copy:
            await self.tape.on_copy()
        return "before-wipe"

    async def hold(self, number: int) -> None:
        assert self.access is Access.WRITE
        self.tape.log.append(f"hold {number}")
        self.tape.backups = number

    async def write(self) -> None:
        """Has an effect even where it says no, if that is how the drive fails."""
        assert self.access is Access.WRITE
        if self.tape.fails or not self.tape.refuses:
            self.tape.written()
        if self.tape.refuses:
            raise Refused("The drive said no.")


class Backups(Facts):
    """What is on the tape."""

    count: Shown[int]


async def read_backups(api: TapeApi) -> Backups:
    count = await api.count()
    if not api.tape.there:
        raise Gone("The drive has no such tape.")
    return Backups(count=count)


async def find_tape(api: TapeApi, text: str) -> list[Target]:
    return [Target("tape/1", "tape")] if api.tape.there and text in ("tape", "tape/1") else []


Named = Annotated[str, Resolve(find_tape)]


def more(before: Backups, after: Backups) -> bool:
    return after.count > before.count


async def connect(link: Link) -> TapeApi:
    return TapeApi(link.settings.rack.tape, link.access)


drive: Service[TapeApi] = Service("tape", area=Area.INFRASTRUCTURE, settings=RackSettings, connect=connect)


@drive.tool(Risk.CHANGE, undo="take it off again")
async def back_up(ctx: Context[TapeApi], tape: Named) -> Change[Backups]:
    """Back everything up."""
    facts = await ctx.read(read_backups)
    return Change(
        "Back up",
        facts=facts,
        do=lambda api: api.begin(),
        expect=more,
        undo=lambda before, net: put_back.call(net=net),
        net=Copy(name="before", held=facts.count),
        within=0.05,
    )


@drive.tool(Risk.CHANGE)
async def write_one(ctx: Context[TapeApi], tape: Named) -> Change[Backups]:
    """Write one backup at once."""
    facts = await ctx.read(read_backups)
    return Change("Write one", facts=facts, do=lambda api: api.write(), expect=more, within=0.05)


class There(Facts):
    """Whether the drive has the tape."""

    state: Shown[Literal["there", "gone"]]


async def read_there(api: TapeApi) -> There:
    await api.count()
    return There(state="there" if api.tape.there else "gone")


@drive.tool(Risk.DESTROY)
async def scrap(ctx: Context[TapeApi], tape: Named) -> Change[There]:
    """Throw the tape away, which takes its time."""
    return Change(
        "Scrap tape",
        facts=await ctx.read(read_there),
        do=lambda api: api.begin(api.tape.thrown_away),
        expect=lambda before, after: after.state == "gone",
        within=0.05,
    )


class Copy(BaseModel):
    """What the safety net of a wipe has made."""

    name: str
    held: int


@drive.tool(Risk.CHANGE, hidden=True)
async def put_back(ctx: Context[TapeApi], net: NetId) -> Change[Backups]:
    """Put back what a wipe has taken; only for Undo."""
    copy = await ctx.kept(net, Copy)
    return Change(
        f"Put back {copy.name}",
        facts=await ctx.read(read_backups),
        do=lambda api: api.hold(copy.held),
        expect=lambda before, after: after.count == copy.held,
        within=0.05,
    )


@drive.tool(Risk.CHANGE, undo="put back what was copied before")
async def wipe(ctx: Context[TapeApi], tape: Named) -> Change[Backups]:
    """Take everything off the tape."""

    async def copied(api: TapeApi) -> Taken:
        name = await api.copy()
        return Taken(f"copy {name}", Copy(name=name, held=api.tape.backups))

    return Change(
        "Wipe tape",
        facts=await ctx.read(read_backups),
        safety_net=copied,
        do=lambda api: api.hold(0),
        expect=lambda before, after: after.count == 0,
        undo=lambda before, net: put_back.call(net=net) if net else None,
        within=0.05,
    )


@drive.follow
async def follow(api: TapeApi, ref: str) -> AsyncIterator[str | Done | Broken]:
    assert api.access is Access.READ, "what follows may only look"
    while True:
        await api.count()
        api.tape.looks += 1
        task = api.tape.tasks.look(ref)
        if task is None:
            raise Gone("The drive knows no such task.")
        if task.ended:
            yield Broken(task.fails) if task.fails else Done("")
            return
        yield f"{task.share(api.tape.hour.now()):.0%} written"
        await asyncio.sleep(0.005)
