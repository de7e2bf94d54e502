"""A bot that comes back: what was under way is said, whatever the targets do, and nothing stands behind it."""

import json
import time
from pathlib import Path

from tests.e2e.harness import Home, open_home, run_door


async def killed_half_way(home: Home) -> None:
    """A change whose request has left when the bot dies; none of its engines answers any more."""
    home.say("stop radarr")
    card = await home.card("Stop radarr")
    await home.quiet()
    home.lab.traffic.fault("docker", method="POST", stall=True)
    home.tap(card, "Stop radarr")
    started = "SELECT 1 FROM calls WHERE state = 'started'"
    await home.until(lambda: home.query(started), "the change to begin")
    home.lab.traffic.fault("docker", stall=True, times=None)
    home.say("/cost")
    await home.hear("today")
    await home.kill()


async def test_a_target_that_hangs_keeps_nothing_from_being_said(home: Home) -> None:
    await killed_half_way(home)
    home.say("/stop")
    began = time.monotonic()
    await home.hear("Stopped|Nothing was running")
    stopped = time.monotonic() - began
    await home.hear("outcome unknown.*docker does not answer")
    assert stopped < 5.0 and time.monotonic() - began < 15.0, stopped  # the start itself takes its seconds here, too


async def test_a_panic_binds_every_door_after_a_restart(home: Home) -> None:
    """Nothing is asked there that could not run, and what was asked before is void."""
    before = json.loads((await run_door("ask", "stop radarr", "--json", env=dict(home.bot.env))).out)["run"]
    await home.ask("/stop all", "Stopped")
    await stays_stopped(home, before)
    await home.kill()
    await home.ready()
    await stays_stopped(home, before)
    await home.bot.stop()
    await stays_stopped(home, before)


async def stays_stopped(home: Home, before: str) -> None:
    """Neither a new request nor one from before can change anything, and it is said what to do."""
    asked = await run_door("ask", "stop radarr", env=dict(home.bot.env))
    assert "Stop radarr: not done" in asked.out and "Everything is stopped until an admin sends /start" in asked.out
    void = await run_door("resume", before, "--approve", env=dict(home.bot.env))
    assert "no open card" in void.err and not home.writes()


async def test_what_it_writes_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    async with open_home(tmp_path, DATA_DIR=str(tmp_path / "data")) as home:
        await home.ask("/cost", "today")
        copy = str(tmp_path / "copy.db")
        assert (await run_door("backup", copy, env=dict(home.bot.env))).code == 0
        await home.bot.stop()
        assert (await run_door("restore", copy, env=dict(home.bot.env))).code == 0
        modes = {path.name: path.stat().st_mode & 0o077 for path in [*files(home.data), Path(copy)]}
        assert "rackhand.db" in modes and not any(modes.values()), modes


def files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]
