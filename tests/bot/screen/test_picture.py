"""Charts as pictures: painted in a process of its own, in panels by unit; where it cannot be, there are words."""

import struct
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.screen import picture
from bot.screen.charts import MOST_CURVES, chart_text, charts_of, painted, sketch
from bot.screen.picture import FOOT, PANEL, TITLE, WIDTH, Axis
from bot.screen.render import render
from bot.screen.view import Format
from memory.secrets import Redactor
from tools.gate.results import fit
from tools.kit import Chart, Curve

FORM = Format(ZoneInfo("Europe/Berlin"))
BEGIN = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)


def curve(name: str = "CPU", unit: str = "percent", *values: float) -> Curve:
    given = list(values or (1, 5, 3))
    return Curve(name=name, unit=unit, values=given, times=[BEGIN + timedelta(hours=h) for h in range(len(given))])


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


async def test_curves_of_one_unit_share_a_panel() -> None:
    chart = Chart(name="pve1", curves=[curve(), curve("Memory"), curve("In", "MB/s"), curve("Lost", "MB/s", 0)])
    assert size_of(await painted(sketch(chart, FORM))) == (WIDTH, TITLE + 2 * PANEL + FOOT)


@pytest.mark.parametrize("values", [(0,), (5,), (0, 0, 0), (-3, 4), (1e-9, 2e-9), (1e300, 0), (99.9, 100), (2**60, 1)])
def test_any_values_can_be_painted(values: tuple[float, ...]) -> None:
    for unit in ("percent", "W", "é\u202e" * 400):
        chart = Chart(name="x" * 400, curves=[curve("n" * 400, unit, *values)] * 20)
        assert size_of(picture.paint(sketch(chart, FORM)))[0] == WIDTH
        grid = list(picture._grid(min(values), max(values), unit))
        assert grid[0] <= min(values) and grid[-1] >= max(values) and len(grid) <= 7


@pytest.mark.parametrize("days, words", [(0.04, "01:30"), (1, "08:00"), (7, "30 Mar"), (400, "27 Jun")])
def test_moments_are_marked_where_clocks_stand(days: float, words: str) -> None:
    """Through the night in which the clock is set forward, too."""
    axis = Axis(BEGIN.timestamp() - 1, BEGIN.timestamp() + days * 86400, 0, 800)
    marks = list(picture._moments(axis, ZoneInfo("Europe/Berlin")))
    assert words in [said for _, said in marks] and 4 <= len(marks) <= 9 and all(0 <= at <= 800 for at, _ in marks)


async def test_the_painter_knows_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    async def spy(*_: Any, **how: Any) -> Any:
        seen.update(how)
        raise OSError

    monkeypatch.setattr("asyncio.create_subprocess_exec", spy)
    assert await painted(sketch(Chart(name="a", curves=[curve()]), FORM)) == b"" and seen["env"] == {}


@pytest.mark.parametrize("what", [{}, {"title": "a", "zone": "UTC", "curves": []}, {"title": 1, "curves": 3}])
async def test_what_cannot_be_painted_is_told_in_the_log_alone(what: dict[str, Any], log: list[str]) -> None:
    assert await painted(what) == b"" and any("could not be painted" in line for line in log)


async def test_a_painter_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.screen.charts.PAINTER", ("/bin/sleep", "99"))
    monkeypatch.setattr("bot.screen.charts.PAINTING_SECONDS", 0.05)
    assert await painted(sketch(Chart(name="a", curves=[curve()]), FORM)) == b""


def test_a_chart_in_words_fits_below_a_picture() -> None:
    chart = Chart(name="*pve1*" * 99, curves=[curve("_CPU_" * 99, "percent" * 20)] * 50)
    [piece] = render(chart_text(chart, FORM))
    assert piece.text.startswith("*pve1*") and piece.text.count("_CPU_…") <= MOST_CURVES and len(piece.text) < 1024 * 3
    assert "29 Mar" in piece.text
    assert "Nothing was measured" in chart_text(Chart(name="new", curves=[]), FORM)


def test_a_run_tells_its_charts_as_they_were_read() -> None:
    curves = [curve("CPU", "percent", *range(30)), curve("In", "MB/s", 1), curve("x", "W", 2, 1)]
    chart = Chart(name="pve1", curves=curves)
    told = fit(chart, Redactor())
    blocks = [
        {"type": "tool_result", "tool_use_id": "one", "content": told},
        {"type": "tool_result", "tool_use_id": "bad", "content": told, "is_error": True},
        {"type": "tool_result", "tool_use_id": "empty", "content": fit(Chart(name="a", curves=[]), Redactor())},
        *({"type": "tool_result", "tool_use_id": "odd", "content": odd} for odd in ("[]", "{", "null", '{"name":1}')),
        {"type": "tool_result", "tool_use_id": "evil", "content": told.replace("3600.0", '"x"')},
        {"type": "text", "text": told},
    ]
    assert charts_of([{"role": "user", "content": blocks}]) == {"one": chart}


def test_a_day_of_a_node_is_within_what_a_model_is_told() -> None:
    curves = [curve(name, "MB/s", *(number / 7 for number in range(144))) for name in ("CPU", "Memory", "In", "Out")]
    assert Chart.model_validate_json(fit(Chart(name="pve1", curves=curves), Redactor())).curves[0].values[1] == 0.1429
