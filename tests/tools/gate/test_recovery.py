"""After a crash: nothing runs late, nothing runs twice, and what is unknown is said with evidence."""

import asyncio
from typing import Any

import pytest

from tests.fakes import Held, use
from tests.house import ADMIN, House


async def crashed_while(house: House, fault: str, *names: str) -> str:
    """A run whose first change was under way when the process died."""
    run = await house.ask(*(use("rack_switch_off", item=name) for name in names or ("lamp",)))
    await house.deliver()
    house.rack.fault = fault  # type: ignore[assignment]
    await house.press("y", card=await house.newest_card())
    await house.rack.started.wait()
    await house.until("started")
    await house.crash()
    house.rack.fault = None
    return run


async def test_approved_but_not_begun_is_not_run_late(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await house.ask(use("rack_switch_off", item="lamp"))
    await house.deliver()
    monkeypatch.setattr(house.core.runner, "advance", lambda run, queued=False: None)
    assert await house.press("y", card=await house.newest_card()) == "Approved."
    await house.crash()
    assert await house.recover() == 0
    assert house.rack.log == [] and await house.states() == ["not started"]
    assert "Ask again" in (await house.call()).detail and (await house.run(run)).state == "done"


async def test_begun_is_unknown_with_what_can_be_seen_now(house: House) -> None:
    run = await crashed_while(house, "hang")
    assert await house.recover() == 1
    row = await house.call()
    assert (row.state, row.verified) == ("unknown", None)
    assert "no trace of it" in row.detail
    assert house.rack.log == ["switch off lamp"], "what was under way is not done again"
    assert (await house.run(run)).state == "done"
    text, buttons = await house.receipt(row)
    assert "I do not know whether it happened" in text and "item: lamp" in text and "It happened" in buttons
    assert "receipt" in [kind for kind, _ in await house.deliver()]


async def test_a_run_that_is_carried_on_over_a_change_under_way_does_not_begin_it_again(build: Any) -> None:
    house = await build(autonomy="reversible")
    house.rack.fault = "hang"
    house.model.script.append([use("rack_switch_off", item="lamp")])
    run = await house.core.opener.say(ADMIN.id, ADMIN, "Switch it off.", trigger="update:1")
    await house.until("started")
    await house.crash()
    house.rack.fault = None
    house.core.runner.advance(run)
    await house.settle()
    assert house.rack.log == ["switch off lamp"] and await house.states() == ["unknown"]


async def test_only_the_runs_that_are_named_are_settled(house: House) -> None:
    run = await crashed_while(house, "hang")
    assert await house.core.recovery.run({"another"}) == 0 and await house.states() == ["started"]
    assert await house.core.recovery.run({run}) == 1 and await house.states() == ["unknown"]


async def test_evidence_that_it_happened_is_shown_not_concluded(house: House) -> None:
    await crashed_while(house, "hang")
    house.rack.items["rack/0001"].watts = 0
    await house.recover()
    row = await house.call()
    text, _ = await house.receipt(row)
    assert row.state == "unknown" and "watts: 40 → 0" in text and "probably" not in text


async def test_it_looks_though_the_service_is_given_a_pause(house: House) -> None:
    await crashed_while(house, "hang")
    house.rack.unreachable = True
    for _ in range(3):
        await house.ask(use("rack_get_item", item="fan"))
    house.rack.unreachable = False
    assert await house.core.recovery.run() == 1
    assert "no trace of it" in (await house.call()).detail


async def test_a_probe_that_cannot_look_says_so(house: House) -> None:
    await crashed_while(house, "hang")
    house.rack.unreachable = True
    await house.recover()
    row = await house.call()
    assert row.state == "unknown" and "cable" in row.detail and "no trace" not in row.detail


async def test_the_model_hears_that_it_may_assume_nothing(house: House) -> None:
    run = await crashed_while(house, "hang")
    await house.recover()
    [block] = await house.results(run)
    assert block["is_error"] and "Do not assume" in block["content"]


async def test_what_came_after_it_is_not_started(house: House) -> None:
    await crashed_while(house, "hang", "lamp", "fan")
    await house.recover()
    assert await house.states() == ["unknown", "not started"] and house.rack.log == ["switch off lamp"]


async def test_recovering_again_changes_nothing(house: House) -> None:
    run = await crashed_while(house, "hang")
    await house.recover()

    async def everything() -> Any:
        return await house.call(), await house.stores.runs.messages(run), await house.stores.audit.verify()

    before = await everything()
    await house.crash()
    assert await house.recover() == 0
    assert await everything() == before


async def test_proposed_and_never_asked_is_not_started(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await build(autonomy="reversible")

    async def dies(*args: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(house.core.execution, "run", dies)
    await house.ask(use("rack_switch_off", item="lamp"))
    assert await house.states() == ["proposed"]
    await house.crash()
    await house.recover()
    assert await house.states() == ["not started"] and house.rack.log == []


async def test_a_pending_card_survives_with_its_expiry(house: House) -> None:
    card = await house.card(use("rack_switch_off", item="lamp"))
    house.clock.move(500)
    await house.crash()
    await house.recover()
    assert await house.states() == ["waiting"] and len(house.model.asked) == 1
    house.clock.move(101)
    await house.tap(card=card)
    assert house.rack.log == [] and await house.states() == ["expired"]


async def test_a_run_that_crashed_before_its_answer_is_answered(house: House) -> None:
    never = Held()
    house.model.script.append(never)
    run = await house.core.opener.say(ADMIN.id, ADMIN, "Hello?", trigger="update:1")
    await never.asked.wait()
    await house.crash()
    await house.recover()
    assert run and (await house.run(run)).state == "done"
    assert [kind for kind, _ in await house.deliver()] == ["answer"]


async def test_a_run_that_crashes_every_time_is_set_aside(house: House) -> None:
    async def never(_: Any) -> None:
        await asyncio.Event().wait()

    house.model.script.extend([never] * 9)
    run = await house.core.opener.say(ADMIN.id, ADMIN, "Hello?", trigger="update:1")
    for _ in range(4):
        await house.crash()
        await house.recover(settled=False)
    assert (await house.run(run)).state == "failed"
    [(kind, payload)] = await house.deliver()
    assert kind == "stuck" and "several times" in payload["error"]


async def hung(house: House, monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """Runs with a change under way each, and a rack that never answers again."""
    runs = [await house.ask(use("rack_switch_off", item=name)) for name in names]
    await house.deliver()
    house.rack.fault = "hang"
    for card in await house.stores.approvals.open_cards():
        await house.press("y", card=card.id)
    for _ in range(500):
        if len(house.rack.writes) == len(names):
            break
        await asyncio.sleep(0.01)
    assert await house.states() == ["started"] * len(names)
    await house.crash()

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("tests.rack.RackApi.item", never)
    monkeypatch.setattr("tools.gate.recovery.LOOK_SECONDS", 0.2)
    return runs


async def test_targets_that_hang_are_looked_at_together_and_not_for_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hung(house, monkeypatch, "lamp", "fan", "pump")
    async with asyncio.timeout(0.5):
        assert await house.recover() == 3
    assert await house.states() == ["unknown"] * 3
    assert all("rack does not answer" in row.detail for row in await house.calls())
    assert [kind for kind, _ in await house.deliver()].count("receipt") == 3


async def test_what_had_not_begun_is_settled_without_a_look(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    [begun] = await hung(house, monkeypatch, "lamp")
    monkeypatch.setattr("tools.gate.recovery.LOOK_SECONDS", 60.0)
    async with asyncio.timeout(1.0):
        assert await house.core.recovery.settle() == {begun}
    assert await house.states() == ["started"], "a look is all that is missing"
