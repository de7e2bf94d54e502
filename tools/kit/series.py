"""Samples over time, as a tool returns them: written shortly for the model, drawn for people."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import PlainSerializer, model_validator

from tools.kit.types import Ident, Result

Span = Literal["hour", "day", "week", "month"]
"""How far back samples go."""


def _short(times: list[datetime]) -> dict[str, str | float] | list[str]:
    """When they begin and how far they are apart, where that says it all: a time costs more than its value."""
    gaps = {later - earlier for earlier, later in zip(times, times[1:], strict=False)}
    if len(gaps) == 1:
        return {"from": times[0].isoformat(), "every_s": gaps.pop().total_seconds()}
    return [time.isoformat() for time in times]


def _rounded(values: list[int | float]) -> list[int | float]:
    """To four digits: more is noise, and each costs."""
    return [value if isinstance(value, int) else float(f"{value:.4g}") for value in values]


class Series(Result):
    """Samples of one thing, the oldest first: a value for each time."""

    unit: Ident
    times: Annotated[list[datetime], PlainSerializer(_short)]
    values: Annotated[list[int | float], PlainSerializer(_rounded)]

    @model_validator(mode="before")
    @classmethod
    def _in_full(cls, given: Any) -> Any:
        """Also as it was written for the model, where the ends of long lists may be missing."""
        if not isinstance(given, dict) or not isinstance(times := given.get("times"), dict):
            return given
        begin, gap = datetime.fromisoformat(times["from"]), timedelta(seconds=times["every_s"])
        return {**given, "times": [begin + at * gap for at in range(len(given["values"]))]}


class Curve(Series):
    """One line of a chart."""

    name: Ident


class Chart(Result):
    """What was measured of one thing over time. Whoever asks for it is sent it as a picture.

    Curves of one unit share a panel, on one scale.
    """

    name: Ident
    """Whose it is."""
    curves: list[Curve]
