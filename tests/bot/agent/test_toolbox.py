"""The toolbox: forty tools in view at most, the rest found by words, and nothing in it that is not somebody's."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.agent.toolbox import FIND, MOST_EAGER, Toolbox, Toolboxes
from memory.models import Role, Use
from memory.stores import Stores
from tests.bot.agent.bench import SAID, TEXT, a_bench, answers, text_of
from tests.fakes import Clock, use
from tests.house import House
from tools.kit import Area, Context, Result, Risk, Service, ServiceSettings
from tools.kit.registry import catalogue
from tools.kit.service import Tool

MOST_BYTES = 120_000
"""Of 150 tools in one request; the prompt has those in view alone."""
MOST_IN_VIEW = 40_000
SERVICES = [f"service{number}" for number in range(10)]
THINGS = ["lamp", "door", "pump", "fan", "tape", "disk", "bridge", "tunnel", "guest", "mailbox", "printer", "camera"]


class Seen(Result):
    """What a made-up tool returns."""


def made_up(name: str, verbs: list[str]) -> Service[Any]:
    """A service of so many tools that know nothing; the last is only for Undo."""
    service: Service[Any] = Service(name, area=Area.MONITORING, settings=ServiceSettings, connect=None)  # type: ignore[arg-type]
    for number, verb in enumerate(verbs):

        async def run(ctx: Context[Any], of: str, much: int = 1) -> Seen:
            return Seen()

        run.__name__ = verb
        run.__doc__ = f"{verb.replace('_', ' ').capitalize()} of {name}. " + "It does what it says. " * 6
        service.tool(Risk.READ if number % 3 else Risk.CHANGE, often=number == 11, hidden=number == 15)(run)
    return service


def hundred_and_fifty() -> dict[str, Tool]:
    verbs = [f"{verb}_{thing}" for thing in THINGS for verb in ("count", "mend")][:16]
    return catalogue([made_up(name, verbs) for name in SERVICES])


class Everybody:
    """People who may look at whatever begins with these words."""

    def __init__(self, *services: str) -> None:
        self._services = services

    def role(self, actor: str, service: str) -> Role:
        return Role.VIEWER if service.startswith(self._services) else Role.NOBODY


def box(*services: str, without: str = "") -> Toolbox:
    people: Any = Everybody(*services or ("service",))
    return Toolboxes(hundred_and_fifty(), lambda name: name != without, people).of("tg:1")


def names(tools: list[dict[str, Any]]) -> list[str]:
    return [tool["name"] for tool in tools]


def found(toolbox: Toolbox, query: str) -> list[str]:
    content = toolbox.answers([Use("u1", FIND, {"query": query})])["u1"]["content"]
    return [part["tool_name"] for part in content] if isinstance(content, list) else []


def test_forty_are_in_view_and_the_rest_is_deferred() -> None:
    toolbox = box()
    assert len(toolbox.eager) == MOST_EAGER and len(toolbox.eager) + len(toolbox.deferred) == 151
    assert FIND in names(toolbox.eager) and not any("defer_loading" in tool for tool in toolbox.eager)
    assert names(toolbox.eager) == sorted(names(toolbox.eager)) and names(toolbox.deferred) == sorted(
        names(toolbox.deferred)
    )
    assert len(json.dumps(toolbox.definitions)) < MOST_BYTES and toolbox.size < MOST_IN_VIEW


def test_every_service_has_something_in_view_first_what_is_needed_often_then_what_reads() -> None:
    toolbox, tools = box(), hundred_and_fifty()
    for service in SERVICES:
        in_view = [tools[name] for name in names(toolbox.eager) if name.startswith(service)]
        assert len(in_view) in (3, 4) and [tool.name for tool in in_view if tool.often] == [f"{service}_mend_disk"]
        assert all(tool.often or tool.risk is Risk.READ for tool in in_view)


def test_few_tools_are_all_in_view() -> None:
    toolbox = box("service1", "service2")
    assert len(toolbox.eager) == 30 and not toolbox.deferred and FIND not in names(toolbox.eager)
    assert not toolbox.answers([Use("u1", FIND, {"query": "anything"})])


def test_what_is_hidden_off_or_somebody_elses_is_neither_sent_nor_found() -> None:
    limited = box(*SERVICES[:6], without="service0")
    sent = {name.partition("_")[0] for name in names(limited.definitions)} - {"find"}
    assert sent == set(SERVICES[1:6])
    assert limited.deferred and found(limited, "count lamp of service7")
    for query in ("count guest of service7", "count lamp of service0", "mend disk"):
        assert {name.partition("_")[0] for name in found(limited, query)} <= sent
    hidden = {name for name, tool in hundred_and_fifty().items() if tool.hidden}
    assert len(hidden) == 10 and not hidden & set(names(box().definitions))


def test_those_who_may_see_the_same_share_every_byte() -> None:
    toolboxes = Toolboxes(hundred_and_fifty(), lambda name: True, Everybody("service"))  # type: ignore[arg-type]
    assert toolboxes.of("tg:1") is toolboxes.of("tg:2")
    assert json.dumps(box().definitions) == json.dumps(toolboxes.of("tg:3").definitions)


def test_a_tool_is_found_by_what_it_does() -> None:
    toolbox = box()
    wanted = next(name for name in names(toolbox.deferred) if name.endswith("mend_pump"))
    service = wanted.partition("_")[0]
    assert found(toolbox, f"mending pumps of {service}")[0] == wanted
    assert len(found(toolbox, "count something")) <= 5 and not found(toolbox, "?")


@pytest.mark.parametrize("args", [{}, {"query": ""}, {"query": 7}, {"query": "?!"}, {"words": "count"}])
def test_a_query_without_words_is_told_so(args: dict[str, Any]) -> None:
    answer = box().answers([Use("u1", FIND, args)])["u1"]
    assert answer["is_error"] and "query" in answer["content"]


async def test_a_found_tool_can_be_called_and_nothing_before_it_changes(stores: Stores) -> None:
    toolbox = box()
    wanted = names(toolbox.deferred)[0]
    async with a_bench(stores, toolbox) as bench:
        look = {"type": "tool_use", "name": FIND, "input": {"query": wanted.replace("_", " ")}}
        call = {"type": "tool_use", "name": wanted, "input": {"of": "it"}}
        thought = {"type": "thinking", "thinking": "Let me see."}
        bench.double.script.extend([[thought, look], [thought, call], TEXT])
        reply = await bench.reply()
        [asked] = [Use(b["id"], b["name"], b["input"]) for b in reply["content"] if b["type"] == "tool_use"]
        history = [*SAID, reply, {"role": "user", "content": [*toolbox.answers([asked]).values()]}]
        assert wanted not in toolbox.unseen(history) and wanted in toolbox.unseen([*SAID, reply])
        reply = await bench.reply(messages=history)
        assert [b["name"] for b in reply["content"] if b["type"] == "tool_use"] == [wanted]
        history = json.loads(json.dumps([*history, reply, answers(reply)]))
        assert text_of(await bench.reply(messages=history)) == "It is up."
        first, *others = bench.double.requests
        assert all(each["tools"] == first["tools"] and each["system"] == first["system"] for each in others)
        rows = await stores.database.all("SELECT cache_read FROM usage ORDER BY id")
        assert [bool(row["cache_read"]) for row in rows] == [False, True, True]


async def test_a_call_of_what_is_not_in_view_becomes_one_of_no_tool(stores: Stores) -> None:
    toolbox = box()
    async with a_bench(stores, toolbox) as bench:
        bench.double.script.extend([[{"type": "tool_use", "name": names(toolbox.deferred)[0], "input": {}}], TEXT])
        reply = await bench.reply()
        [called] = [block["name"] for block in reply["content"] if block["type"] == "tool_use"]
        assert called not in names(toolbox.definitions)
        assert text_of(await bench.reply(messages=[*SAID, reply, answers(reply)])) == "It is up."


async def test_what_a_reference_brings_is_paid_for(stores: Stores) -> None:
    """A reference is short, and the tools that it brings are not: they are set aside with the rest."""
    toolbox = box()
    references = [{"type": "tool_reference", "tool_name": name} for name in names(toolbox.deferred)]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": references}
    asked = {"role": "assistant", "content": [{**use(FIND, query="all"), "id": "toolu_1"}]}
    async with a_bench(stores, toolbox) as bench:
        bench.double.script.append(TEXT)
        set_aside: list[int] = []
        affordable = bench.budget._affordable

        def noting(model: str, spent: Any, tokens: Any, kept: int, least: int) -> int:
            set_aside.append(tokens.cache_write)
            return affordable(model, spent, tokens, kept, least)

        bench.budget._affordable = noting  # type: ignore[method-assign]
        await bench.reply(messages=[*SAID, asked, {"role": "user", "content": [result]}])
        async with stores.database.transaction() as tx:
            used = await stores.usage.last_of(tx, "r1", "claude-sonnet-5-5")
        assert used is not None and used.prompt > 15_000 and set_aside[0] >= used.prompt


async def test_the_loop_answers_what_is_found_beside_a_card(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.agent.toolbox.MOST_EAGER", 4)
    house = House(tmp_path / "few", clock)
    await house.open()
    looking, off = use(FIND, query="press a button"), use("rack_switch_off", item="lamp")
    run = await house.ask(looking, off)
    assert await house.states() == ["waiting"]
    await house.crash()
    await house.recover()
    await house.tap()
    first, second = await house.results(run)
    assert [first["tool_use_id"], second["tool_use_id"]] == [looking["id"], off["id"]]
    assert {"type": "tool_reference", "tool_name": "rack_press"} in first["content"] and "done" in second["content"]
    assert (await house.run(run)).state == "done" and not (await house.run(run)).tainted
    await house.check()
    await house.close()
