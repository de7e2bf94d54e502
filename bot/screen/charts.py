"""Samples as a line of text that fits a phone: `▂▁▃▇▅ 12–310 queries · 3 Nov 08:00–3 Nov 08:50`."""

from bot.screen.view import Format
from tools.kit.series import Series

BARS = "▁▂▃▄▅▆▇█"
WIDEST = 24


def chart(series: Series, form: Format) -> str:
    """The line, its lowest and highest value, and from when to when; a column shows the highest of its samples."""
    if not series.values:
        return f"no {series.unit}"
    count, low, high = len(series.values), min(series.values), max(series.values)
    width = min(count, WIDEST)
    columns = [max(series.values[at * count // width : (at + 1) * count // width]) for at in range(width)]
    bars = "".join(BARS[round((value - low) / ((high - low) or 1) * (len(BARS) - 1))] for value in columns)
    said = f"{form.value(low)}–{form.value(high)}" if low != high else form.value(low)
    return f"{bars} {said} {series.unit} · {form.moment(series.times[0])}–{form.moment(series.times[-1])}"
