"""What a reply may hold and a request may not, and streams whose fields are null, missing or of another type."""

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.agent.claude import MAX_TOKENS
from bot.agent.model import ModelUnavailable, RunStopped, open_calls
from lab.claude import Claude as Double
from lab.claude import Reply
from lab.claude.prefix import chain, sign
from lab.claude.sse import events
from memory.models import Message
from memory.runs import final_text
from tests.bot.agent.bench import LOOKING, RUN, SAID, TEXT, USE, Bench, answers, text_of
from tools.kit.registry import discover

Json = dict[str, Any]
BLANK, EMPTY = {"type": "text", "text": "\n\n"}, {"type": "text", "text": ""}
THOUGHT = {"type": "thinking", "thinking": "Let me see."}
SEALED = {"type": "redacted_thinking", "data": "EmwKAhgB"}
NEW = {"type": "hologram", "shape": "cube"}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}


# -- endings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", ["end_turn", "stop_sequence"])
@pytest.mark.parametrize(
    "content", [[], [THOUGHT], [SEALED], [BLANK], [EMPTY], [THOUGHT, BLANK], [BLANK, THOUGHT], [NEW], [SEARCH]]
)
async def test_an_empty_ending_is_an_ending_and_is_paid_once(bench: Bench, content: list[Json], stop: str) -> None:
    bench.double.script.append(Reply(content, stop))
    reply = await bench.reply()
    assert final_text([*SAID, reply]) == "" and open_calls([*SAID, reply]) == [] and bench.requests == 1
    await can_be_sent_back(bench, reply)


async def can_be_sent_back(bench: Bench, reply: Message) -> None:
    """The strict double takes the reply as it is stored, and goes on."""
    bench.double.script.append(TEXT)
    stored = json.loads(json.dumps([*SAID, reply, answers(reply)]))
    assert text_of(await bench.reply(messages=stored)) == "It is up."


# -- what is left out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        [BLANK, USE], [USE, BLANK], [EMPTY, USE], [THOUGHT, BLANK, USE], [BLANK, THOUGHT, USE], [USE, THOUGHT],
        [SEALED, BLANK, USE], [{**SEALED, "data": ""}, USE], [NEW, THOUGHT, USE], [SEARCH, USE],
        [THOUGHT, {"type": "text", "text": "I look.\n", "citations": []}, USE, {**USE, "caller": None}],
        [{**USE, "toolset_name": None, "parsed_output": None, "strange": 1}], [{**USE, "id": "functions.look:0"}],
        [{**USE, "id": ""}, {**USE, "id": ""}], [{**USE, "id": "x" * 4000}], [{**USE, "name": "look around\n"}],
        [{**USE, "name": "l" * 300}], [{**USE, "input": {}}],
    ],
)  # fmt: skip
async def test_what_a_request_may_not_hold_is_left_out_before_it_is_stored(bench: Bench, content: list[Json]) -> None:
    bench.double.script.append(Reply(content, "tool_use"))
    reply = await bench.reply()
    assert len(open_calls([*SAID, reply])) == sum(block["type"] == "tool_use" for block in content)
    await can_be_sent_back(bench, reply)


async def test_a_thought_is_stored_as_it_is_signed(bench: Bench) -> None:
    bench.double.script.append([THOUGHT, USE])
    thought, _ = (await bench.reply())["content"]
    [request] = bench.double.requests
    seal = sign(request["model"], chain(request)[-1].digest, THOUGHT["thinking"])
    assert thought == {**THOUGHT, "signature": seal}


async def test_an_id_that_an_earlier_reply_had_is_another_call(bench: Bench) -> None:
    messages = list(SAID)
    for _ in range(3):
        bench.double.script.append([{**USE, "id": "call_0"}])
        reply = await bench.reply(messages=messages)
        messages += [reply, answers(reply)]
    bench.double.script.append(TEXT)
    assert text_of(await bench.reply(messages=messages)) == "It is up."


def test_a_name_that_had_to_be_changed_is_never_a_tools() -> None:
    assert not [tool.name for service in discover() for tool in service.tools if "-" in tool.name]


# -- streams that are not quite what they should be ----------------------------------------------------------------

MISSING = "missing"
JUNK: list[Any] = [None, MISSING, 7, True, "junk", [], {}, 10**30]


def good() -> list[Json]:
    """A stream with a thought, words and a call."""
    double, request = Double(), {"model": "claude-sonnet-5-5", "max_tokens": 900, "messages": SAID}
    double.script.append([THOUGHT, *TEXT, {**USE, "id": "toolu_1"}])
    message, _ = double.answer(request)
    return list(events(message, random.Random(1)))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything in a JSON value."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*path, key))


def doctored(stream: list[Json], place: tuple[Any, ...], junk: Any) -> list[Json]:
    """The stream with something else in one place."""
    found = copy.deepcopy(stream)
    inside: Any = found
    for key in place[:-1]:
        inside = inside[key]
    if junk is MISSING:
        del inside[place[-1]]
    else:
        inside[place[-1]] = junk
    return found


@pytest.mark.parametrize(
    "pieces",
    [
        ['{"at": "jelly', None, 'fin"}'], ['{"at": "jelly'], ['{"at": "a", "at": "b"}'], ['{"at": {"b": 1, "b": 2}}'],
        ['{"at": NaN}'], ['{"at": 1e999}'], ["[1]"], ["null"], ['"jellyfin"'], ["[" * 9000],
    ],
)  # fmt: skip
async def test_arguments_that_are_not_whole_or_say_two_things_are_no_call(
    bench: Bench, pieces: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.agent.claude.ATTEMPTS", 1)
    stream = [event for event in good() if event.get("delta", {}).get("type") != "input_json_delta"]
    written = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    bench.stream(
        [*stream[:-3], *({"type": "content_block_delta", "index": 2, "delta": each} for each in written), *stream[-3:]]
    )
    with pytest.raises(ModelUnavailable):
        await bench.reply()


@pytest.mark.parametrize("junk", [None, MISSING], ids=repr)
async def test_what_is_null_or_missing_in_the_beginning_is_not_known_and_no_more(bench: Bench, junk: Any) -> None:
    bench.budget.task = bench.budget.daily = 1e9
    stream = good()
    bench.stream(stream)
    whole = await bench.reply()
    begin = [(0, *place) for place in places(stream[0]) if place != ("type",)]
    for place in (*begin, (len(stream) - 2, "usage"), (len(stream) - 2, "delta", "stop_sequence")):
        bench.stream(doctored(stream, place, junk))
        assert await bench.reply() == whole, place


@pytest.mark.parametrize(
    "said", [None, {}, [], "many", {"input_tokens": None}, {"input_tokens": 0}, {"input_tokens": -5}]
)
async def test_a_use_that_is_not_known_is_booked_at_the_worst_case(bench: Bench, said: Any) -> None:
    stream = good()
    stream[0]["message"]["usage"] = stream[-2]["usage"] = said
    prefix = bench.client._prefix + LOOKING.size
    async with bench.budget.reserve("other", bench.client.model, prefix, SAID, most=MAX_TOKENS):
        worst = await bench.stores.usage.of_run("other")
    bench.stream(stream)
    await bench.reply()
    assert await bench.stores.usage.of_run(RUN.id) == worst


async def test_a_length_that_is_not_known_is_the_longest(bench: Bench) -> None:
    stream = good()
    stream[-2]["usage"]["output_tokens"] = None
    bench.stream(stream)
    await bench.reply()
    assert (await bench.stores.usage.of_run(RUN.id)).tokens_out == MAX_TOKENS


async def test_halves_of_a_character_find_each_other_and_a_single_one_can_be_sent_back(bench: Bench) -> None:
    def piece(text: str) -> Json:
        return {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": text}}

    stream = good()
    end = next(at for at, event in enumerate(stream) if event["type"] == "content_block_stop" and event["index"] == 1)
    bench.stream([*stream[:end], piece(" \ud83d"), piece("\ude00 \ud83d"), *stream[end:]])
    reply = await bench.reply()
    assert ascii(text_of(reply)) == ascii("It is up. 😀 \ufffd") and json.dumps(reply, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("kind", "words"),
    [("overloaded_error", "overloaded"), ("authentication_error", "ANTHROPIC_API_KEY"), (None, "out of order"),
     ("rate_limit_error", "rate limit"), ("not_found_error", "MODEL_BALANCED"), (["x"], "out of order")],
)  # fmt: skip
@pytest.mark.parametrize("begun", [0, 1, 5])
async def test_an_error_in_a_stream_is_told_as_what_it_is(bench: Bench, kind: Any, words: str, begun: int) -> None:
    for _ in range(9):
        bench.stream([*good()[:begun], {"type": "error", "error": {"type": kind, "message": "secret words"}}])
    with pytest.raises(RunStopped, match=words) as told:
        await bench.reply()
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("status", [400, 429, 500])
@pytest.mark.parametrize("junk", JUNK, ids=repr)
async def test_an_error_that_is_not_anthropics_is_an_error_all_the_same(bench: Bench, junk: Any, status: int) -> None:
    body = {} if junk is MISSING else {"error": junk}
    for answer in (json.dumps(junk if junk is not MISSING else {}), json.dumps(body), json.dumps({"error": body})):
        bench.traffic.clear()
        bench.traffic.fault("claude", status=status, body=answer, times=None)
        with pytest.raises(RunStopped):
            await bench.reply()


@pytest.mark.parametrize("junk", JUNK, ids=repr)
async def test_whatever_a_stream_says_is_a_reply_or_a_sentence_and_is_paid(
    bench: Bench, junk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.agent.claude.ATTEMPTS", 1)
    bench.budget.task = bench.budget.daily = 1e9
    stream = good()
    for number, place in enumerate(places(stream)):
        events, run = doctored(stream, place, junk), replace(RUN, id=f"r{number}")
        bench.stream(events)
        try:
            reply = await bench.client.reply(run, SAID, last=False)
        except RunStopped as stopped:
            assert str(stopped), place
        else:
            back = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [*SAID, reply, answers(reply)]}
            assert place[-1] == "signature" or bench.double.answer(back), "it can be sent back"
        spent = await bench.stores.usage.of_run(run.id)
        assert spent.usd > 0 or place[0] == 0, "what has begun is paid"
