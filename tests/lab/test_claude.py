"""The Messages API double, driven by the real SDK over real sockets: answers, streams, cache, signatures, faults."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic

from lab.claude import Claude, claude_app
from lab.server import serve
from lab.traffic import Traffic

Json = dict[str, Any]
HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"
TOOL: Json = {"name": "list_things", "description": "Lists.", "input_schema": {"type": "object"}}
ADAPTIVE: Json = {"type": "adaptive"}
EPHEMERAL: Json = {"type": "ephemeral"}
HOUR: Json = {"type": "ephemeral", "ttl": "1h"}
LONG = "A careful pair of hands looks before it touches. " * 60
USE: Json = {"type": "tool_use", "name": "list_things", "input": {"path": "/dätä/ünd", "only": ["a", "b", {"c": 1.5}]}}


@dataclass
class Bench:
    """A double on a port, a client of the real SDK and the traffic between them."""

    url: str
    claude: Claude
    client: AsyncAnthropic
    traffic: Traffic
    now: float = 0.0

    async def create(self, *messages: Json, model: str = HAIKU, **more: Any) -> Any:
        """The message for these messages."""
        request: Json = {"model": model, "max_tokens": 1000, "messages": list(messages), **more}
        return await self.client.messages.create(**request)

    async def stream(self, *messages: Json, model: str = HAIKU, **more: Any) -> Any:
        """The final message of a stream."""
        request: Json = {"model": model, "max_tokens": 1000, "messages": list(messages), **more}
        async with self.client.messages.stream(**request) as stream:
            return await stream.get_final_message()

    async def events(self, **body: Any) -> list[Json]:
        """The raw events of a stream."""
        headers = {"authorization": "Bearer x", "anthropic-version": "2026-10-21"}
        request = {"model": HAIKU, "max_tokens": 1000, "messages": [said("hi")], "stream": True, **body}
        async with httpx2.AsyncClient(timeout=5) as client:
            answer = await client.post(f"{self.url}/v1/messages", headers=headers, json=request)
        blocks = answer.text.strip().split("\n\n")
        return [json.loads(block.partition("\ndata: ")[2]) for block in blocks]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    claude, traffic = Claude(), Traffic()
    server = await serve(traffic.wrap("claude", claude_app(claude)))
    async with AsyncAnthropic(api_key="sk-test", base_url=server.url, max_retries=0, timeout=5) as client:
        bench = Bench(server.url, claude, client, traffic)
        claude.clock = lambda: bench.now
        yield bench
    await server.stop()


def said(text: str, **more: Any) -> Json:
    return {"role": "user", "content": [{"type": "text", "text": text, **more}]}


def result(use_id: str, text: Any = "{}") -> Json:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use_id, "content": text}]}


def replayed(message: Any) -> Json:
    """A reply as it is sent back."""
    return {"role": "assistant", "content": [block.to_dict() for block in message.content]}


def use_id(message: Any) -> str:
    return next(str(block.id) for block in message.content if block.type == "tool_use")


# --- answers ----------------------------------------------------------------------------------------------------


async def test_a_stream_with_tools_arrives_whole(bench: Bench) -> None:
    bench.claude.script.append([{"type": "text", "text": "Let me look\n\nat  that."}, USE, {**USE, "input": {}}])
    message = await bench.stream(said("look"), tools=[TOOL])
    text, first, second = message.content
    assert text.text == "Let me look\n\nat  that."
    assert (first.input, second.input) == (USE["input"], {})
    assert first.id != second.id and first.caller.type == "direct"
    assert message.stop_reason == "tool_use"


async def test_the_stream_has_the_shape_of_the_real_one(bench: Bench) -> None:
    bench.claude.script.append([{"type": "text", "text": LONG[:200]}, USE])
    events = await bench.events(tools=[TOOL])
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[-2:] == ["message_delta", "message_stop"]
    start = events[0]["message"]
    assert (start["content"], start["stop_reason"], start["usage"]["output_tokens"]) == ([], None, 1)
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    texts = [delta["text"] for delta in deltas if delta["type"] == "text_delta"]
    pieces = [delta["partial_json"] for delta in deltas if delta["type"] == "input_json_delta"]
    assert len(texts) > 3 and "".join(texts) == LONG[:200]
    assert len(pieces) > 3 and len({len(piece) for piece in pieces}) > 2
    assert json.loads("".join(pieces)) == USE["input"]
    assert events[-2]["usage"]["output_tokens"] > 1 and "input_tokens" in events[-2]["usage"]


async def test_replies_are_cut_at_max_tokens_and_stop_sequences(bench: Bench) -> None:
    text = [{"type": "text", "text": "one two three four"}]
    bench.claude.script += [text, text, [USE]]
    short = await bench.client.messages.create(model=HAIKU, max_tokens=2, messages=[said("count")])  # type: ignore[list-item]
    assert (short.stop_reason, short.content[0].text) == ("max_tokens", "one tw")  # type: ignore[union-attr]
    stopped = await bench.create(said("count"), stop_sequences=[" three"])
    assert (stopped.stop_reason, stopped.stop_sequence, stopped.content[0].text) == (
        "stop_sequence",
        " three",
        "one two",
    )
    cut = await bench.stream(said("look"), tools=[TOOL], max_tokens=9)
    assert cut.stop_reason == "max_tokens" and cut.content[0].input != USE["input"]


# --- the way in -------------------------------------------------------------------------------------------------


async def test_only_known_keys_versions_paths_and_models_are_let_in(bench: Bench) -> None:
    bench.claude.keys = {"sk-other"}
    with pytest.raises(anthropic.AuthenticationError) as refused:
        await bench.create(said("hi"))
    assert refused.value.type == "authentication_error" and str(refused.value.request_id).startswith("req_")
    bench.claude.keys = {"sk-test"}
    with pytest.raises(anthropic.NotFoundError):
        await bench.create(said("hi"), model="claude-unheard-of")
    with pytest.raises(anthropic.BadRequestError, match="anthropic-version"):
        await bench.create(said("hi"), extra_headers={"anthropic-version": "1999-01-01"})
    async with httpx2.AsyncClient() as client:
        assert (await client.post(f"{bench.url}/v1/messages", headers={"x-api-key": "sk-test"})).status_code == 401
        assert (await client.get(f"{bench.url}/v2", headers={"authorization": "Bearer sk-test"})).status_code == 400


# --- cache ------------------------------------------------------------------------------------------------------

SYSTEM = [{"type": "text", "text": LONG, "cache_control": HOUR}]


async def test_the_prefix_is_written_once_and_read_after(bench: Bench) -> None:
    request: Json = {"system": SYSTEM, "tools": [TOOL], "cache_control": EPHEMERAL}
    first = await bench.create(said("hello"), **request)
    second = await bench.create(said("hello"), replayed(first), said("thanks"), **request)
    wrote, read = first.usage, second.usage
    assert wrote.cache_read_input_tokens == 0 and wrote.input_tokens == 0
    assert wrote.cache_creation.ephemeral_1h_input_tokens > 900 > wrote.cache_creation.ephemeral_5m_input_tokens > 0
    assert read.cache_read_input_tokens == wrote.cache_creation_input_tokens
    assert 0 < read.cache_creation_input_tokens < 100


async def test_cached_prefixes_die_by_the_clock_and_live_on_when_used(bench: Bench) -> None:
    request: Json = {"system": [{"type": "text", "text": LONG, "cache_control": EPHEMERAL}]}

    async def read_at(now: float) -> int:
        bench.now = now
        return int((await bench.create(said("hello"), **request)).usage.cache_read_input_tokens)

    assert await read_at(0) == 0
    assert await read_at(290) > 900
    assert await read_at(580) > 900
    assert await read_at(881) == 0


async def test_the_hour_outlives_the_five_minutes(bench: Bench) -> None:
    request: Json = {"system": SYSTEM, "cache_control": EPHEMERAL}
    first = (await bench.create(said("hello"), **request)).usage
    bench.now = 1000
    later = (await bench.create(said("hello"), **request)).usage
    assert later.cache_read_input_tokens == first.cache_creation.ephemeral_1h_input_tokens
    assert later.cache_creation_input_tokens == first.cache_creation.ephemeral_5m_input_tokens


async def test_short_prefixes_other_models_and_changed_systems_are_not_cached(bench: Bench) -> None:
    for _ in range(2):
        short = await bench.create(said("hello", cache_control=EPHEMERAL))
        assert (short.usage.cache_read_input_tokens, short.usage.cache_creation_input_tokens) == (0, 0)
    await bench.create(said("hello"), system=SYSTEM)
    assert (await bench.create(said("hello"), system=SYSTEM, model=SONNET)).usage.cache_read_input_tokens == 0
    changed = [{**SYSTEM[0], "text": LONG + "21:04"}]
    assert (await bench.create(said("hello"), system=changed)).usage.cache_read_input_tokens == 0


@pytest.mark.parametrize(("added", "hit"), [(19, True), (20, False)])
async def test_a_breakpoint_looks_back_twenty_blocks(bench: Bench, added: int, hit: bool) -> None:
    def message(blocks: int) -> Json:
        return {"role": "user", "content": [{"type": "text", "text": LONG}] * blocks}

    await bench.create(message(1), cache_control=EPHEMERAL)
    usage = (await bench.create(message(1 + added), cache_control=EPHEMERAL)).usage
    assert (usage.cache_read_input_tokens > 0) == hit


async def test_a_cache_miss_is_explained(bench: Bench) -> None:
    request: Json = {"system": LONG, "tools": [TOOL]}
    first = await bench.create(said("hello"), diagnostics={"previous_message_id": None}, **request)
    assert first.diagnostics is None

    async def reason(*messages: Json, previous: str = first.id, **changed: Any) -> str | None:
        request_now = {**request, "diagnostics": {"previous_message_id": previous}, **changed}
        found = (await bench.create(*messages, **request_now)).diagnostics
        return found and str(found.cache_miss_reason.type)

    assert await reason(said("hello"), replayed(first), said("more")) is None
    assert await reason(said("hello"), model=SONNET) == "model_changed"
    assert await reason(said("hello"), system=LONG + "!") == "system_changed"
    assert await reason(said("hello"), tools=[{**TOOL, "description": "New."}]) == "tools_changed"
    assert await reason(said("goodbye")) == "messages_changed"
    assert await reason(said("hello"), tool_choice={"type": "none"}) == "unavailable"
    assert await reason(said("hello"), previous="msg_lost") == "previous_message_not_found"


# --- thinking ---------------------------------------------------------------------------------------------------


async def one_call(bench: Bench, model: str = SONNET, **more: Any) -> Any:
    bench.claude.script.append([USE])
    return await bench.stream(said("look"), model=model, tools=[TOOL], thinking=ADAPTIVE, **more)


@pytest.mark.parametrize("model", [HAIKU, SONNET, OPUS])
async def test_thinking_comes_before_tools_and_may_be_replayed(bench: Bench, model: str) -> None:
    message = await one_call(bench, model)
    thinking, tool = message.content
    assert (thinking.type, thinking.thinking, tool.type) == ("thinking", "", "tool_use")
    history = [said("look"), replayed(message), result(tool.id)]
    request: Json = {"model": model, "tools": [TOOL], "thinking": ADAPTIVE}
    assert (await bench.stream(*history, cache_control=EPHEMERAL, **request)).stop_reason == "end_turn"


async def refused(bench: Bench, *messages: Json, **changed: Any) -> str:
    request: Json = {"model": SONNET, "tools": [TOOL], "thinking": ADAPTIVE, **changed}
    with pytest.raises(anthropic.BadRequestError) as error:
        await bench.create(*messages, **request)
    return str(error.value)


async def test_a_changed_prefix_voids_replayed_thinking(bench: Bench) -> None:
    message = await one_call(bench)
    answer = result(use_id(message))
    bound = "bound to a different conversation"
    assert bound in await refused(bench, said("look!"), replayed(message), answer)
    assert bound in await refused(bench, said("look"), replayed(message), answer, system="Now it is 21:04.")
    other = {**TOOL, "name": "other"}
    assert bound in await refused(bench, said("look"), replayed(message), answer, tools=[TOOL, other])
    forged = replayed(message)
    forged["content"][0]["signature"] = "AAAA"
    assert "Invalid `signature`" in await refused(bench, said("look"), forged, answer)


async def test_a_shortened_tool_result_voids_later_thinking(bench: Bench) -> None:
    first = await one_call(bench)
    history = [said("look"), replayed(first), result(use_id(first), "a long result")]
    bench.claude.script.append([USE])
    second = await bench.stream(*history, model=SONNET, tools=[TOOL], thinking=ADAPTIVE)
    history[2] = result(use_id(first), "a long…")
    text = await refused(bench, *history, replayed(second), result(use_id(second)))
    assert "bound to a different conversation" in text


async def test_another_models_thinking_is_dropped_without_an_error(bench: Bench) -> None:
    message = await one_call(bench)
    history = [said("changed"), replayed(message), result(use_id(message))]
    assert (await bench.create(*history, model=OPUS, tools=[TOOL])).stop_reason == "end_turn"


async def test_deferred_tools_are_searched_before_they_are_called(bench: Bench) -> None:
    search = {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}
    hidden = {**TOOL, "name": "docker_list_containers", "defer_loading": True}
    message = await bench.stream(said("what's down?"), model=SONNET, tools=[search, hidden])
    kinds = [block.type for block in message.content]
    assert kinds == ["thinking", "server_tool_use", "tool_search_tool_result", "tool_use"]
    history = [said("what's down?"), replayed(message), result(use_id(message), '{"containers": []}')]
    assert (await bench.create(*history, model=SONNET, tools=[search, hidden])).stop_reason == "end_turn"
    unsearched = {**replayed(message), "content": replayed(message)["content"][3:]}
    text = await refused(bench, history[0], unsearched, history[2], tools=[search, hidden])
    assert "deferred" in text


async def test_a_clients_own_search_is_asked_for_deferred_tools(bench: Bench) -> None:
    tools = [{**TOOL, "name": "find_tools"}, {**TOOL, "name": "docker_list_containers", "defer_loading": True}]
    message = await bench.stream(said("what's down?"), model=SONNET, tools=tools)
    reference = result(use_id(message), [{"type": "tool_reference", "tool_name": "docker_list_containers"}])
    found = await bench.stream(said("what's down?"), replayed(message), reference, model=SONNET, tools=tools)
    assert [said_.content[-1].name for said_ in (message, found)] == ["find_tools", "docker_list_containers"]


# --- faults -----------------------------------------------------------------------------------------------------
