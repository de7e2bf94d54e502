"""Blocking calls: bounded, each service with threads of its own."""

import asyncio
import contextlib
import threading
import time

import pytest

from tools.kit import OutcomeUnknown, Threads, ToolFailed
from tools.kit.threads import term, within


async def test_a_call_runs_in_a_thread_and_returns() -> None:
    threads = Threads("rack", workers=2)
    name = await threads.run(lambda: threading.current_thread().name)
    assert name.startswith("rack")
    threads.close()


async def test_its_errors_come_back() -> None:
    def fail() -> None:
        raise ToolFailed("No.")

    threads = Threads("rack")
    with pytest.raises(ToolFailed, match="No"):
        await threads.run(fail)
    threads.close()


async def test_no_more_at_once_than_it_has_workers() -> None:
    threads, gate = Threads("rack", workers=2), threading.Event()
    running, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.wait(10)
        with lock:
            running -= 1

    calls = [asyncio.create_task(threads.run(work)) for _ in range(6)]
    await asyncio.sleep(0.05)
    gate.set()
    await asyncio.gather(*calls)
    assert most == 2
    threads.close()


async def test_what_never_began_is_not_unknown_and_never_begins() -> None:
    threads, gate, ran = Threads("rack", workers=1, deadline=0.1), threading.Event(), []
    first = asyncio.create_task(threads.run(gate.wait, 10))
    await asyncio.sleep(0.05)
    with pytest.raises(ToolFailed, match="Too many requests to rack") as error:
        await threads.run(lambda: ran.append(1))
    assert type(error.value) is ToolFailed and not error.value.sent
    with pytest.raises(OutcomeUnknown):
        await first
    gate.set()
    threads._pool.shutdown(wait=True)
    assert ran == []


async def test_what_does_not_come_back_is_an_unknown_outcome() -> None:
    threads, gate = Threads("rack", workers=1, deadline=0.05), threading.Event()
    with pytest.raises(OutcomeUnknown, match="rack did not answer") as error:
        await threads.run(gate.wait, 10)
    assert error.value.sent
    gate.set()
    threads.close()


def patient() -> str:
    """Waits as the SDK's sockets do: for as long as it may, in short looks."""
    try:
        while True:
            time.sleep(term().left(0.01))
    except TimeoutError:
        return "gave up"


async def test_whoever_asks_for_its_time_is_back_by_the_deadline() -> None:
    threads = Threads("rack", workers=1, deadline=0.1)
    with contextlib.suppress(OutcomeUnknown):  # which of the two ends first does not matter
        assert await threads.run(patient) == "gave up"
    threads._deadline = 10.0
    assert await threads.run(lambda: "free") == "free"
    threads.close()


async def test_a_part_has_its_own_limit_and_never_more_than_the_whole() -> None:
    def parts() -> tuple[float, float, float]:
        with within(5.0):
            inner = term().left()
            with within(1000.0):
                wider = term().left()
        return inner, wider, term().left(100.0)

    threads = Threads("rack", deadline=50.0)
    inner, wider, after = await threads.run(parts)
    assert inner <= 5.0 and wider <= 5.0 and 5.0 < after <= 50.0
    assert term().left(7.0) == 7.0, "no limit where there is no call"
    threads.close()


async def test_closing_ends_what_runs() -> None:
    threads = Threads("rack", workers=1, deadline=60.0)
    running = asyncio.create_task(threads.run(patient))
    await asyncio.sleep(0.05)
    threads.close()
    async with asyncio.timeout(10):
        assert await running == "gave up"
