"""Being quick: who is late is said to be asked still, and goes on being asked; not again when that was in vain."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.tools.kit.conftest import failure
from tools.kit import Unreachable
from tools.kit.hurry import Hurry, StillAsked, in_time


class Asked:
    """Somebody who answers when it is let."""

    def __init__(self) -> None:
        self.go, self.times, self.fails = asyncio.Event(), 0, False

    async def ask(self) -> str:
        self.times += 1
        await self.go.wait()
        if self.fails:
            raise Unreachable("It is away.")
        return "here"


@pytest.fixture
async def asked() -> Asked:
    return Asked()


async def look(asked: Asked) -> str:
    return await in_time("nas", asked.ask())


async def test_without_a_hurry_everybody_is_waited_for(asked: Asked) -> None:
    waiting = asyncio.create_task(look(asked))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    asked.go.set()
    assert await waiting == "here"


async def test_who_answers_in_time_is_not_late(asked: Asked) -> None:
    asked.go.set()
    with Hurry(60.0) as hurry:
        assert await look(asked) == "here"
    assert not hurry.late


@pytest.mark.parametrize(("fails", "times"), [(False, 2), (True, 1)])
async def test_who_is_late_is_waited_for_afterwards(asked: Asked, fails: bool, times: int) -> None:
    asked.fails = fails
    with Hurry(0.0) as hurry, pytest.raises(StillAsked, match="nas is asked still"):
        await look(asked)
    assert hurry.late
    asked.go.set()
    await hurry.over()
    with hurry:
        came: Any = await (failure(look(asked)) if fails else look(asked))
    assert ("away" in str(came) if fails else came == "here") and asked.times == times


async def test_who_is_no_longer_waited_for_at_all_is_not_asked_any_more(asked: Asked) -> None:
    with Hurry(60.0):
        waiting = asyncio.create_task(look(asked))
        await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait({waiting})
    await asyncio.sleep(0)
    left: Callable[[], set[Any]] = asyncio.all_tasks
    assert left() == {asyncio.current_task()}
