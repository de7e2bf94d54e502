"""What is no message from Telegram: stray refusals, a dead token, whatever else answers; and that deafness is said."""

import asyncio
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Send
from telegram.error import InvalidToken

from bot.doctor import Doctor
from bot.telegram.introduction import introduce
from bot.telegram.poller import MOST_REJECTIONS, TokenRejected
from bot.telegram.watchdog import STALE_SECONDS, healthy
from lab.telegram.state import ADMIN
from memory.stores import Stores
from tests.bot.telegram.test_poller import Line, line
from tests.live import Live

assert line, "the fixture"


def refusal(code: int) -> tuple[int, dict[str, Any]]:
    """Telegram's own words for a token that it does not know."""
    return code, {"ok": False, "error_code": code, "description": {401: "Unauthorized", 404: "Not Found"}[code]}


@pytest.mark.parametrize("code", [401, 404])
async def test_a_token_that_is_rejected_from_the_start_on_is_dead(line: Line, code: int) -> None:
    line.me = refusal(code)
    for _ in range(MOST_REJECTIONS - 1):
        assert await line.poll(*refusal(code)) > 0.0
    with pytest.raises(TokenRejected, match="TELEGRAM_BOT_TOKEN: Telegram rejects it.*BotFather") as caught:
        await line.poll(*refusal(code))
    assert ("TELEGRAM_API_URL" in str(caught.value)) is (code == 404), "a wrong path looks like that, too"


@pytest.mark.parametrize("code", [401, 404])
async def test_once_polls_have_worked_no_refusal_ends_it(line: Line, code: int) -> None:
    await line.updates()
    for known in (True, False):
        line.me = (200, {"ok": True, "result": {"id": 1}}) if known else refusal(code)
        for _ in range(4 * MOST_REJECTIONS):
            assert await line.poll(*refusal(code)) > 0.0
        assert ("although it knows the token" if known else "BotFather") in line.poller.trouble
        assert line.poller.deaf_since is not None
    await line.updates()
    assert line.poller.trouble == "" and line.poller.deaf_since is None


PAGE = b"<html>404 Not Found</html>"


@pytest.mark.parametrize(
    "me", [(200, {"ok": True, "result": {"id": 1}}), (502, b""), (404, PAGE), (429, {"ok": False})], ids=str
)
async def test_what_getme_does_not_confirm_is_no_dead_token(line: Line, me: Any) -> None:
    line.me = me
    for _ in range(4 * MOST_REJECTIONS):
        await line.poll(*refusal(401))
    line.me = refusal(401)
    await line.poll(*refusal(401))


@pytest.mark.parametrize("status", [401, 404])
@pytest.mark.parametrize("body", [{"ok": False}, {"ok": False, "error_code": 400, "description": "x"}, [], b"", PAGE])
async def test_only_telegrams_own_words_reject_a_token(line: Line, status: int, body: Any) -> None:
    line.me = refusal(401)
    for _ in range(4 * MOST_REJECTIONS):
        assert await line.poll(status, body) > 0.0


@pytest.mark.parametrize(("status", "kind"), [(404, b""), (403, b""), (302, b""), (200, b"text/html"), (511, b"")])
async def test_a_page_in_place_of_telegram_is_called_one(line: Line, status: int, kind: bytes) -> None:
    async def page(send: Send) -> None:
        await line.say(send, status, PAGE, kind=kind)

    await line.updates()
    await line.poll(page)
    said = "is not Telegram's Bot API" in line.poller.trouble and "TELEGRAM_API_URL" in line.poller.trouble
    assert said is (status < 500) and (line.poller.deaf_since is not None) is said
    assert "1:x" not in line.poller.trouble


async def test_who_is_deaf_for_long_does_not_look_well(stores: Stores) -> None:
    now = time.monotonic()
    poller: Any = SimpleNamespace(last_completed=now, first_poll=0.0, deaf_since=None, resting_until=0.0)
    assert await healthy(poller, stores.database)
    poller.deaf_since = time.monotonic() - STALE_SECONDS / 2
    assert await healthy(poller, stores.database)
    poller.deaf_since = time.monotonic() - STALE_SECONDS - 1.0
    assert not await healthy(poller, stores.database)


async def test_a_dead_line_gets_nobody_restarted_and_an_attempt_that_hangs_does(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.watchdog.time", SimpleNamespace(monotonic=lambda: line.now))
    away = line.at("http://127.0.0.1:1")
    async with away._client() as client:
        while line.now < 1000.0 + 3 * STALE_SECONDS:
            await away._once(client)
            assert await healthy(away, line.stores.database)
    assert "cannot be reached" in away.trouble, "which is what the status says"
    line.now += STALE_SECONDS + 1.0
    assert not await healthy(away, line.stores.database)


async def test_whoever_is_asked_to_wait_is_not_stuck(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.telegram.watchdog.time", SimpleNamespace(monotonic=lambda: line.now))
    assert await line.poll(429, {"ok": False, "parameters": {"retry_after": 250}}) == 250.0
    line.now -= 1.0
    assert await healthy(line.poller, line.stores.database)
    assert line.poller.last_completed == 1000.0


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404, "body": json.dumps(refusal(404)[1])},
        {"status": 404, "body": PAGE},
        {"status": 409, "body": '{"ok": false, "description": "Conflict: webhook is active"}'},
    ],
)
async def test_a_bot_that_hears_nothing_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    monkeypatch.setattr("bot.telegram.poller.LONGEST_BACKOFF", 0.05)
    for name, seconds in (("DEAF_SECONDS", 0.1), ("SWEEP_SECONDS", 0.05)):
        monkeypatch.setattr(f"bot.telegram.upkeep.{name}", seconds)
    async with Live(tmp_path) as live:
        await live.alive()
        live.lab.traffic.fault("telegram", path="/getUpdates$", times=None, **fault)
        live.say_as("/help")
        await live.hear("I cannot hear you: ")
        [telegram] = [
            check for check in await Doctor(live.core, live.poller.polling).checks() if check.name == "telegram"
        ]
        assert telegram.level == "bad"
        await asyncio.sleep(0.3)
        said = [message.text for message in live.lab.telegram.sent(ADMIN)]
        assert sum("I cannot hear you" in text for text in said) == 1 and "/status" not in said[-1]
        live.lab.traffic.clear("telegram")
        await live.hear("/status")


async def test_a_stray_rejection_does_not_end_the_introduction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.telegram.introduction.RETRY_SECONDS", 0.01)
    tried: list[int] = []

    class Rejecting:
        async def initialize(self) -> None:
            tried.append(len(tried))
            if len(tried) < 3:
                raise InvalidToken
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await introduce(Rejecting(), SimpleNamespace(), ())  # type: ignore[arg-type]
    assert tried == [0, 1, 2]
