"""Docker's page: the words and marks for a container's state, and what may be done in it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.tools.conftest import Rack
from tools.docker.hosts import service
from tools.docker.models import ContainerRow
from tools.docker.names import find_container
from tools.docker.pages import _row
from tools.kit import Row
from tools.kit.words import counted, lasting

[PAGE] = service.pages


def one(state: str, **more: Any) -> Row:
    fields = {"host": "nas", "name": "web", "id": "nas/1", "image": "web:1", "health": "none"}
    return _row(ContainerRow(state=state, **{**fields, **more}))  # type: ignore[arg-type]


HOURS_AGO = datetime.now(UTC) - timedelta(hours=5)


@pytest.mark.parametrize(
    ("state", "more", "dot", "detail", "verbs"),
    [
        ("running", {"since": HOURS_AGO}, "🟢", "up 5 h", "restart stop"),
        ("running", {"since": HOURS_AGO, "health": "healthy"}, "🟢", "up 5 h · healthy", "restart stop"),
        ("running", {"health": "unhealthy", "restarts": 1}, "🟡", "running · unhealthy · 1 restart", "restart stop"),
        ("restarting", {"restarts": 9, "since": HOURS_AGO}, "🔴", "restarting · 9 restarts", "restart stop"),
        ("paused", {"since": HOURS_AGO}, "🟡", "paused", "restart stop"),
        ("exited", {"exit_code": 2, "since": HOURS_AGO}, "🔴", "exited, exit code 2 · 5 h ago", "start"),
        ("exited", {"exit_code": 0}, "⚪", "exited", "start"),
        ("created", {}, "⚪", "created", "start"),
        ("dead", {}, "🔴", "dead", "start"),
        ("unknown", {}, "⚪", "unknown", "start"),
    ],
)
def test_a_state_has_a_mark_words_and_verbs(
    state: str, more: dict[str, Any], dot: str, detail: str, verbs: str
) -> None:
    row = one(state, **more)
    assert (row.dot, row.detail, " ".join(tool.word for tool in row.verbs)) == (dot, detail, verbs)


async def test_every_container_is_on_the_page_and_its_target_is_found(rack: Rack) -> None:
    page = await PAGE.read(rack.ctx)
    there = [(host.name, c.name) for host in rack.world.hosts.values() for c in host.containers()]
    assert [(row.where, row.name) for row in page.rows] == sorted(there) and not page.down
    assert re.fullmatch(r"\d+ running, \d+ stopped", page.title)
    for row in page.rows:
        [target] = await find_container(rack.reader, row.target)
        assert target.name == row.name and target.short == row.target and target.id.startswith(row.target)
        assert set(row.verbs) <= set(PAGE.verbs)
    assert {"media", "monitoring"} <= {row.group for row in page.rows}
    listed = await rack.read("list_containers")
    assert "project" not in listed.model_dump_json(), "the model asks for it where it wants it"


async def test_one_container_says_the_same_by_itself_and_more(rack: Rack) -> None:
    assert PAGE.one is not None
    for row in (await PAGE.read(rack.ctx)).rows:
        [target] = await find_container(rack.reader, row.target)
        alone = await PAGE.one(rack.ctx, target.id)
        assert (alone.dot, alone.name, alone.target, alone.verbs, alone.group) == (
            row.dot, row.name, row.target, row.verbs, row.group,
        )  # fmt: skip
        assert alone.lines[0].startswith("restart policy ") and len(alone.lines) == 2


async def test_a_host_that_is_down_is_said_and_the_others_are_shown(rack: Rack) -> None:
    rack.traffic.fault("docker:mini", drop=True, times=None)
    page = await PAGE.read(rack.ctx)
    assert list(page.down) == ["mini"] and {row.where for row in page.rows} == {"nas"}


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (8.4, "8 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (259_200, "3 d")]
)
def test_how_long_something_lasts(seconds: float, text: str) -> None:
    assert lasting(seconds) == text and counted(1, "row") == "1 row" and counted(2, "row") == "2 rows"
