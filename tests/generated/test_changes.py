"""Every change of every service, by the tool list itself: what is promised of one is promised of all."""

import asyncio
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from memory.models import CallRow, CallState
from tests.fakes import use
from tests.generated.drift import Drift, facts_of, names_of, others, within
from tests.generated.stages import Place, Stage, read_args, set_up, stage_of, staged
from tests.house import ADMIN
from tools.gate import results
from tools.gate.proposals import Proposal
from tools.kit.registry import catalogue, discover
from tools.kit.service import Risk

TOOLS = catalogue(discover())
READING = [name for name, tool in TOOLS.items() if tool.risk == Risk.READ]
CHANGING = [name for name, tool in TOOLS.items() if tool.risk != Risk.READ]
CARDED = [name for name in CHANGING if not (TOOLS[name].service.own and TOOLS[name].risk == 1)]
"""Changes that wait for a tap: all but the ordinary ones of our own services."""
FOREIGN = [name for name in CHANGING if not TOOLS[name].service.own]
UNDOABLE = [name for name, tool in TOOLS.items() if tool.undo]
NOT_DONE = re.compile("not verified|outcome unknown|failed")
SHOWN = [(name, fact) for name in CHANGING for fact in names_of(TOOLS[name], shown=True)]
TOLERANT = [(name, fact) for name, fact in SHOWN if fact in results.tolerances_of(facts_of(TOOLS[name]))]


async def asked(place: Place, name: str) -> tuple[str, dict[str, Any]]:
    """The tool staged and asked for; a card waits now, unless it needs none."""
    args = await set_up(place, stage_of(name).args)
    return await place.ask(use(name, **args)), args


async def done(place: Place, name: str) -> CallRow:
    """Staged, asked for, approved where it asks, and ended."""
    run, _ = await asked(place, name)
    if name in CARDED:
        await place.approve()
    [row] = await place.calls(run)
    return row


async def facts_now(place: Place, name: str, args: dict[str, Any]) -> dict[str, Any]:
    """The shown facts of a call as it would be proposed now; none when it can no longer be."""
    found = await place.prepare(name, args)
    if isinstance(found, Proposal):
        return found.change.facts.shown()
    try:
        facts: dict[str, Any] = json.loads(found.block["content"])["facts"]
    except ValueError:
        return {}
    return facts


def test_there_is_something_to_hold() -> None:
    assert {"docker_restart_container", "docker_remove_container", "memory_update_memory"} <= set(CHANGING)
    stages = {name for name, stage in staged().items() if isinstance(stage, Stage)}
    assert stages == set(CHANGING), "a stage for each change, and none for what does not exist"
    assert staged().keys() - stages <= set(READING)


@pytest.mark.parametrize("name", CHANGING)
async def test_an_honest_service_is_verified(place: Place, name: str) -> None:
    """The control of the others: staged as it is, each change goes through and is proved."""
    row = await done(place, name)
    assert (row.state, row.verified) == (CallState.DONE, True), row.detail
    assert place.writes() and "✓" in "".join(await place.texts())


@pytest.mark.parametrize("name", CHANGING)
async def test_lying_service(place: Place, name: str) -> None:
    args = await set_up(place, stage_of(name).args)
    before, staged = await place.dump(), await place.texts()
    place.lie()
    run = await place.ask(use(name, **args))
    if name in CARDED:
        await place.approve()
    [row] = await place.calls(run)
    assert place.writes(), "the service was asked, and answered that it was done"
    assert await place.dump() == before, "it lied: nothing changed"
    assert row.state in (CallState.DONE, CallState.UNKNOWN, CallState.FAILED) and not row.verified
    said = [text for text in await place.texts() if text not in staged]
    assert len(said) >= 2 and not [text for text in said if "✓" in text]
    receipt = await place.cards.receipt(row.id)
    assert receipt is not None and NOT_DONE.search(receipt.text.splitlines()[0])
    [answer] = [block["content"] for block in await place.results(run)]
    assert '"verified": true' not in answer


@pytest.mark.parametrize(("name", "fact"), SHOWN, ids=lambda value: value)
async def test_each_fact_drifts(place: Place, drift: Drift, name: str, fact: str) -> None:
    stage = stage_of(name)
    if name in CARDED and fact in stage.moves:
        run, args = await asked(place, name)
        if inspect.isawaitable(moved := stage.moves[fact](place)):
            await moved
        place.begin()
        now = await place.prepare(name, args)
        await place.approve()
    else:
        args = await set_up(place, stage.args)
        now = await in_the_reader(place, drift, name, fact, args)
        place.begin()
        run = await place.ask(use(name, **args))
        if name in CARDED:
            await place.approve()
    assert place.writes() == [], "a shown fact moved: nothing may run"
    [row] = await place.calls(run)
    if not isinstance(now, Proposal):  # it is as it was wanted, or can no longer be done at all
        assert row.state is CallState.NOT_STARTED and row.detail == now.detail
        return
    assert row.state is CallState.WAITING and fact in row.card["moved"]
    old, new = row.card["moved"][fact]
    expected = results.stored_facts(now.change.facts)
    assert old != new and not results.moved(expected, {"shown": {**expected["shown"], fact: new}})
    assert place.cards._change(row, row.before, fact, old, new) in (await place.view()).text.replace("\\", "")


async def in_the_reader(
    place: Place, drift: Drift, name: str, fact: str, args: dict[str, Any], moved: dict[str, Any] | None = None
) -> Any:
    """Move a fact where planning reads it, to a value with which there is still something to do; the new plan."""
    moved = {} if moved is None else moved
    plan = await place.prepare(name, args)
    assert isinstance(plan, Proposal), plan.detail
    now: Any = plan
    for value in others(plan.change.facts, fact):
        drift.at_once({**moved, fact: value})
        now = await place.prepare(name, args)
        drift.back()
        if isinstance(now, Proposal):
            break
    if isinstance(now, Proposal) or fact in names_of(TOOLS[name], shown=True):
        moved[fact] = value
    drift.once_asked(moved)
    return now


@pytest.mark.parametrize("name", CHANGING)
async def test_a_fact_that_is_not_shown_may_move(place: Place, drift: Drift, name: str) -> None:
    stage = stage_of(name)
    args = await set_up(place, stage.args)
    hidden = [fact for fact in names_of(TOOLS[name], shown=False) if fact not in stage.guards]
    moved: dict[str, Any] = {}
    for fact in hidden:
        await in_the_reader(place, drift, name, fact, args, moved)
    run = await place.ask(use(name, **args))
    if name in CARDED:
        await place.approve()
    [row] = await place.calls(run)
    assert row.started is not None and place.writes(), f"held up by one of {hidden}: {row.detail}"


@pytest.mark.parametrize(("name", "fact"), TOLERANT, ids=lambda value: value)
async def test_a_fact_may_move_by_itself_as_far_as_it_says(place: Place, drift: Drift, name: str, fact: str) -> None:
    args = await set_up(place, stage_of(name).args)
    plan = await place.prepare(name, args)
    assert isinstance(plan, Proposal)
    if getattr(plan.change.facts, fact) is None:
        return  # where this tool is staged, there is nothing to move
    drift.once_asked({fact: within(plan.change.facts, fact)})
    run = await place.ask(use(name, **args))
    await place.approve()
    [row] = await place.calls(run)
    assert (row.state, row.verified) == (CallState.DONE, True), row.detail


@pytest.mark.parametrize("name", UNDOABLE)
async def test_undo_restores_world(place: Place, name: str) -> None:
    args = await set_up(place, stage_of(name).args)
    before = await place.dump()
    run = await place.ask(use(name, **args))
    if name in CARDED:
        await place.approve()
    [row] = await place.calls(run)
    assert row.verified and row.undo, row.detail
    assert await place.dump() != before
    assert await place.undo(row) == "Taking it back."
    if await place.has_card():  # the receipt's facts say nothing about those of the way back: it asks
        await place.approve()
    undone = await place.call()
    assert undone.id != row.id and undone.verified, undone.detail
    assert await place.dump() == before


@pytest.mark.parametrize("name", CHANGING)
async def test_facts_are_not_constant(place: Place, tmp_path: Path, name: str) -> None:
    stage, shown = stage_of(name), names_of(TOOLS[name], shown=True)
    assert shown, "a card without facts rests on nothing"
    missing = set(shown) - set(stage.moves) - stage.fixed
    assert not missing, f"the stage does not say what moves {sorted(missing)} of {name}"
    for number, (fact, move) in enumerate(stage.moves.items()):
        async with Place(tmp_path / str(number)) as other:
            args = await set_up(other, stage.args)
            before = await facts_now(other, name, args)
            if inspect.isawaitable(moved := move(other)):
                await moved
            after = await facts_now(other, name, args)
            assert before and after.get(fact) != before[fact], f"{fact} does not follow the world"


@pytest.mark.parametrize("name", CARDED)
async def test_double_tap_one_request(place: Place, name: str) -> None:
    run, _ = await asked(place, name)
    await place.deliver()
    card = await place.newest_card()
    [row] = await place.calls(run)
    if row.risk == 2:
        await place.press("d", card=card)
        await place.deliver()
    toasts = await asyncio.gather(*(place.press("y", card=card) for _ in range(3)))
    await place.settle()
    assert sorted(toasts).count("Approved.") == 1, toasts
    [row] = await place.calls(run)
    assert row.state is CallState.DONE and len(set(place.writes())) == len(place.writes())
    again = place.writes()
    await place.press("y", card=card)
    await place.settle()
    assert place.writes() == again


@pytest.mark.parametrize("name", [name for name in CHANGING if name not in CARDED])
async def test_a_line_that_comes_twice_is_one_change(place: Place, name: str) -> None:
    """The same for what needs no tap: an update that Telegram delivers again opens no second run."""
    args = await set_up(place, stage_of(name).args)
    place.model.script.extend([[use(name, **args)], "Done.", [use(name, **args)]])
    runs = await asyncio.gather(
        *(place.core.opener.say("tg:1", ADMIN, "Please do it.", trigger="update:7") for _ in range(2))
    )
    await place.settle()
    assert runs.count(None) == 1 and len(await place.stores.journal.of_run(next(filter(None, runs)))) == 1
    assert len(set(place.writes())) == len(place.writes()) == 1


@pytest.mark.parametrize("name", FOREIGN)
async def test_observe_writes_nothing(place: Place, name: str) -> None:
    args = await set_up(place, stage_of(name).args)
    await place.again(AUTONOMY="observe")
    before = await place.dump()
    run = await place.ask(use(name, **args))
    [answer] = [json.loads(block["content"]) for block in await place.results(run)]
    assert answer["outcome"] == "refused" and "I only look" in answer["detail"] and answer["title"]
    assert place.writes() == [] and await place.dump() == before and not await place.has_card()


@pytest.mark.parametrize("tool", READING)
async def test_read_tools_only_read(place: Place, tool: str) -> None:
    args = await set_up(place, read_args(tool, TOOLS[tool].input_schema))
    before = await place.dump()
    run = await place.ask(use(tool, **args))
    [block] = await place.results(run)
    assert not block.get("is_error"), block["content"]
    assert place.requests() or TOOLS[tool].service.own
    assert place.writes() == [] and await place.dump() == before and await place.calls(run) == []
