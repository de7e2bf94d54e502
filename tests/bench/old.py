"""Speed and memory, ours beside the floor, as ratios of one run: `python -m tests.bench`. Nothing is asserted."""

import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.core import Core, assemble
from bot.runs.runner import NoScreen
from bot.settings.people import console_actor
from bot.settings.settings import configured
from lab.lab import Lab
from lab.telegram.state import ADMIN
from memory.models import Actor
from memory.secrets import Redactor
from memory.stores import Stores
from tests.e2e.harness import ROOT, Home, environment, open_home
from tools.kit.context import Access, Context

ANSWERS, ROUNDS, WARM_UP = 12, 15, 2
PAUSE = 1.4
"""Seconds between two lines: a chat that was just written to is held for a while."""
SETTLED = 6.0
"""Seconds until a process is at rest."""
QUESTION = "what's wrong?"
Row = tuple[str, str, str, str]


def main() -> None:
    """Print the table."""
    if sys.argv[1:] == ["echo"]:
        _echo()
        return
    rows = [("", "ours", "floor", "ratio"), *asyncio.run(_measure())]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for number, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


async def _measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        async with open_home(at / "ours", forked=False) as home:
            memory = await _memory(home)
            answers = await _answers(home, at / "floor")
        turns = await _turns(at / "turns")
        return [*answers, turns, await _first_poll(at / "start"), *memory]


def _ms(values: list[float]) -> str:
    low, high = min(values) * 1000, max(values) * 1000
    return f"{statistics.median(values) * 1000:.1f} ms ({low:.1f}–{high:.1f})"


def _row(name: str, ours: list[float], floor: list[float]) -> Row:
    ratios = [mine / theirs for mine, theirs in zip(ours, floor, strict=True)]
    ratio = f"{statistics.median(ratios):.2f}× ({min(ratios):.2f}–{max(ratios):.2f})"
    return name, _ms(ours), _ms(floor), ratio


# From an update to its answer


async def _answers(home: Home, folder: Path) -> list[Row]:
    """`/status` and `/help` against a bare echo handler of python-telegram-bot, on the same emulator, in turns."""
    async with _echoing(folder) as (lab, _):
        status: list[float] = []
        floor: list[float] = []
        help_: list[float] = []
        for number in range(ANSWERS + WARM_UP):
            taken = [await _answer(home.lab, "/status"), await _answer(lab, "/status")]
            await asyncio.sleep(PAUSE)
            taken.append(await _answer(home.lab, "/help"))
            await asyncio.sleep(PAUSE)
            if number >= WARM_UP:
                for kept, seconds in zip((status, floor, help_), taken, strict=True):
                    kept.append(seconds)
    return [
        _row("/status, update to answer (floor: bare PTB echo)", status, floor),
        _row("/help, update to answer (floor: bare PTB echo)", help_, floor),
    ]


async def _answer(lab: Lab, line: str) -> float:
    before = len(lab.telegram.sent(ADMIN))
    began = time.perf_counter()
    lab.telegram.send(ADMIN, line)
    await lab.telegram.wait_for(lambda: len(lab.telegram.sent(ADMIN)) > before, 30)
    return time.perf_counter() - began


@asynccontextmanager
async def _echoing(folder: Path) -> AsyncIterator[tuple[Lab, float]]:
    """The floor on a lab of its own, and when it was started."""
    async with Lab(directory=folder) as lab:
        began = time.time()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench", "echo", cwd=ROOT, env=environment(lab)
        )
        try:
            await _answer(lab, "are you there?")
            yield lab, began
        finally:
            process.terminate()
            await process.wait()


def _echo() -> None:
    """The floor: what the library's own quick start does."""
    from telegram import Update
    from telegram.ext import Application, ContextTypes, MessageHandler, filters

    async def echo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        if update.message and update.message.text:
            await update.message.reply_text(update.message.text)

    base = f"{os.environ['TELEGRAM_API_URL']}/bot"
    app = Application.builder().token(os.environ["TELEGRAM_BOT_TOKEN"]).base_url(base).build()
    app.add_handler(MessageHandler(filters.TEXT, echo))
    app.run_polling()


# A turn of the loop


async def _turns(folder: Path) -> Row:
    """A turn with gate, journal and persistence against the SDK alone: same double, same tools, paired rounds."""
    async with _lab_process(folder) as env:
        os.environ |= {**env, "BUDGET_DAILY_USD": "1000", "BUDGET_TASK_USD": "1000"}
        configuration = configured(None)
        folder = configuration.settings.data_dir
        folder.mkdir(parents=True)
        core = assemble(configuration, await Stores.open(folder), NoScreen(), Redactor(configuration.secrets()))
        bare = await _Bare.of(core)
        ours, floor = [], []
        try:
            for number in range(ROUNDS + WARM_UP):
                first, second = (_our_turn, bare.turn) if number % 2 else (bare.turn, _our_turn)
                taken = {run: await run(core, number) for run in (first, second)}
                if number >= WARM_UP:
                    ours.append(taken[_our_turn])
                    floor.append(taken[bare.turn])
        finally:
            await core.close(5.0)
    return _row("a turn of the loop (floor: bare SDK, nothing stored)", ours, floor)


async def _our_turn(core: Core, number: int) -> float:
    actor = Actor(console_actor().id, "bench")
    began = time.perf_counter()
    run = await core.opener.say(f"{actor.id}#{number}", actor, QUESTION, trigger=f"bench:{number}")
    assert run is not None
    await core.tasks.drain(60.0)
    took = time.perf_counter() - began
    messages = await core.stores.runs.messages(run)
    return took / len([message for message in messages if message["role"] == "assistant"])


class _Bare:
    """A tool loop as the SDK's documentation writes it."""

    def __init__(self, client: Any, model: Any, contexts: dict[str, Context[Any]]) -> None:
        self._client, self._model, self._contexts = client, model, contexts

    @classmethod
    async def of(cls, core: Core) -> "_Bare":
        """Over the connection, prompt and tools of our own model."""
        model: Any = core.model
        await model.warm_up()
        services = {tool.service.name for tool in core.tools.values() if core.clients.configured(tool.service.name)}
        contexts = {name: Context(await core.clients.get(name, Access.READ)) for name in services}
        return cls(model._client, model, contexts)

    async def turn(self, core: Core, number: int) -> float:
        """Seconds for each reply of the model, its reads included."""
        messages: list[dict[str, Any]] = [{"role": "user", "content": QUESTION}]
        began, replies, tools = time.perf_counter(), 0, self._model._tools(console_actor().id).definitions
        while True:
            async with self._client.messages.stream(
                model=self._model.model, max_tokens=8000, system=self._model._system, tools=tools,
                thinking={"type": "adaptive", "display": "summarized"}, cache_control={"type": "ephemeral"},
                messages=messages,
            ) as stream:  # fmt: skip
                reply = await stream.get_final_message()
            replies += 1
            messages.append({"role": "assistant", "content": [block.to_dict() for block in reply.content]})
            if reply.stop_reason != "tool_use":
                return (time.perf_counter() - began) / replies
            uses = [block for block in reply.content if block.type == "tool_use"]
            results = await asyncio.gather(*(self._run(core, use.name, use.input) for use in uses))
            content = [
                {"type": "tool_result", "tool_use_id": use.id, "content": text}
                for use, text in zip(uses, results, strict=True)
            ]
            messages.append({"role": "user", "content": content})

    async def _run(self, core: Core, name: str, args: dict[str, Any]) -> str:
        tool = core.tools[name]
        if "container" in args:  # the gate turns names into ids; here the shortest way to one
            found = await tool.resolved["container"].find(self._contexts[tool.service.name].client, args["container"])
            args = {**args, "container": found[0].id}
        result = await tool.run(self._contexts[tool.service.name], **args)
        text: str = result.model_dump_json(exclude_none=True)
        return text


@asynccontextmanager
async def _lab_process(folder: Path) -> AsyncIterator[dict[str, str]]:
    """A lab in a process of its own, so that its work is not counted as ours."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lab", "--port", "0", "--directory", str(folder), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield json.loads(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


# Start and memory


async def _first_poll(folder: Path) -> Row:
    """From the start of the process to its first request, against a bare echo handler's."""
    ours, floor = [], []
    for number in range(5):
        async with open_home(folder / f"ours{number}", started=False, forked=False) as home:
            ours.append(await _until_polled(home.lab, home.start))
        async with _echoing(folder / f"floor{number}") as (lab, began):
            floor.append(_first_request(lab, "/getUpdates") - began)
    return _row("start to first poll (floor: bare PTB echo)", ours, floor)


async def _until_polled(lab: Lab, start: Callable[[], Awaitable[None]]) -> float:
    began = time.time()
    await start()
    return _first_request(lab, "/getUpdates") - began


def _first_request(lab: Lab, path: str) -> float:
    return next(request.at for request in lab.traffic.requests if request.path.endswith(path))


async def _memory(home: Home) -> list[Row]:
    await asyncio.sleep(SETTLED)
    idle = _resident(home)
    await home.ask(QUESTION, "Evidence")
    await asyncio.sleep(SETTLED)
    return [
        ("memory at rest, before the first free text", idle, "aim ≤ 90 MB", ""),
        ("memory at rest, after it", _resident(home), "aim ≤ 130 MB", ""),
    ]


def _resident(home: Home) -> str:
    status = Path(f"/proc/{home.bot.pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found, "Linux tells the resident size"
    return f"{int(found[1]) / 1024:.0f} MB"


if __name__ == "__main__":
    main()
