"""Cards that no longer stand: the person (F48), the tool (F49) or the target (B25) is not what it was."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.settings.settings import Settings
from memory.approvals import EXPIRY_SECONDS
from tests.fakes import use
from tests.house import ADMIN, GROUP, OPERATOR, House
from tests.upgrade import upgrade

OFF = use("rack_switch_off", item="lamp")


async def restarted(house: House, **people: str) -> None:
    """Another process over the same data, with other people."""
    known = {"telegram_admins": "1", "telegram_operators": "2", "telegram_viewers": "3", "telegram_chats": "-100"}
    house.settings = Settings(_env_file=None, **{**known, "data_dir": house.folder, **people})  # type: ignore[arg-type]
    await house.crash()
    await house.recover()


@pytest.fixture
def newer(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Changes a tool as an update would, for the length of the test."""

    def change(name: str, **fields: Any) -> None:
        tool = house.tool(name)
        monkeypatch.setattr(tool, "parameters", tool.parameters)
        monkeypatch.setattr(tool, "run", tool.run)
        upgrade(tool, **fields)

    yield change


async def ended(house: House) -> tuple[str, str]:
    """State and reason of the newest approval."""
    approval = await house.stores.approvals.latest((await house.call()).id)
    return approval.state, approval.reason


def buttons(view: Any) -> list[str]:
    return [button.text for row in view.buttons for button in row]


# -- F48: the person --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "people",
    [
        {"telegram_operators": ""},
        {"telegram_operators": "2:notes"},
        {"telegram_operators": "", "telegram_viewers": "2"},
    ],
)
async def test_a_card_of_somebody_who_may_no_longer_decide_is_revoked(house: House, people: dict[str, str]) -> None:
    run = await house.ask(OFF, who=OPERATOR)
    await house.deliver()
    await restarted(house, **people)
    assert house.rack.log == [] and await house.states() == ["denied"] and await ended(house) == ("denied", "revoked")
    assert "card" in [kind for kind, _ in await house.deliver()], "the card is drawn again"
    text = await house.text()
    assert text.startswith("– Switch lamp off: denied") and "Revoked" in text and "by " not in text
    assert buttons(await house.view()) == [] and (await house.run(run)).state == "done"
    [block] = await house.results(run)
    told = json.loads(block["content"])
    assert told["outcome"] == "denied" and "Revoked" in told["detail"] and "said no" not in told["detail"]
    assert [entry["reason"] for entry in await house.audited("denied") if "reason" in entry] == ["revoked"]
    for verb in "yns":
        assert await house.tap(verb, who=OPERATOR) in (
            "This card is not yours to decide.",
            "This card is no longer open.",
        )
    assert house.rack.log == [] and len(await house.audited("tap rejected")) == 3


async def test_a_card_that_others_may_decide_stays_open_for_them(house: House) -> None:
    await house.ask(OFF, where=GROUP)
    await house.deliver()
    await restarted(house, telegram_operators="")
    assert await house.states() == ["waiting"] and await ended(house) == ("pending", "")
    assert "not yours" in await house.tap(who=OPERATOR)
    assert house.rack.log == [] and await house.states() == ["waiting"]
    assert await house.tap() == "Approved." and house.rack.log == ["switch off lamp"]


async def test_those_who_may_not_decide_this_do_not_keep_it_open(house: House) -> None:
    await house.ask(use("rack_remove_item", item="lamp"), where=GROUP)
    await house.deliver()
    await restarted(house, telegram_admins="9", telegram_operators="1, 2")
    assert await ended(house) == ("denied", "revoked"), "operators do not destroy, and 9 was never asked"
    assert house.rack.log == []


async def test_a_run_whose_second_card_is_revoked_goes_on(house: House) -> None:
    run = await house.ask(OFF, use("rack_switch_off", item="fan"), where=GROUP, who=OPERATOR)
    await house.tap("o", who=OPERATOR)
    await house.tap("y", who=OPERATOR)
    asked = len(house.model.asked)
    await restarted(house, telegram_admins="9", telegram_operators="")
    assert await house.states() == ["done", "denied"] and house.rack.log == ["switch off lamp"]
    assert len(house.model.asked) == asked + 1 and (await house.run(run)).state == "done"


async def test_after_a_revoked_card_the_rest_is_not_asked(house: House) -> None:
    await house.ask(OFF, use("rack_switch_off", item="fan"), use("rack_press", item="pump"), who=OPERATOR)
    await house.tap("o", who=OPERATOR)
    await house.deliver()
    await restarted(house, telegram_operators="")
    assert await house.states() == ["denied", "not started", "not started"] and house.rack.log == []
    assert await house.stores.approvals.open_cards() == []


async def test_nothing_is_revoked_while_everybody_stays(house: House) -> None:
    await house.ask(OFF, use("rack_press", item="fan"), use("rack_remove_item", item="pump"), where=GROUP)
    await house.deliver()
    await restarted(house)
    assert await house.states() == ["waiting"] * 3 and await ended(house) == ("pending", "")


# -- F49: the tool ----------------------------------------------------------------------------------------------------


async def test_a_tool_that_changed_is_asked_again(house: House, newer: Callable[..., None]) -> None:
    old = await house.card(OFF)
    newer("rack_switch_off", grace=(int, 10))
    await restarted(house)
    assert await house.states() == ["not started"] and await ended(house) == ("superseded", "tool changed")
    assert "card" in [kind for kind, _ in await house.deliver()]
    assert "This tool changed with an update; look again" in await house.text(old)
    assert buttons(await house.view(old)) == ["Ask again"]
    assert "tool changed" in await house.tap("y", card=old) and house.rack.log == []
    assert await house.tap("s", card=old) == "Asked again below."
    assert "asked again below" in await house.text(old) and buttons(await house.view(old)) == []
    assert await house.states() == ["not started", "waiting"] and (await house.call()).args["grace"] == 10
    assert "grace: 10 (default)" in await house.text()
    await house.tap()
    assert house.rack.log == ["switch off lamp"]


async def test_a_tool_that_changed_is_noticed_at_the_tap_itself(house: House, newer: Callable[..., None]) -> None:
    await house.ask(OFF)
    newer("rack_switch_off", grace=(int, 10))
    assert "tool changed" in await house.tap()
    assert house.rack.log == [] and await ended(house) == ("superseded", "tool changed")
    assert [entry["reason"] for entry in await house.audited("superseded")] == ["tool changed"]


async def test_a_tool_that_became_more_dangerous_has_changed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.kit import Risk

    await house.ask(OFF)
    monkeypatch.setattr(house.tool("rack_switch_off"), "risk", Risk.DESTROY)
    assert "tool changed" in await house.tap() and house.rack.log == []
    await house.tap("s")
    assert "DESTROY" in await house.text()


async def test_arguments_that_no_longer_fit_are_said_to_be_so(house: House, newer: Callable[..., None]) -> None:
    await house.ask(OFF)
    newer("rack_switch_off", grace=(int, ...))
    await house.tap()
    old = await house.newest_card()
    await house.deliver()
    await house.tap("s")
    assert [kind for kind, _ in await house.deliver()].count("verdict") == 1
    row = await house.stores.database.one("SELECT id FROM runs ORDER BY rowid DESC")
    [block] = await house.results(row["id"])
    assert "no longer fits" in block["content"] and "grace" in block["content"]
    assert house.rack.log == [] and await house.states() == ["not started"] and await house.newest_card() == old


async def test_a_tool_that_is_gone_has_changed(house: House) -> None:
    await house.ask(OFF)
    del house.core.tools["rack_switch_off"]
    assert "tool changed" in await house.tap()
    assert house.rack.log == [] and await house.states() == ["not started"]


async def test_one_changed_tool_puts_its_whole_card_aside(house: House, newer: Callable[..., None]) -> None:
    old = await house.card(use("rack_press", item="fan"), OFF)
    newer("rack_switch_off", grace=(int, 10))
    await restarted(house)
    assert await house.states() == ["not started"] * 2 and house.rack.log == []
    await house.tap("s", card=old)
    assert "2 changes" in await house.text() and len(await house.stores.approvals.open_cards()) == 1
    await house.tap()
    assert house.rack.log == ["press fan", "switch off lamp"]


async def test_what_was_approved_does_not_run_as_another_tool(house: House, newer: Callable[..., None]) -> None:
    await house.ask(use("rack_press", item="fan"), OFF)
    house.rack.on_write = lambda: newer("rack_switch_off", grace=(int, 10))
    await house.tap()
    assert house.rack.log == ["press fan"] and await house.states() == ["done", "not started"]
    assert "This tool changed" in (await house.call()).detail


async def test_an_update_that_changes_nothing_of_it_leaves_a_card_alone(
    house: House, newer: Callable[..., None]
) -> None:
    await house.ask(OFF)
    await house.deliver()
    newer("rack_press", grace=(int, 10))
    await restarted(house)
    assert await house.tap() == "Approved." and house.rack.log == ["switch off lamp"]


# -- asked again, once ------------------------------------------------------------------------------------------------


async def lapsed(house: House, *uses: dict[str, Any]) -> str:
    """A card that nobody has decided in time."""
    card = await house.card(*(uses or (OFF,)))
    house.clock.move(EXPIRY_SECONDS)
    await house.sweep()
    return card


async def test_asking_again_many_times_opens_one_card(house: House) -> None:
    old = await lapsed(house)
    toasts = await asyncio.gather(*(house.press("s", card=old) for _ in range(8)))
    await house.settle()
    assert sorted(toasts) == ["Asked again below.", *["This has been asked again already."] * 7]
    assert len(await house.stores.approvals.open_cards()) == 1 and await house.states() == ["expired", "waiting"]
    await house.tap("s", card=old)
    assert len(await house.stores.approvals.open_cards()) == 1
    assert buttons(await house.view(old)) == [], "and the button is gone"
    runs = await house.stores.database.all("SELECT state FROM runs")
    assert [row["state"] for row in runs] == ["done", "waiting"], "the taps that lost leave nothing behind"


async def test_several_that_lapsed_together_are_asked_again_together(house: House) -> None:
    old = await lapsed(house, OFF, use("rack_press", item="fan"))
    await house.tap("s", card=old)
    assert "2 changes" in await house.text() and len(await house.stores.approvals.open_cards()) == 1
    await house.tap()
    assert house.rack.log == ["switch off lamp", "press fan"]


async def test_an_unknown_outcome_is_asked_again_once(house: House) -> None:
    await house.ask(use("rack_press", item="lamp"))
    house.rack.fault = "lost answer"
    await house.tap()
    house.rack.fault = None
    row = await house.call()
    assert [await house.known(row, "r") for _ in range(2)] == [
        "Asked again below.", "This has been asked again already.",
    ]  # fmt: skip
    assert await house.states() == ["unknown", "waiting"]


async def test_asking_again_in_vain_is_not_used_up(house: House) -> None:
    old = await lapsed(house)
    house.rack.unreachable = True
    await house.tap("s", card=old)
    assert "verdict" in [kind for kind, _ in await house.deliver()] and await house.states() == ["expired"]
    assert buttons(await house.view(old)) == ["Ask again"]
    house.rack.unreachable = False
    await house.tap("s", card=old)
    assert await house.states() == ["expired", "waiting"] and buttons(await house.view(old)) == []


async def test_of_several_asked_again_one_that_is_gone_is_named(house: House) -> None:
    old = await lapsed(house, OFF, use("rack_press", item="fan"))
    del house.rack.items["rack/0001"]
    await house.tap("s", card=old)
    await house.tap("y")
    assert house.rack.log == ["press fan"] and "verdict" in [kind for kind, _ in await house.deliver()]


# -- B25: the target --------------------------------------------------------------------------------------------------


async def test_a_target_that_is_gone_is_called_by_its_name(house: House) -> None:
    run = await house.ask(OFF)
    del house.rack.items["rack/0001"]
    await house.tap()
    assert house.rack.log == [] and await house.states() == ["not started"]
    text = await house.text()
    assert "lamp is gone: nothing was changed." in text and "rack/0001" not in text
    assert "lamp is gone" in json.loads((await house.results(run))[0]["content"])["detail"]


async def test_a_target_that_is_gone_when_it_is_asked_again_is_named_too(house: House) -> None:
    old = await lapsed(house)
    del house.rack.items["rack/0001"]
    await house.tap("s", card=old)
    row = await house.stores.database.one("SELECT id FROM runs ORDER BY rowid DESC")
    [block] = await house.results(row["id"])
    assert "Switch lamp off" in block["content"] and "gone" in block["content"] and "rack/0001" not in block["content"]


async def test_a_target_that_is_gone_after_a_crash_is_called_by_its_name(house: House) -> None:
    await house.ask(OFF)
    await house.deliver()
    house.rack.fault = "hang"
    await house.press("y", card=await house.newest_card())
    await house.until("started")
    await house.crash()
    house.rack.fault = None
    del house.rack.items["rack/0001"]
    await house.recover()
    row = await house.call()
    assert row.state == "unknown" and "lamp is gone." in row.detail and "nothing was changed" not in row.detail


async def test_the_owner_of_a_console_card_keeps_it(house: House) -> None:
    from bot.settings.people import console_actor

    owner = console_actor()
    await house.ask(OFF, who=owner)
    await restarted(house, telegram_admins="9")
    assert await house.states() == ["waiting"] and ADMIN.id not in str(await house.stores.approvals.open_cards())


async def test_an_approver_reads_that_it_is_the_asker_who_lost_the_role(house: House) -> None:
    await house.ask(OFF, who=OPERATOR, where=GROUP)
    await house.deliver()
    await restarted(house, telegram_operators="")
    await house.tap()
    assert await house.states() == ["not started"] and house.rack.log == []
    text = await house.text()
    assert "Whoever asked for this has no role for rack" in text and "yours" not in text
