"""Memory: what people asked to be remembered. A service of ours: its changes need no card, but have Undo."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from memory import knowledge
from memory.knowledge import IdTaken, Knowledge, Recall
from memory.secrets import Redactor
from memory.text import clean
from tools.kit import (
    Access,
    Area,
    Change,
    Conflict,
    Context,
    Facts,
    Field,
    Gone,
    Ident,
    Link,
    Outside,
    Own,
    Result,
    Risk,
    Service,
    ServiceSettings,
    Shown,
    ToolFailed,
)

PAGE = 10
NO_SECRETS = Redactor()


class Settings(ServiceSettings, env_prefix="MEMORY_"):
    """There is nothing to set: the memory is always on."""


async def connect(link: Link) -> Recall:
    """Our knowledge, or only its reading half."""
    ours: Knowledge = link.stores.knowledge
    return ours if link.access is Access.WRITE else ours.reading()


service = Service("memory", area=Area.KNOWLEDGE, settings=Settings, connect=connect, own=True)

Prints = tuple[tuple[int, Ident], ...]
"""Each memory that exists, with the fingerprint of its text and origin."""

Id = Annotated[int, Field(description="The memory's number, from a search or the list.", ge=1, le=2**53)]
Text = Annotated[
    str,
    Field(
        description="One fact, complete in itself, without passwords or keys: `The NAS is backed up on Sundays`.",
        min_length=1,
        max_length=1000,
    ),
]


class Remembered(Result):
    """One memory. Its text is in `text`, or in `outside_text` when text from outside may be in it."""

    id: int
    text: Own | None = None
    outside_text: Outside | None = None
    by: Ident
    """Who wrote this text."""
    updated: datetime


class Found(Remembered):
    """A memory that answers a search; a higher score is a better answer."""

    score: float


class Hits(Result):
    """What a search found, best first."""

    hits: tuple[Found, ...]


class Page(Result):
    """One page of memories, the newest first."""

    memories: tuple[Remembered, ...]
    page: int
    pages: int
    total: int


class Version(Result):
    """What a memory said from then on, in `outside_text` when text from outside may be in it."""

    what: Literal["added", "updated", "deleted"]
    text: Own | None = None
    outside_text: Outside | None = None
    by: Ident
    at: datetime


class History(Result):
    """Every version of one memory, the oldest first."""

    id: int
    exists: bool
    versions: tuple[Version, ...]


class Writer(Result):
    """How many of the memories somebody wrote."""

    by: Ident
    memories: int


class Summary(Result):
    """All memories in numbers."""

    memories: int
    from_outside: int
    """Memories in which text from outside may be."""
    oldest: datetime | None
    newest: datetime | None
    by: tuple[Writer, ...]


class MemoryFacts(Facts):
    """The memories that a change is about, as they are now."""

    number: Shown[int | None]
    """The memory's, when it is one and it exists."""
    memories: Shown[int | None]
    """How many exist, when it is not one."""
    text: Shown[Own | None]
    """What it says. Text from outside is not shown here: facts go to the model and would not taint."""
    version: Shown[int]
    """How often they have been added, updated or deleted."""
    prints: Prints


@service.tool(Risk.READ)
async def search_memories(
    ctx: Context[Recall],
    query: Annotated[str, Field(description="A question or a few words.", min_length=1, max_length=400)],
    limit: Annotated[int, Field(description="Most memories to return.", ge=1, le=20)] = 5,
) -> Hits:
    """Memories that answer a question, by words and by meaning, best first."""
    hits = await ctx.client.search(query, limit)
    return Hits(hits=tuple(Found(**_fields(hit.memory), score=hit.score) for hit in hits))


@service.tool(Risk.READ)
async def get_all_memories(
    ctx: Context[Recall],
    page: Annotated[int, Field(description=f"Which {PAGE} memories; 1 has the newest.", ge=1, le=100_000)] = 1,
) -> Page:
    """Every memory, the newest first, page by page."""
    total = (await ctx.client.summary()).memories
    memories = await ctx.client.all(page, PAGE)
    return Page(
        memories=tuple(Remembered(**_fields(memory)) for memory in memories),
        page=page,
        pages=max(1, -(-total // PAGE)),
        total=total,
    )


@service.tool(Risk.READ)
async def get_memory_history(ctx: Context[Recall], id: Id) -> History:
    """What one memory said over time, who changed it and when; also for a deleted one."""
    versions = await ctx.client.history(id)
    if not versions:
        raise Gone(f"There never was a memory {id}: search for it, or list them all.")
    return History(
        id=id,
        exists=await ctx.client.get(id) is not None,
        versions=tuple(Version(what=v.what, **_text(v), by=v.actor, at=_moment(v.at)) for v in versions),
    )


@service.tool(Risk.READ)
async def summarize_memories(ctx: Context[Recall]) -> Summary:
    """How many memories there are, from when, and by whom."""
    found = await ctx.client.summary()
    return Summary(
        memories=found.memories,
        from_outside=found.tainted,
        oldest=None if found.oldest is None else _moment(found.oldest),
        newest=None if found.newest is None else _moment(found.newest),
        by=tuple(Writer(by=actor, memories=count) for actor, count in found.by.items()),
    )


@service.tool(Risk.CHANGE, undo="forget it again")
async def add_memory(ctx: Context[Recall], text: Text) -> Change[MemoryFacts]:
    """Remember a fact about the homelab or its people for good.

    Only what the person asked to be kept. To correct a memory, update it instead.
    """
    text = _kept(text)
    twin = await ctx.client.same(text, tainted=ctx.tainted)
    id = twin.id if twin else await ctx.client.next_id()
    wanted = ((id, _print(text, twin.tainted if twin else ctx.tainted)),)

    async def do(memory: Knowledge) -> None:
        try:
            await memory.add(text, ctx.actor, tainted=ctx.tainted, id=id)
        except IdTaken:
            raise Conflict("Something else was remembered at the same moment: ask again.") from None

    return await _change(ctx, f"Remember “{_short(text, 60)}”", (id,), do, wanted)


@service.tool(Risk.CHANGE, undo="put the old text back")
async def update_memory(ctx: Context[Recall], id: Id, text: Text) -> Change[MemoryFacts]:
    """Replace the text of one memory; its earlier versions stay in its history."""
    text = _kept(text)
    if await ctx.client.get(id) is None:
        raise Gone(f"There is no memory {id}: search for it, or add a new one.")

    async def do(memory: Knowledge) -> None:
        if not await memory.update(id, text, ctx.actor, tainted=ctx.tainted):
            raise Gone(f"Memory {id} was deleted a moment ago.")

    wanted = ((id, _print(text, ctx.tainted or await ctx.client.stained(id, text))),)
    return await _change(ctx, f"Change memory {id}", (id,), do, wanted, await _from_outside(ctx.client, id))


@service.tool(Risk.DESTROY, undo="bring it back as it was")
async def delete_memory(ctx: Context[Recall], id: Id) -> Change[MemoryFacts]:
    """Forget one memory: no search finds it any more."""

    async def do(memory: Knowledge) -> None:
        await memory.delete((id,), ctx.actor)

    notes = (*await _from_outside(ctx.client, id), "What it said stays in its history.")
    return await _change(ctx, f"Delete memory {id}", (id,), do, (), notes)


@service.tool(Risk.DESTROY, undo="bring all of them back as they were")
async def delete_all_memories(ctx: Context[Recall]) -> Change[MemoryFacts]:
    """Forget everything that was ever remembered."""
    ids = tuple(await ctx.client.ids())

    async def do(memory: Knowledge) -> None:
        # Those that were counted and can be brought back, not one that came a moment later.
        await memory.delete(ids, ctx.actor)

    return await _change(ctx, "Delete all memories", ids, do, (), ("What they said stays in their history.",))


@service.tool(Risk.CHANGE, hidden=True)
async def restore_memories(
    ctx: Context[Recall],
    net: Annotated[
        str, Field(description="Id of what was kept for an Undo; only Undo knows one.", min_length=1, max_length=128)
    ],
) -> Change[MemoryFacts]:
    """Make memories what they were before a change; only for Undo."""
    if ctx.nets is None:
        raise ToolFailed("Nothing was kept that could be brought back.")
    stored = await ctx.nets.open(net)
    if "memories" not in stored:
        raise ToolFailed("This was not kept by the memory: only Undo can use it.")
    ids, kept = tuple(stored["ids"]), stored["memories"]
    wanted = tuple([(item["id"], _print(item["text"], await _stained(ctx.client, item))) for item in kept])

    async def do(memory: Knowledge) -> None:
        await memory.restore(ids, kept, ctx.actor)

    return Change(
        f"Put memory {ids[0]} back" if len(ids) == 1 else f"Put {len(ids)} memories back",
        facts=await ctx.read(facts_about, ids),
        do=do,
        expect=lambda before, after: after.prints == wanted,
    )


async def facts_about(client: Recall, ids: tuple[int, ...]) -> MemoryFacts:
    """The facts about these memories, whether they exist or not."""
    found = await client.some(ids)
    one = found[0] if len(ids) == 1 and found else None
    return MemoryFacts(
        number=one.id if one else None,
        memories=None if len(ids) == 1 else len(found),
        text=one.text if one and not one.tainted else None,
        version=await client.changes(ids),
        prints=tuple((memory.id, _print(memory.text, memory.tainted)) for memory in found),
    )


async def _change(
    ctx: Context[Recall],
    title: str,
    ids: tuple[int, ...],
    do: Callable[[Knowledge], Awaitable[None]],
    wanted: Prints,
    notes: tuple[str, ...] = (),
) -> Change[MemoryFacts]:
    """A change of these memories whose Undo puts them back whole: text, vector, origin and number."""
    return Change(
        title,
        facts=await ctx.read(facts_about, ids),
        do=do,
        expect=lambda before, after: after.prints == wanted,
        undo=lambda before, net: restore_memories.call(net=net),
        net={"ids": list(ids), "memories": await ctx.client.snapshot(ids)},
        notes=notes,
    )


async def _from_outside(client: Recall, id: int) -> tuple[str, ...]:
    """What a tainted memory says, for the card alone."""
    memory = await client.get(id)
    return (f"Text from outside: “{_short(memory.text, 200)}”",) if memory and memory.tainted else ()


def _kept(text: str) -> str:
    """The text as it is remembered: cleaned. Raises ToolFailed for one that holds a secret, or nothing."""
    text = clean(text)[0].strip()
    if not text:
        raise ToolFailed("There is nothing to remember in this text.")
    if NO_SECRETS(text) != text:
        raise ToolFailed("This looks like a password or a key, and I don't keep secrets: say it without the secret.")
    return text


async def _stained(client: Recall, item: dict[str, Any]) -> bool:
    return bool(item["tainted"]) or await client.stained(item["id"], item["text"])


def _text(said: knowledge.Memory | knowledge.Version) -> dict[str, Any]:
    return {"outside_text": said.text} if said.tainted else {"text": said.text}


def _fields(memory: knowledge.Memory) -> dict[str, Any]:
    return {"id": memory.id, **_text(memory), "by": memory.actor, "updated": _moment(memory.updated)}


def _print(text: str, tainted: bool) -> str:
    return hashlib.sha256(f"{int(tainted)}{text}".encode()).hexdigest()[:16]


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).replace(microsecond=0)


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
