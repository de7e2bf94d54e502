"""The owner's rules, through a whole core: only looking, forbidden, protected, unattended."""

import json
from typing import Any

import pytest

from tests.fakes import use
from tests.house import ADMIN, House

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


async def test_a_read_for_a_command_obeys_roles_and_names(house: House) -> None:
    from memory.models import Actor
    from tools.kit import ToolFailed

    found = await house.core.proposals.look(ADMIN, "rack_get_item", item="lamp")
    assert found.name == "lamp"
    for actor, args in ((Actor("tg:9", "X"), {"item": "lamp"}), (ADMIN, {"item": "nothing"}), (ADMIN, {"thing": "x"})):
        with pytest.raises(ToolFailed):
            await house.core.proposals.look(actor, "rack_get_item", **args)
    with pytest.raises(AssertionError):
        await house.core.proposals.look(ADMIN, "rack_switch_off", item="lamp")
