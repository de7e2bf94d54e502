"""Samples over time, as a tool returns them: written shortly for the model, drawn as a line for people."""

from datetime import datetime
from typing import Annotated

from pydantic import PlainSerializer

from tools.kit.types import Ident, Result


def _short(times: list[datetime]) -> dict[str, str | float] | list[str]:
    """When they begin and how far they are apart, where that says it all: a time costs more than its value."""
    gaps = {later - earlier for earlier, later in zip(times, times[1:], strict=False)}
    if len(gaps) == 1:
        return {"from": times[0].isoformat(), "every_s": gaps.pop().total_seconds()}
    return [time.isoformat() for time in times]


class Series(Result):
    """Samples of one thing, the oldest first: a value for each time."""

    unit: Ident
    times: Annotated[list[datetime], PlainSerializer(_short)]
    values: list[int | float]
