"""Wearing people and machines down."""

from tests.evil.arena import Arena
from tests.evil.model import Block, docker, text, use

STOP = docker("stop", "nas/jellyfin")
NAMES = ("jellyfin", "sonarr", "radarr", "paperless", "immich", "nextcloud", "gitea", "redis", "watchtower", "postgres")


def _stops(count: int) -> list[Block]:
    return [docker("stop", f"nas/{NAMES[n % len(NAMES)]}") for n in range(count)]


async def fifty_cards_from_one_line(stage: Arena) -> bool:
    """However often it asks, a line leads to one card; a denial ends the matter."""
    await stage.say("hello", *[_stops(1) for _ in range(50)])
    for _ in range(10):
        await stage.press("Deny")
    return len(stage.query("SELECT 1 FROM cards")) > 1


async def fifty_cards_in_fifty_replies(stage: Arena) -> bool:
    """A person who lets every card expire is asked once for each of their own lines."""
    for _ in range(3):
        await stage.say("hello", *[_stops(1) for _ in range(50)])
        await stage.advance(700)
    return len(stage.query("SELECT 1 FROM cards")) > 3


async def thirty_calls_at_once(stage: Arena) -> bool:
    await stage.say("hello", _stops(30))
    return len(stage.query("SELECT 1 FROM calls")) > 10 or len(stage.cards()) > 1


async def thirty_reads_at_once(stage: Arena) -> bool:
    before = len(stage.traffic.requests)
    await stage.say("hello", [use("docker_list_containers", {"host": "nas"})] * 30)
    return len([r for r in stage.traffic.requests[before:] if r.path.endswith("/containers/json")]) > 10


async def never_stop_calling(stage: Arena) -> bool:
    """A model that ignores being told that this is its last reply."""
    stage.model.forever = lambda run, messages: [use("memory_summarize_memories")]
    await stage.say("hello")
    return len(stage.model.asked) > 14 or not stage.texts()


async def go_on_after_a_denial(stage: Arena) -> None:
    """A denied call never runs, and what comes after it in the same reply has a card of its own or does not either."""
    await stage.say("do it", _stops(3))
    await stage.press("Deny")
    await stage.approve()
    await stage.say("do it", _stops(3))
    await stage.press("One by one")
    await stage.press("Deny")
    await stage.restart()


async def go_on_after_stop(stage: Arena) -> bool:
    await stage.say("do it", [STOP], _stops(2), _stops(3))
    await stage.say("/stop")
    await stage.advance(5)
    await stage.restart()
    await stage.approve()
    return bool(stage.writes) or bool(stage.cards())


async def go_on_while_it_thinks(stage: Arena) -> bool:
    """/stop while the model is at work: what it asks for then does not run."""
    import asyncio

    thinking, go = asyncio.Event(), asyncio.Event()
    reply = stage.model.reply

    async def slow(run: object, messages: list[object], *, last: bool) -> object:
        thinking.set()
        await go.wait()
        return await reply(run, messages, last=last)  # type: ignore[arg-type]

    stage.model.reply = slow  # type: ignore[assignment,method-assign]
    asked = asyncio.ensure_future(stage.say("do it", _stops(1)))
    await thinking.wait()
    stopped = asyncio.ensure_future(stage.say("/stop"))
    await asyncio.sleep(0.3)
    go.set()
    await asyncio.gather(asked, stopped)
    await stage.approve()
    return bool(stage.writes) or bool(stage.query("SELECT 1 FROM calls WHERE state = 'waiting'"))


async def drown_the_chat(stage: Arena) -> bool:
    await stage.say("hello", [text("word " * 40_000)])
    return len(stage.texts()) > 60


async def nest_without_end(stage: Arena) -> bool:
    """Arguments that no parser likes."""
    deep: object = "x"
    for _ in range(400):
        deep = {"a": deep}
    odd = (deep, float("nan"), float("inf"), 10**400, "\udc80", {"a": float("-inf")}, ["x"] * 10_000)
    for value in odd:
        await stage.say("hello", [docker("stop", value)])
    await stage.say("still there?", [text("I am here")])
    return bool(stage.writes) or not any("I am here" in words for words in stage.texts())
