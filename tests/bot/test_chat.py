"""From a line or a button to a run, and from the run's end to what is said about it."""

from typing import Any

from bot.chat import LONGEST_LINE
from tests.fakes import use
from tests.house import ADMIN, House

OFF: dict[str, Any] = {"item": "lamp"}


async def direct(house: House, tool: str = "rack_switch_off", trigger: str = "menu:1", **args: Any) -> str | None:
    """A button's one-call run."""
    run = await house.core.chat.direct(
        ADMIN.id, ADMIN, "A button", tool, args or OFF, trigger=trigger, opened_by="button"
    )  # fmt: skip
    await house.settle()
    return run


async def said(house: House) -> list[str]:
    return [kind for kind, _ in await house.deliver()]


async def test_a_button_asks_with_a_card_and_no_model(house: House) -> None:
    assert await direct(house)
    assert await said(house) == ["card"] and await house.states() == ["waiting"]
    await house.tap()
    assert house.rack.log == ["switch off lamp"] and house.model.asked == []
    assert "verdict" not in await said(house)


async def test_a_button_that_cannot_do_anything_says_so(house: House) -> None:
    assert await direct(house, item="nothing")
    assert await said(house) == ["verdict"]


async def test_a_replayed_button_opens_nothing_new(house: House) -> None:
    assert await direct(house) and await direct(house) is None
    assert len(await house.calls()) == 1


async def test_a_run_and_the_end_of_its_update_are_one_commit(house: House) -> None:
    await house.stores.inbox.store([{"update_id": 5}])
    await house.core.chat.say(ADMIN.id, ADMIN, "Hello?", trigger="update:5", update=5)
    assert await house.stores.inbox.pending() == []
    await house.settle()
    [entry] = await house.audited("run")
    assert entry["objective"] == "Hello?" and entry["opened_by"] == "text"


async def test_a_line_is_cleaned_cut_and_free_of_known_secrets(house: House) -> None:
    run = await house.say("a\u202eb rack-token-0123456789 " + "x" * 2 * LONGEST_LINE)
    stored = await house.run(run)
    assert stored.objective.startswith("ab •••") and len(stored.objective) <= LONGEST_LINE
    assert "rack-token" not in str(house.model.asked[0].messages)


async def test_an_answer_is_said_once_however_often_it_is_concluded(house: House) -> None:
    run = await house.say("Hello?", "Hello.")
    assert await said(house) == ["answer"]
    for _ in range(2):
        await house.core.chat.advance(run)
    await house.settle()
    assert await said(house) == []


async def test_a_run_that_changed_something_and_answers_says_both(house: House) -> None:
    await house.say("Switch it off.", [use("rack_switch_off", item="lamp")], "It is off now.")
    await house.tap()
    assert sorted(set(await said(house))) == ["answer", "card"]


async def test_while_a_tapped_run_works_it_is_working(house: House) -> None:
    states: list[str] = []

    async def look(asked: Any) -> str:
        states.append((await house.run(asked.run.id)).state)
        return "Done."

    await house.say("Switch it off.", [use("rack_switch_off", item="lamp")], look)
    await house.tap()
    assert states == ["working"]


async def test_a_finished_undo_draws_the_receipt_again(house: House) -> None:
    await house.ask(use("rack_switch_off", item="lamp"))
    await house.tap()
    await house.deliver()
    first = await house.call()
    await house.undo(first)
    approval = await house.stores.approvals.latest(first.id)
    assert approval is not None
    assert approval.card in [payload.get("card") for _, payload in await house.deliver()]
