"""What a person waits for: the bot as a program of its own, in the lab, spoken to through simulated Telegram.

Nothing is subtracted where the moment that counts from is known: the last byte of the model, the tap, the update. The
engine and Telegram answer at once.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from lab.lab import Lab
from lab.telegram.state import ADMIN
from lab.traffic import Request
from tests.bench.rounds import Rounds
from tests.bench.table import Row, against, ms
from tests.e2e.harness import ROOT, Home, environment, open_home

THINKS = (0.5, 1.7, 2.6, 4.0)
"""Seconds that a model thinks before it answers in one burst."""
PAUSE = 1.5
"""Seconds between two lines: a chat that was just written to may be held for a while."""
AT_ONCE = ("/help", "/cost", "/who")
ECHO = "bare echo of python-telegram-bot"


async def measure(folder: Path, rounds: Rounds) -> AsyncIterator[Row]:
    """Answers after a model, commands, and taps."""
    async with open_home(folder / "ours", forked=False) as home:
        await said(home, "warmup", 0.0)
        for seconds in THINKS:
            taken = [await said(home, f"answer{number}x{seconds}", seconds) for number in range(rounds.pairs)]
            yield Row(f"last byte of a model that thinks {seconds} s → answer", ms(taken))
        async with echoing(folder / "echo") as (lab, _):
            for lines in (("/help",), AT_ONCE):
                ours, theirs = await _in_turns(home.lab, lab, lines, rounds)
                what = f"{len(lines)} commands at once → the last answer" if len(lines) > 1 else "/help → answer"
                yield against(what, ours, ECHO, theirs)
        signs, receipts = [], []
        for _ in range(rounds.pairs):
            sign, receipt = await _restart(home)
            signs.append(sign)
            receipts.append(receipt)
        yield Row("tap on Restart → first sign of it", ms(signs))
        yield Row("tap on Restart → receipt (2 s of it are watching)", ms(receipts))


async def said(home: Home, words: str, seconds: float) -> float:
    """From the last byte of a model that thinks for so long to its answer at Telegram."""
    home.lab.claude.script.append([{"type": "text", "text": words}])
    home.lab.traffic.fault("claude", path="/v1/messages$", delay=seconds)
    await asyncio.sleep(PAUSE)
    before = len(home.lab.traffic.requests)
    await home.ask("how are things?", words)
    new = home.lab.traffic.requests[before:]
    told = next(request for request in new if request.service == "telegram" and words.encode() in request.body)
    [ended] = [request.ended for request in new if request.service == "claude" and request.ended]
    return told.at - ended


async def answered(lab: Lab, *lines: str) -> float:
    """From these lines, sent at once, to an answer for each."""
    old = _ids(lab)
    began = time.perf_counter()
    for line in lines:
        lab.telegram.send(ADMIN, line)
    await lab.telegram.wait_for(lambda: len(_ids(lab) - old) >= len(lines), 60)
    return time.perf_counter() - began


def _ids(lab: Lab) -> set[int]:
    return {message.message_id for message in lab.telegram.sent(ADMIN)}


async def _in_turns(ours: Lab, echo: Lab, lines: tuple[str, ...], rounds: Rounds) -> tuple[list[float], list[float]]:
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds.pairs):
        for mine in (True, False)[:: -1 if number % 2 else 1]:
            taken[mine].append(await answered(ours if mine else echo, *lines))
        await asyncio.sleep(PAUSE * len(lines))
    return taken[True], taken[False]


async def _restart(home: Home) -> tuple[float, float]:
    """From the tap to the first change on the screen, and to the receipt."""
    home.say("restart jellyfin")
    card = await home.card("Restart jellyfin")
    await asyncio.sleep(PAUSE)
    before, tapped = len(home.lab.traffic.requests), time.time()
    home.tap(card, "Restart jellyfin")
    await home.hear("✓ Restarted jellyfin")
    new = home.lab.traffic.requests[before:]
    await asyncio.sleep(2 * PAUSE)
    return _first(new, _shows) - tapped, _first(new, lambda it: _shows(it) and b"%E2%9C%93" in it.body) - tapped


def _first(requests: list[Request], wanted: Callable[[Request], bool]) -> float:
    return next(request.at for request in requests if wanted(request))


def _shows(request: Request) -> bool:
    return request.path.endswith(("/sendMessage", "/editMessageText"))


@asynccontextmanager
async def echoing(folder: Path) -> AsyncIterator[tuple[Lab, float]]:
    """A lab of its own with the library's own quick start in it, and when that was started."""
    async with Lab(directory=folder) as lab:
        began = time.time()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", "-m", "tests.bench.chat", cwd=ROOT, env=environment(lab)
        )
        try:
            await answered(lab, "are you there?")
            yield lab, began
        finally:
            process.terminate()
            await process.wait()


def echo() -> None:
    """What the library's own quick start does."""
    from telegram import Update
    from telegram.ext import Application, ContextTypes, MessageHandler, filters

    async def answer(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        if update.message and update.message.text:
            await update.message.reply_text(update.message.text)

    base = f"{os.environ['TELEGRAM_API_URL']}/bot"
    app = Application.builder().token(os.environ["TELEGRAM_BOT_TOKEN"]).base_url(base).build()
    app.add_handler(MessageHandler(filters.TEXT, answer))
    app.run_polling()


if __name__ == "__main__":
    echo()
