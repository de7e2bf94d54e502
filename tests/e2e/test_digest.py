"""The daily digest: sent once when due, once and marked late when the bot was off, and never twice."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lab.telegram.state import OPERATOR
from tests.e2e.harness import Home, open_home


def _earlier(minutes: int) -> str:
    """DIGEST_TIME that many minutes ago, in UTC."""
    return f"{datetime.now(UTC) - timedelta(minutes=minutes):%H:%M}"


def _was_installed(home: Home, days: float) -> None:
    """Let a stopped bot have been set up days ago: a digest is due only from then on."""
    with closing(sqlite3.connect(home.data / "rackhand.db")) as connection:
        connection.execute("UPDATE schedules SET created = created - ?", (days * 86_400,))
        connection.commit()


async def test_a_digest_that_is_just_due_is_not_called_late_and_goes_where_it_shall(tmp_path: Path) -> None:
    async with open_home(tmp_path, DIGEST_TIME=_earlier(1), TIMEZONE="UTC", DIGEST_CHAT=str(OPERATOR)) as home:
        await home.ask("/start", "service", OPERATOR)
        await home.bot.stop()
        _was_installed(home, days=3)
        await home.start()
        digest = await home.hear("since", OPERATOR)
        assert "late," not in digest.text and "(late" not in digest.text
        home.tap(digest, "Containers", OPERATOR)
        await home.hear("page 1 of", OPERATOR)


async def test_a_digest_tells_what_changed_since_the_last_one(tmp_path: Path) -> None:
    async with open_home(tmp_path, DIGEST_TIME=_earlier(2), TIMEZONE="UTC") as home:
        await home.ask("/start", "service")
        await home.bot.stop()
        _was_installed(home, days=3)
        await home.start()
        await home.hear("since")
        home.say("stop radarr")
        home.tap(await home.card("Stop radarr"), "Stop radarr")
        await home.hear("✓ Stopped radarr")
        digest = await home.ask("/digest", r"Changed.*audit: \d+")
        assert "nas/radarr: running → exited" in digest.text
        assert "Stop radarr · verified · approved by" in digest.text
