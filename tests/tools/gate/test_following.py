"""What goes on by itself: begun once, followed to its end whatever happens to us, and looked at before it is told."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from memory.models import Block
from tests.bot.menus.test_commands import a_counter
from tests.fakes import use
from tests.house import ADMIN, GROUP, House
from tests.tape import SAID, Tape
from tools.gate.policy import Autonomy

BACK_UP, WRITE_ONE = "tape_back_up", "tape_write_one"


async def begun(home: House, *more: Block) -> str:
    """A run whose backup is under way."""
    run = await home.ask(use(BACK_UP, tape="tape"), *more)
    await home.tap()
    assert (await home.states())[0] == "started" and (await home.run(run)).state == "waiting"
    return run


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError


async def over(home: House) -> None:
    """Wait until nothing is followed any more, and what it led to has come to rest."""
    await until(lambda: not home.core.execution.following._followed)
    await home.settle()


async def test_it_is_followed_to_its_receipt_and_its_run_goes_on(home: House, tape: Tape) -> None:
    run = await begun(home)
    tape.hour.share = 0.4
    looks = tape.looks
    await until(lambda: tape.looks > looks + 3)
    assert "40% written" in await home.text() and "under way" in await home.text()
    tape.hour.share = 1.0
    await over(home)
    row = await home.call()
    assert (row.state, row.verified, row.task and row.task["ref"]) == ("done", True, "task-0")
    assert "count: 3 → 4" in (await home.receipt())[0] and "written" not in (await home.receipt())[0]
    assert tape.begun == ["task-0"] and (await home.run(run)).state == "done"
    assert [said for said in home.model.asked if said.run.id == run][-1].messages[-1]["content"][0]["content"]


async def test_meanwhile_the_conversation_is_free(home: House, tape: Tape) -> None:
    await begun(home)
    other = await home.say("How is the lamp?", "On.")
    assert (await home.run(other)).state == "done" and (await home.states())[0] == "started"


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
async def test_killed_it_is_followed_again_and_not_begun_again(home: House, tape: Tape, share: float) -> None:
    run = await begun(home)
    await home.crash()
    tape.hour.share = share
    assert await home.recover() == 0
    await home.settle()
    tape.hour.share = 1.0
    await over(home)
    row = await home.call()
    assert row.state == "done" and tape.begun == ["task-0"] and tape.backups == 4
    assert (await home.run(run)).state == "done" and len(await home.results(run)) == 1


async def test_at_a_shutdown_nobody_waits_for_it_and_the_next_start_follows_it(home: House, tape: Tape) -> None:
    await begun(home)
    began = asyncio.get_running_loop().time()
    await home.core.execution.drain(5.0)
    assert asyncio.get_running_loop().time() - began < 1.0 and await home.states() == ["started"]
    await home.crash()
    await home.recover()
    tape.hour.share = 1.0
    await over(home)
    assert await home.states() == ["done"] and tape.begun == ["task-0"]


async def test_a_restart_follows_it_even_while_everything_is_stopped(home: House, tape: Tape) -> None:
    await begun(home)
    await home.crash()
    await home.core.halt.panic(home.stores, ADMIN)
    await home.recover()
    tape.hour.share = 1.0
    await over(home)
    assert await home.states() == ["done"]


async def test_lost_it_is_unknown_with_what_can_be_seen(home: House, tape: Tape) -> None:
    await begun(home)
    tape.tasks.lose("task-0")
    await over(home)
    row = await home.call()
    assert (row.state, row.verified) == ("unknown", None) and "no such task" in row.detail
    assert row.after is not None and row.after["shown"] == {"count": 3}
    assert "It happened" in (await home.receipt())[1]


@pytest.mark.parametrize("crash", [False, True])
async def test_broken_it_has_failed_and_the_target_was_looked_at(home: House, tape: Tape, crash: bool) -> None:
    tape.fails = SAID
    await begun(home)
    if crash:
        await home.crash()
        await home.recover()
    tape.hour.share = 1.0
    await over(home)
    row = await home.call()
    assert row.state == "failed" and row.detail == f"{SAID} It is as it was before."


@pytest.mark.parametrize("crash", [False, True])
async def test_broken_by_its_word_and_there_all_the_same_it_is_done(home: House, tape: Tape, crash: bool) -> None:
    tape.fails = SAID
    run = await begun(home)
    if crash:
        await home.crash()
        await home.recover()
    tape.written()
    tape.hour.share = 1.0
    await over(home)
    row = await home.call()
    assert (row.state, row.verified) == ("done", True) and SAID in row.detail
    text, _ = await home.receipt()
    assert "✓" in text and SAID in text and "as was wanted" in text
    assert (await home.run(run)).tainted, "the service's own words are in it"


@pytest.mark.parametrize("crash", [False, True])
async def test_gone_as_was_wanted_it_is_done(home: House, tape: Tape, crash: bool) -> None:
    await home.ask(use("tape_scrap", tape="tape"))
    await home.tap("d")
    await home.tap()
    if crash:
        await home.crash()
        await home.recover()
    tape.hour.share = 1.0
    await over(home)
    row = await home.call()
    assert (row.state, row.verified) == ("done", True) and "state: there → gone" in (await home.receipt())[0]


@pytest.mark.parametrize("crash", [False, True])
async def test_done_by_its_word_what_it_was_for_is_gone(home: House, tape: Tape, crash: bool) -> None:
    run = await begun(home)
    if crash:
        await home.crash()
        await home.recover()
    tape.tasks.all["task-0"].effect = tape.thrown_away
    tape.hour.share = 1.0
    await over(home)
    row = await home.call()
    assert (row.state, row.verified) == ("done", False) and "The drive has no such tape." in row.detail
    assert "✓" not in (await home.receipt())[0] and "cannot be seen" in (await home.results(run))[0]["content"]


@pytest.mark.parametrize("crash", [False, True])
async def test_without_a_card_it_tells_in_one_message_how_far_it_is(home: House, tape: Tape, crash: bool) -> None:
    async def by_itself() -> None:
        rules = home.core.proposals.rules
        home.core.proposals.rules = replace(rules, autonomy=Autonomy.REVERSIBLE)

    await by_itself()
    run = await home.ask(use(BACK_UP, tape="tape"))
    assert await home.states() == ["started"] and not await home.stores.approvals.open_cards()
    said = []
    for share in (0.2, 0.6):
        tape.hour.share, looks = share, tape.looks
        await until(lambda looks=looks: tape.looks > looks + 3)
        said += await home.deliver()
        assert f"{share:.0%} written" in (await home.receipt())[0] and "under way" in (await home.receipt())[0]
        if crash:
            await home.crash()
            await by_itself()
            await home.recover()
    assert "receipt" in [kind for kind, _ in said], "in place of the card that it did not need"
    tape.hour.share = 1.0
    await over(home)
    await home.deliver()
    sent = await home.stores.database.all("SELECT DISTINCT message FROM outbox WHERE kind = 'receipt'")
    assert len(sent) == 1 and await home.states() == ["done"] and (await home.run(run)).state == "done"
    assert "✓" in (await home.receipt())[0] and "written" not in (await home.receipt())[0]


async def test_out_of_reach_for_a_while_it_is_asked_again(home: House, tape: Tape) -> None:
    await begun(home)
    tape.out_of_reach = True
    asked = tape.asked
    await until(lambda: tape.asked > asked + 5)
    tape.out_of_reach, tape.hour.share = False, 1.0
    await over(home)
    assert await home.states() == ["done"]


async def test_after_its_time_it_is_unknown(home: House, tape: Tape) -> None:
    tape.lasts = 0.1
    await begun(home)
    await over(home)
    row = await home.call()
    assert row.state == "unknown" and "longer than it should" in row.detail


async def test_a_stop_leaves_it_to_its_receipt_and_begins_nothing_more(home: House, tape: Tape) -> None:
    run = await begun(home, use("rack_switch_off", item="lamp"))
    await home.core.runner.stop(ADMIN.id, ADMIN)
    assert [row.title for row in await home.stores.journal.followed(ADMIN.id)] == ["Back up"]
    assert await home.stores.journal.followed(GROUP) == []
    tape.hour.share = 1.0
    await over(home)
    assert await home.states() == ["done", "not started"] and (await home.run(run)).state == "stopped"
    assert "✓" in (await home.receipt((await home.calls())[0]))[0]


async def test_what_comes_after_it_waits_for_it(home: House, tape: Tape) -> None:
    await begun(home, use("rack_switch_off", item="lamp"))
    assert await home.states() == ["started", "waiting"]
    tape.hour.share = 1.0
    await over(home)
    assert await home.states() == ["done", "done"] and home.rack.log == ["switch off lamp"]


async def test_its_target_is_taken(home: House, tape: Tape) -> None:
    await begun(home)
    await home.ask(use(WRITE_ONE, tape="tape"))
    await home.tap()
    row = await home.call()
    assert row.state == "not started" and "still under way" in row.detail


async def test_a_row_keeps_the_task_that_it_has_begun(home: House, tape: Tape) -> None:
    await begun(home)
    with pytest.raises(Exception, match="keeps it"):
        async with home.stores.database.transaction() as tx:
            await home.stores.journal.begun(tx, (await home.call()).id, "another", 0.0)
    await home.ask(use("rack_switch_off", item="lamp"))
    with pytest.raises(Exception, match="while it runs"):
        async with home.stores.database.transaction() as tx:
            await home.stores.journal.begun(tx, (await home.call()).id, "early", 0.0)


@pytest.mark.parametrize("effect", [False, True])
async def test_a_no_is_not_believed_without_a_look(home: House, tape: Tape, effect: bool) -> None:
    tape.refuses, tape.fails = True, "x" if effect else ""
    await home.ask(use(WRITE_ONE, tape="tape"))
    await home.tap()
    row = await home.call()
    said = "But it is as was wanted." if effect else "It is as it was before."
    assert (row.state, row.detail) == ("done" if effect else "failed", f"The drive said no. {said}")


async def test_a_no_of_a_drive_that_then_cannot_be_seen_says_so(home: House, tape: Tape) -> None:
    tape.refuses = True
    await home.ask(use(WRITE_ONE, tape="tape"))

    written = tape.written

    def gone() -> None:
        written()
        tape.out_of_reach = True

    tape.written, tape.fails = gone, "x"  # type: ignore[method-assign]
    await home.tap()
    row = await home.call()
    assert row.state == "failed" and row.detail.endswith("What is there now cannot be seen.")


async def test_stop_says_what_goes_on_without_the_run(home: House, tape: Tape) -> None:
    await begun(home)
    said = await a_counter(home).says("/stop")
    title = (await home.call()).title
    assert said == f"Stopped. 1 request halted, 0 cards voided.\nWhat goes on by itself is not ended: {title}."
    tape.hour.share = 1.0
    await over(home)
    assert (
        await home.states() == ["done"]
        and await a_counter(home).says("/stop") == "Nothing was running, and no card was open."
    )
