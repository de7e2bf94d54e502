"""What the model is told: short enough, honest, and free of secrets."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest

from memory.secrets import Redactor
from tests.fakes import use
from tests.house import House
from tools.gate import results
from tools.kit import Facts, Ident, Result, Shown, Tolerance

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Rows(Result):
    rows: list[Ident] = []
    host: Ident = "nas"


def test_a_short_text_is_left_alone() -> None:
    text = "x" * results.CAP
    assert results.cap(text) == text


def test_an_error_always_has_words() -> None:
    assert results.block("use", "", error=True)["content"] and results.block("use", "")["content"] == ""


def test_a_long_text_keeps_both_ends_and_says_what_is_missing() -> None:
    text = "start" + "x" * 2 * results.CAP + "end"
    capped = results.cap(text)
    assert capped.startswith("start") and capped.endswith("end") and len(capped) < results.CAP + 100
    assert f"of {len(text)} characters left out" in capped


def test_a_long_list_loses_its_end_and_stays_json() -> None:
    found = json.loads(results.fit(Rows(rows=[f"name-{n}" for n in range(2000)]), Redactor()))
    assert found["host"] == "nas" and found["rows"][0] == "name-0"
    assert len(found["rows"]) + found["left_out"]["rows"] == 2000


def test_moved_names_old_and_new() -> None:
    old, new = {"shown": {"a": 1, "b": 2}}, {"shown": {"a": 1, "b": 3, "c": 4}}
    assert results.moved(old, new) == {"b": [2, 3], "c": [None, 4]}


class Weather(Facts):
    """What moves by itself."""

    degrees: Annotated[Shown[float | None], Tolerance(2)] = 20.0
    load: Annotated[Shown[dict[Ident, int]], Tolerance(percent=10)] = {"nas": 100}
    over: Annotated[Shown[datetime | None], Tolerance(60)] = NOON
    raining: Annotated[Shown[bool], Tolerance(5)] = False
    name: Annotated[Shown[str], Tolerance(5)] = "1"
    exact: Shown[int] = 1


@pytest.mark.parametrize(
    ("change", "moves"),
    [
        ({"degrees": 22.0}, False), ({"degrees": 17.9}, True), ({"degrees": None}, True),
        ({"degrees": math.nan}, True), ({"load": {"nas": 110}}, False), ({"load": {"nas": 111}}, True),
        ({"load": {"nas": 100, "mini": 0}}, True), ({"over": NOON + timedelta(seconds=60)}, False),
        ({"over": NOON - timedelta(seconds=61)}, True), ({"over": None}, True),
        ({"over": NOON.astimezone(timezone(timedelta(hours=2)))}, False),
        ({"raining": True}, True), ({"name": "2"}, True), ({"exact": 2}, True),
    ],
)  # fmt: skip
def test_a_fact_may_move_within_its_tolerance_and_no_further(change: dict[str, Any], moves: bool) -> None:
    before, after = (results.stored_facts(facts) for facts in (Weather(), Weather().model_copy(update=change)))
    stored = json.loads(json.dumps(before))
    assert list(results.moved(stored, after)) == list(results.moved(stored, after, "all")) == list(change) * moves


async def test_every_outcome_names_its_state(house: House) -> None:
    told = {}
    for verb, fault in (("y", None), ("y", "not sent"), ("y", "lost answer"), ("n", None)):
        run = await house.ask(use("rack_press", item="lamp"))
        house.rack.fault = fault  # type: ignore[assignment]
        await house.tap(verb)
        house.rack.fault = None
        [block] = await house.results(run)
        content = block["content"]  # what a service said of a failure comes between marks
        body: dict[str, Any] = json.loads(content[content.index("{") : content.rindex("}") + 1])
        told[body["outcome"]] = (bool(block.get("is_error")), body["detail"])
    assert {name: wrong for name, (wrong, _) in told.items()} == {
        "done": False, "failed": True, "unknown": True, "denied": True,
    }  # fmt: skip
    assert "Verified" in told["done"][1] and "Nothing was changed" in told["denied"][1]


async def test_known_secrets_reach_neither_the_model_nor_the_audit_log(house: House) -> None:
    secret = "rack-token-0123456789"
    item = house.rack.add("fan2", label=f"the token is {secret}")
    run = await house.ask(use("rack_read_label", item="fan2"))
    await house.ask(use("rack_relabel", item="fan2", text=f"it is {secret}"))
    await house.tap()
    assert item.label == f"it is {secret}"
    for of_run in (run, (await house.call()).run):
        assert secret not in json.dumps(await house.results(of_run))
    assert secret not in json.dumps([entry.data for entry in await house.stores.audit.export()])
