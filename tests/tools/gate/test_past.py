"""What a service is told of what this bot has done to its targets."""

from tests.fakes import use
from tests.house import ADMIN, GROUP, OPERATOR, House
from tools.gate.past import Past


async def test_a_deed_says_what_to_which_target_by_whom_and_whether_it_can_be_taken_back(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"), who=ADMIN, where=GROUP)
    await house.tap(who=OPERATOR)
    await house.say("hello", "Hello.", who=OPERATOR)  # the decider is known by name once they have said something
    [deed] = await Past(house.stores).of("rack")
    row = await house.call()
    assert (deed.tool, deed.target, deed.who) == ("rack_switch_off", row.targets["item"]["id"], OPERATOR.name)
    assert deed.at.timestamp() == row.started and deed.undoable

    await house.undo(row, where=GROUP)
    newest, first = await Past(house.stores).of("rack")
    assert newest.tool == "rack_switch_on" and not first.undoable, "an Undo that was used waits no longer"


async def test_only_what_took_effect_or_may_have_is_a_deed(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.tap("n")
    await house.ask(use("rack_switch_off", item="fan"))
    house.rack.fault = "not sent"
    await house.tap()
    assert await Past(house.stores).of("rack") == []
    house.rack.fault = "sent"
    await house.ask(use("rack_press", item="pump"))
    await house.tap()
    [unknown] = await Past(house.stores).of("rack")
    assert unknown.tool == "rack_press" and not unknown.undoable


async def test_what_is_older_than_a_month_or_another_services_is_left_out(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.tap()
    assert await Past(house.stores).of("rac") == []
    assert len(await Past(house.stores).of("rack")) == 1
    house.clock.now += 31 * 86_400
    assert await Past(house.stores).of("rack") == []
