"""Paints a chart: `python -m bot.screen.picture` reads a sketch as JSON and writes a PNG that a phone can show.

It has a ground of its own, so that it reads the same in a light and in a dark chat. Curves of one unit share a panel.
"""

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

from PIL import Image, ImageDraw, ImageFont

WIDTH, PANEL, TITLE, FOOT = 960, 300, 64, 44
"""Pixels: of the picture, of a panel with its legend, of the title above and the moments below."""
LEFT, RIGHT, LEGEND = 92, 28, 44
LARGER = 2
"""It is painted larger and made smaller, which smooths its lines."""
GROUND, GRID, WORDS, TITLES = "#17212b", "#2c3a47", "#9fb0bf", "#ffffff"
COLOURS = ("#4fc3f7", "#ffb74d", "#81c784", "#f06292", "#ba68c8", "#fff176", "#4db6ac", "#e57373")
STEPS = (1, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 7200, 43200, 129600, 10**6)
"""Minutes from one moment that is marked to the next."""
MOST_MARKS = 8
LINES = 4
"""Of the grid, across a panel."""
Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A curve of the sketch, in its colour."""

    name: str
    colour: str
    points: list[Point]


@dataclass(frozen=True)
class Axis:
    """A range of values on a stretch of pixels."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Where a value is."""
        share = (value - self.low) / ((self.high - self.low) or 1)
        return self.begin + share * (self.end - self.begin)


class Canvas:
    """What is painted on: everything is told in pixels of the picture as it will be."""

    def __init__(self, height: int) -> None:
        self._image = Image.new("RGB", (WIDTH * LARGER, height * LARGER), GROUND)
        self._draw = ImageDraw.Draw(self._image)
        self._fonts: dict[int, Any] = {}

    def line(self, points: list[Point], colour: str, width: int = 1) -> None:
        """Through all of the points; one alone is a dot."""
        large = [(x * LARGER, y * LARGER) for x, y in points]
        if len(large) > 1:
            self._draw.line(large, fill=colour, width=width * LARGER, joint="curve")
        else:
            self._draw.circle(large[0], 2 * width * LARGER, fill=colour)

    def text(self, at: Point, words: str, colour: str, size: int, anchor: str) -> float:
        """Its width."""
        font = self._fonts.setdefault(size, ImageFont.load_default(size * LARGER))
        self._draw.text((at[0] * LARGER, at[1] * LARGER), words, fill=colour, font=font, anchor=anchor)
        return float(self._draw.textlength(words, font=font)) / LARGER

    def png(self) -> bytes:
        """The picture."""
        whole = BytesIO()
        width, height = self._image.size
        small = self._image.resize((width // LARGER, height // LARGER), Image.Resampling.LANCZOS)
        small.save(whole, "PNG", optimize=True)
        return whole.getvalue()


def paint(what: dict[str, Any]) -> bytes:
    """The PNG of a sketch: `{"title", "zone", "curves": [{"name", "unit", "points": [[seconds, value], …]}]}`."""
    panels = _panels(what["curves"])
    moments = [at for curves in panels.values() for curve in curves for at, _ in curve.points]
    canvas = Canvas(TITLE + PANEL * len(panels) + FOOT)
    canvas.text((LEFT, TITLE / 2), what["title"], TITLES, 26, "lm")
    time = Axis(min(moments), max(moments), LEFT, WIDTH - RIGHT)
    marks = list(_moments(time, ZoneInfo(what["zone"])))
    for number, (unit, curves) in enumerate(panels.items()):
        _panel(canvas, TITLE + number * PANEL, unit, curves, time, [at for at, _ in marks])
    for at, words in marks:
        canvas.text((at, TITLE + PANEL * len(panels) + 8), words, WORDS, 18, "mt")
    return canvas.png()


def _panels(curves: list[dict[str, Any]]) -> dict[str, list[Curve]]:
    """The curves by their unit, those without a sample left out. Raises ValueError where there is none."""
    found: dict[str, list[Curve]] = {}
    for number, curve in enumerate(curves):
        points = [(float(at), float(value)) for at, value in curve["points"] if math.isfinite(value)]
        if points:
            found.setdefault(curve["unit"], []).append(Curve(curve["name"], COLOURS[number % len(COLOURS)], points))
    if not found:
        raise ValueError("there is nothing to paint")
    return found


def _panel(canvas: Canvas, top: float, unit: str, curves: list[Curve], time: Axis, marks: list[float]) -> None:
    """One unit: its grid, its curves, and above them how they are called and where they stand."""
    values = [value for curve in curves for _, value in curve.points]
    grid = list(_grid(min(values), max(values), unit))
    up = Axis(grid[0], grid[-1], top + PANEL - 12, top + LEGEND)
    for value in grid:
        canvas.line([(LEFT, up.at(value)), (WIDTH - RIGHT, up.at(value))], GRID)
        canvas.text((LEFT - 10, up.at(value)), _number(value), WORDS, 18, "rm")
    for mark in marks:
        canvas.line([(mark, up.end), (mark, up.begin)], GRID)
    at = LEFT + canvas.text((LEFT, top + LEGEND / 2), _sign(unit), WORDS, 18, "lm") + 20
    for curve in curves:
        last = f"{curve.name} {_number(curve.points[-1][1])}"
        canvas.line([(at, top + LEGEND / 2), (at + 16, top + LEGEND / 2)], curve.colour, 4)
        at += 24 + canvas.text((at + 24, top + LEGEND / 2), last, TITLES, 18, "lm") + 20
        canvas.line([(time.at(moment), up.at(value)) for moment, value in curve.points], curve.colour, 2)


def _grid(low: float, high: float, unit: str) -> Iterator[float]:
    """Round values that enclose all others, from zero where that is near; a share goes to its hundred."""
    low = 0.0 if low >= 0 and (low < high / 2 or unit == "percent") else low
    high = 100.0 if unit == "percent" and 50 < high <= 100 else high
    step = _round((high - low) / LINES or abs(high) / LINES or 1.0)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    yield from (number * step for number in range(first, last + 1))


def _round(step: float) -> float:
    """The next larger of 1, 2, 2.5, 5, 10, 20…"""
    size = 10.0 ** math.floor(math.log10(step))
    return next(size * nice for nice in (1, 2, 2.5, 5, 10) if size * nice >= step * 0.999)


def _moments(time: Axis, zone: ZoneInfo) -> Iterator[tuple[float, str]]:
    """Where times are marked, and what is written there: hours within two days, days beyond."""
    begin = datetime.fromtimestamp(time.low, zone)
    length = timedelta(seconds=time.high - time.low)
    step = next(timedelta(minutes=step) for step in STEPS if length / timedelta(minutes=step) < MOST_MARKS)
    mark = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    while (at := mark.timestamp()) <= time.high:
        if at >= time.low:
            yield time.at(at), f"{mark.day} {mark:%b}" if step >= timedelta(days=1) else f"{mark:%H:%M}"
        mark += step


def _sign(unit: str) -> str:
    return "%" if unit == "percent" else unit


def _number(value: float) -> str:
    """`1.2k`, `35`, `0.4`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.3g}{letter}"
    return f"{value:,.1f}".removesuffix(".0") if abs(value) >= 1 or value == 0 else f"{value:.2g}"


if __name__ == "__main__":
    sys.stdout.buffer.write(paint(json.load(sys.stdin)))
