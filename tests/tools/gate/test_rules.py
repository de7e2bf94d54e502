"""The owner's rules, through a whole core: only looking, forbidden, protected, unattended, and how many cards."""

import asyncio
import itertools
import json
from datetime import datetime
from typing import Any

import pytest

from memory.approvals import EXPIRY_SECONDS
from tests.fakes import use
from tests.house import ADMIN, GROUP, OPERATOR, STRANGER, VIEWER, House
from tests.rack import set_to
from tools.gate.standing import FULL, HOUR, MOST_AN_HOUR, MOST_OPEN
from tools.kit import Call, Change, Context, Facts, Ident, Shown, Target, ToolFailed

OFF = use("rack_switch_off", item="lamp")


def told(block: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(block["content"])
    return found


async def test_observing_it_says_what_it_would_have_done(build: Any) -> None:
    house = await build(autonomy="observe")
    [block] = await house.results(await house.ask(OFF))
    body = told(block)
    assert (body["outcome"], body["title"]) == ("refused", "Switch lamp off")
    assert body["facts"]["state"] == "on" and "would have done" in body["detail"]
    assert house.rack.log == [] and await house.calls() == []
    [entry] = await house.audited("refused")
    assert entry["tool"] == "rack_switch_off" and entry["args"] == {"item": "rack/0001"}


async def test_observing_it_still_takes_notes(build: Any) -> None:
    house = await build(autonomy="observe")
    await house.ask(use("notes_write", text="x"))
    assert house.rack.log == ["note x"]


@pytest.mark.parametrize("name", ["lamp", "rack/0001", "alias-lamp"])
async def test_a_forbidden_target_is_never_touched(build: Any, name: str) -> None:
    house = await build(forbidden_targets=f"other, {name}", autonomy="reversible")
    for call in (OFF, use("rack_switch_off", item="rack/0001"), use("rack_remove_item", item="lamp")):
        [block] = await house.results(await house.ask(call))
        assert told(block)["outcome"] == "refused"
    assert house.rack.log == []
    await house.ask(use("rack_switch_off", item="fan"))
    assert house.rack.log == ["switch off fan"]


async def test_a_target_its_owner_has_marked_is_never_touched(house: House) -> None:
    house.rack.items["rack/0001"].forbidden = True
    [block] = await house.results(await house.ask(OFF))
    assert told(block)["outcome"] == "refused"


async def test_forbidden_after_the_card_was_shown_is_forbidden_all_the_same(house: House) -> None:
    await house.ask(OFF)
    house.rack.items["rack/0001"].forbidden = True
    await house.tap()
    assert house.rack.log == [] and await house.states() == ["not started"]


async def test_a_protected_target_always_asks_and_says_why(build: Any) -> None:
    house = await build(autonomy="reversible", protected_targets="alias-lamp")
    house.rack.items["rack/0002"].protected = "this is the bot itself"
    await house.ask(OFF)
    assert "always asks" in await house.text()
    await house.ask(use("rack_switch_off", item="fan"))
    assert "this is the bot itself" in await house.text()
    assert house.rack.log == [] and await house.states() == ["waiting", "waiting"]


async def test_the_lists_hold_in_any_case(build: Any) -> None:
    house = await build(autonomy="reversible", forbidden_targets="LAMP", protected_targets="Fan")
    await house.ask(OFF)
    await house.ask(use("rack_switch_off", item="fan"))
    assert house.rack.log == [] and await house.states() == ["waiting"]
    assert "always asks" in await house.text()


class Placed(Facts):
    """An item that stands somewhere."""

    state: Shown[Ident]
    host: Ident = "nas"


async def placed(api: Any, item: str) -> Placed:
    return Placed(state=(await api.item(item)).state)


def a_plan(**more: Any) -> Any:
    """A tool's function that plans to switch an item off."""

    async def plan(ctx: Context[Any], item: str) -> Change[Placed]:
        facts = await ctx.read(placed, item)
        return Change("Switch off", facts, set_to("off", item), lambda _, after: after.state == "off", **more)

    return plan


async def test_what_stands_on_a_protected_host_asks(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await build(autonomy="reversible", protected_targets="nas")
    back = Call("rack_switch_on", {"item": "rack/0001"})
    monkeypatch.setattr(house.tool("rack_switch_off"), "run", a_plan(undo=lambda before, _: back))
    await house.ask(OFF)
    assert house.rack.log == [] and "always asks" in await house.text()


async def test_what_undo_could_not_take_back_now_asks(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a function for it, but for this target it says that there is no way back."""
    house = await build(autonomy="reversible")
    monkeypatch.setattr(house.tool("rack_switch_off"), "run", a_plan(undo=lambda before, _: None))
    await house.ask(OFF)
    assert house.rack.log == [] and await house.states() == ["waiting"]
    assert "no undo" in await house.text() and "undo:" not in await house.text()


async def test_nothing_runs_by_itself_for_somebody_who_could_not_approve_it(build: Any) -> None:
    """In a group the card is for those who may decide; the viewer who asks is not one of them."""
    house = await build(autonomy="reversible")
    await house.ask(OFF, use("notes_write", text="x"), who=VIEWER, where=GROUP)
    assert house.rack.log == [] and await house.states() == ["waiting", "waiting"]
    await house.ask(use("rack_switch_off", item="fan"), who=OPERATOR, where=GROUP)
    assert house.rack.log == ["switch off fan"]


async def test_protected_after_it_was_proposed_asks_before_it_runs(build: Any) -> None:
    house = await build(autonomy="reversible")
    await house.ask(use("rack_press", item="fan"), OFF)
    house.rack.items["rack/0001"].protected = "holds the network"
    await house.tap()
    assert house.rack.log == ["press fan"] and await house.states() == ["done", "waiting"]
    await house.tap()
    assert house.rack.log == ["press fan", "switch off lamp"]


async def test_nothing_is_destroyed_when_nobody_is_watching(house: House) -> None:
    run = await house.ask(use("rack_remove_item", item="lamp"), unattended=True)
    assert "Nobody is watching" in (await house.results(run))[0]["content"]
    await house.ask(OFF, unattended=True)
    assert house.rack.log == [] and await house.states() == ["waiting"]


async def test_what_does_not_fit_on_a_card_is_refused_not_cut(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.gate.proposals.MOST_SHOWN", 10)
    [block] = await house.results(await house.ask(OFF))
    assert block["is_error"] and "too large" in block["content"] and await house.calls() == []


async def test_a_read_without_a_model_obeys_roles_and_names(house: House) -> None:
    proposals, tools, lamp = house.core.proposals, house.core.tools, Target("rack/0001", "lamp")
    [page] = tools["rack_press"].service.pages
    for actor in (ADMIN, VIEWER):
        assert (await proposals.reads.look(actor, tools["rack_get_item"], lamp)).model_dump()["name"] == "lamp"
        assert [target.id for target in await proposals.reads.meant(actor, tools["rack_press"], "lamp")] == [
            "rack/0001"
        ]
    for text in ("nothing", "x" * 65, ""):
        assert await proposals.reads.meant(ADMIN, tools["rack_press"], text) == []
    before = house.rack.reads
    for reading in (
        proposals.reads.look(STRANGER, tools["rack_get_item"], lamp),
        proposals.reads.meant(STRANGER, tools["rack_press"], "lamp"),
        proposals.reads.read(STRANGER, page.service, page.read),
    ):
        with pytest.raises(ToolFailed, match="not yours to look at"):
            await reading
    with pytest.raises(AssertionError):
        await proposals.reads.look(ADMIN, tools["rack_switch_off"], lamp)
    assert house.rack.reads == before


async def test_a_read_for_a_command_that_hangs_is_given_up_in_words(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("tools.gate.reads.READ_DEADLINE", 0.01)
    monkeypatch.setattr("tests.rack.RackApi.item", never)
    with pytest.raises(ToolFailed, match="rack did not answer"):
        await house.core.proposals.reads.look(ADMIN, house.core.tools["rack_get_item"], Target("rack/0001", "lamp"))


# -- the cap on cards -------------------------------------------------------------------------------------------------

NAMES = ("lamp", "fan", "pump")
BUTTONS = itertools.count()


async def fill(house: House, cards: int = MOST_OPEN, **where: Any) -> None:
    """Cards that wait."""
    for number in range(cards):
        await house.ask(use("rack_press", item=NAMES[number % 3]), **where)


async def by_hand(house: House, item: str = "lamp") -> str:
    """A person's own button; its run."""
    run = await house.core.opener.direct(
        ADMIN.id, ADMIN, "A button", "rack_press", {"item": item}, trigger=f"menu:{next(BUTTONS)}", opened_by="button"
    )  # fmt: skip
    await house.settle()
    assert run is not None
    return run


def say(role: str, *blocks: Any) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


async def said(house: House) -> list[str]:
    """What code has said to people by itself."""
    return [payload["text"] for kind, payload in await house.deliver() if kind == "view"]


async def waiting(house: House) -> int:
    return len(await house.stores.approvals.open_cards())


@pytest.mark.parametrize("unattended", [False, True])
async def test_beyond_the_cap_a_call_is_refused_and_said_to_be(house: House, unattended: bool) -> None:
    await fill(house, unattended=unattended)
    assert await said(house) == []
    before = await house.states()
    run = await house.ask(use("rack_get_item", item="fan"), OFF, unattended=unattended)
    read, refused = await house.results(run)
    assert told(read)["name"] == "fan"
    assert refused["is_error"] and told(refused)["outcome"] == "refused"
    assert told(refused)["detail"] == "5 cards already wait; decide those first: /pending"
    assert await said(house) == ["Not asked: 5 cards already wait; decide those first: /pending"]
    assert [entry["tool"] for entry in await house.audited("refused")] == ["rack_switch_off"]
    assert (await house.run(run)).state == "done" and await house.states() == before and await waiting(house) == 5
    await house.tap("n")
    assert await house.states(await house.ask(OFF)) == ["waiting"]


async def test_the_cap_holds_when_all_ask_at_once(house: House) -> None:
    async def ask(number: int) -> None:
        await house.core.opener.direct(
            ADMIN.id, ADMIN, "Press lamp", "rack_press", {"item": "lamp"}, trigger=f"t{number}", opened_by="button"
        )

    await asyncio.gather(*(ask(number) for number in range(3 * MOST_OPEN)))
    await house.settle()
    assert await waiting(house) == MOST_OPEN and await house.states() == ["waiting"] * MOST_OPEN


async def test_several_changes_on_one_card_count_as_one(house: House) -> None:
    for _ in range(MOST_OPEN):
        await house.ask(*(use("rack_press", item=name) for name in NAMES))
    assert await waiting(house) == MOST_OPEN and await house.states() == ["waiting"] * 3 * MOST_OPEN
    for block in await house.results(await house.ask(*(use("rack_press", item=name) for name in NAMES))):
        assert told(block)["outcome"] == "refused"


async def test_a_full_chat_does_not_fill_another(house: House) -> None:
    await fill(house)
    assert await house.states(await house.ask(OFF, where=GROUP)) == ["waiting"]


async def test_what_needs_no_card_goes_on_beyond_the_cap(build: Any) -> None:
    house = await build(autonomy="reversible")
    await house.ask(OFF)
    done = await house.call()
    await fill(house)
    run = await house.ask(
        use("rack_press", item="fan"), use("rack_switch_off", item="fan"), use("notes_write", text="x")
    )
    assert [told(block)["outcome"] for block in await house.results(run)] == ["refused", "done", "done"]
    await house.undo(done)
    assert house.rack.log == ["switch off lamp", "switch off fan", "note x", "switch on lamp"]


async def test_cards_in_an_hour_are_counted_in_a_chat_and_for_a_person(house: House) -> None:
    for number in range(MOST_AN_HOUR):
        await house.ask(use("rack_press", item="lamp"), where=GROUP if number % 2 else None)
        await house.tap("n")
    for place in (None, GROUP):
        [block] = await house.results(await house.ask(OFF, where=place))
        assert told(block)["outcome"] == "refused" and "30 cards within an hour" in told(block)["detail"]
    assert await house.states(await house.ask(OFF, who=OPERATOR)) == ["waiting"], "somebody else, elsewhere"
    house.clock.move(HOUR)
    assert await house.states(await house.ask(OFF)) == ["waiting"]


async def test_the_limit_of_an_hour_says_when_it_ends_and_then_it_has(house: House) -> None:
    house.clock.move(30 - house.clock.now % 60)
    began = house.clock.now
    for _ in range(MOST_AN_HOUR):
        await house.ask(use("rack_press", item="lamp"))
        await house.tap("n")
        house.clock.move(60)
    await house.ask(OFF)
    again = datetime.fromtimestamp(began + HOUR + 30, house.settings.zone)
    assert f"again from {again:%H:%M}." in (await said(house))[0], "the next whole minute"
    house.clock.now = again.timestamp()
    assert await house.states(await house.ask(OFF)) == ["waiting"]


async def test_a_persons_own_buttons_are_not_rationed_and_do_not_count(house: House) -> None:
    for _ in range(MOST_AN_HOUR):
        await by_hand(house)
        await house.tap("n")
    for _ in range(MOST_AN_HOUR):
        assert await house.states(await house.ask(use("rack_press", item="lamp"))) == ["waiting"]
        await house.tap("n")
    assert "refused" in str(await house.results(await house.ask(OFF)))
    assert await house.states(await by_hand(house)) == ["waiting"]


async def test_what_no_person_has_started_is_rationed_without_a_model_too(house: House) -> None:
    asked = [say("user", {"type": "text", "text": "A schedule"}), say("assistant", use("rack_press", item="lamp"))]
    for number in range(MOST_AN_HOUR + 1):
        async with house.stores.database.transaction() as tx:
            run = await house.stores.runs.open(
                tx, conversation=ADMIN.id, actor=ADMIN, objective="A schedule", opened_by="schedule",
                trigger=f"schedule:{number}", thinks=False, unattended=True,
                messages=asked,
            )  # fmt: skip
        assert run is not None
        await house.core.runner.advance(run)
        if number < MOST_AN_HOUR:
            await house.tap("n")
    assert "30 cards within an hour" in str(await house.results(run)) and await waiting(house) == 0


async def test_a_card_that_is_asked_once_more_is_not_a_new_one(house: House) -> None:
    """A target that moves, or a person who takes them one by one, uses up nothing."""
    for _ in range(MOST_AN_HOUR - 1):
        await house.ask(*(use("rack_press", item=name) for name in NAMES))
        await house.tap("o")
        house.rack.items["rack/0001"].watts += 1
        await house.tap("y")
        await house.tap("n")
        await house.core.runner.stop(ADMIN.id, ADMIN)
    assert await house.states(await house.ask(OFF)) == ["waiting"]


async def test_five_cards_are_the_most_for_a_persons_own_button_too(house: House) -> None:
    await fill(house)
    run = await by_hand(house)
    assert told((await house.results(run))[0])["detail"] == FULL and await waiting(house) == MOST_OPEN
    assert await said(house) == [], "the button's own answer says it"


async def test_undo_is_not_rationed(house: House) -> None:
    for _ in range(MOST_AN_HOUR // 2):
        await house.ask(OFF)
        await house.tap()
        await house.undo(await house.call())
    assert house.rack.items["rack/0001"].state == "on"
    assert await house.states(await house.ask(OFF)) == ["waiting"]


async def test_asking_again_in_a_full_chat_is_refused_and_not_used_up(house: House) -> None:
    old = await house.card(OFF)
    house.clock.move(EXPIRY_SECONDS)
    await house.sweep()
    await fill(house)
    await house.tap("s", card=old)
    assert await waiting(house) == MOST_OPEN and "verdict" in [kind for kind, _ in await house.deliver()]
    await house.tap("n")
    await house.tap("s", card=old)
    assert await waiting(house) == MOST_OPEN and "Switch lamp off" in await house.text()


async def test_a_card_is_shared_only_by_those_who_may_decide_all_of_it(build: Any) -> None:
    house = await build(telegram_admins="1:rack", telegram_operators="2:notes,4:rack", autonomy="ask")
    await house.ask(OFF, use("rack_remove_item", item="fan"), where=GROUP)
    [card] = await house.stores.approvals.open_cards()
    assert card.allowed == [ADMIN.id]


async def test_what_nobody_may_decide_as_a_whole_is_asked_one_by_one(build: Any) -> None:
    house = await build(telegram_admins="1:docker", telegram_operators="2:rack,4:notes")
    await house.ask(OFF, use("notes_write", text="x"), who=VIEWER, where=GROUP)
    [card] = await house.stores.approvals.open_cards()
    assert card.allowed == [OPERATOR.id]
    await house.tap(who=OPERATOR)
    [card] = await house.stores.approvals.open_cards()
    assert card.allowed == ["tg:4"] and house.rack.log == ["switch off lamp"]
