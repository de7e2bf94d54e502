"""Menu pages over a listing made by hand: what decides stands first, and trouble looks the same everywhere."""

from typing import Any

import pytest

from bot.menus.commands import Request
from tests.bot.menus.test_commands import Counter, a_counter
from tests.house import ADMIN, House, plain
from tools.docker.models import ContainerDetails, ContainerRow, Containers


def one(name: str, state: Any, **more: Any) -> ContainerDetails:
    return ContainerDetails(
        host="nas", name=name, id="nas/1", image=f"{name}:1", image_id="1", state=state, oom_killed=False,
        restart_policy="always", env=[], mounts=[], networks=[], ports=[], **{"health": "none", "restarts": 0, **more},
    )  # fmt: skip


def row(of: ContainerDetails) -> ContainerRow:
    return ContainerRow(**of.model_dump(include=set(ContainerRow.model_fields)))


@pytest.fixture
def counter(house: House, monkeypatch: pytest.MonkeyPatch) -> Counter:
    """A house in which Docker shows a good, a bad and a resting container, and the details of the bad one."""
    good, bad, resting = (
        one("web", "running", restarts=None),
        one("backup", "exited", exit_code=2, why="failed"),
        one("old", "exited", exit_code=0, why="finished"),
    )
    listing = Containers(containers=[row(good), row(resting), row(bad)], troubled=["nas/backup"], running=1, stopped=2)
    seen = {"docker_list_containers": listing, "docker_get_container_details": good}

    async def look(actor: Any, tool: str, *, container: str = "", **_: Any) -> Any:
        return bad if container.endswith("backup") else seen[tool]

    monkeypatch.setattr(house.core.proposals, "look", look)
    return a_counter(house)


async def page(counter: Counter, path: str) -> list[str]:
    view, _ = await counter.commands.page(Request(1, ADMIN, ADMIN.id), path)
    assert view is not None
    return plain(view).splitlines()


async def test_what_is_in_trouble_is_red_and_first_and_what_rests_is_not(counter: Counter) -> None:
    assert (await page(counter, "containers:0"))[1:] == [
        "🔴 backup · nas · failed (exit code 2)", "⚪ old · nas · finished", "🟢 web · nas · running",
    ]  # fmt: skip


async def test_a_container_says_its_state_first_and_its_image_last(counter: Counter) -> None:
    assert await page(counter, "docker:nas/backup") == [
        "backup · nas", "exited · failed (exit code 2)", "0 restarts · restart policy always", "backup:1",
    ]  # fmt: skip
    assert (await page(counter, "docker:nas/web"))[1:3] == ["running", "restart policy always"]
