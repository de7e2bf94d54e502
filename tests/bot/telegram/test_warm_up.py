"""What the first question would wait for is loaded before it comes, and after the first poll."""

from pathlib import Path
from typing import Any

import pytest

from bot.agent.claude import Claude
from tests.live import Live


@pytest.mark.parametrize(("key", "connected"), [("sk-ant-a-key", 1), ("", 0)])
async def test_the_sdk_is_there_before_the_first_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, connected: int
) -> None:
    connections, heard, warm_up = list[Any](), list[bool](), Claude.warm_up

    async def noted(self: Claude) -> None:
        heard.append(live.poller.first_poll is not None)
        await warm_up(self)
        heard.append(True)

    monkeypatch.setattr("bot.telegram.app.SETTLED_SECONDS", 0.0)
    monkeypatch.setattr(Claude, "warm_up", noted)
    monkeypatch.setattr(Claude, "_connect", lambda self: connections.append(self))
    live = Live(tmp_path, model=None, ANTHROPIC_API_KEY=key)
    async with live:
        await live.until(lambda: len(heard) == 2, "it to be warm")
    assert all(heard) and len(connections) == connected
