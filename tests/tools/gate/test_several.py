"""Several changes in one reply: one card, run in order, each for itself."""

from typing import Any

from memory.approvals import EXPIRY_SECONDS
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


async def test_one_by_one_a_denial_is_about_that_call_and_the_next_card_comes(house: House) -> None:
    run = await house.ask(*off("lamp", "fan", "pump"))
    await house.tap("o")
    assert await house.tap("n") == "Dropped. The next one comes."
    assert await house.states() == ["denied", "waiting", "waiting"] and "Switch fan off" in await house.text()
    await house.tap("y")
    assert await house.tap("n") == "Dropped. Tell me what you want instead."
    assert house.rack.log == ["switch off fan"]
    assert [body(block)["outcome"] for block in await house.results(run)] == ["denied", "done", "denied"]


async def test_a_denial_of_all_of_them_is_about_all_of_them(house: House) -> None:
    await house.ask(*off("lamp", "fan", "pump"))
    assert await house.tap("n") == "Dropped. Tell me what you want instead."
    assert await house.states() == ["denied", "not started", "not started"] and house.rack.log == []
    assert await house.stores.approvals.open_cards() == []


async def test_what_was_approved_together_does_not_go_on_without_one_that_was_dropped(house: House) -> None:
    """Run all, the first has moved and is dropped: the others were wanted after it."""
    await house.ask(*off("lamp", "fan"))
    house.rack.items["rack/0001"].watts = 99
    await house.tap()
    assert await house.tap("n") == "Dropped. Tell me what you want instead."
    assert await house.states() == ["denied", "not started"] and house.rack.log == []


async def test_one_by_one_what_has_moved_and_is_dropped_is_one_too(house: House) -> None:
    await house.ask(*off("lamp", "fan"))
    await house.tap("o")
    house.rack.items["rack/0001"].watts = 99
    await house.tap("y")
    assert "40 → 99" in await house.text()
    await house.tap("n")
    assert await house.states() == ["denied", "waiting"]
    await house.tap("y")
    assert house.rack.log == ["switch off fan"]


async def test_nothing_runs_by_itself_after_a_denial(build: Any) -> None:
    house = await build(autonomy="reversible")
    await house.ask(use("rack_press", item="lamp"), use("rack_press", item="fan"), *off("pump"))
    await house.tap("o")
    await house.tap("n")
    await house.tap("y")
    assert await house.states() == ["denied", "done", "not started"] and house.rack.log == ["press fan"]
    assert "Press lamp came first: denied" in (await house.call()).detail


async def test_one_by_one_goes_on_after_a_restart_where_it_was(house: House) -> None:
    await house.ask(*off("lamp", "fan", "pump"))
    await house.tap("o")
    await house.tap("n")
    await house.crash()
    await house.recover()
    await house.tap("n")
    await house.tap("y")
    assert await house.states() == ["denied", "denied", "done"] and house.rack.log == ["switch off pump"]


async def test_one_by_one_a_failure_still_leaves_the_rest_not_started(house: House) -> None:
    await house.ask(*off("lamp", "fan", "pump"))
    await house.tap("o")
    await house.tap("n")
    house.rack.fault = "not sent"
    await house.tap("y")
    assert await house.states() == ["denied", "failed", "not started"]


async def test_one_by_one_silence_leaves_the_rest_not_started(house: House) -> None:
    await house.ask(*off("lamp", "fan"))
    await house.tap("o")
    house.clock.move(EXPIRY_SECONDS + 1)
    await house.sweep()
    assert await house.states() == ["expired", "not started"] and await house.stores.approvals.open_cards() == []


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
