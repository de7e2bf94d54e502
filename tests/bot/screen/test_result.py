"""A read's result for people: texts are code whatever they say, secrets go before anything is cut."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.screen.charts import WIDEST
from bot.screen.plain import plain_results
from bot.screen.render import render
from bot.screen.result import LONGEST_LINE, MOST_LINES, result_text
from bot.screen.view import Format
from memory.secrets import MASK, Redactor
from tools.kit import Ident, Outside, Result, Series

SECRET = "hunter2-the-whole-secret"


class Printed(Result):
    host: Ident = "nas"
    name: Ident = "web"
    lines: list[Outside]
    shown: int = 1


class Drawn(Result):
    name: Ident = "web"
    requests: Series


class Measured(Result):
    name: Ident = "web"
    memory_mb: float | None = None
    since: datetime
    note: Outside = ""


def told(found: Result) -> str:
    [piece] = render(result_text("web", found, Format(ZoneInfo("UTC")), Redactor([SECRET])))
    return piece.text


def test_a_secret_at_the_cut_leaves_no_half_behind() -> None:
    text = told(Printed(lines=["x" * (LONGEST_LINE - 9) + SECRET, "`" * 3 + "\n[a](tg://user?id=1)"]))
    assert SECRET[:4] not in text and MASK in text and "'''\n[a](tg://user?id=1)" in text


def test_the_newest_lines_are_shown_and_nothing_is_said_as_such() -> None:
    text = told(Printed(lines=[f"line {number:03d}" for number in range(99)]))
    assert text.startswith("web · nas\n") and text.endswith("line 098") and text.count("line ") == MOST_LINES
    assert "(nothing)" in told(Printed(lines=[]))


def test_without_texts_the_fields_are_told_with_their_units() -> None:
    moment = datetime(2020, 11, 3, 8, 12, tzinfo=UTC)
    assert told(Measured(memory_mb=412.25, since=moment)) == "web\nmemory 412.2 MB · since 3 Nov 08:12"
    assert SECRET[:4] not in told(Measured(since=moment, note=f"it is {SECRET}"))


def series(*values: float, gaps: tuple[int, ...] = ()) -> Series:
    """A sample every ten minutes, or after these minutes."""
    begin = datetime(2020, 11, 3, 8, 0, tzinfo=UTC)
    minutes = gaps or tuple(10 * number for number in range(len(values)))
    return Series(unit="queries", times=[begin + timedelta(minutes=each) for each in minutes], values=[*values])


def test_samples_are_drawn_as_a_line_with_their_range_and_their_time() -> None:
    assert told(Drawn(requests=series(12, 12, 40, 310, 160, 12))) == (
        "web\nrequests ▁▁▂█▄▁ 12–310 queries · 3 Nov 08:00–3 Nov 08:50"
    )
    peak = told(Drawn(requests=series(*[1] * 70, 9, *[1] * 29)))
    assert len(peak.split()[2]) == WIDEST and peak.count("█") == 1, "what lasts for one sample alone is seen as well"
    assert "▁▁ 5 queries" in told(Drawn(requests=series(5, 5))) and "no queries" in told(Drawn(requests=series()))


def test_times_are_written_shortly_only_where_that_says_it_all() -> None:
    even = series(1, 2).model_dump(mode="json")["times"]
    assert even == {"from": "2020-11-03T08:00:00+00:00", "every_s": 600.0}
    assert len(series(1, 2, 3, gaps=(0, 10, 30)).model_dump(mode="json")["times"]) == 3


def test_without_a_model_every_series_of_a_result_is_a_line() -> None:
    body = {"found": {"attic": {"queries": series(12, 1500).model_dump(mode="json")}, "cellar": {"queries": 3}}}
    result = {"type": "tool_result", "tool_use_id": "1", "content": json.dumps(body)}
    called = {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "pihole_get_history"}]}
    told = plain_results([called, {"role": "user", "content": [result]}])
    assert told == "pihole get history\nattic queries ▁█ 12–1,500 queries"
