"""The long poll: conflicts, back-off, offsets, full disks and answers of every kind; time is moved by hand."""

import asyncio
import gzip
import json
import sqlite3
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from bot.runs.halt import PANIC, Halt
from bot.telegram.poller import (
    CONFLICT,
    CONFLICT_SECONDS,
    FORGET_OFFSET_SECONDS,
    HIGHEST_UPDATE,
    LONGEST_BACKOFF,
    MOST_BYTES,
    POLL_SECONDS,
    REBUILD_SECONDS,
    WEBHOOK,
    Poller,
)
from lab.lab import Lab
from lab.server import serve
from memory.stores import Stores


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end, f"waited for {what}"
        await asyncio.sleep(0.02)


async def test_of_two_that_poll_in_turn_both_hold_still(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("CONFLICT_SECONDS", 1.0), ("LONGEST_BACKOFF", 0.1), ("POLL_SECONDS", 2)):
        monkeypatch.setattr(f"bot.telegram.poller.{name}", seconds)
    async with Lab(1, directory=tmp_path / "lab") as lab:
        ours, theirs = Halt(), Halt()
        polling = [
            asyncio.create_task(Poller(lab.telegram_url, lab.token, stores.inbox, halt).run())
            for halt in (ours, theirs)
        ]
        try:
            # Every other answer that each of them gets is a good one: that must not count as the end of it.
            await until(lambda: ours.everything == theirs.everything == CONFLICT, "both to hold still")
            polling[1].cancel()
            await until(lambda: ours.everything is None, "the one that is left to work again")
        finally:
            for task in polling:
                task.cancel()
            await asyncio.gather(*polling, return_exceptions=True)


async def test_the_end_of_a_conflict_lifts_no_panic(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.telegram.poller.CONFLICT_SECONDS", 0.0)
    halt = Halt()
    poller = Poller("http://127.0.0.1:1", "1:x", stores.inbox, halt)
    poller._conflict()
    await asyncio.sleep(0.01)
    poller._conflict()
    assert halt.everything == CONFLICT
    halt.everything = PANIC
    poller._undisturbed()
    assert halt.everything == PANIC


# -- one attempt at a time ------------------------------------------------------------------------------------------


class Ended(Exception):
    """The test has seen enough of a loop without end."""


class Line:
    """A poller, a Telegram that answers as it is told, and a clock that only sleeping and the test move."""

    def __init__(self, stores: Stores) -> None:
        self.stores, self.halt = stores, Halt()
        self.now, self.slept = 1000.0, list[float]()
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Any = None
        self.me: Any = (200, {"ok": True, "result": {"id": 1}})
        """What getMe is answered with."""
        self.last_sleep = 10_000

    async def open(self) -> None:
        self.server = await serve(self)
        self.poller = self.at(self.server.url)
        self.client = self.poller._client()

    def at(self, url: str) -> Poller:
        return Poller(url, "1:x", self.stores.inbox, self.halt, clock=lambda: self.now, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if len(self.slept) >= self.last_sleep:
            raise Ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["path"].removeprefix("/bot1:x/")
        assert scope["method"] == "POST" and method in ("getUpdates", "getMe")
        if method == "getMe":
            await self.say(send, *self.me)
            return
        self.asked.append(json.loads((await receive())["body"]))
        self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        if callable(self.answer):
            await self.answer(send)
            return
        await self.say(send, *self.answer)

    async def say(self, send: Send, status: int, body: Any, *encodings: bytes, kind: bytes = b"") -> None:
        named = [(b"content-encoding", name) for name in encodings] + [(b"content-type", kind)] * bool(kind)
        await send({"type": "http.response.start", "status": status, "headers": named})
        await send(
            {"type": "http.response.body", "body": body if isinstance(body, bytes) else json.dumps(body).encode()}
        )

    async def poll(self, status: Any, body: Any = b"", *headers: bytes) -> float:
        """One attempt with this answer; the seconds that it slept after it."""
        self.answer = status if callable(status) else (status, body, *headers)
        before = len(self.slept)
        await self.poller._once(self.client)
        return sum(self.slept[before:])

    async def updates(self, *found: Any) -> float:
        return await self.poll(200, {"ok": True, "result": found})

    async def stored(self) -> list[int]:
        return [row["update_id"] for row in await self.stores.database.all("SELECT update_id FROM inbox ORDER BY 1")]


def update(number: Any) -> dict[str, Any]:
    chat = {"id": 42, "type": "private"}
    person = {"id": 42, "is_bot": False, "first_name": "A"}
    return {"update_id": number, "message": {"message_id": 1, "date": 1, "chat": chat, "from": person, "text": "x"}}


@pytest.fixture
async def line(stores: Stores) -> AsyncIterator[Line]:
    made = Line(stores)
    await made.open()
    yield made
    await made.client.aclose()
    await made.server.stop()


async def test_it_waits_longer_each_time_and_anew_after_a_good_answer(line: Line, log: list[str]) -> None:
    for most in (1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_BACKOFF, LONGEST_BACKOFF):
        assert 0.75 * most <= await line.poll(502) <= most
    assert line.poller.trouble == "Telegram answered 502" and sum("502" in entry for entry in log) == 1
    assert await line.updates() == 0.0 and line.poller.trouble == ""
    assert await line.poll(502) <= 1.0


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [(7, 7.0, 7.0), (10**9, 300.0, 300.0), ("x", 0.7, 1.0), (None, 0.7, 1.0), (-5, 0.7, 1.0), ([], 0.7, 1.0)],
)
async def test_it_waits_as_long_as_telegram_asks_within_reason(
    line: Line, asked: Any, least: float, most: float
) -> None:
    slept = await line.poll(429, {"ok": False, "parameters": {"retry_after": asked}})
    assert least <= slept <= most


async def test_a_webhook_is_no_second_program(line: Line) -> None:
    for _ in range(10):
        await line.poll(409, {"description": "Conflict: can't use getUpdates method while webhook is active"})
    assert line.now > 1000.0 + CONFLICT_SECONDS and line.poller.trouble == WEBHOOK and line.halt.everything is None
    assert line.asked[-1]["timeout"] == POLL_SECONDS


async def test_a_second_program_is_asked_after_briefly_and_holds_everything_after_a_while(line: Line) -> None:
    other = {"description": "Conflict: terminated by other getUpdates request"}
    await line.poll(409, other)
    assert line.halt.everything is None and "another program" in line.poller.trouble
    await line.updates()
    assert [body["timeout"] for body in line.asked] == [POLL_SECONDS, 0]
    line.now += CONFLICT_SECONDS / 2
    await line.poll(409, other)
    assert line.halt.everything is None
    line.now += CONFLICT_SECONDS
    await line.poll(409, other)
    assert line.halt.everything == CONFLICT
    await line.updates()
    assert line.halt.everything == CONFLICT, "every other answer is a good one while both poll"
    line.now += CONFLICT_SECONDS
    await line.updates()
    assert line.halt.everything is None and line.asked[-1]["timeout"] == POLL_SECONDS
    line.now += 1000.0
    await line.poll(409, other)
    assert line.halt.everything is None, "the next conflict has its own beginning"


async def test_a_conflict_replaces_no_panic(line: Line) -> None:
    line.halt.everything = PANIC
    for _ in range(2):
        await line.poll(409, {"description": "Conflict: terminated by other getUpdates request"})
        line.now += 2 * CONFLICT_SECONDS
    assert line.halt.everything == PANIC


async def test_a_failure_brings_no_updates(line: Line) -> None:
    assert await line.poll(500, {"ok": False, "result": [update(5)]}) > 0.0 and await line.stored() == []


async def test_what_is_stored_is_acknowledged_with_the_next_request(line: Line) -> None:
    await line.updates(update(9), update(7))
    assert line.poller.arrived.is_set() and await line.stored() == [7, 9]
    await line.updates()
    assert [body.get("offset") for body in line.asked] == [None, 10]
    assert line.asked[0]["allowed_updates"] == ["message", "callback_query"]


async def test_after_a_week_of_silence_the_old_offset_hides_nothing(line: Line) -> None:
    await line.updates(update(9))
    line.now += FORGET_OFFSET_SECONDS
    await line.updates()
    line.now += 1.0
    await line.updates()
    await line.updates(update(3))
    await line.updates()
    assert [body.get("offset") for body in line.asked] == [None, 10, None, None, 4]


async def test_what_cannot_be_stored_is_not_acknowledged_and_people_are_told(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(updates: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(line.stores.inbox, "store", full)
        assert await line.updates(update(9)) > 0.0
    assert "free some disk" in line.poller.storage_trouble and not line.poller.arrived.is_set()
    assert "disk is full" in line.poller.trouble
    await line.updates(update(9))
    assert line.poller.storage_trouble == "" and line.poller.arrived.is_set() and "offset" not in line.asked[-1]


async def test_a_mistake_in_the_program_is_no_trouble_with_the_disk(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(updates: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(line.stores.inbox, "store", broken)
    with pytest.raises(KeyError):
        await line.updates(update(9))


@pytest.mark.parametrize("number", [None, "7", True, -1, HIGHEST_UPDATE, 1.5])
async def test_what_has_no_number_is_left_out_and_never_asked_for_at_once_again(line: Line, number: Any) -> None:
    assert await line.updates(update(number), "x", None) > 0.0
    assert line.poller.trouble == "Telegram sends updates without a number" and await line.stored() == []
    assert await line.updates(update(number), update(5)) == 0.0 and await line.stored() == [5]


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b'{"ok":true}', b'{"result":{}}', b'{"result":null}', b"[" * 100_000, b"\xff"]
)
async def test_an_answer_that_makes_no_sense_is_waited_out(line: Line, body: bytes) -> None:
    assert await line.poll(200, body) > 0.0
    assert line.poller.trouble == "Telegram answered 200" and line.poller.last_answered == 1000.0


# -- size and time --------------------------------------------------------------------------------------------------


async def test_a_small_answer_cannot_become_a_large_one(line: Line) -> None:
    bomb = gzip.compress(b'{"result":[' + b" " * (8 * MOST_BYTES) + b"]}")
    tracemalloc.start()
    try:
        assert await line.poll(200, bomb, b"gzip") > 0.0
        assert tracemalloc.get_traced_memory()[1] < 4 * MOST_BYTES
    finally:
        tracemalloc.stop()
    assert "cannot be read" in line.poller.trouble and line.poller.last_answered == 1000.0
    assert line.headers[0]["accept-encoding"] == "identity"


async def test_an_answer_without_end_is_cut_off(line: Line) -> None:
    sent = 0

    async def endless(send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(200):
            await send({"type": "http.response.body", "body": b" " * (1 << 20), "more_body": True})
            sent += 1 << 20

    assert await line.poll(endless) > 0.0
    assert "cannot be read" in line.poller.trouble and sent < 10 * MOST_BYTES


async def test_an_answer_that_drips_ends_with_its_time(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dripping(send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(600):
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.05)

    monkeypatch.setattr("bot.telegram.poller.LONGEST_ATTEMPT", 0.3)
    began = time.monotonic()
    await line.poll(dripping)
    assert "TimeoutError" in line.poller.trouble and time.monotonic() - began < 10.0
    assert line.poller.first_poll == line.poller.last_completed == 1000.0 and line.poller.last_answered is None


def counted(line: Line, poller: Poller, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the poller builds itself a client."""
    built: list[float] = []
    client = poller._client

    def build() -> Any:
        built.append(line.now)
        return client()

    monkeypatch.setattr(poller, "_client", build)
    return built


async def test_a_client_that_hears_nothing_for_long_is_replaced(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    poller = line.at("http://127.0.0.1:1")
    built = counted(line, poller, monkeypatch)
    line.last_sleep = 25
    with pytest.raises(Ended):
        await poller.run()
    gaps = [after - before for before, after in zip(built, built[1:], strict=False)]
    assert gaps and all(REBUILD_SECONDS <= gap <= REBUILD_SECONDS + LONGEST_BACKOFF for gap in gaps)
    assert poller.trouble == "Telegram cannot be reached (ConnectError)"


async def test_a_client_that_gets_answers_stays(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    built = counted(line, line.poller, monkeypatch)
    line.answer, line.last_sleep = (502, b""), 25
    with pytest.raises(Ended):
        await line.poller.run()
    assert len(built) == 1 and line.now > 1000.0 + 2 * REBUILD_SECONDS
