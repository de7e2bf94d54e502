"""The gate, through a whole core: what may happen is judged by the service's write log and the database."""

from tests.fakes import use
from tests.house import House


async def test_a_change_waits_for_its_tap(house: House) -> None:
    run = await house.ask(use("rack_switch_off", item="lamp"))
    assert await house.states() == ["waiting"] and house.rack.log == []
    assert (await house.run(run)).state == "waiting"
    assert await house.tap() == "Running."
    assert house.rack.log == ["switch off lamp"]
    row = await house.call()
    assert (row.state, row.verified) == ("done", True)
    assert (await house.run(run)).state == "done"
