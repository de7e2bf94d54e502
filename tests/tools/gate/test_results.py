"""What the model is told: short enough, honest, and free of secrets."""

import json
from typing import Any

from tests.fakes import use
from tests.house import House
from tools.gate import results
from tools.kit import Ident, Result


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
    found = json.loads(results.fit(Rows(rows=[f"name-{n}" for n in range(2000)]), str))
    assert found["host"] == "nas" and found["rows"][0] == "name-0"
    assert len(found["rows"]) + found["left_out"]["rows"] == 2000


def test_moved_names_old_and_new() -> None:
    assert results.moved({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == {"b": [2, 3], "c": [None, 4]}


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
