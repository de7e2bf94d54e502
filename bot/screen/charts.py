"""Samples as a line of text that fits a phone: `▂▁▃▇▅ 12–310 queries · 3 Nov 08:00–3 Nov 08:50`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.screen.view import Format
from tools.kit.series import Series

BARS = "▁▂▃▄▅▆▇█"
WIDEST = 16
"""Columns: with a name before them they fit into one line of a phone."""


def chart(series: Series, form: Format) -> str:
    """The line with its range, and from when to when."""
    when = f" · {form.moment(series.times[0])}–{form.moment(series.times[-1])}" if series.times else ""
    return f"{_line(series.values, series.unit)}{when}"


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
