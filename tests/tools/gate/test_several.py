"""Several changes in one reply: one card, run in order, each for itself."""

from typing import Any

from tests.fakes import use
from tests.house import House
from tests.tools.gate.test_gate import body, off


async def test_run_all_runs_all_of_them_in_order(house: House) -> None:
    run = await house.ask(*off("pump", "lamp", "fan"))
    view = await house.view()
    assert "3 changes" in view.text and view.buttons[0][0].text == "Run all 3"
    await house.tap()
    assert house.rack.log == ["switch off pump", "switch off lamp", "switch off fan"]
    assert [body(block)["title"] for block in await house.results(run)] == [
        "Switch pump off", "Switch lamp off", "Switch fan off",
    ]  # fmt: skip


async def test_one_by_one_asks_for_each(house: House) -> None:
    await house.ask(*off("lamp", "fan"))
    assert await house.tap("o") == "One by one."
    assert house.rack.log == [] and "lamp" in await house.text()
    await house.tap()
    assert house.rack.log == ["switch off lamp"] and await house.states() == ["done", "waiting"]
    await house.tap()
    assert house.rack.log == ["switch off lamp", "switch off fan"]


async def test_when_the_second_is_denied_the_rest_is_not_started(house: House) -> None:
    run = await house.ask(*off("lamp", "fan", "pump"))
    await house.tap("o")
    await house.tap("y")
    await house.tap("n")
    assert house.rack.log == ["switch off lamp"]
    assert await house.states() == ["done", "denied", "not started"]
    assert [body(block)["outcome"] for block in await house.results(run)] == ["done", "denied", "not_started"]


async def test_a_failure_leaves_the_rest_not_started(house: House) -> None:
    await house.ask(*off("lamp", "fan"))
    house.rack.fault = "not sent"
    await house.tap()
    assert await house.states() == ["failed", "not started"] and house.rack.log == []
    assert "came first: failed" in (await house.call()).detail


async def test_an_unknown_outcome_leaves_the_rest_not_started(house: House) -> None:
    await house.ask(*off("lamp", "fan"))
    house.rack.fault = "lost answer"
    await house.tap()
    assert await house.states() == ["unknown", "not started"] and house.rack.log == ["switch off lamp"]


async def test_a_card_whose_calls_will_never_run_is_withdrawn(build: Any) -> None:
    house = await build(autonomy="reversible")
    house.rack.fault = "not sent"
    await house.ask(*off("lamp"), use("rack_press", item="fan"))
    assert await house.states() == ["failed", "not started"]
    assert await house.stores.approvals.open_cards() == []
    assert "y" not in [b.data[-1] for row in (await house.view()).buttons for b in row]


async def test_reads_beside_a_change_are_kept_until_it_is_decided(house: House) -> None:
    run = await house.ask(use("rack_get_item", item="fan"), *off("lamp"), use("rack_get_item", item="pump"))
    assert await house.results(run) == []
    reads = house.rack.reads
    await house.tap()
    blocks = await house.results(run)
    assert [body(block).get("name", body(block).get("title")) for block in blocks] == ["fan", "Switch lamp off", "pump"]
    assert house.rack.reads - reads <= 3, "the reads did not run again"


async def test_each_of_several_changes_drifts_for_itself(house: House) -> None:
    await house.ask(*off("lamp", "fan"))
    house.rack.items["rack/0002"].watts = 99
    await house.tap()
    assert house.rack.log == ["switch off lamp"] and await house.states() == ["done", "waiting"]
    assert "40 → 99" in await house.text()
    await house.tap()
    assert house.rack.log == ["switch off lamp", "switch off fan"]
