"""Samples as a line of text that fits a phone: `▂▁▃▇▅ 12–310 queries · 3 Nov 08:00–3 Nov 08:50`; and as a picture."""

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from loguru import logger
from pydantic import ValidationError

from bot.screen.render import escape
from bot.screen.view import Format, bold
from memory.models import Message
from memory.text import escaped
from tools.gate.taint import unwrapped
from tools.kit.series import Chart, Series

BARS = "▁▂▃▄▅▆▇█"
WIDEST = 16
"""Columns: with a name before them they fit into one line of a phone."""
MOST_CURVES = 8
"""On one picture, and lines below it."""
LONGEST_NAME = 40
PAINTING_SECONDS = 20.0
ROOT = Path(__file__).parents[2]
PAINTER = (sys.executable, "-m", "bot.screen.picture")


def chart(series: Series, form: Format) -> str:
    """The line with its range, and from when to when."""
    when = f" · {form.moment(series.times[0])}–{form.moment(series.times[-1])}" if series.times else ""
    return f"{_line(series.values, series.unit)}{when}"


def chart_text(found: Chart, form: Format) -> str:
    """What a chart says in words: whose it is, a line for each of its curves, and from when to when."""
    lines = [f"{_short(curve.name)} {_line(curve.values, curve.unit)}" for curve in found.curves[:MOST_CURVES]]
    times = [time for curve in found.curves for time in curve.times]
    lines += [f"{form.moment(min(times))}–{form.moment(max(times))}"] if times else ["Nothing was measured yet."]
    return "\n".join([bold(_short(found.name)), *(escape(escaped(line)) for line in lines)])


def sketch(found: Chart, form: Format) -> dict[str, Any]:
    """What there is to paint, as JSON values: the moments as seconds."""
    curves = [
        {
            "name": _short(curve.name), "unit": curve.unit,
            "points": [[time.timestamp(), value] for time, value in zip(curve.times, curve.values, strict=False)],
        }
        for curve in found.curves[:MOST_CURVES]
    ]  # fmt: skip
    return {"title": _short(found.name), "zone": form.zone.key, "curves": curves}


async def painted(what: Mapping[str, Any]) -> bytes:
    """A sketch as a PNG; empty when it cannot be painted.

    In a process of its own, which knows none of our settings: it needs memory, and a fault in there is not ours.
    """
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*PAINTER, cwd=ROOT, env={}, stdin=pipe, stdout=pipe, stderr=pipe)
        try:
            async with asyncio.timeout(PAINTING_SECONDS):
                picture, said = await process.communicate(json.dumps(what).encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    except (OSError, TimeoutError) as error:
        picture, said = b"", type(error).__name__.encode()
    if not picture:
        logger.warning("a chart could not be painted: {}", said.decode(errors="replace").strip()[-200:])
    return picture


def charts_of(messages: Sequence[Message]) -> dict[str, Chart]:
    """The charts that a run has read, by the ids of the calls that read them."""
    found = {}
    for message in messages:
        for block in message["content"]:
            if block["type"] == "tool_result" and not block.get("is_error"):
                chart = _read(unwrapped(str(block["content"])))
                found.update({block["tool_use_id"]: chart} if chart and chart.curves else {})
    return found


def _read(text: str) -> Chart | None:
    """A chart as a model was told it."""
    try:
        body = json.loads(text)
        return Chart.model_validate({name: body[name] for name in Chart.model_fields}) if _is_chart(body) else None
    except (ValidationError, ValueError, TypeError, LookupError, OverflowError):
        return None


def _is_chart(body: Any) -> bool:
    """Whether a result is one: it may tell, besides, what was left out of it."""
    return isinstance(body, dict) and body.keys() - {"left_out"} == Chart.model_fields.keys()


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def charts_in(body: Mapping[str, Any], *names: str) -> Iterator[str]:
    """Every `Series` in a result's JSON as a line, with its name and that of what it is in."""
    for name, value in body.items():
        if isinstance(value, dict) and value.keys() == Series.model_fields.keys():
            yield f"{' '.join([*names[-1:], name])} {_line(value['values'], value['unit'])}"
        elif isinstance(value, dict):
            yield from charts_in(value, *names, name)


def _line(values: Sequence[float], unit: str) -> str:
    """`▂▁▃▇▅ 12–310 queries`; a column shows the highest of its samples."""
    if not values:
        return f"no {unit}"
    count, low, high = len(values), min(values), max(values)
    width = min(count, WIDEST)
    columns = [max(values[at * count // width : (at + 1) * count // width]) for at in range(width)]
    bars = "".join(BARS[round((value - low) / ((high - low) or 1) * (len(BARS) - 1))] for value in columns)
    return f"{bars} {'–'.join(dict.fromkeys(map(_number, (low, high))))} {unit}"


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")
