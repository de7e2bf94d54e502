"""One row for each measurement: ours, the other, and the ratio of the two, paired by round."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """What one measurement says; empty where there is nothing to compare it with."""

    what: str
    ours: str
    peer: str = ""
    theirs: str = ""
    ratio: str = ""


HEAD = Row("what", "ours", "against", "theirs", "ratio, paired by round")


def ms(seconds: Sequence[float]) -> str:
    """The median in milliseconds, with the least and the most."""
    return spread([each * 1000 for each in seconds], "ms")


def spread(values: Sequence[float], unit: str) -> str:
    """The median, with the least and the most where there are several."""
    middle = f"{_short(statistics.median(values))} {unit}"
    return f"{middle} ({_short(min(values))}–{_short(max(values))})" if len(values) > 1 else middle


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Ours over theirs: the median of the rounds' ratios, with the least and the most."""
    found = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    middle = f"{statistics.median(found):.2f}×"
    return f"{middle} ({min(found):.2f}–{max(found):.2f})" if len(found) > 1 else middle


def against(what: str, ours: Sequence[float], peer: str, theirs: Sequence[float]) -> Row:
    """A row of seconds, measured in the same rounds."""
    return Row(what, ms(ours), peer, ms(theirs), ratio(ours, theirs))


def markdown(rows: Sequence[Row]) -> str:
    """The table as it stands in a page, and as it can be read in a terminal."""
    cells = [[row.what, row.ours, row.peer, row.theirs, row.ratio] for row in (HEAD, *rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
