"""The main flow against real engines, with the lab's Telegram and Claude."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from lab.telegram.state import STRANGER
from tests.e2e.harness import CARD, UNDO, Home, keys, open_home
from tests.engines import ADDRESSES, IMAGE

pytestmark = pytest.mark.engine


@dataclass
class Engine:
    """A home whose only Docker host is real; what is made here is removed at the end."""

    home: Home
    client: Any
    mark: str

    async def make(self, name: str, command: str = "sleep 3600", **more: Any) -> str:
        """A running container; its name."""
        full = f"{name}-{self.mark}"
        options: dict[str, Any] = {
            "network_mode": "none",
            "stop_signal": "SIGKILL",
            "labels": {"rackhand.e2e": self.mark},
        }
        await asyncio.to_thread(
            self.client.containers.run, IMAGE, ["sh", "-c", command], name=full, detach=True, **{**options, **more}
        )
        return full

    async def state(self, name: str) -> dict[str, Any]:
        """What the engine says of it."""
        found = await asyncio.to_thread(self.client.api.inspect_container, name)
        state: dict[str, Any] = found["State"]
        return state

    def clean(self) -> None:
        """Remove what was made."""
        for container in self.client.containers.list(all=True, filters={"label": f"rackhand.e2e={self.mark}"}):
            container.remove(force=True, v=True)
        self.client.close()


@pytest.fixture
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    """A bot on a real engine: on dockerd, unless a test names another."""
    kind = getattr(request, "param", "docker")
    if not (address := ADDRESSES[kind]):
        pytest.skip(f"there is no {kind} to test with")
    client = await asyncio.to_thread(docker.DockerClient, base_url=address)
    async with open_home(tmp_path, DOCKER_HOSTS=json.dumps({"local": address})) as home:
        engine = Engine(home, client, uuid.uuid4().hex[:6])
        try:
            yield engine
        finally:
            await asyncio.to_thread(engine.clean)


async def test_status_question_approval_receipt_undo_and_digest(engine: Engine) -> None:
    home = engine.home
    worker = await engine.make("worker")
    looping = await engine.make(
        "looping", "echo 'FATAL: password authentication failed for user \"app\"' >&2; exit 1",
        restart_policy={"Name": "on-failure"},
    )  # fmt: skip
    await home.ask("/status", f"{looping}.*restarting|{looping}.*restarts|running")
    answer = await home.ask(f"why is {looping} unhappy?", looping)
    assert "password authentication failed" in answer.text and "nothing was changed" in answer.text

    home.say(f"stop {worker}")
    card = await home.card(f"Stop {worker}")
    assert IMAGE in card.text and (await engine.state(worker))["Running"]
    home.tap(card, "Stop")
    receipt = await home.hear(f"✓ Stopped {worker}")
    assert "state: running → exited" in receipt.text and keys(receipt, UNDO)
    assert not (await engine.state(worker))["Running"]
    home.tap(receipt, "Undo")
    await home.hear(f"✓ Started {worker}")
    assert (await engine.state(worker))["Running"]

    digest = await home.ask("/digest", r"audit: \d+")
    assert f"Stop {worker} · verified · approved by" in digest.text


async def test_kill_9_with_a_pending_card_then_two_taps_one_effect(engine: Engine) -> None:
    home = engine.home
    worker = await engine.make("worker")
    began = (await engine.state(worker))["StartedAt"]
    home.say(f"restart {worker}")
    card = await home.card(f"Restart {worker}")
    await home.quiet()
    await home.kill()
    await home.ready()
    assert (await engine.state(worker))["StartedAt"] == began
    taps = [home.tap(card, "Restart") for _ in range(2)]
    assert sorted([await home.toast(tap) for tap in taps]) == ["Already decided.", "Approved."]
    await home.hear(f"✓ Restarted {worker}")
    await home.quiet()
    assert (await engine.state(worker))["StartedAt"] > began
    assert home.query("SELECT count(*) FROM audit WHERE kind = 'started'") == [(1,)]


async def test_a_strangers_tap_has_no_effect(engine: Engine) -> None:
    home = engine.home
    worker = await engine.make("worker")
    home.say(f"stop {worker}")
    card = await home.card(f"Stop {worker}")
    assert "not for you" in await home.toast(home.tap(card, "Stop", STRANGER))
    await home.ask("/cost", "today")
    assert (await engine.state(worker))["Running"] and keys(card, CARD)


@pytest.mark.parametrize("engine", ADDRESSES, indirect=True)
async def test_drift_and_a_removal_that_is_taken_back(engine: Engine) -> None:
    home = engine.home
    worker = await engine.make(
        "worker", environment={"APP_MODE": "quiet"}, volumes={f"data-{engine.mark}": {"bind": "/d"}}
    )
    home.say(f"restart {worker}")
    card = await home.card(f"Restart {worker}")
    await asyncio.to_thread(engine.client.api.stop, worker)
    home.tap(card, "Restart")
    await home.card("nothing ran.*running → exited")
    assert not (await engine.state(worker))["Running"]

    home.say(f"remove {worker}")
    home.tap(await home.card("DESTROY"), "Remove")
    home.tap(await home.card("DESTROY"), "Yes, remove")
    receipt = await home.hear(f"✓ Removed {worker}")
    home.tap(receipt, "Undo")
    await home.hear(f"✓ .*{worker}")
    config = (await asyncio.to_thread(engine.client.api.inspect_container, worker))["Config"]
    assert "APP_MODE=quiet" in config["Env"]
    mounts = (await asyncio.to_thread(engine.client.api.inspect_container, worker))["Mounts"]
    assert [(mount["Name"], mount["Destination"]) for mount in mounts] == [(f"data-{engine.mark}", "/d")]
    await asyncio.to_thread(engine.client.api.remove_container, worker, force=True)
    await asyncio.to_thread(engine.client.api.remove_volume, f"data-{engine.mark}")
