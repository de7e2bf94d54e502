"""Docker's page: the words and marks for a container's state, and what may be done in it."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.tools.conftest import Rack
from tools.docker.hosts import service
from tools.docker.models import ContainerRow
from tools.docker.names import find_container
from tools.docker.pages import _row
from tools.docker.troubles import Standing
from tools.kit import Row
from tools.kit.words import counted, lasting

[PAGE] = service.pages


def one(standing: str, state: str, **more: Any) -> Row:
    fields = {"host": "nas", "name": "web", "id": "nas/1", "image": "web:1", "health": "none", "since": HOURS_AGO}
    return _row(ContainerRow(state=state, **{**fields, **more}), Standing[standing])  # type: ignore[arg-type]


HOURS_AGO = datetime.now(UTC) - timedelta(hours=5)


@pytest.mark.parametrize(
    ("standing", "state", "more", "dot", "detail", "verbs"),
    [
        ("FINE", "running", {}, "🟢", "up 5 h", "restart stop"),
        ("FINE", "running", {"health": "healthy", "restarts": 1}, "🟢", "up 5 h · healthy · 1 restart", "restart stop"),
        ("FINE", "running", {"since": None, "health": "starting"}, "🟢", "running · starting", "restart stop"),
        ("TROUBLE", "running", {"health": "unhealthy", "why": "unhealthy"}, "🟡", "unhealthy · up 5 h", "restart stop"),
        ("TROUBLE", "restarting", {"restarts": 9, "why": "restarting"}, "🔴", "restarting, 9 restarts", "restart stop"),
        ("TROUBLE", "paused", {"why": "paused"}, "🟡", "paused", "restart stop"),
        ("TROUBLE", "exited", {"exit_code": 2, "why": "failed"}, "🔴", "failed (exit code 2) · 5 h ago", "start"),
        ("QUIET", "exited", {"exit_code": 0, "stopped_by": "Ana"}, "⚪", "stopped by Ana · 5 h ago", "start"),
        ("FINE", "exited", {"exit_code": 0, "why": "finished", "since": None}, "⚪", "finished", "start"),
        ("FINE", "created", {}, "⚪", "created", "start"),
    ],
)  # fmt: skip
def test_a_state_has_a_mark_words_and_verbs(
    standing: str, state: str, more: dict[str, Any], dot: str, detail: str, verbs: str
) -> None:
    row = one(standing, state, **more)
    assert (row.dot, row.detail, " ".join(tool.word for tool in row.verbs)) == (dot, detail, verbs)


async def test_every_container_is_on_the_page_and_its_target_is_found(rack: Rack) -> None:
    page = await PAGE.read(rack.ctx)
    there = [(host.name, c.name) for host in rack.world.hosts.values() for c in host.containers()]
    assert [(row.where, row.name) for row in page.rows] == sorted(there) and not page.down
    assert re.fullmatch(r"\d+ running(, \d+ restarting)?, \d+ stopped", page.title)
    for row in page.rows:
        [target] = await find_container(rack.reader, row.target)
        assert target.name == row.name and target.short == row.target and target.id.startswith(row.target)
        assert set(row.verbs) <= set(PAGE.verbs)
    assert {"media", "monitoring"} <= {row.group for row in page.rows}
    listed = await rack.read("list_containers")
    assert "project" not in listed.model_dump_json(), "the model asks for it where it wants it"


async def test_one_container_says_the_same_by_itself_and_more(rack: Rack) -> None:
    for row in (await PAGE.read(rack.ctx)).rows:
        [target] = await find_container(rack.reader, row.target)
        alone = await PAGE.one(rack.ctx, target.id)
        *_, policy, image = alone.lines
        assert replace(alone, lines=row.lines, detail=row.detail) == row, "trouble looks the same everywhere"
        assert policy.startswith("restart policy ") and ":" in image


async def test_a_host_that_is_down_is_said_and_the_others_are_shown(rack: Rack) -> None:
    rack.traffic.fault("docker:mini", drop=True, times=None)
    page = await PAGE.read(rack.ctx)
    assert list(page.down) == ["mini"] and {row.where for row in page.rows} == {"nas"}


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (8.4, "8 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (259_200, "3 d")]
)
def test_how_long_something_lasts(seconds: float, text: str) -> None:
    assert lasting(seconds) == text and counted(1, "row") == "1 row" and counted(2, "row") == "2 rows"
